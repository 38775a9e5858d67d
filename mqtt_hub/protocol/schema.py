"""Bounded fields: an annotated frozen dataclass says what a JSON object may hold, and this checks it.

::

    @dataclass(frozen=True, slots=True)
    class Claim:
        workload: Digest                                  # Annotated[str, Text(64, pattern=...)]
        capacity: Annotated[int, Whole(1, 2**31)]
        notes: Annotated[tuple[Note, ...], Items(16)] = ()

    claim = checker(Claim)({"workload": "...", "capacity": 100}, "body.claims[0]")

A method ``validate(self, path)`` may check what fields say of each other.
A field without a default is required. Unknown fields are ignored (the archive keeps the bytes). Errors name
the field's path and what was expected. Checkers are built once a class and kept.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass, replace
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from mqtt_hub.protocol.bounds import Flat, Items, Real, Text, Whole, fail
from mqtt_hub.protocol.compiled import object_check

__all__ = ["checker"]

REMEMBERED_MAX = 1_024  # texts of one kind
Check = Callable[[Any, str], Any]


@cache
def checker(type_: Any) -> Check:
    """Return the function ``(value, path) -> checked value`` for a dataclass or annotated type."""
    if is_dataclass(type_) and isinstance(type_, type):
        return object_check(type_, checker)
    origin, arguments = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return _bounded(arguments[0], arguments[1])
    if origin is Literal:
        return _choice(arguments)
    if type_ is bool:
        return _boolean
    raise TypeError(f"no bounds declared for {type_!r}")  # a mistake in this package, found at import by a test


def _bounded(inner: Any, bound: Any) -> Check:
    if isinstance(bound, Text):
        return _text(bound)
    if isinstance(bound, Whole):
        return _whole(bound)
    if isinstance(bound, Real):
        return _real(bound)
    if isinstance(bound, Flat):
        return _flat(bound)
    if isinstance(bound, Items):
        return _items(checker(get_args(inner)[0]), bound)
    raise TypeError(f"unknown bound {bound!r}")


def _boolean(value: Any, path: str) -> bool:
    if value is True or value is False:
        return bool(value)
    raise fail(path, "true or false", value)


def _choice(options: tuple[Any, ...]) -> Check:
    known = frozenset(options)
    expected = "one of " + ", ".join(map(str, options))

    def check(value: Any, path: str) -> Any:
        if isinstance(value, str) and value in known:
            return value
        raise fail(path, expected, value)

    return check


def _text(bound: Text) -> Check:
    matches = re.compile(bound.pattern).fullmatch if bound.pattern else None
    low, high = bound.characters_min, bound.characters_max
    expected = f"text of {low} to {high} characters"
    if bound.repeats:
        return _Remembering(_text(replace(bound, repeats=False)))

    def check(value: Any, path: str) -> str:
        if type(value) is not str or not low <= len(value) <= high:
            raise fail(path, expected, value)
        if matches is not None and matches(value) is None:
            raise fail(path, f"text matching {bound.pattern}", value)
        return value

    return check


class _Remembering:
    """Checks texts, and remembers those found right."""

    def __init__(self, check: Check) -> None:
        self.right: set[str] = set()
        self._check = check

    def __call__(self, value: Any, path: str) -> Any:
        if type(value) is str and value in self.right:
            return value
        self._check(value, path)
        if len(self.right) >= REMEMBERED_MAX:
            self.right.clear()
        self.right.add(value)
        return value


def _whole(bound: Whole) -> Check:
    low, high = bound.low, bound.high
    expected = f"a whole number from {low} to {high}"

    def check(value: Any, path: str) -> int:
        if type(value) is int and low <= value <= high:
            return value
        raise fail(path, expected, value)

    return check


def _real(bound: Real) -> Check:
    low, high = bound.low, bound.high
    expected = f"a number from {low:g} to {high:g}"

    def check(value: Any, path: str) -> float:
        if type(value) in (int, float) and low <= value <= high:  # NaN compares false
            return value  # type: ignore[no-any-return]
        raise fail(path, expected, value)

    return check


def _flat(bound: Flat) -> Check:
    check_value = _bounded(None, bound.value)
    check_key = _text(Text(64, r"[A-Za-z0-9_.-]+", 1))

    def check(value: Any, path: str) -> Mapping[str, Any]:
        if type(value) is not dict or len(value) > bound.keys_max:
            raise fail(path, f"an object of at most {bound.keys_max} keys", value)
        return {check_key(key, path): check_value(item, f"{path}.{key}") for key, item in value.items()}

    return check


def _items(check_item: Check, bound: Items) -> Check:
    def check(value: Any, path: str) -> tuple[Any, ...]:
        if type(value) is not list or len(value) > bound.items_max:
            raise fail(path, f"a list of at most {bound.items_max} items", value)
        return tuple(check_item(item, f"{path}[{index}]") for index, item in enumerate(value))

    return check
