"""Remove what has no effect, so that a program that is shown holds no junk.

::

    fold        what the features' bounds and the branch decide: x // 0, 3 + 4, mark >= 0, a branch never taken
    rewrite     x * 1, x - x, not (a < b), min(x, x), the same thing on both sides of a conditional
    drop        assignments that nobody reads, action arguments and functions whose effect nobody reads

The result behaves as the original for all inputs within the features' declared bounds; it never has more
nodes; simplifying it again changes nothing.
"""

from __future__ import annotations

from functools import lru_cache

from trainers.policy.arithmetic import wrap
from trainers.policy.kind import Form
from trainers.policy.parse import complete
from trainers.policy.ranges import Known, assign, assume, join, range_of, start
from trainers.policy.rewrite import rewrite, rewrite_test
from trainers.policy.tree import (
    Act,
    Assign,
    Binary,
    Component,
    Conditional,
    Const,
    Expression,
    FunctionDef,
    If,
    Name,
    Node,
    Return,
    Statement,
    Unary,
    always_returns,
    children,
    names,
    rebuild,
    walk,
)

__all__ = ["idle_functions", "idle_marks", "simplify", "simplify_function"]

_ROUNDS_MAX = 12  # a round that changes nothing ends it; each one shrinks the tree, so few are needed


def simplify(component: Component) -> Component:
    """Return an equivalent component without junk."""
    for _ in range(_ROUNDS_MAX):
        before = component
        for function in component.functions.values():
            component = component.with_function(simplify_function(component.form, function))
        for name in idle_functions(component):
            if len(component.functions) > 1:
                component = component.without_function(name)
        component = _clear(component, idle_marks(component))
        if component == before:
            break
    return component


def idle_functions(component: Component) -> frozenset[str]:
    """Return functions whose result nobody reads who has an effect (such as ``adapt`` where none reads the register).

    Two functions that only read what the other writes are both idle.
    """
    whole = complete(component)
    idle = {name for name, function in component.form.functions.items() if function.writes}
    while True:
        read = {name for lively in whole.functions.keys() - idle for name in names(whole.functions[lively])}
        woken = {name for name in idle if read.intersection(component.form.functions[name].writes)}
        if not woken:
            return frozenset(idle)
        idle -= woken


def idle_marks(component: Component) -> frozenset[str]:
    """Return the action arguments (such as ``mark``) that the component hands out and never reads back."""
    form = component.form
    read = {
        name
        for function in complete(component).functions.values()
        for name in _decisive(form, function) & {feature.name for feature in form.functions[function.name].features}
    }
    return frozenset(form.own_marks) - read


def _decisive(form: Form, function: FunctionDef) -> set[str]:
    """Return the names that are read for more than to be handed out as a mark again."""
    found: set[str] = set()
    pending: list[Node] = list(function.body)
    while pending:
        node = pending.pop()
        if isinstance(node, Name):
            found.add(node.name)
        elif isinstance(node, Act):
            places = zip(form.actions[node.action].arguments, node.arguments, strict=True)
            pending.extend(value for place, value in places if place[0] not in form.own_marks)
        else:
            pending.extend(children(node))
    return found


def _clear(component: Component, marks: frozenset[str]) -> Component:
    """Return the component with the lowest value for every argument in ``marks``."""
    if not marks:
        return component

    def clear(node: Node) -> Node:
        node = rebuild(node, tuple(clear(child) for child in children(node)))
        if not isinstance(node, Act):
            return node
        places = component.form.actions[node.action].arguments
        given = zip(places, node.arguments, strict=True)
        return Act(node.action, tuple(Const(place[1]) if place[0] in marks else value for place, value in given))

    for function in component.functions.values():
        body = tuple(clear(statement) for statement in function.body)
        component = component.with_function(FunctionDef(function.name, body))  # type: ignore[arg-type]
    return component


@lru_cache(maxsize=1024)
def simplify_function(form: Form, function: FunctionDef) -> FunctionDef:
    """Return an equivalent function without junk."""
    simplifier = _Simplifier(form)
    for _ in range(_ROUNDS_MAX):
        body, _known = simplifier.block(function.body, start(form.functions[function.name]))
        shorter = _without_unread(FunctionDef(function.name, body))
        if shorter == function:
            break
        function = shorter
    return function


