"""Logarithms and powers in fixed point by integer arithmetic alone: equal on every machine, whatever its libm.

::

    log2_ratio(n, d) ─▶ integer, parts of ONE = 2^32 ─▶ sums, weights, clips ─▶ exp2_millionths ─▶ 10^6 · 2^x

Kinds that are scored by a composite of ratios (docs/io-scheduling.md, docs/cpu-scheduling.md) add logarithms here
and show the result as a ratio again. Both functions round down; each is within 2^-31 of the truth.
"""

from __future__ import annotations

from math import isqrt

__all__ = ["CLIP", "ONE", "exp2_millionths", "log2_ratio"]

_BITS = 32
ONE = 1 << _BITS
CLIP = 9_294_492_028  # 1.5 natural units in base 2: 1.5 * log2(e) * 2^32, rounded down

_WORK = 62  # fractional bits while computing


def _roots() -> tuple[int, ...]:
    """Return 2^(1/2), 2^(1/4), 2^(1/8), … as integers with ``_WORK`` fractional bits."""
    roots, root = [], 2 << _WORK
    for _ in range(_BITS):
        root = isqrt(root << _WORK)
        roots.append(root)
    return tuple(roots)


_ROOTS = _roots()


def log2_ratio(numerator: int, denominator: int) -> int:
    """Return log2(numerator / denominator) in parts of ``ONE``; both must be positive."""
    if numerator <= 0 or denominator <= 0:
        raise ValueError(f"no logarithm of {numerator} / {denominator}")
    whole = numerator.bit_length() - denominator.bit_length()
    # A mantissa within [1, 2): what the bit lengths say is at most one too high.
    mantissa = (numerator << _WORK + max(0, -whole)) // (denominator << max(0, whole))
    if mantissa < 1 << _WORK:
        whole -= 1
        mantissa = (numerator << _WORK + max(0, -whole)) // (denominator << max(0, whole))
    result = 0
    for _ in range(_BITS):
        mantissa = mantissa * mantissa >> _WORK
        above = mantissa >> _WORK + 1
        result = result << 1 | above
        mantissa >>= above
    return (whole << _BITS) + result


def exp2_millionths(exponent: int) -> int:
    """Return 10^6 * 2^(exponent / ``ONE``)."""
    whole, fraction = exponent >> _BITS, exponent & ONE - 1
    product = 1 << _WORK
    for place, root in enumerate(_ROOTS, start=1):
        if fraction >> _BITS - place & 1:
            product = product * root >> _WORK
    product *= 1_000_000
    return product << whole >> _WORK if whole >= 0 else product >> _WORK - whole
