"""WebAssembly: a component as the bytes of one module a function, written directly.

::

    (module
      (import "env" "memory" (memory 1))
      (func $on_insert (result i64) …)  the function, exported by its name
      (func $div …) (func $mod …))      where it divides: floor division, 0 for a zero divisor; never exported

A module a function, because a mutant differs from its parent in one: what is known by its bytes need not be compiled
again. Statements are written here, what they compute by `trainers.policy.wasm_expressions`.
"""

from __future__ import annotations

from functools import lru_cache

from trainers.policy.kind import Form
from trainers.policy.leb128 import sized, text, uleb, vector
from trainers.policy.parse import complete
from trainers.policy.tree import Assign, Component, Conditional, FunctionDef, If, Return, Statement, always_returns
from trainers.policy.wasm_code import ELSE, END, I64, IF, IF_I64, RETURN, SET
from trainers.policy.wasm_expressions import Expressions

__all__ = ["to_wasm"]


def to_wasm(component: Component) -> dict[str, bytes]:
    """Return by name a module for every function of the form, which exports it as ``() -> i64``."""
    return {function.name: _module(component.form, function) for function in complete(component).functions.values()}


@lru_cache(maxsize=4096)
def _module(form: Form, function: FunctionDef) -> bytes:
    body = _Body(form, function)
    body.tail(function.body)
    count, helpers = body.expressions.count, body.expressions.helpers
    declared = vector([uleb(count) + I64] if count else [])
    code = [sized(declared + b"".join(body.code) + END), *helpers]
    return _envelope(function.name, len(helpers)) + b"\x0a" + sized(vector(code))


@lru_cache(maxsize=256)
def _envelope(name: str, helpers: int) -> bytes:
    """Return everything before the code: types, import, signatures, export."""
    types = vector([b"\x60\x00\x01" + I64, *([b"\x60\x02" + I64 + I64 + b"\x01" + I64] if helpers else [])])
    imports = vector([text("env") + text("memory") + b"\x02\x00\x01"])
    signatures = vector([b"\x00"] + [b"\x01"] * helpers)
    exports = vector([text(name) + b"\x00\x00"])
    sections = ((1, types), (2, imports), (3, signatures), (7, exports))
    return b"\x00asm\x01\x00\x00\x00" + b"".join(bytes([number]) + sized(body) for number, body in sections)


class _Body:
    """The statements of one function, in the order of its instructions."""

    def __init__(self, form: Form, function: FunctionDef) -> None:
        self.expressions = Expressions(form, function)
        self.code = self.expressions.code
        self.test, self.value = self.expressions.test, self.expressions.value

    def tail(self, body: tuple[Statement, ...]) -> None:
        """Emit statements that end the function, leaving its result on the stack."""
        emit = self.code.append
        for place, statement in enumerate(body):
            rest = body[place + 1 :]
            if isinstance(statement, Return):
                self.value(statement.value)
                return
            if isinstance(statement, Assign):
                self.statement(statement)
                continue
            ends = always_returns(statement.body)
            if not ends and not always_returns(statement.orelse):
                self.statement(statement)
                continue
            then = statement.body if ends else statement.body + rest
            otherwise = statement.orelse + rest if ends else statement.orelse
            if isinstance(then[0], Return) and isinstance(otherwise[0], Return):
                self.value(Conditional(statement.test, then[0].value, otherwise[0].value))
                return
            self.test(statement.test)
            emit(IF_I64)
            self.tail(then)
            emit(ELSE)
            self.tail(otherwise)
            emit(END)
            return

    def statement(self, statement: Statement) -> None:
        """Emit a statement that leaves nothing on the stack."""
        emit = self.code.append
        if isinstance(statement, Assign):
            self.value(statement.value)
            emit(SET + self.expressions.locals[statement.name])
        elif isinstance(statement, Return):
            self.value(statement.value)
            emit(RETURN)
        else:
            self._if(statement)

    def _if(self, statement: If) -> None:
        self.test(statement.test)
        self.code.append(IF)
        for inner in statement.body:
            self.statement(inner)
        if statement.orelse:
            self.code.append(ELSE)
            for inner in statement.orelse:
                self.statement(inner)
        self.code.append(END)
