"""WebAssembly: a component as the bytes of one module a function, written directly.

::

    (module
      (import "env" "memory" (memory 1))
      (func $on_insert (result i64) …)  the function, exported by its name
      (func $div …) (func $mod …))      where it divides: floor division, 0 for a zero divisor; never exported

A module a function, because a mutant differs from its parent in one: what is known by its bytes need not be compiled
again. A feature is an ``i64.load`` at its fixed address wherever it is read: two instructions, which Cranelift merges
because a candidate never stores. A conditional whose branches are cheap is a ``select``: no jump to mispredict.
Truth is an i32 on the stack, a number an i64; `_Body.test` and `_Body.value` leave one or the other.
"""

from __future__ import annotations

from functools import lru_cache

from trainers.policy.arithmetic import clamp
from trainers.policy.kind import Form
from trainers.policy.leb128 import sized, text, uleb, vector
from trainers.policy.parse import complete
from trainers.policy.ranges import is_truth
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
    Return,
    Statement,
    Unary,
    always_returns,
    locals_of,
)
from trainers.policy.wasm_code import (
    CALL,
    DIV,
    ELSE,
    END,
    EXTEND,
    GET,
    I32_AND,
    I32_CONST_0,
    I32_EQZ,
    I32_OR,
    I64,
    I64_ADD,
    I64_AND,
    I64_CLZ,
    I64_DIV,
    I64_EQ,
    I64_EQZ,
    I64_GT,
    I64_LOAD_ALIGNED,
    I64_LT,
    I64_MUL,
    I64_NE,
    I64_REM,
    I64_SHL,
    I64_SHR,
    I64_SUB,
    IF,
    IF_I64,
    MOD,
    RETURN,
    SELECT,
    SET,
    TEE,
    constant,
)

__all__ = ["to_wasm"]

_PLAIN = {"+": I64_ADD, "-": I64_SUB, "*": I64_MUL, "<<": I64_SHL, ">>": I64_SHR}
_COMPARE = {"==": I64_EQ, "!=": I64_NE, "<": I64_LT, ">": I64_GT, "<=": b"\x57", ">=": b"\x59"}
_CHEAP = 10  # as many instructions cost no more than a jump that is mispredicted now and then
_COSTLY = {"//": 8, "%": 8, "min": 4, "max": 4, "or": 4}


def to_wasm(component: Component) -> dict[str, bytes]:
    """Return by name a module for every function of the form, which exports it as ``() -> i64``."""
    return {function.name: _module(component.form, function) for function in complete(component).functions.values()}


@lru_cache(maxsize=4096)
def _module(form: Form, function: FunctionDef) -> bytes:
    body = _Body(form, function)
    body.tail(function.body)
    declared = vector([uleb(body.count) + I64] if body.count else [])
    code = [sized(declared + b"".join(body.code) + END), *body.helpers]
    return _envelope(function.name, len(body.helpers)) + b"\x0a" + sized(vector(code))


@lru_cache(maxsize=256)
def _envelope(name: str, helpers: int) -> bytes:
    """Return everything before the code: types, import, signatures, export."""
    types = vector([b"\x60\x00\x01" + I64, *([b"\x60\x02" + I64 + I64 + b"\x01" + I64] if helpers else [])])
    imports = vector([text("env") + text("memory") + b"\x02\x00\x01"])
    signatures = vector([b"\x00"] + [b"\x01"] * helpers)
    exports = vector([text(name) + b"\x00\x00"])
    sections = ((1, types), (2, imports), (3, signatures), (7, exports))
    return b"\x00asm\x01\x00\x00\x00" + b"".join(bytes([number]) + sized(body) for number, body in sections)


def _cost(node: Expression) -> int:
    """Return about how many instructions an expression runs, conditionals counted on both sides."""
    if isinstance(node, Const):
        return 1
    if isinstance(node, Name):
        return 2
    if isinstance(node, Binary):
        return _COSTLY.get(node.op, 1) + _cost(node.left) + _cost(node.right)
    if isinstance(node, Unary):
        return 3 + _cost(node.operand)
    if isinstance(node, Conditional):
        return 1 + _cost(node.test) + _cost(node.then) + _cost(node.otherwise)
    return 1 + sum(0 if isinstance(a, Const) else 12 + _cost(a) for a in node.arguments)


