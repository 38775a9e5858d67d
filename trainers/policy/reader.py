"""Read one function: vocabulary, types, assignment before use, and a return on every path, in one pass.

::

    def on_hit(mark):              parameters: features the form shows to this function
        if mark > 2:               value(): an integer anywhere below
            x = 1                  block(): knows what every path so far has assigned
        return keep(x)             returned(): an action where the form wants one   ← "x" is refused here
"""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable
from typing import NoReturn

from trainers.policy.arithmetic import INT64_MAX, wrap
from trainers.policy.errors import PolicyError
from trainers.policy.kind import Form, Function
from trainers.policy.tree import (
    DEPTH_MAX,
    NODES_MAX,
    Act,
    Assign,
    Binary,
    Conditional,
    Const,
    Expression,
    FunctionDef,
    If,
    Name,
    Return,
    Statement,
    Unary,
)
from trainers.policy.vocabulary import BINARY_OF, COMPARISON_OF, FOLDED, RESERVED, SINGLE, outside

__all__ = ["Budget", "Reader", "nearest", "refuse"]

_LOCAL = re.compile(r"[a-z_][a-z0-9_]{0,31}")


def refuse(node: ast.AST, facts: str, hint: str) -> NoReturn:
    """Raise `PolicyError` at the node's place."""
    raise PolicyError(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1, facts, hint)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a hint: the known name that was probably meant, or all of them."""
    known = list(known)
    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(known)}"


class Budget:
    """The nodes that are left to one component."""

    def __init__(self) -> None:
        self.left = NODES_MAX

    def spend(self, node: ast.AST, depth: int, nodes: int = 1) -> None:
        """Count nodes at that depth; refuse the first beyond a limit."""
        self.left -= nodes
        if self.left < 0:
            refuse(node, f"more than {NODES_MAX} nodes", "a component this large is rarely better: simplify it")
        if depth > DEPTH_MAX:
            refuse(node, f"nested more than {DEPTH_MAX} levels deep", "give inner parts a name of their own")


class Reader:
    """Reads one function. ``assigned`` is what every path so far has assigned; None once all have returned."""

    def __init__(self, form: Form, function: Function, budget: Budget) -> None:
        self.form = form
        self.function_ = function
        self.budget = budget
        self.parameters: set[str] = set()
        self.targets: set[str] = set()  # every name that is assigned anywhere in the function
        self.renamed: dict[str, str] = {}
        self.seen = {feature.name for feature in function.features}

    def function(self, node: ast.FunctionDef) -> FunctionDef:
        """Read parameters and body."""
        self._parameters(node)
        self.targets = {
            inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
        }
        for name in sorted(self.targets & self.seen):
            self.renamed[name] = self._fresh(name)
        own = [name for name in self.renamed if name in self.parameters]
        prologue = tuple(Assign(self.renamed[name], Name(name)) for name in own)
        self.budget.spend(node, 1, 2 * len(prologue))
        body, left = self.block(node.body, frozenset(self.renamed[name] for name in own), 1)
        if left is not None:
            hint = "end with a return outside of any if, or give each branch one"
            refuse(node, f"'{node.name}' can end without returning", hint)
        return FunctionDef(node.name, prologue + body)

    def _parameters(self, node: ast.FunctionDef) -> None:
        arguments = node.args
        if node.decorator_list:
            refuse(node.decorator_list[0], "a decorator", "leave it out")
        special = (*arguments.posonlyargs, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg)
        extra = [*(part for part in special if part), *arguments.defaults, *(d for d in arguments.kw_defaults if d)]
        extra += [part.annotation for part in arguments.args if part.annotation] + (
            [node.returns] if node.returns else []
        )
        if extra:
            refuse(extra[0], "a parameter is the plain name of a feature", "no defaults, annotations, * or /")
        for part in arguments.args:
            if part.arg not in self.seen:
                refuse(part, f"'{node.name}' sees no '{part.arg}'", nearest(part.arg, sorted(self.seen)))
            self.parameters.add(part.arg)

    def _fresh(self, name: str) -> str:
        while name in self.targets or name in self.seen:
            name += "_"
        return name

    def block(
        self, body: list[ast.stmt], assigned: frozenset[str], depth: int
    ) -> tuple[tuple[Statement, ...], frozenset[str] | None]:
        """Read statements in order; return them and what is assigned after them."""
        statements: list[Statement] = []
        left: frozenset[str] | None = assigned
        for node in body:
            if left is None:
                refuse(node, "never reached: every path before it returns", "delete it")
            statement, left = self.statement(node, left, depth)
            statements.append(statement)
        return tuple(statements), left

    def statement(
        self, node: ast.stmt, assigned: frozenset[str], depth: int
    ) -> tuple[Statement, frozenset[str] | None]:
        """Read one statement; return it and what is assigned after it."""
        self.budget.spend(node, depth)
        if isinstance(node, ast.Return):
            if node.value is None:
                refuse(node, "a return without a value", f"'{self.function_.name}' returns {self._returns()}")
            return Return(self.returned(node.value, assigned, depth + 1)), None
        if isinstance(node, ast.If):
            test = self.value(node.test, assigned, depth + 1)
            body, after_body = self.block(node.body, assigned, depth + 1)
            orelse, after_orelse = self.block(node.orelse, assigned, depth + 1)
            if after_body is None or after_orelse is None:
                return If(test, body, orelse), after_orelse if after_body is None else after_body
            return If(test, body, orelse), after_body & after_orelse
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            value = self.value(node.value, assigned, depth + 1)
            target = node.targets[0]
        elif isinstance(node, ast.AugAssign):
            value = self._augmented(node, assigned, depth)
            target = node.target
        else:
            refuse(node, outside(node), "the language has if, assignment to one name, and return")
        name = self._target(target)
        return Assign(name, value), assigned | {name}

    def _augmented(self, node: ast.AugAssign, assigned: frozenset[str], depth: int) -> Expression:
        op = BINARY_OF.get(type(node.op))
        if op is None or not isinstance(node.target, ast.Name):
            refuse(node, outside(node.op if op is None else node.target), "write: name = name + 1")
        self.budget.spend(node, depth + 1)
        return Binary(op, self.value(node.target, assigned, depth + 2), self.value(node.value, assigned, depth + 2))

    def _target(self, target: ast.expr) -> str:
        if not isinstance(target, ast.Name):
            refuse(target, f"assignment to {outside(target)}", "assign to one plain name")
        name = self.renamed.get(target.id, target.id)
        if not _LOCAL.fullmatch(name):
            refuse(target, f"a local cannot be called '{name}'", "use at most 32 of a-z, 0-9 and _")
        if name in RESERVED or name in self.form.actions or name in self.form.functions:
            refuse(target, f"'{name}' already means something", "call the local something else")
        return name

    def _returns(self) -> str:
        helpers = [
            f"{name}({', '.join(a[0] for a in self.form.actions[name].arguments)})" for name in self.function_.actions
        ]
        return " or ".join(helpers) if helpers else "an integer"

    def returned(self, node: ast.expr, assigned: frozenset[str], depth: int) -> Expression:
        """Read what a function returns: an action, a choice between actions, or an integer."""
        if not self.function_.actions:
            return self.value(node, assigned, depth)
        self.budget.spend(node, depth)
        if isinstance(node, ast.IfExp):
            return Conditional(
                self.value(node.test, assigned, depth + 1),
                self.returned(node.body, assigned, depth + 1),
                self.returned(node.orelse, assigned, depth + 1),
            )
        called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if not isinstance(node, ast.Call) or called not in self.function_.actions:
            what = f"'{called}'" if called else "an integer" if not isinstance(node, ast.Call) else outside(node)
            refuse(node, f"'{self.function_.name}' cannot return {what}", f"it returns {self._returns()}")
        wanted = [argument[0] for argument in self.form.actions[called].arguments]
        arguments = self.arguments(node, called, wanted, assigned, depth)
        return Act(called, arguments)

    def arguments(
        self, node: ast.Call, name: str, wanted: list[str], assigned: frozenset[str], depth: int
    ) -> tuple[Expression, ...]:
        """Read the positional arguments of a call, as many as are wanted."""
        if node.keywords or len(node.args) != len(wanted):
            refuse(node, f"'{name}' takes {len(wanted)} arguments by position", f"write {name}({', '.join(wanted)})")
        return tuple(self.value(argument, assigned, depth + 1) for argument in node.args)

    def value(self, node: ast.expr, assigned: frozenset[str], depth: int) -> Expression:
        """Read an expression that is an integer."""
        self.budget.spend(node, depth)
        if isinstance(node, ast.Constant):
            return self._constant(node, INT64_MAX)
        if isinstance(node, ast.Name):
            return self._name(node, assigned)
        if isinstance(node, ast.BinOp) and type(node.op) in BINARY_OF:
            left, right = self.value(node.left, assigned, depth + 1), self.value(node.right, assigned, depth + 1)
            return Binary(BINARY_OF[type(node.op)], left, right)
        if isinstance(node, ast.Compare):
            return self._comparison(node, assigned, depth)
        if isinstance(node, ast.BoolOp):
            op = "and" if isinstance(node.op, ast.And) else "or"
            return self._fold(op, node, node.values, assigned, depth)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
            return self._unary(node, assigned, depth)
        if isinstance(node, ast.IfExp):
            test, then, otherwise = (
                self.value(part, assigned, depth + 1) for part in (node.test, node.body, node.orelse)
            )
            return Conditional(test, then, otherwise)
        if isinstance(node, ast.Call):
            return self._call(node, assigned, depth)
        part = node.op if isinstance(node, (ast.BinOp, ast.UnaryOp)) else node
        refuse(node, outside(part), "integers have + - * // % << >>, comparisons, and or not, min max abs ilog2")

    def _constant(self, node: ast.Constant, most: int) -> Const:
        if type(node.value) is not int:
            refuse(node, f"the constant {node.value!r:.40}", "constants are integers; write 1 and 0 for yes and no")
        if node.value > most:
            refuse(node, "a constant beyond 64 bits", f"at most {INT64_MAX}")
        return Const(node.value)

    def _name(self, node: ast.Name, assigned: frozenset[str]) -> Name:
        name = self.renamed.get(node.id, node.id)
        if name in assigned or name in self.parameters:
            return Name(name)
        if node.id in self.targets:
            refuse(node, f"'{node.id}' may be read before it is assigned", "assign it on every path")
        if name in self.seen:
            refuse(node, f"'{name}' is not a parameter", f"write def {self.function_.name}(…, {name})")
        known = sorted(self.seen | assigned)
        refuse(node, f"'{self.function_.name}' knows no '{name}'", nearest(name, known))

    def _comparison(self, node: ast.Compare, assigned: frozenset[str], depth: int) -> Binary:
        if len(node.ops) != 1:
            refuse(node, "a chained comparison", "write a < b and b < c")
        op = COMPARISON_OF.get(type(node.ops[0]))
        if op is None:
            refuse(node, outside(node.ops[0]), "compare with == != < <= > >=")
        return Binary(
            op, self.value(node.left, assigned, depth + 1), self.value(node.comparators[0], assigned, depth + 1)
        )

    def _unary(self, node: ast.UnaryOp, assigned: frozenset[str], depth: int) -> Expression:
        if isinstance(node.op, ast.USub):
            if isinstance(node.operand, ast.Constant):
                return Const(-self._constant(node.operand, INT64_MAX + 1).value)
            operand = self.value(node.operand, assigned, depth + 1)
            return Const(wrap(-operand.value)) if isinstance(operand, Const) else Unary("-", operand)
        return Unary("not", self.value(node.operand, assigned, depth + 1))

    def _call(self, node: ast.Call, assigned: frozenset[str], depth: int) -> Expression:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name in FOLDED and not node.keywords and len(node.args) >= 2:
            return self._fold(name, node, node.args, assigned, depth)
        if name in FOLDED:
            refuse(node, f"'{name}' takes two arguments or more by position", f"write {name}(a, b)")
        if name in SINGLE:
            return Unary(name, *self.arguments(node, name, ["x"], assigned, depth))
        if name in self.form.actions:
            refuse(node, f"the action '{name}' inside an expression", "an action is returned, not computed with")
        refuse(node, f"a call of '{name}'" if name else "a call", "only min, max, abs and ilog2 are called")

    def _fold(self, op: str, node: ast.expr, parts: list[ast.expr], assigned: frozenset[str], depth: int) -> Expression:
        """Read ``a and b and c`` or ``min(a, b, c)`` as two-sided operations, from the left."""
        result = self.value(parts[0], assigned, depth + len(parts) - 1)
        for place, part in enumerate(parts[1:], start=1):
            self.budget.spend(node, depth, nodes=place > 1)
            result = Binary(op, result, self.value(part, assigned, depth + len(parts) - place))
        return result
