"""What a demo came to, read from the archive alone: nothing here is remembered, everything was archived."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import orjson

from mqtt_hub.archive import queries
from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.home import Home

__all__ = ["HiddenRow", "NodeRow", "NodeSent", "Summary", "summarize"]


@dataclass(frozen=True, slots=True)
class NodeSent:
    """What a node itself says it put into its outbox, and what it searched."""

    name: str
    role: str
    sent: int
    evaluations: int


@dataclass(frozen=True, slots=True)
class NodeRow:
    """One node's account: ``sent`` = ``archived`` + ``missing``; ``rejected`` is a part of ``archived``."""

    name: str
    role: str
    sent: int
    archived: int
    rejected: int
    missing: int


@dataclass(frozen=True, slots=True)
class HiddenRow:
    """One hidden workload, in the kind's metric (lower is better).

    ``best`` is the best of all accepted components, chosen with the hidden score in view; ``chosen`` is the
    accepted component that its author chose for this workload on the train part alone, the last one.
    """

    workload: str
    kind: str
    metric: str
    requests: int
    bound: float
    baselines: dict[str, float]
    programs: dict[str, float]  # the textbook as programs in the components' form: where search starts
    picked: str
    best: dict[str, Any]
    chosen: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Summary:
    """The one object that ``mqtt-hub demo --json`` prints."""

    seconds: float
    seed: int
    evaluations: int
    messages_by_type: dict[str, int]
    rejected_messages: int
    nodes: list[NodeRow]
    components: list[dict[str, Any]]
    hidden: list[HiddenRow]
    collaborations: list[dict[str, Any]]
    database: str
    sources: dict[str, dict[str, str]] = field(default_factory=dict)  # of the best components: policy and C


def summarize(home: Home, *, seconds: float, seed: int, sent: list[NodeSent]) -> Summary:
    """Read the archive of a finished demo."""
    db = open_read_only(home.archive_path)
    components = queries.components(db)
    hidden = _hidden(queries.hidden_results(db), components)
    archived = queries.archived_by_node(db)
    best = {row.best["component"] for row in hidden}
    summary = Summary(
        seconds=round(seconds, 1),
        seed=seed,
        evaluations=sum(node.evaluations for node in sent),
        messages_by_type=queries.messages_by_type(db),
        rejected_messages=queries.rejected(db),
        nodes=[_account(node, archived.get(node.name, (0, 0))) for node in sent],
        components=[
            {key: component[key] for key in ("id", "kind", "verdict", "reason", "authors", "target")}
            for component in components
        ],
        hidden=hidden,
        collaborations=queries.helped(db),
        database=str(home.archive_path),
        sources={
            component["id"]: {"policy": component["source"], "c": component["c_source"]}
            for component in components
            if component["id"] in best
        },
    )
    db.close()
    return summary


def _account(node: NodeSent, archived: tuple[int, int]) -> NodeRow:
    accepted, rejected = archived
    total = accepted + rejected
    return NodeRow(node.name, node.role, node.sent, total, rejected, node.sent - total)


def _hidden(results: list[dict[str, Any]], components: list[dict[str, Any]]) -> list[HiddenRow]:
    order = {component["id"]: index for index, component in enumerate(components)}
    targets = {component["id"]: component["target"] for component in components}
    by_workload: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        by_workload.setdefault(result["workload_id"], []).append(result)
    rows = []
    for found in by_workload.values():
        first = found[0]  # the query orders by value
        own = [result for result in found if targets[result["component"]] == result["workload"]]
        last = max(own, key=lambda result: order[result["component"]], default=None)
        rows.append(
            HiddenRow(
                workload=first["workload"],
                kind=first["kind"],
                metric=first["metric"],
                requests=first["requests"],
                bound=first["bound"],
                baselines=orjson.loads(first["baselines"]),
                programs=orjson.loads(first["programs"]),
                picked=first["picked"],
                best=_scored(first),
                chosen=_scored(last) if last else None,
            )
        )
    return sorted(rows, key=lambda row: row.workload)


def _scored(result: dict[str, Any]) -> dict[str, Any]:
    return {"component": result["component"], "value": result["value"]}
