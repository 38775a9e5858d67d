"""Bounded fields: what is inside the bounds passes, one step outside is named with its path."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_hub.protocol.bounds import Flat, Items, Real, Text, Whole
from mqtt_hub.protocol.errors import ProtocolError
from mqtt_hub.protocol.schema import checker


@dataclass(frozen=True, slots=True)
class Inner:
    count: Annotated[int, Whole(0, 10)]


@dataclass(frozen=True, slots=True)
class Outer:
    name: Annotated[str, Text(5, r"[a-z]+", 1)]
    inners: Annotated[tuple[Inner, ...], Items(2)]
    ratio: Annotated[float, Real(0, 1)] = 0.5
    kind: Literal["a", "b"] = "a"
    sure: bool = False
    counters: Annotated[Mapping[str, int], Flat(2, Whole(0, 9))] = None  # type: ignore[assignment]


GOOD: dict[str, Any] = {"name": "abc", "inners": [{"count": 3}]}


def test_what_is_within_bounds_becomes_the_dataclass() -> None:
    value = checker(Outer)({**GOOD, "ratio": 1, "kind": "b", "sure": True, "counters": {"x": 9}}, "body")
    assert value == Outer("abc", (Inner(3),), 1, "b", True, {"x": 9})


def test_unknown_fields_are_ignored() -> None:
    assert checker(Outer)({**GOOD, "from_the_future": [1]}, "body") == Outer("abc", (Inner(3),))


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"name": ""}, "body.name"),
        ({"name": "abcdef"}, "body.name"),
        ({"name": "ABC"}, "body.name"),
        ({"name": "abc\n"}, "body.name"),
        ({"name": 5}, "body.name"),
        ({"inners": [{"count": 3}] * 3}, "body.inners"),
        ({"inners": [{"count": 3}, {"count": 11}]}, "body.inners[1].count"),
        ({"inners": [{"count": True}]}, "body.inners[0].count"),
        ({"inners": [{"count": 3.0}]}, "body.inners[0].count"),
        ({"inners": [{}]}, "body.inners[0].count"),
        ({"inners": [None]}, "body.inners[0]"),
        ({"inners": {"0": 1}}, "body.inners"),
        ({"ratio": 1.1}, "body.ratio"),
        ({"ratio": float("nan")}, "body.ratio"),
        ({"ratio": "0.5"}, "body.ratio"),
        ({"kind": "c"}, "body.kind"),
        ({"kind": ["a"]}, "body.kind"),
        ({"sure": 1}, "body.sure"),
        ({"counters": {"x": 1, "y": 1, "z": 1}}, "body.counters"),
        ({"counters": {"x": 10}}, "body.counters.x"),
        ({"counters": {"no spaces": 1}}, "body.counters"),
    ],
)
def test_what_is_outside_is_named_with_its_path(change: dict[str, Any], path: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        checker(Outer)(GOOD | change, "body")
    assert caught.value.facts.startswith(f"{path}:")


json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(json)
def test_whatever_comes_nothing_but_a_protocol_error_is_raised(value: Any) -> None:
    try:
        assert isinstance(checker(Outer)(value, "body"), Outer)
    except ProtocolError as error:
        assert error.facts.startswith("body")
