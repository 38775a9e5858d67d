"""WebAssembly instructions by name, and the two division helpers that modules carry which divide."""

from __future__ import annotations

from trainers.policy.leb128 import sized, sleb, uleb, vector

__all__ = [
    "CALL",
    "DIV",
    "ELSE",
    "END",
    "EXTEND",
    "GET",
    "I32_AND",
    "I32_CONST_0",
    "I32_EQZ",
    "I32_OR",
    "I64",
    "I64_ADD",
    "I64_AND",
    "I64_CLZ",
    "I64_CONST",
    "I64_DIV",
    "I64_EQ",
    "I64_EQZ",
    "I64_GT",
    "I64_LOAD_ALIGNED",
    "I64_LT",
    "I64_MUL",
    "I64_NE",
    "I64_REM",
    "I64_SHL",
    "I64_SHR",
    "I64_SUB",
    "I64_XOR",
    "IF",
    "IF_I64",
    "MOD",
    "RETURN",
    "SELECT",
    "SET",
    "TEE",
    "constant",
]

I64 = b"\x7e"
IF_I64, IF, ELSE, END, RETURN, CALL = b"\x04\x7e", b"\x04\x40", b"\x05", b"\x0b", b"\x0f", b"\x10"
SELECT, GET, SET, TEE = b"\x1b", b"\x20", b"\x21", b"\x22"
I32_CONST_0, I64_CONST, I64_LOAD_ALIGNED = b"\x41\x00", b"\x42", b"\x29\x03"
I32_EQZ, I32_AND, I32_OR = b"\x45", b"\x71", b"\x72"
I64_EQZ, I64_EQ, I64_NE, I64_LT, I64_GT, I64_CLZ = b"\x50", b"\x51", b"\x52", b"\x53", b"\x55", b"\x79"
I64_ADD, I64_SUB, I64_MUL, I64_DIV, I64_REM, I64_AND, I64_XOR = (
    b"\x7c",
    b"\x7d",
    b"\x7e",
    b"\x7f",
    b"\x81",
    b"\x83",
    b"\x85",
)
I64_SHL, I64_SHR, EXTEND = b"\x86", b"\x87", b"\xad"


def constant(value: int) -> bytes:
    """Return the instruction that leaves an i64."""
    return I64_CONST + sleb(value)


def _helper(*, remainder: bool) -> bytes:
    """Return ``(a, b) -> a // b`` or ``a % b``, floored; 0 where b is 0; b = -1 apart, for INT64_MIN."""
    a, b, rest = GET + b"\x00", GET + b"\x01", GET + b"\x02"
    code = b + I64_EQZ + IF + constant(0) + RETURN + END
    code += b + constant(-1) + I64_EQ + IF
    code += (constant(0) if remainder else constant(0) + a + I64_SUB) + RETURN + END
    code += a + b + I64_REM + TEE + b"\x02" + b + I64_XOR + constant(63) + I64_SHR  # -1 where their signs differ
    code += constant(0) + rest + constant(0) + I64_NE + SELECT + SET + b"\x03"  # and there is a remainder
    adjust = GET + b"\x03"
    code += rest + b + adjust + I64_AND + I64_ADD if remainder else a + b + I64_DIV + adjust + I64_ADD
    return sized(vector([uleb(2) + I64]) + code + END)


DIV, MOD = _helper(remainder=False), _helper(remainder=True)
