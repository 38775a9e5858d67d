"""What a report says, as plain values out of the archive: the page and the figures draw it, ``--json`` prints it.

::

    archive.db (one moment of it) ──▶ found      how much was said and by whom
                                  ├─▶ wins       hidden workload by hidden workload (`wins`)
                                  ├─▶ lineages   how the best of each came about
                                  ├─▶ help       who helped whom, asked and unasked, by kind (`exchange`)
                                  ├─▶ impact     the experiment where there is one, and what was observed
                                  ├─▶ items      what was shared and built on (`exchange`)
                                  ├─▶ rejected   and why
                                  └─▶ run        how it was made (`configuration`)

Every list has a bound, and beside it ``more`` says how much was left out. Every number is a query of
`mqtt_hub/archive`; nothing is estimated. Texts of nodes are clipped here and escaped by the page.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from itertools import groupby
from pathlib import Path
from sqlite3 import Error
from typing import Any

from sqlite_utils import Database

from mqtt_hub.archive.queries import browsing, components, findings, fleet, sharing, totals, trust
from mqtt_hub.archive.schema import explain, one_moment, open_read_only
from mqtt_hub.browse.questions import QUESTIONS
from mqtt_hub.dashboard.wording import natural
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ArchiveError
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.report import exchange, wins
from mqtt_hub.report.configuration import configuration
from mqtt_hub.report.cut import AUTHORS_MAX, KINDS_MAX, NAME_CHARACTERS_MAX, ROWS_MAX, clip, cut
from mqtt_hub.report.experiment import read_experiment

__all__ = ["gather"]

REPORT_S_MAX = 120.0  # of SQLite's time
WORKLOADS_MAX = 120  # hidden ones, of all kinds
LINEAGES_MAX = 40
STEPS_MAX = 12  # ancestors, and records, of one workload
SOURCES_A_KIND_MAX = 2
SOURCES_MAX = 8
NOT_ACCEPTED = ("rejected", "not_reproduced", "disputed")


def gather(home: Home, *, now: str, experiment: Path | None = None) -> dict[str, Any]:
    """Return all that a report says, of one moment. Raises `ArchiveError`, and `ConfigurationError` for a bad file."""
    measured = read_experiment(experiment) if experiment else None
    db = open_read_only(home.archive_path)
    with closing(db.conn):
        try:
            one_moment(db, seconds_max=REPORT_S_MAX)
            rows = wins.hidden_rows(db)
            helped = exchange.help_by_kind(db)
            return {
                "made_at": now,
                "found": _found(db),
                "wins": _wins(rows),
                "lineages": _lineages(db, rows),
                "sources": _sources(db, rows),
                "help": helped,
                "impact": {"experiment": measured, "observed": exchange.observed(db, helped)},
                "items": exchange.items(db),
                "rejected": _rejected(db),
                "run": configuration(home, db),
            }
        except Error as error:
            if "interrupted" in str(error):
                hint = "a smaller archive is made by: mqtt-hub archive prune"
                raise ArchiveError(f"{home.archive_path}: no answer within {REPORT_S_MAX:.0f} s", hint=hint) from error
            raise explain(error, home.archive_path) from error


def _found(db: Database) -> dict[str, Any]:
    by_type = totals.messages_by_type(db)
    first, last = browsing.span(db)
    standings = sorted(trust.standings(db), key=lambda row: (-row["credit"], natural(row["name"])))
    return {
        "from": first,
        "to": last,
        "messages": sum(by_type.values()),
        "by_type": by_type,
        "rejected_messages": totals.rejected(db),
        "nodes": dict(Counter(node["role"] for node in fleet.presence(db))),
        "submissions": findings.submissions_by_verdict(db),
        "components": totals.components_by_verdict(db),
        "patterns": by_type.get(MessageType.PATTERN_SHARE, 0),
        "programs": by_type.get(MessageType.CODE_SHARE, 0),
        "requests": by_type.get(MessageType.COLLABORATION_REQUEST, 0),
        "standings": cut([row | {"quarantined": clip(row["quarantined"])} for row in standings]),
    }


def _wins(rows: Sequence[wins.HiddenRow]) -> dict[str, Any]:
    kinds = [
        {"kind": kind, "unit": wins.unit(some[0]), "rows": [_win(row) for row in some]}
        for kind, some in _by_kind(rows[:WORKLOADS_MAX])
    ]
    return {
        "kinds": kinds[:KINDS_MAX],
        "more": len(rows) - sum(len(kind["rows"]) for kind in kinds[:KINDS_MAX]),
        "workloads": len(rows),
        "counts": dict(Counter(_outcome(row) for row in rows)),
    }


def _win(row: wins.HiddenRow) -> dict[str, Any]:
    """Return one line of the table: each entry with its name, its value in the metric and in the table's unit."""

    def entry(name: str, value: float) -> dict[str, Any]:
        return {
            "name": clip(name, NAME_CHARACTERS_MAX),
            "value": value,
            "shown": wins.figure(row, value),
            "closed": wins.closed(row, value),
        }

    def named(name: str, scores: Mapping[str, float]) -> dict[str, Any] | None:
        return entry(name, scores[name]) if name in scores else None

    return {
        "workload": clip(row.workload, NAME_CHARACTERS_MAX),
        "metric": row.metric,
        "capacity": row.capacity,
        "default": named(wins.default_of(row), row.baselines),
        "picked": named(row.picked, row.baselines),
        "classic": named(wins.best_of(row.baselines), row.baselines),
        "seed": named(wins.best_of(row.programs), row.programs),
        "chosen": entry(row.chosen["component"], row.chosen["value"]) if row.chosen else None,
        "best": entry(row.best["component"], row.best["value"]),
        "bound": entry("", row.bound),
        "words": wins.verdict(row),
        "outcome": _outcome(row),
    }


