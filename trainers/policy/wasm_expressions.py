"""WebAssembly of expressions: instructions that leave a number, an action or a truth on the stack.

A feature is an ``i64.load`` at its fixed address wherever it is read: two instructions, which Cranelift merges
because a candidate never stores. A conditional whose branches are cheap is a ``select``: no jump to mispredict.
Truth is an i32 on the stack, a number an i64; `Expressions.test` and `Expressions.value` leave one or the other.
"""

from __future__ import annotations

from trainers.policy.arithmetic import clamp
from trainers.policy.kind import Form
from trainers.policy.leb128 import uleb
from trainers.policy.ranges import is_truth
from trainers.policy.tree import Act, Binary, Conditional, Const, Expression, FunctionDef, Name, Unary, locals_of
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
    IF_I64,
    MOD,
    SELECT,
    TEE,
    constant,
)

__all__ = ["Expressions"]

_PLAIN = {"+": I64_ADD, "-": I64_SUB, "*": I64_MUL, "<<": I64_SHL, ">>": I64_SHR}
_COMPARE = {"==": I64_EQ, "!=": I64_NE, "<": I64_LT, ">": I64_GT, "<=": b"\x57", ">=": b"\x59"}
_CHEAP = 10  # as many instructions cost no more than a jump that is mispredicted now and then
_COSTLY = {"//": 8, "%": 8, "min": 4, "max": 4, "or": 4}


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


class Expressions:
    """Writes the expressions of one function into ``code``; ``count`` locals and ``helpers`` are what they use."""

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
