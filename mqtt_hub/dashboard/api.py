"""The read API: one table of routes, from which the URLs and the OpenAPI description follow.

::

    ROUTES: Route(path, summary, parameters, answer) ──┬──▶ /api/…            JSON, the values of the views
                                                       └──▶ /api/openapi.json
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import orjson
from flask import Blueprint, Response, abort, current_app, request, stream_with_context

from mqtt_hub.dashboard import asked
from mqtt_hub.dashboard.fan_out import FanOut, TooManyViewersError
from mqtt_hub.dashboard.snapshot import look
from mqtt_hub.dashboard.views import LOG_LEVELS, Look
from mqtt_hub.protocol.table import MessageType

__all__ = ["ROUTES", "api", "describe"]

api = Blueprint("api", __name__, url_prefix="/api")

Answer = Callable[..., Any]  # (look, what the path names) -> value, None for 404


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter of the query."""

    name: str
    meaning: str
    schema: dict[str, Any]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """One path of the API; names in ``<…>`` are handed to ``answer``."""

    path: str
    summary: str
    answer: Answer
    parameters: tuple[Parameter, ...] = ()


_WORD = {"type": "string", "maxLength": asked.TEXT_CHARACTERS_MAX}
_NODE = Parameter("node", "only of this node", _WORD)
_PAGE = Parameter("page", "further nodes", {"type": "integer", "minimum": 0, "maximum": 1000})
_TEXT = Parameter("text", "only with this text in the payload; ASCII letters in either case", _WORD)
_BEFORE = Parameter(
    "before", "older than this; ask again with the answer's `looked_down_to`", {"type": "integer", "minimum": 1}
)
_TYPE = Parameter(
    "type", "only of these types",
    {"type": "array", "items": {"type": "string", "enum": [type_.value for type_ in MessageType]}},
)  # fmt: skip
_LEVEL = Parameter("level", "this level and those above it", {"type": "string", "enum": list(LOG_LEVELS)})
_VERDICTS = ("accepted", "rejected", "not_reproduced", "disputed", "pending")

ROUTES = (
    Route("/status", "get_hub_status() as last told, whether the hub is there, the archive's counts", Look.status),
    Route("/traffic", "messages by type and 10 s of the last ten minutes", Look.traffic),
    Route("/limits", "the best validated component of each hidden workload, baselines and bound", Look.limits),
    Route("/workloads", "kinds and workloads that nodes told progress of", Look.workloads),
    Route(
        "/race/<kind>/<path:workload>",
        "how each node's best grew on a workload, and when knowledge of others arrived",
        Look.race,
    ),
    Route(
        "/nodes",
        "nodes, those that are here first: role, state, what each does",
        lambda look: look.nodes(asked.whole("page", 0, 1000, 0)),
        (_PAGE,),
    ),
    Route("/nodes/<name>", "one node: starts, components, help given and got", Look.node),
    Route(
        "/lanes",
        "what each node did when: the task stream",
        lambda look: look.lanes(asked.whole("minutes", 1, 1440, 10), page=asked.whole("page", 0, 1000, 0)),
        (
            Parameter("minutes", "how far back", {"type": "integer", "minimum": 1, "maximum": 1440}),
            _PAGE,
        ),
    ),
    Route("/network", "nodes, and who gave what to whom", Look.network),
    Route(
        "/messages",
        "archived messages, newest first",
        lambda look: look.messages(
            types=asked.types(), sender=asked.sender(), text=asked.text(), before=asked.before()
        ),
        (_TYPE, _NODE, _TEXT, _BEFORE),
    ),
    Route("/messages/<int:id_>", "one message, and how it differs from its sender's previous one", Look.message),
    Route(
        "/log",
        "log lines of the nodes, newest first",
        lambda look: look.log(levels=asked.levels(), sender=asked.sender(), text=asked.text(), before=asked.before()),
        (_LEVEL, _NODE, _TEXT, _BEFORE),
    ),
    Route(
        "/rejected",
        "messages that were refused, with the reason",
        lambda look: look.rejected(asked.before()),
        (_BEFORE,),
    ),
    Route(
        "/components",
        "submissions with their tests and verdicts, newest first",
        lambda look: look.board("".join(asked.many("verdict", _VERDICTS)[:1]), asked.before()),
        (Parameter("verdict", "only these", {"type": "string", "enum": list(_VERDICTS)}), _BEFORE),
    ),
    Route("/components/<id_>", "one component: sources, lineage, verdicts, scores", Look.component),
    Route("/standings", "how every node stands: trust, improvements, offences, quarantine", Look.standings),
    Route("/collaborations", "the newest collaborations, and who helped whom", Look.collaborations),
    Route("/collaborations/<path:id_>", "one collaboration with its answers", Look.collaboration),
)


