"""The checked tree: what a component is once its source has been read.

::

    Component ── functions ──▶ FunctionDef ── body ──▶ Statement: Assign | If | Return
                                                           │
                                     Expression: Const | Name | Unary | Binary | Conditional | Act

Every node is immutable, so trees share their unchanged parts; search builds a variant by replacing one node
on a path. A `Name` is a feature where the function declares one of that name, otherwise a local; which
features a function takes as parameters follows from its body. An `Act` (``head(1, 0)``) stands only where a
function returns. A negated constant is a `Const`, never a `Unary`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from trainers.policy.kind import Form

__all__ = [
    "BINARY",
    "COMPARISONS",
    "DEPTH_MAX",
    "NODES_MAX",
    "SOURCE_BYTES_MAX",
    "UNARY",
    "Act",
    "Assign",
    "Binary",
    "Component",
    "Conditional",
    "Const",
    "Expression",
    "FunctionDef",
    "If",
    "Name",
    "Node",
    "Return",
    "Statement",
    "Unary",
    "always_returns",
    "children",
    "depth",
    "is_action",
    "locals_of",
    "names",
    "rebuild",
    "size",
    "walk",
]

SOURCE_BYTES_MAX = 8 * 1024
NODES_MAX = 1_000  # of a component
DEPTH_MAX = 40  # of a function's body: statements and expressions together

COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
BINARY = ("+", "-", "*", "//", "%", "<<", ">>", "min", "max", "and", "or", *COMPARISONS)
UNARY = ("-", "not", "abs", "ilog2")


@dataclass(frozen=True, slots=True)
class Const:
    """A 64-bit two's-complement integer."""

    value: int


@dataclass(frozen=True, slots=True)
class Name:
    """The value of a feature or of a local."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary:
    """One of `UNARY` applied to its operand."""

    op: str
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary:
    """One of `BINARY` applied to two operands."""

    op: str
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Conditional:
    """``then if test else otherwise``."""

    test: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Act:
    """An action helper of the form, such as ``head(1, 0)``: a type of its own, only returned."""

    action: str
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Assign:
    """``name = value``: a local, assigned before it is read on every path."""

    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class Return:
    """``return value``."""

    value: Expression


@dataclass(frozen=True, slots=True)
class If:
    """``if``; an ``elif`` is a lone `If` in ``orelse``."""

    test: Expression
    body: tuple[Statement, ...]
    orelse: tuple[Statement, ...]


Expression: TypeAlias = Const | Name | Unary | Binary | Conditional | Act
Statement: TypeAlias = Assign | Return | If
Node: TypeAlias = Expression | Statement


@dataclass(frozen=True, slots=True)
class FunctionDef:
    """One function of a component; its parameters are the features that its body reads."""

    name: str
    body: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Component:
    """Functions that together serve one kind; the form's default stands in for each that is not given."""

    form: Form
    functions: Mapping[str, FunctionDef]  # in the form's order

    def with_function(self, function: FunctionDef) -> Component:
        """Return this component with ``function`` put in the place of the one of its name."""
        functions = {**self.functions, function.name: function}
        return Component(self.form, {name: functions[name] for name in self.form.functions if name in functions})

    def without_function(self, name: str) -> Component:
        """Return this component with the form's default for ``name``."""
        return Component(self.form, {key: value for key, value in self.functions.items() if key != name})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Component):
            return NotImplemented
        return self.form is other.form and dict(self.functions) == dict(other.functions)

    def __hash__(self) -> int:
        return hash(tuple(self.functions.values()))


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below ``node``, in reading order; `rebuild` takes them in that order."""
    if isinstance(node, (Const, Name)):
        return ()
    if isinstance(node, Binary):
        return (node.left, node.right)
    if isinstance(node, Unary):
        return (node.operand,)
    if isinstance(node, Conditional):
        return (node.test, node.then, node.otherwise)
    if isinstance(node, Act):
        return node.arguments
    if isinstance(node, If):
        return (node.test, *node.body, *node.orelse)
    return (node.value,)


def rebuild(node: Node, parts: tuple[Node, ...]) -> Node:
    """Return ``node`` with its children replaced by as many ``parts``; the caller keeps them well-typed."""
    if not parts:
        return node
    if isinstance(node, If):
        cut = 1 + len(node.body)
        return If(parts[0], parts[1:cut], parts[cut:])  # type: ignore[arg-type]
    if isinstance(node, Act):
        return Act(node.action, parts)  # type: ignore[arg-type]
    if isinstance(node, (Unary, Binary)):
        return type(node)(node.op, *parts)  # type: ignore[arg-type]
    if isinstance(node, Assign):
        return Assign(node.name, parts[0])  # type: ignore[arg-type]
    return type(node)(*parts)  # type: ignore[arg-type]


def walk(node: FunctionDef | Node) -> Iterator[Node]:
    """Yield every node below and including ``node``, parents first."""
    pending: list[Node] = list(reversed(node.body)) if isinstance(node, FunctionDef) else [node]
    while pending:
        here = pending.pop()
        yield here
        pending.extend(reversed(children(here)))


def size(tree: Component | FunctionDef | Node) -> int:
    """Count nodes: expressions and statements alike."""
    if isinstance(tree, Component):
        return sum(size(function) for function in tree.functions.values())
    return sum(1 for _ in walk(tree))


def depth(tree: FunctionDef | Node) -> int:
    """Return the number of nodes on the longest path downwards."""
    below = tree.body if isinstance(tree, FunctionDef) else children(tree)
    return (not isinstance(tree, FunctionDef)) + max((depth(child) for child in below), default=0)


def names(tree: FunctionDef | Node) -> frozenset[str]:
    """Return every name that is read, features and locals alike."""
    return frozenset(node.name for node in walk(tree) if isinstance(node, Name))


def locals_of(function: FunctionDef) -> tuple[str, ...]:
    """Return the names that the function assigns, in order of their first assignment."""
    return tuple(dict.fromkeys(node.name for node in walk(function) if isinstance(node, Assign)))


def is_action(expression: Expression) -> bool:
    """Tell whether the expression is an action or a choice between actions."""
    while isinstance(expression, Conditional):
        expression = expression.then
    return isinstance(expression, Act)


def always_returns(body: tuple[Statement, ...]) -> bool:
    """Tell whether control never falls off the end of ``body``."""
    return any(
        isinstance(statement, Return)
        or (isinstance(statement, If) and always_returns(statement.body) and always_returns(statement.orelse))
        for statement in body
    )
