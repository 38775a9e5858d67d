"""C: a component as a kernel developer reads and compiles it.

Freestanding C for ``-Wall -Wextra -Werror`` under gcc and clang, tabs, ``s64``, one kernel-doc comment a
function. The text is that of the simplified component. Where the features' declared bounds prove that nothing
can overflow, the operators are plain; elsewhere a helper wraps through unsigned, so no input is undefined
behaviour. Only the helpers that are used are written.
"""

from __future__ import annotations

from dataclasses import dataclass

from trainers.policy.c_expressions import Expressions
from trainers.policy.c_helpers import C_WORDS, HEADER, helper_names, helpers
from trainers.policy.kind import Form
from trainers.policy.parse import complete
from trainers.policy.ranges import FULL, Known, assign, assume, join, range_of, start
from trainers.policy.simplify import simplify_function
from trainers.policy.source import parameters
from trainers.policy.tree import (
    Assign,
    Component,
    Conditional,
    Expression,
    FunctionDef,
    If,
    Return,
    Statement,
    always_returns,
    locals_of,
)

__all__ = ["Prototype", "to_c", "to_c_functions"]

_COLUMNS = 80


@dataclass(frozen=True, slots=True)
class Prototype:
    """What C calls a function, and the features it takes, in order."""

    name: str
    parameters: tuple[str, ...]


def to_c(component: Component, *, prefix: str = "") -> str:
    """Return a C file with every function of the form; ``prefix`` opens the functions' names."""
    text, used, _ = to_c_functions(component, prefix=prefix)
    form = component.form
    title = f"/* {form.kind}, {form.name} form: written by mqtt-hub from a policy's source. */\n"
    return "\n".join([title + HEADER, *helpers(form, used), text])


def to_c_functions(component: Component, *, prefix: str = "") -> tuple[str, frozenset[str], tuple[Prototype, ...]]:
    """Return the functions alone, the helpers they use, and their prototypes."""
    used: set[str] = set()
    texts, prototypes = [], []
    for given in complete(component).functions.values():
        function = simplify_function(component.form, given)
        writer = _Writer(component.form, function, used)
        prototype = Prototype(prefix + function.name, parameters(component.form, function))
        texts.append(writer.function(prototype))
        prototypes.append(prototype)
    return "\n".join(texts), frozenset(used), tuple(prototypes)


def _c_names(form: Form, function: FunctionDef) -> dict[str, str]:
    """Return a C name for each feature and local: its own, unless C or a helper has it."""
    taken = set(C_WORDS | helper_names(form) | set(form.functions))
    found: dict[str, str] = {}
    for name in (*parameters(form, function), *locals_of(function)):
        own = name
        while own in taken:
            own += "_"
        taken.add(own)
        found[name] = own
    return found


class _Writer:
    """Writes one function: comment, head and statements."""

    def __init__(self, form: Form, function: FunctionDef, used: set[str]) -> None:
        self.form = form
        self.tree = function
        self.declared = form.functions[function.name]
        self.names = _c_names(form, function)
        self.write = Expressions(self.names, used)

    def function(self, prototype: Prototype) -> str:
        """Return comment, head and body."""
        lines = ["/**", f" * {prototype.name} - {self.declared.meaning}"]
        for name in prototype.parameters:
            feature = self.declared.feature(name)
            if feature:
                bounds = "" if (feature.low, feature.high) == FULL else f" ({feature.low}..{feature.high})"
                lines.append(f" * @{self.names[name]}: {feature.meaning}{bounds}")
        lines.append(" */")
        taken = ", ".join(f"s64 {self.names[name]}" for name in prototype.parameters) or "void"
        lines += [f"s64 {prototype.name}({taken})", "{"]
        own = [self.names[name] for name in locals_of(self.tree)]
        if own:
            lines += [f"\ts64 {', '.join(own)};", ""]
        self.block(self.tree.body, start(self.declared), 1, lines)
        return "\n".join([*lines, "}", ""])

    def block(self, body: tuple[Statement, ...], known: Known, tabs: int, lines: list[str]) -> Known:
        """Write statements; return what is known after them."""
        for statement in body:
            if isinstance(statement, Return):
                self.returned(statement.value, known, tabs, lines)
            elif isinstance(statement, Assign):
                lines.append(
                    "\t" * tabs + f"{self.names[statement.name]} = {self.write.value(statement.value, known)[0]};"
                )
                known = assign(known, statement.name, range_of(statement.value, known))
            else:
                known = self.branch(statement, known, tabs, lines)
        return known

    def returned(self, value: Expression, known: Known, tabs: int, lines: list[str]) -> None:
        """Write a return; a choice that does not fit a line becomes an ``if``."""
        line = "\t" * tabs + f"return {self.write.value(value, known)[0]};"
        if not isinstance(value, Conditional) or (
            len(line.expandtabs(8)) <= _COLUMNS and not isinstance(value.otherwise, Conditional)
        ):
            lines.append(line)
            return
        lines.append("\t" * tabs + f"if ({self.write.test(value.test, known)[0]})")
        then = assume(value.test, True, known)
        if isinstance(value.then, Conditional):
            lines[-1] += " {"
            self.returned(value.then, then, tabs + 1, lines)
            lines.append("\t" * tabs + "}")
        else:
            self.returned(value.then, then, tabs + 1, lines)
        self.returned(value.otherwise, assume(value.test, False, known), tabs, lines)

    def branch(self, statement: If, known: Known, tabs: int, lines: list[str]) -> Known:
        """Write an if; return what is known after it."""
        indent = "\t" * tabs
        if not statement.orelse and len(statement.body) == 1 and isinstance(statement.body[0], (Assign, Return)):
            return self._single(statement, known, tabs, lines)
        lines.append(f"{indent}if ({self.write.test(statement.test, known)[0]}) {{")
        after_body = self.block(statement.body, assume(statement.test, True, known), tabs + 1, lines)
        below = assume(statement.test, False, known)
        if not statement.orelse:
            lines.append(f"{indent}}}")
            after_orelse = below
        elif len(statement.orelse) == 1 and isinstance(statement.orelse[0], If):
            at = len(lines)
            after_orelse = self.branch(statement.orelse[0], below, tabs, lines)
            lines[at] = f"{indent}}} else {lines[at].lstrip()}"
        else:
            lines.append(f"{indent}}} else {{")
            after_orelse = self.block(statement.orelse, below, tabs + 1, lines)
            lines.append(f"{indent}}}")
        if always_returns(statement.body):
            return after_orelse
        return after_body if always_returns(statement.orelse) else join(after_body, after_orelse)

    def _single(self, statement: If, known: Known, tabs: int, lines: list[str]) -> Known:
        """Write an if of one statement without braces, as the kernel does."""
        inner: list[str] = []
        after = self.block(statement.body, assume(statement.test, True, known), tabs + 1, inner)
        braces = len(inner) > 1
        lines.append("\t" * tabs + f"if ({self.write.test(statement.test, known)[0]})" + " {" * braces)
        lines.extend(inner)
        if braces:
            lines.append("\t" * tabs + "}")
        below = assume(statement.test, False, known)
        return below if always_returns(statement.body) else join(after, below)