def _respond(route: Route, **named: Any) -> Response:
    value = route.answer(look(), **named)
    if value is None:
        abort(404, "nothing of that name is in the archive")
    return Response(orjson.dumps(value), mimetype="application/json")


for _route in ROUTES:
    api.add_url_rule(_route.path, _route.path, partial(_respond, _route))


@api.get("/openapi.json")
def openapi() -> Response:
    """Describe the API."""
    return Response(orjson.dumps(describe()), mimetype="application/json")


@api.get("/events")
def events() -> Response:
    """Follow live: server-sent events until the viewer goes."""
    fan_out: FanOut = current_app.extensions["fan_out"]
    came_with = request.headers.get("Last-Event-ID", "")
    last_id = int(came_with) if came_with.isascii() and came_with.isdigit() and len(came_with) < 20 else None
    place = fan_out.viewer(last_id)
    try:
        stream = place.__enter__()
    except TooManyViewersError as error:
        abort(503, str(error))

    def follow() -> Iterator[bytes]:
        yield from stream

    response = Response(stream_with_context(follow()), mimetype="text/event-stream")
    response.call_on_close(lambda: place.__exit__(None, None, None))
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"  # a proxy in front must not gather events
    return response


def describe() -> dict[str, Any]:
    """Return the OpenAPI 3.1 description of the read API."""
    paths: dict[str, Any] = {}
    for route in ROUTES:
        path, named = _template(route.path)
        parameters = [
            {"name": name, "in": "path", "required": True, "schema": {"type": type_}} for name, type_ in named
        ] + [
            {
                "name": parameter.name,
                "in": "query",
                "required": parameter.required,
                "description": parameter.meaning,
                "schema": parameter.schema,
            }
            for parameter in route.parameters
        ]
        answers: dict[str, Any] = {
            "200": {"description": route.summary, "content": {"application/json": {"schema": {"type": "object"}}}}
        }
        if named:
            answers["404"] = {"description": "nothing of that name is in the archive"}
        paths["/api" + path] = {"get": {"summary": route.summary, "parameters": parameters, "responses": answers}}
    paths["/api/events"] = {
        "get": {
            "summary": "live: server-sent events `hub`, `archive`, `traffic`, `gap`; ids are those of messages",
            "parameters": [
                {
                    "name": "Last-Event-ID",
                    "in": "header",
                    "required": False,
                    "description": "go on after this message",
                    "schema": {"type": "integer"},
                }
            ],
            "responses": {
                "200": {"description": "a stream", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
                "503": {"description": "every place for a viewer is taken"},
            },
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mqtt-hub: what the archive and the hub say",
            "version": version("mqtt-hub"),
            "description": "Read only. Times are UTC, ISO 8601; values are in the metric named beside them, "
            "lower is better; a share of the gap is 1 at the proven bound.",
        },
        "components": {
            "securitySchemes": {
                "operator": {"type": "http", "scheme": "bearer"},
                "observer": {"type": "http", "scheme": "basic"},
            }
        },
        "security": [{}, {"operator": []}, {"observer": []}],
        "paths": paths,
    }


def _template(path: str) -> tuple[str, list[tuple[str, str]]]:
    """Return Flask's path in OpenAPI's form, and the names in it with their types."""
    parts, named = [], []
    for part in path.split("/"):
        if part.startswith("<"):
            converter, _colon, name = part[1:-1].rpartition(":")
            named.append((name, "integer" if converter == "int" else "string"))
            parts.append("{" + name + "}")
        else:
            parts.append(part)
    return "/".join(parts), named
