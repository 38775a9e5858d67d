"""Who gave what to whom, what was observed of it, and the shared items that were built on, as plain values.

::

    collaborations completed ─┬─▶ help, by kind: lists of pairs, and matrices of givers by takers
    imports ──────────────────┘
    programs shared, answers, accepted submissions by authors ─▶ observed
    lineage, patterns ─▶ items

Observed, all of it: that a node took something and did well does not say that it did well because of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlite_utils import Database

from mqtt_hub.archive.queries import sharing
from mqtt_hub.dashboard.wording import natural
from mqtt_hub.report.cut import KINDS_MAX, ROWS_MAX, clip, cut

__all__ = ["help_by_kind", "items", "observed"]

MATRIX_NODES_MAX = 24  # those with most to do with others
PATTERNS_A_KIND_MAX = 8


def help_by_kind(db: Database) -> dict[str, Any]:
    """Return by kind who answered whose requests, and whose work is in whose programs, as lists and as matrices."""
    answers, adopted = sharing.helped(db), sharing.adopted(db)
    kinds = sorted({row["kind"] for row in [*answers, *adopted]})
    return {
        "kinds": [
            _kind_help(
                kind, [row for row in answers if row["kind"] == kind], [row for row in adopted if row["kind"] == kind]
            )
            for kind in kinds[:KINDS_MAX]
        ],
        "kinds_more": max(0, len(kinds) - KINDS_MAX),
    }


def _kind_help(kind: str, answers: list[dict[str, Any]], adopted: list[dict[str, Any]]) -> dict[str, Any]:
    completed = [row for row in answers if row["status"] == "completed"]
    weight: Counter[str] = Counter()
    for row in completed:
        weight.update({row["helper"]: row["answers"], row["requester"]: row["answers"]})
    for row in adopted:
        weight.update({row["giver"]: row["programs"]})
        weight.update({row["taker"]: row["programs"]})
    ranked = sorted(weight, key=lambda node: (-weight[node], natural(node)))
    nodes = sorted(ranked[:MATRIX_NODES_MAX], key=natural)
    declined = sum(row["answers"] for row in answers if row["status"] == "declined")
    return {
        "kind": kind,
        "nodes": nodes,
        "nodes_more": len(ranked) - len(nodes),
        "answers": sum(row["answers"] for row in completed),
        "with_program": sum(row["components"] for row in completed),
        "evaluations": sum(row["evaluations"] for row in completed),
        "declined": declined,
        "adopted": sum(row["programs"] for row in adopted),
        "answered": cut(completed),
        "built_on": cut(adopted),
        "matrices": {
            "answers": _matrix(nodes, ((row["helper"], row["requester"], row["answers"]) for row in completed)),
            "programs": _matrix(nodes, ((row["helper"], row["requester"], row["components"]) for row in completed)),
            "built_on": _matrix(nodes, ((row["giver"], row["taker"], row["programs"]) for row in adopted)),
        },
    }


def _matrix(nodes: Sequence[str], cells: Iterable[tuple[str, str, int]]) -> list[list[int]]:
    """Return rows of givers by columns of takers."""
    place = {node: at for at, node in enumerate(nodes)}
    matrix = [[0] * len(nodes) for _ in nodes]
    for giver, taker, times in cells:
        if giver in place and taker in place:
            matrix[place[giver]][place[taker]] += times
    return matrix


def observed(db: Database, helped: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return by kind what was taken up and what was accepted of one author and of several: no effect follows."""
    nothing = {"accepted": 0, "improvements": 0, "credit": 0.0}
    shared = {row["kind"]: row for row in sharing.programs_shared(db)}
    by_authors = {(row["kind"], row["together"]): row for row in sharing.authorship(db)}
    asked = {row["kind"]: row for row in helped["kinds"]}
    kinds = sorted({*shared, *asked, *(kind for kind, _ in by_authors)})[:KINDS_MAX]
    return [
        {
            "kind": kind,
            "programs": shared.get(kind, {}).get("programs", 0),
            "with_others": shared.get(kind, {}).get("with_others", 0),
            **{name: asked.get(kind, {}).get(name, 0) for name in ("answers", "with_program", "evaluations")},
            **{
                name: {key: by_authors.get((kind, together), nothing)[key] for key in nothing}
                for name, together in (("one", 0), ("several", 1))
            },
        }
        for kind in kinds
    ]


def items(db: Database) -> dict[str, Any]:
    """Return the programs that others built on, and of each kind the patterns with the largest measured gain."""
    programs = sharing.programs_used(db, limit=ROWS_MAX)
    patterns = sharing.patterns_measured(db, limit=PATTERNS_A_KIND_MAX)
    in_all = programs[0]["in_all"] if programs else 0
    return {
        "programs": {
            "rows": [
                {key: value for key, value in row.items() if key != "in_all"} | {"target": clip(row["target"])}
                for row in programs
            ],
            "more": in_all - len(programs),
        },
        "patterns": cut(
            [row | {key: clip(row[key]) for key in ("function", "expression", "workload")} for row in patterns],
            limit=KINDS_MAX * PATTERNS_A_KIND_MAX,
        ),
    }
