"""Bounded fields: what is inside the bounds passes, one step outside is named with its path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, FrozenInstanceError, dataclass, fields
from typing import Annotated, Any, Literal, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_hub.protocol.bounds import Flat, Items, Real, Text, Whole, fail
from mqtt_hub.protocol.compiled import constructor
from mqtt_hub.protocol.errors import ProtocolError
from mqtt_hub.protocol.schema import REMEMBERED_MAX, checker


@dataclass(frozen=True, slots=True)
class Inner:
    count: Annotated[int, Whole(0, 10)]


Word = Annotated[str, Text(5, r"[a-z]+", 1, repeats=True)]


@dataclass(frozen=True, slots=True)
class Named:
    name: Word


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


near: st.SearchStrategy[Any] = st.fixed_dictionaries(
    {"name": st.sampled_from(["abc", "abcde", "abcdef", "ABC", "", 5, True, ["abc"], {}, None])},
    optional={
        "inners": st.lists(st.fixed_dictionaries({}, optional={"count": st.integers(-1, 11) | json}), max_size=3),
        "ratio": st.sampled_from([0, 1, -0.1, 1.1, 0.5, float("nan"), float("inf"), True, 2**70, "1"]),
        "kind": st.sampled_from(["a", "b", "c", ["a"]]),
        "sure": st.sampled_from([True, False, 1, 0, None]),
        "counters": st.dictionaries(st.sampled_from(["x", "y", "z", "no key"]), st.integers(-1, 10), max_size=3) | json,
        "unknown": json,
    },
)


def slowly(value: Any) -> Outer:
    """Check as the compiled function is to do it: one field after the other, each by its own checker."""
    if type(value) is not dict:
        raise fail("body", "an object", value)
    hints, found = get_type_hints(Outer, include_extras=True), {}
    for field in fields(Outer):
        if field.name in value:
            found[field.name] = checker(hints[field.name])(value[field.name], f"body.{field.name}")
        elif field.default is MISSING:
            raise ProtocolError(f"body.{field.name}: is missing")
    return Outer(**found)


@given(near | json)
def test_the_compiled_checker_says_what_the_checkers_of_the_fields_say(value: Any) -> None:
    def told(check: Callable[[Any], Any]) -> Any:
        try:
            return check(value)
        except ProtocolError as error:
            return str(error)

    assert told(lambda value: checker(Outer)(value, "body")) == told(slowly)


def test_what_was_found_right_once_is_remembered_and_nothing_else() -> None:
    check = checker(Named)
    for value in ("abc", "abc", "xyz"):
        assert check({"name": value}, "body").name == value
        with pytest.raises(ProtocolError):
            check({"name": value.upper()}, "body")
    for number in range(REMEMBERED_MAX + 10):
        letters = "".join(chr(97 + (number // 26**place) % 26) for place in range(3))
        assert check({"name": letters}, "body").name == letters
    assert len(checker(Word).right) <= REMEMBERED_MAX  # type: ignore[attr-defined]


def test_what_is_made_is_as_frozen_equal_and_hashable_as_if_its_class_had_made_it() -> None:
    made = checker(Inner)({"count": 3}, "body")
    assert (made, hash(made), repr(made)) == (Inner(3), hash(Inner(3)), repr(Inner(3)))
    assert constructor(Inner)(3) == made
    assert type(constructor(Inner)(3)) is Inner
    with pytest.raises(FrozenInstanceError):
        made.count = 4


@given(json)
def test_whatever_comes_nothing_but_a_protocol_error_is_raised(value: Any) -> None:
    try:
        assert isinstance(checker(Outer)(value, "body"), Outer)
    except ProtocolError as error:
        assert error.facts.startswith("body")