def _without_unread(function: FunctionDef) -> FunctionDef:
    """Return the function without assignments to locals that are read nowhere."""
    read = {node.name for node in walk(function) if isinstance(node, Name)}

    def keep(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
        kept: list[Statement] = []
        for statement in body:
            if isinstance(statement, If):
                kept.append(If(statement.test, keep(statement.body), keep(statement.orelse)))
            elif not isinstance(statement, Assign) or statement.name in read:
                kept.append(statement)
        return tuple(kept)

    return FunctionDef(function.name, keep(function.body))


class _Simplifier:
    """One pass over a function, with what is known at each place."""

    def __init__(self, form: Form) -> None:
        self.form = form

    def block(self, body: tuple[Statement, ...], known: Known) -> tuple[tuple[Statement, ...], Known]:
        """Return the statements without junk, and what is known after them."""
        done: list[Statement] = []
        for statement in body:
            if isinstance(statement, Assign):
                value = self.value(statement.value, known)
                known = assign(known, statement.name, range_of(value, known))
                if value != Name(statement.name):
                    done.append(Assign(statement.name, value))
            elif isinstance(statement, Return):
                done.append(Return(self.value(statement.value, known)))
            else:
                inner, known = self._if(statement, known)
                done.extend(inner)
            if always_returns(tuple(done[-1:])):
                break
        return tuple(done), known

    def _if(self, statement: If, known: Known) -> tuple[tuple[Statement, ...], Known]:
        test = rewrite_test(self.value(statement.test, known))
        low, high = range_of(test, known)
        if (low, high) == (0, 0):
            return self.block(statement.orelse, known)
        if low > 0 or high < 0:
            return self.block(statement.body, known)
        body, after_body = self.block(statement.body, assume(test, True, known))
        orelse, after_orelse = self.block(statement.orelse, assume(test, False, known))
        after = (
            after_orelse
            if always_returns(body)
            else after_body
            if always_returns(orelse)
            else join(after_body, after_orelse)
        )
        if body == orelse:
            return body, after
        if not body:
            test, body, orelse = rewrite(Unary("not", test)), orelse, ()
        return (If(test, body, orelse),), after

    def value(self, node: Expression, known: Known) -> Expression:
        """Return an equivalent expression of at most as many nodes."""
        if isinstance(node, (Const, Name)):
            return self._decided(node, known)
        if isinstance(node, Act):
            return self._act(node, known)
        if isinstance(node, Conditional):
            return self._conditional(node, known)
        if isinstance(node, Unary):
            return rewrite(self._decided(Unary(node.op, self.value(node.operand, known)), known))
        left, right = self.value(node.left, known), self.value(node.right, known)
        return self._compared(rewrite(self._decided(Binary(node.op, left, right), known)), known)

    def _decided(self, node: Expression, known: Known) -> Expression:
        low, high = range_of(node, known)
        return Const(low) if low == high else node

    def _compared(self, node: Expression, known: Known) -> Expression:
        """Return the side that wins where the ranges leave no doubt."""
        if not isinstance(node, Binary) or node.op not in ("min", "max", "and", "or"):
            return node
        a, b = range_of(node.left, known), range_of(node.right, known)
        if node.op in ("and", "or"):
            if a[0] > 0 or a[1] < 0:
                return node.right if node.op == "and" else node.left
            return node
        smaller = node.left if a[1] <= b[0] else node.right if b[1] <= a[0] else None
        if smaller is None:
            return node
        larger = node.right if smaller is node.left else node.left
        return smaller if node.op == "min" else larger

    def _conditional(self, node: Conditional, known: Known) -> Expression:
        test = rewrite_test(self.value(node.test, known))
        low, high = range_of(test, known)
        if (low, high) == (0, 0):
            return self.value(node.otherwise, known)
        if low > 0 or high < 0:
            return self.value(node.then, known)
        then = self.value(node.then, assume(test, True, known))
        otherwise = self.value(node.otherwise, assume(test, False, known))
        return rewrite(Conditional(test, then, otherwise))

    def _act(self, node: Act, known: Known) -> Act:
        arguments = []
        for argument, (_, low, high, _) in zip(node.arguments, self.form.actions[node.action].arguments, strict=True):
            value = _unclamped(self.value(argument, known), low, high)
            least, most = range_of(value, known)
            arguments.append(Const(low) if most <= low else Const(high) if least >= high else value)
        return Act(node.action, tuple(arguments))


def _unclamped(value: Expression, low: int, high: int) -> Expression:
    """Return the value without an outer clamp that the action does anyway."""
    while isinstance(value, Binary) and isinstance(value.right, Const):
        bound = value.right.value
        if not (value.op == "min" and bound >= high) and not (value.op == "max" and bound <= low):
            break
        value = value.left
    if isinstance(value, Const):
        value = Const(wrap(min(max(value.value, low), high)))
    return value
