"""One function for each class of messages, written at import: what nearly always comes is checked in line.

::

    fields of a dataclass ──▶ source ──▶ check(value, path)
                                            │ a field within its bounds: one expression, no call
                                            └ any other: the field's own checker, which names path and bound, or
                                              knows what is right and seldom (a default, a name seen for the first time)

A call for each field was two thirds of what decoding a message cost. The expressions may say "not surely right" of
what is right, never the reverse, so they are short; every error has one source, the checkers of
`mqtt_hub.protocol.schema`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from mqtt_hub.protocol.bounds import Real, Text, Whole, fail
from mqtt_hub.protocol.errors import ProtocolError

__all__ = ["constructor", "object_check", "unguarded"]

Check = Callable[[Any, str], Any]
_ABSENT = object()


def unguarded(class_: type) -> type:
    """Return a twin of a frozen, slotted dataclass without the guard, whose objects may become the class's.

    To fill a twin and let it become frozen takes a quarter of the time of the class's own constructor.
    """
    return type(f"_{class_.__name__}", class_.__bases__, {"__slots__": class_.__slots__})  # type: ignore[attr-defined]


def constructor(class_: type) -> Callable[..., Any]:
    """Return a function that makes a frozen, slotted dataclass of its fields, all of them, by position."""
    names = tuple(field.name for field in fields(class_))
    body = [*_making(names, names), "    return made"]
    return _compiled("construct", names, body, {"Class": class_, "Twin": unguarded(class_)})


def object_check(class_: type, checker: Callable[[Any], Check]) -> Check:
    """Return ``(value, path) -> object of class_``; ``checker`` gives the function for a field's annotation."""
    hints = get_type_hints(class_, include_extras=True)
    scope: dict[str, Any] = {"Class": class_, "Twin": unguarded(class_), "absent": _ABSENT, "fail": fail}
    lines = ["    if type(value) is not dict:", "        raise fail(path, 'an object', value)", "    get = value.get"]
    parts = fields(class_)
    values = [f"v{number}" for number in range(len(parts))]
    for number, part in enumerate(parts):
        check = checker(hints[part.name])
        default = (lambda made=part.default: made) if part.default is not MISSING else part.default_factory
        scope[f"part{number}"] = _part(part.name, check, None if default is MISSING else default)
        lines.append(f"    v{number} = get({part.name!r}, absent)")
        condition = _condition(hints[part.name], check, number, scope)
        lines += [f"    if not ({condition}):", f"        v{number} = part{number}(v{number}, path)"]
    lines += _making([part.name for part in parts], values)
    scope["validate"] = getattr(class_, "validate", None)
    if scope["validate"] is not None:
        lines.append("    validate(made, path)")
    return _compiled("check", ("value", "path"), [*lines, "    return made"], scope)


def _part(name: str, check: Check, default: Callable[[], Any] | None) -> Check:
    """Return what a field is checked by where it is not surely right: absent, seldom, or wrong."""
    root = f"body.{name}"

    def part(value: Any, path: str) -> Any:
        if value is not _ABSENT:
            return check(value, root if path == "body" else f"{path}.{name}")
        if default is None:
            raise ProtocolError(f"{path}.{name}: is missing")
        return default()

    return part


def _condition(hint: Any, check: Check, number: int, scope: dict[str, Any]) -> str:
    """Return an expression that is true only if the value of a field is surely right."""
    value, bound = f"v{number}", get_args(hint)[1] if get_origin(hint) is Annotated else None
    if isinstance(bound, Text):
        known = getattr(check, "right", None)
        if known is not None:
            scope[f"right{number}"] = known
            return f"type({value}) is str and {value} in right{number}"
        if not bound.pattern:
            return f"type({value}) is str and {bound.characters_min} <= len({value}) <= {bound.characters_max}"
    if isinstance(bound, Whole):
        return f"type({value}) is int and {bound.low} <= {value} <= {bound.high}"
    if isinstance(bound, Real):
        return f"(type({value}) is float or type({value}) is int) and {bound.low!r} <= {value} <= {bound.high!r}"
    return "False"


def _making(names: Any, values: Any) -> list[str]:
    filled = [f"    made.{name} = {value}" for name, value in zip(names, values, strict=True)]
    return ["    made = Twin()", *filled, "    made.__class__ = Class"]


def _compiled(name: str, arguments: tuple[str, ...], body: list[str], scope: Mapping[str, Any]) -> Callable[..., Any]:
    made = dict(scope)
    exec(f"def {name}({', '.join(arguments)}):\n" + "\n".join(body), made)  # noqa: S102 — from our own classes, as dataclasses does
    function: Callable[..., Any] = made[name]
    return function
