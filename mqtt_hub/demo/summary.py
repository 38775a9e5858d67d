"""What a demo came to, read from the archive alone: nothing here is remembered, everything was archived."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mqtt_hub.archive.queries import components, sharing, totals
from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.home import Home
from mqtt_hub.report.wins import HiddenRow, hidden_rows

__all__ = ["NodeRow", "NodeSent", "Summary", "summarize"]


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
    submitted = components.submitted(db)
    hidden = hidden_rows(db)
    archived = totals.archived_by_node(db)
    best = {row.best["component"] for row in hidden}
    summary = Summary(
        seconds=round(seconds, 1),
        seed=seed,
        evaluations=sum(node.evaluations for node in sent),
        messages_by_type=totals.messages_by_type(db),
        rejected_messages=totals.rejected(db),
        nodes=[_account(node, archived.get(node.name, (0, 0))) for node in sent],
        components=[
            {key: component[key] for key in ("id", "kind", "verdict", "reason", "authors", "target")}
            for component in submitted
        ],
        hidden=hidden,
        collaborations=sharing.helped(db),
        database=str(home.archive_path),
        sources={
            component["id"]: {"policy": component["source"], "c": component["c_source"]}
            for component in submitted
            if component["id"] in best
        },
    )
    db.close()
    return summary


def _account(node: NodeSent, archived: tuple[int, int]) -> NodeRow:
    accepted, rejected = archived
    total = accepted + rejected
    return NodeRow(node.name, node.role, node.sent, total, rejected, node.sent - total)