class _Body:
    """The instructions of one function and the locals they use."""

    def __init__(self, form: Form, function: FunctionDef) -> None:
        self.form = form
        self.code: list[bytes] = []
        self.locals = {name: uleb(index) for index, name in enumerate(locals_of(function))}
        self.count = len(self.locals)
        self.free: list[bytes] = []  # temporaries whose value is no longer wanted
        self.helpers: list[bytes] = []  # bodies, in the order of their indices: the function itself has 0
        features = form.functions[function.name].features
        self.address = {feature.name: uleb(form.features_at + 8 * feature.slot) for feature in features}

    def temporary(self) -> bytes:
        """Return the index of a local that holds nothing wanted; give it back through ``free``."""
        if self.free:
            return self.free.pop()
        self.count += 1
        return uleb(self.count - 1)

    def helper(self, body: bytes) -> bytes:
        """Return the index of a helper, which the module carries from now on."""
        if body not in self.helpers:
            self.helpers.append(body)
        return uleb(1 + self.helpers.index(body))

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
            emit(SET + self.locals[statement.name])
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

    def test(self, node: Expression) -> None:
        """Leave the truth of ``node`` as an i32."""
        emit = self.code.append
        if isinstance(node, Binary) and node.op in _COMPARE:
            self.value(node.left)
            if node.op == "==" and node.right == Const(0):
                emit(I64_EQZ)
            else:
                self.value(node.right)
                emit(_COMPARE[node.op])
        elif isinstance(node, Binary) and node.op in ("and", "or"):
            self.test(node.left)
            self.test(node.right)
            emit(I32_AND if node.op == "and" else I32_OR)
        elif isinstance(node, Unary) and node.op == "not":
            self.test(node.operand)
            emit(I32_EQZ)
        else:
            self.value(node)
            emit(constant(0) + I64_NE)

    def value(self, node: Expression) -> None:
        """Leave ``node`` as an i64."""
        emit = self.code.append
        if isinstance(node, Const):
            emit(constant(node.value))
        elif isinstance(node, Name):
            own = self.locals.get(node.name)
            emit(I32_CONST_0 + I64_LOAD_ALIGNED + self.address[node.name] if own is None else GET + own)
        elif isinstance(node, Conditional):
            self._conditional(node)
        elif isinstance(node, Act):
            self._action(node)
        elif is_truth(node):
            self.test(node)
            emit(EXTEND)
        elif isinstance(node, Binary):
            self._binary(node)
        else:
            self._unary(node)

    def _conditional(self, node: Conditional) -> None:
        if _cost(node.then) + _cost(node.otherwise) <= _CHEAP:
            self.value(node.then)
            self.value(node.otherwise)
            self.test(node.test)
            self.code.append(SELECT)
            return
        self.test(node.test)
        self.code.append(IF_I64)
        self.value(node.then)
        self.code.append(ELSE)
        self.value(node.otherwise)
        self.code.append(END)

    def _binary(self, node: Binary) -> None:
        emit = self.code.append
        if node.op in _PLAIN:
            self.value(node.left)
            self.value(node.right)
            emit(_PLAIN[node.op])
        elif node.op in ("//", "%"):
            self._division(node)
        elif node.op == "and":  # what is false is 0
            self.value(Conditional(node.left, node.right, Const(0)))
        else:  # min, max, or: one of two values, each computed once
            a, b = self.temporary(), self.temporary()
            self.value(node.left)
            emit(TEE + a)
            self.value(node.right)
            emit(TEE + b)
            emit(GET + a)
            emit(constant(0) + I64_NE if node.op == "or" else GET + b + (I64_LT if node.op == "min" else I64_GT))
            emit(SELECT)
            self.free += (a, b)

    def _division(self, node: Binary) -> None:
        emit = self.code.append
        divisor = node.right.value if isinstance(node.right, Const) else 0
        self.value(node.left)
        if divisor > 0 and divisor & (divisor - 1) == 0:  # a power of two: a shift and a mask floor by themselves
            quotient = constant(divisor.bit_length() - 1) + I64_SHR
            emit(quotient if node.op == "//" else constant(divisor - 1) + I64_AND)
        elif divisor > 0 and node.op == "//":  # rounded towards zero, then down by one where a remainder is negative
            a = self.temporary()
            emit(TEE + a + constant(divisor) + I64_DIV)
            emit(GET + a + constant(divisor) + I64_REM + constant(63) + I64_SHR + I64_ADD)
            self.free.append(a)
        else:
            self.value(node.right)
            emit(CALL + self.helper(DIV if node.op == "//" else MOD))

    def _unary(self, node: Unary) -> None:
        emit = self.code.append
        if node.op == "-":
            emit(constant(0))
            self.value(node.operand)
            emit(I64_SUB)
            return
        a = self.temporary()
        if node.op == "abs":
            emit(constant(0))
            self.value(node.operand)
            emit(TEE + a + I64_SUB + GET + a + GET + a + constant(0) + I64_LT + SELECT)
        else:  # ilog2: of 1 where the operand is not positive
            emit(constant(63))
            self.value(node.operand)
            emit(TEE + a + constant(1) + GET + a + constant(0) + I64_GT + SELECT + I64_CLZ + I64_SUB)
        self.free.append(a)

    def _action(self, node: Act) -> None:
        """Emit ``code << 16 | clamped arguments``: constants are folded, the rest is added to them."""
        action = self.form.actions[node.action]
        fixed = action.code << 16
        moving: list[Expression] = []
        for argument, (_, low, high, shift) in zip(node.arguments, action.arguments, strict=True):
            if isinstance(argument, Const):
                fixed |= clamp(argument.value, low, high) << shift
            else:
                clamped = Binary("min", Binary("max", argument, Const(low)), Const(high))
                moving.append(Binary("<<", clamped, Const(shift)) if shift else clamped)
        self.code.append(constant(fixed))
        for part in moving:
            self.value(part)
            self.code.append(I64_ADD)
