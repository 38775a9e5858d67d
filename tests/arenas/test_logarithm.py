"""Fixed-point logarithms: near the real ones, monotone, and exact where the truth is a whole number."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.arenas.logarithm import CLIP, ONE, exp2_millionths, log2_ratio

COUNTS = st.integers(1, 1 << 62)


@given(COUNTS, COUNTS)
@settings(max_examples=200, deadline=None)
def test_a_logarithm_is_that_of_the_library_to_nine_digits(numerator: int, denominator: int) -> None:
    truth = math.log2(numerator) - math.log2(denominator)
    assert log2_ratio(numerator, denominator) / ONE == pytest.approx(truth, abs=1e-9, rel=1e-9)


@given(COUNTS, COUNTS, COUNTS)
@settings(max_examples=200, deadline=None)
def test_a_larger_ratio_has_no_smaller_logarithm(one: int, other: int, denominator: int) -> None:
    low, high = sorted((one, other))
    assert log2_ratio(low, denominator) <= log2_ratio(high, denominator)


@given(st.integers(-20 * ONE, 20 * ONE))
@settings(max_examples=200, deadline=None)
def test_a_power_is_that_of_the_library_to_a_millionth(exponent: int) -> None:
    assert exp2_millionths(exponent) == pytest.approx(1e6 * 2 ** (exponent / ONE), rel=1e-8, abs=1)


@pytest.mark.parametrize("exponent", range(-12, 13))
def test_powers_of_two_are_exact(exponent: int) -> None:
    assert log2_ratio(1 << max(exponent, 0), 1 << max(-exponent, 0)) == exponent * ONE
    assert exp2_millionths(exponent * ONE) == math.floor(1e6 * 2**exponent)


def test_the_clip_is_one_and_a_half_natural_units() -> None:
    assert math.floor(1.5 * math.log2(math.e) * ONE) == CLIP
    assert (exp2_millionths(-CLIP), exp2_millionths(CLIP)) == (223_130, 4_481_689)


@pytest.mark.parametrize(("numerator", "denominator"), [(0, 1), (1, 0), (-1, 1)])
def test_what_has_no_logarithm_is_refused(numerator: int, denominator: int) -> None:
    with pytest.raises(ValueError, match="no logarithm"):
        log2_ratio(numerator, denominator)
