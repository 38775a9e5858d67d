"""What every operator means, in plain Python: the one definition the other faces are held to.

All values are 64-bit two's-complement and every operation is total:

- ``+ - *``, ``-x``, ``abs`` wrap around;
- ``//`` and ``%`` floor as in Python and give 0 for a zero divisor; ``INT64_MIN // -1`` wraps;
- ``<<`` and ``>>`` use the count's low six bits, ``>>`` keeps the sign;
- comparisons and ``not`` give 0 or 1; ``and`` and ``or`` give one of their operands, as in Python;
- ``ilog2(x)`` is the position of the highest set bit, and 0 for ``x <= 0``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping

__all__ = ["BINARY_MEANING", "INT64_MAX", "INT64_MIN", "UNARY_MEANING", "clamp", "wrap"]

INT64_MIN, INT64_MAX = -(1 << 63), (1 << 63) - 1


def wrap(value: int) -> int:
    """Return ``value`` modulo 2^64, read as a signed integer."""
    return (value + (1 << 63) & (1 << 64) - 1) - (1 << 63)


def clamp(value: int, low: int, high: int) -> int:
    """Return the integer of ``low..high`` nearest to ``value``."""
    return low if value < low else min(value, high)


def _compare(test: Callable[[int, int], bool]) -> Callable[[int, int], int]:
    return lambda a, b: int(test(a, b))


BINARY_MEANING: Mapping[str, Callable[[int, int], int]] = {
    "+": lambda a, b: wrap(a + b),
    "-": lambda a, b: wrap(a - b),
    "*": lambda a, b: wrap(a * b),
    "//": lambda a, b: wrap(a // b) if b else 0,
    "%": lambda a, b: a % b if b else 0,
    "<<": lambda a, b: wrap(a << (b & 63)),
    ">>": lambda a, b: a >> (b & 63),
    "min": min,
    "max": max,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "==": _compare(operator.eq),
    "!=": _compare(operator.ne),
    "<": _compare(operator.lt),
    "<=": _compare(operator.le),
    ">": _compare(operator.gt),
    ">=": _compare(operator.ge),
}

UNARY_MEANING: Mapping[str, Callable[[int], int]] = {
    "-": lambda a: wrap(-a),
    "not": lambda a: int(not a),
    "abs": lambda a: wrap(abs(a)),
    "ilog2": lambda a: a.bit_length() - 1 if a > 0 else 0,
}