def _outcome(row: wins.HiddenRow) -> str:
    """Return ``none``, ``loss`` (no better than the picked classic), ``part`` or ``win`` (beats all classics)."""
    if row.chosen is None:
        return "none"
    value = row.chosen["value"]
    if value < min(row.baselines.values(), default=value):
        return "win"
    return "part" if value < row.baselines.get(row.picked, value) else "loss"


def _lineages(db: Database, rows: Sequence[wins.HiddenRow]) -> dict[str, Any]:
    return cut(rows, lambda row: _lineage(db, row), limit=LINEAGES_MAX)


def _lineage(db: Database, row: wins.HiddenRow) -> dict[str, Any]:
    """Return the ancestors of a workload's best component, and what was best there before it."""

    def scored(step: Mapping[str, Any]) -> dict[str, Any]:
        value = step["value"]
        shown, closed = (None, None) if value is None else (wins.figure(row, value), wins.closed(row, value))
        return {**step, "authors": step["authors"][:AUTHORS_MAX], "shown": shown, "closed": closed}

    records = sharing.records(db, row.workload_id, row.capacity)
    line = sharing.ancestry(db, row.best["component"], row.workload_id, row.capacity)
    return {
        "kind": row.kind,
        "workload": clip(row.workload, NAME_CHARACTERS_MAX),
        "capacity": row.capacity,
        "unit": wins.unit(row),
        "component": row.best["component"],
        "records": [scored(record) for record in records[-STEPS_MAX:]],
        "records_more": max(0, len(records) - STEPS_MAX),
        "line": [scored(step) for step in line[:STEPS_MAX]],
        "line_more": max(0, len(line) - STEPS_MAX),
    }


def _sources(db: Database, rows: Sequence[wins.HiddenRow]) -> list[dict[str, Any]]:
    """Return the source of those best components of each kind that close most of the way to the bound."""
    chosen: list[tuple[wins.HiddenRow, str]] = []
    for _kind, some in _by_kind(rows):
        ranked = sorted(some, key=lambda row: -(wins.closed(row, row.best["value"]) or 0.0))
        firsts = {row.best["component"]: row for row in reversed(ranked)}
        ids = dict.fromkeys(row.best["component"] for row in ranked)
        chosen += [(firsts[id_], id_) for id_ in list(ids)[:SOURCES_A_KIND_MAX]]
    return [
        {
            "component": id_,
            "kind": row.kind,
            "workload": clip(row.workload, NAME_CHARACTERS_MAX),
            "authors": list(components.authors(db, id_))[:AUTHORS_MAX],
            "source": findings.source_of(db, id_) or "",
        }
        for row, id_ in chosen[:SOURCES_MAX]
    ]


def _rejected(db: Database) -> dict[str, Any]:
    verdicts = findings.submissions_by_verdict(db)
    submissions = components.submissions(db, *NOT_ACCEPTED, limit=ROWS_MAX)
    columns = ("id", "component", "kind", "target", "submitter", "verdict", "reason", "submitted_at")
    return {
        "submissions": {
            "rows": [
                {key: row[key] for key in columns} | {"reason": clip(row["reason"]), "target": clip(row["target"])}
                for row in submissions
            ],
            "more": sum(verdicts.get(name, 0) for name in NOT_ACCEPTED) - len(submissions),
        },
        "tests": cut(
            [
                row | {"for_example": clip(row["for_example"]), "test": clip(row["test"])}
                for row in _asked(db, "failed_tests")
            ]
        ),
        "messages": cut([row | {"reason": clip(row["reason"])} for row in _asked(db, "rejected_by_reason")]),
    }


def _asked(db: Database, question: str) -> list[dict[str, Any]]:
    """Return the answer to one of the questions that `mqtt-hub browse` has ready."""
    return list(db.query(QUESTIONS[question]["sql"]))


def _by_kind(rows: Sequence[wins.HiddenRow]) -> list[tuple[str, list[wins.HiddenRow]]]:
    return [(kind, list(some)) for kind, some in groupby(rows, key=lambda row: row.kind)]
