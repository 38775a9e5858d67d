"""The message table as text for people and machines: what topics.md and docs/asyncapi.yaml are built from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from mqtt_hub.protocol.bounds import Flat, Items, Real, Text, Whole
from mqtt_hub.protocol.table import ROLES, TABLE, MessageType, Row, Scope
from mqtt_hub.protocol.topics import DEFAULT_PREFIX, VERSION

__all__ = ["asyncapi", "bodies_markdown", "table_markdown", "topic_pattern"]

_SCOPES = {Scope.KIND: "<kind>", Scope.RECIPIENT: "<node>", Scope.LEVEL: "<level>"}


def topic_pattern(type_: MessageType) -> str:
    """Return the topic of a type with its variable levels in angle brackets."""
    row = TABLE[type_]
    sender = "hub" if row.publishers == {"hub"} else "<node>"
    scope = _SCOPES.get(row.scope)
    return "/".join([DEFAULT_PREFIX, VERSION, type_.value.lower(), sender, *([scope] if scope else [])])


def table_markdown() -> str:
    """Return one line a message type: topic, who, QoS, retain, receipt, meaning."""
    lines = [
        "| message | topic | published by | read by | QoS | retain | receipt | meaning |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for type_, row in TABLE.items():
        readers = _readers(row)
        lines.append(
            f"| {type_} | `{topic_pattern(type_)}` | {', '.join(_in_order(row.publishers))} | {readers} | {row.qos} |"
            f" {'yes' if row.retain else 'no'} | {'yes' if row.sequenced else 'no'} | {row.meaning} |"
        )
    return "\n".join(lines)


def bodies_markdown() -> str:
    """Return each body's fields with their bounds."""
    parts = []
    for type_, row in TABLE.items():
        doc = (row.body.__doc__ or "").strip().splitlines()[0]
        lines = [f"### {type_}", "", f"`{row.body.__name__}`: {doc}", "", "| field | bounds |", "|---|---|"]
        lines += [f"| `{name}` | {text} |" for name, text in _field_texts(row.body)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def asyncapi() -> dict[str, Any]:
    """Return the protocol as an AsyncAPI 3 document with MQTT bindings."""
    channels, operations, messages = {}, {}, {}
    for type_, row in TABLE.items():
        name = type_.value.lower()
        channels[name] = {
            "address": topic_pattern(type_).replace("<", "{").replace(">", "}"),
            "messages": {name: {"$ref": f"#/components/messages/{name}"}},
            "parameters": {
                level[1:-1]: {"description": f"the {level[1:-1]}"}
                for level in topic_pattern(type_).split("/")
                if level.startswith("<")
            },
        }
        operations[name] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{name}"},
            "summary": row.meaning,
            "bindings": {"mqtt": {"qos": row.qos, "retain": row.retain}},
        }
        messages[name] = {"name": type_.value, "contentType": "application/json", "payload": _envelope(type_, row)}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "mqtt-hub",
            "version": VERSION,
            "description": "Nodes search for OS kernel policies and share what they learn over MQTT 3.1.1.",
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _readers(row: Row) -> str:
    if row.scope is Scope.RECIPIENT:
        return "that node, observers, hub"
    if row.readers == frozenset(ROLES):
        return "everybody"
    return ", ".join([*(f"{role}s" for role in _in_order(row.readers - {"hub"})), "hub"])


def _in_order(roles: frozenset[str]) -> list[str]:
    return [role for role in ROLES if role in roles]


def _field_texts(class_: type, path: str = "") -> list[tuple[str, str]]:
    texts = []
    hints = get_type_hints(class_, include_extras=True)
    for item in fields(class_):
        hint = hints[item.name]
        texts.append((f"{path}{item.name}", _bounds(hint)))
        inner = get_args(get_args(hint)[0])[0] if _is_list(hint) else hint
        if is_dataclass(inner) and isinstance(inner, type):
            texts += _field_texts(inner, f"{path}{item.name}{'[].' if _is_list(hint) else '.'}")
    return texts


def _is_list(hint: Any) -> bool:
    return get_origin(hint) is Annotated and isinstance(get_args(hint)[1], Items)


def _bounds(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(f"`{value}`" for value in get_args(hint))
    if hint is bool:
        return "true or false"
    if get_origin(hint) is not Annotated:
        return "object"
    bound = get_args(hint)[1]
    if isinstance(bound, Text):
        low = f"{bound.characters_min} to " if bound.characters_min else "up to "
        pattern = f", `{bound.pattern.replace('|', chr(92) + '|')}`" if bound.pattern else ""
        return f"text, {low}{bound.characters_max} characters{pattern}"
    if isinstance(bound, Whole):
        return f"whole number, {bound.low} to {bound.high}"
    if isinstance(bound, Real):
        return f"number, {bound.low:g} to {bound.high:g}"
    if isinstance(bound, Flat):
        return f"object of up to {bound.keys_max} names"
    return f"list, up to {bound.items_max}"


def _envelope(type_: MessageType, row: Row) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "v": {"const": 1},
        "type": {"const": type_.value},
        "sender": {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
        "session": {"type": "integer", "minimum": 0},
        "sent_at": {"type": "string", "format": "date-time"},
        "correlation_id": {"type": "string", "maxLength": 128},
        "reply_to": {"type": "string", "maxLength": 128},
        "expires_at": {"type": "string", "format": "date-time"},
        "body": _json_schema(row.body),
    }
    required = ["v", "type", "sender", "session", "sent_at", "body"]
    if row.sequenced:
        properties["seq"] = {"type": "integer", "minimum": 1}
        required.append("seq")
    return {"type": "object", "required": required, "properties": properties}


def _json_schema(hint: Any) -> dict[str, Any]:
    if is_dataclass(hint) and isinstance(hint, type):
        hints = get_type_hints(hint, include_extras=True)
        return {"type": "object", "properties": {item.name: _json_schema(hints[item.name]) for item in fields(hint)}}
    if get_origin(hint) is Literal:
        return {"enum": list(get_args(hint))}
    if hint is bool:
        return {"type": "boolean"}
    inner, bound = get_args(hint)[:2]
    if isinstance(bound, Text):
        limits: dict[str, Any] = {"minLength": bound.characters_min, "maxLength": bound.characters_max}
        return {"type": "string", **limits, **({"pattern": f"^{bound.pattern}$"} if bound.pattern else {})}
    if isinstance(bound, Items):
        return {"type": "array", "maxItems": bound.items_max, "items": _json_schema(get_args(inner)[0])}
    if isinstance(bound, Flat):
        values = _json_schema(Annotated[Mapping, bound.value])
        return {"type": "object", "maxProperties": bound.keys_max, "additionalProperties": values}
    return {
        "type": "integer" if isinstance(bound, Whole) else "number",
        "minimum": bound.low,
        "maximum": bound.high,
    }
