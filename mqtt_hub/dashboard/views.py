"""What each view shows, as plain values: the pages draw them, the API sends them as JSON.

::

    (snapshot of the archive, what the hub says of itself, now) ──▶ dictionary

Nothing here is remembered or counted on the way: each number is the archive's, or what the hub told last.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import orjson
from sqlite_utils import Database

from mqtt_hub.archive.queries import browsing, components, findings, fleet, sharing, totals, trust
from mqtt_hub.archive.telemetry import BUCKET_S, bucket_of
from mqtt_hub.dashboard.figures import later
from mqtt_hub.dashboard.hub_watch import Seen
from mqtt_hub.dashboard.wording import body_of, diff_lines, natural, pretty
from mqtt_hub.protocol.table import MessageType

__all__ = ["Look"]

SPARK_S = 600
LANES_MAX = 25
NODES_MAX = 200  # of one page
RACE_NODES_MAX = 24
OVERVIEW_NODES_MAX = 14
BOARD_MAX = 40
PAGE_MAX = 100
COLLABORATIONS_MAX = 100
LOG_LEVELS = ("debug", "info", "warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class Look:
    """One look: a snapshot of the archive, what is known of the hub, the time, UTC."""

    db: Database
    seen: Seen
    now: str

    def status(self) -> dict[str, Any]:
        """Return get_hub_status() as last told, and whether the hub is there; while it is away the archive's counts."""
        told = self.seen.hub or {}
        by_type = totals.messages_by_type(self.db)
        return {
            "hub": {"state": self.seen.state, "why": self.seen.why},
            "status": self.seen.hub,
            "broker": self.seen.broker,
            "archive": {
                "messages": sum(by_type.values()),
                "by_type": by_type,
                "rejected": totals.rejected(self.db),
                "components": totals.components_by_verdict(self.db),
                "newest_message": browsing.newest_message(self.db),
                "patterns": by_type.get(MessageType.PATTERN_SHARE, 0),
                "code": by_type.get(MessageType.CODE_SHARE, 0),
                "active_collaborations": totals.active_collaborations(self.db),
            },
            "connected": told.get("connected", 0) if self.seen.state != "away" else 0,
        }

    def overview(self) -> dict[str, Any]:
        """Return the status with the nodes, the traffic and the distance to the limit."""
        presence = fleet.presence(self.db)
        return {
            **self.status(),
            "nodes": fleet.fleet(self.db, limit=OVERVIEW_NODES_MAX),
            "nodes_known": len(presence),
            "nodes_here": sum(node["here"] for node in presence) if self.seen.state != "away" else 0,
            "traffic": self.traffic(),
            "limits": findings.limits(self.db),
            "collaborations": fleet.collaborations(self.db, states=("open", "accepted"), limit=6),
        }

    def traffic(self) -> dict[str, Any]:
        """Return messages by type in each 10 s of the last ten minutes, oldest first; the last is not over yet."""
        end = bucket_of(self.now)
        slots = [later(f"{end}.000Z", -back)[:19] for back in range(SPARK_S - BUCKET_S, -1, -BUCKET_S)]
        place = {slot: index for index, slot in enumerate(slots)}
        series: dict[str, list[int]] = {}
        for row in fleet.recent_rates(self.db, slots[0]):
            if row["at"] in place:
                series.setdefault(row["type"], [0] * len(slots))[place[row["at"]]] = row["messages"]
        return {"from": slots[0] + "Z", "step_s": BUCKET_S, "by_type": series}

    def limits(self) -> dict[str, Any]:
        """Return the best validated component of each hidden workload between the baselines and the bound."""
        return {"workloads": findings.limits(self.db)}

    def race(self, kind: str, workload: str) -> dict[str, Any]:
        """Return how the best nodes' best grew on a workload, and when knowledge of others arrived there."""
        leaders = findings.leaders(self.db, kind, workload, limit=RACE_NODES_MAX)
        names = [leader["node"] for leader in leaders]
        return {
            "kind": kind,
            "workload": workload,
            "leaders": leaders,
            "steps": findings.race(self.db, kind, workload, names),
            "arrivals": findings.arrivals(self.db, kind, workload, names),
        }

    def workloads(self) -> dict[str, Any]:
        """Return every workload that progress was told of."""
        return {"workloads": findings.workloads(self.db)}

    def nodes(self, page: int = 0) -> dict[str, Any]:
        """Return the nodes, `NODES_MAX` a page, those that are here first."""
        nodes = fleet.fleet(self.db, limit=NODES_MAX, offset=page * NODES_MAX)
        for node in nodes:
            node["kinds"] = orjson.loads(node["kinds"])
        return {"nodes": nodes, "nodes_in_all": len(fleet.presence(self.db))}

    def node(self, name: str) -> dict[str, Any] | None:
        """Return all about one node."""
        found = fleet.node(self.db, name)
        if found is None:
            return None
        for column in ("kinds", "capabilities"):
            found[column] = orjson.loads(found[column])
        return found | {"submitted": fleet.shares_of(self.db, name, limit=BOARD_MAX)}

    def lanes(self, minutes: int, page: int = 0) -> dict[str, Any]:
        """Return what each node did in the last minutes, `LANES_MAX` nodes a page, those that are here first."""
        since = later(self.now, -60 * minutes)
        nodes = fleet.presence(self.db)
        nodes.sort(key=lambda node: (not node["here"], node["role"] != "trainer", natural(node["name"])))
        shown = [node["name"] for node in nodes[page * LANES_MAX : (page + 1) * LANES_MAX]]
        return {
            "from": since,
            "to": self.now,
            "nodes": shown,
            "nodes_in_all": len(nodes),
            "spans": fleet.lanes(self.db, shown, since),
            "help_given": fleet.help_given(self.db, shown, since),
        }

    def network(self) -> dict[str, Any]:
        """Return the nodes, hub apart, and who gave what to whom."""
        nodes = fleet.presence(self.db)
        nodes.sort(key=lambda node: (node["role"] != "trainer", natural(node["name"])))
        return {"nodes": nodes, "edges": fleet.edges(self.db)}

    def messages(self, *, types: tuple[str, ...], sender: str, text: str, before: int | None) -> dict[str, Any]:
        """Return messages that match, the newest first."""
        found = browsing.find_messages(self.db, types=types, sender=sender, text=text, before=before, limit=PAGE_MAX)
        return _told(found)

    def log(self, *, levels: tuple[str, ...], sender: str, text: str, before: int | None) -> dict[str, Any]:
        """Return log lines that match, the newest first."""
        found = browsing.find_messages(
            self.db,
            types=(MessageType.LOG,),
            scope=() if set(levels) == set(LOG_LEVELS) else levels,
            sender=sender,
            text=text,
            before=before,
            limit=PAGE_MAX,
        )
        return _told(found)

    def message(self, id_: int) -> dict[str, Any] | None:
        """Return one message, its sender's previous one of the type, and how the bodies differ."""
        found = browsing.message(self.db, id_)
        if found is None:
            return None
        previous = browsing.previous_of(self.db, id_)
        now, then = body_of(found["payload"]), body_of(previous["payload"]) if previous else {}
        return {
            "message": _row(found),
            "envelope": orjson.loads(found["payload"]),
            "previous": previous["id"] if previous else None,
            "diff": diff_lines(pretty(then), pretty(now)) if previous else [],
        }

    def rejected(self, before: int | None) -> dict[str, Any]:
        """Return messages that were refused, with the reason."""
        found = browsing.find_rejected(self.db, before=before, limit=PAGE_MAX)
        rows = [row | {"beginning": row["beginning"].decode(errors="replace")} for row in found.rows]
        return {"rows": rows, "looked_down_to": found.looked_down_to, "newest": found.newest}

    def board(self, verdict: str, before: int | None) -> dict[str, Any]:
        """Return submissions with tests and verdicts, the newest first."""
        rows = findings.board(self.db, verdict=verdict, before=before, limit=BOARD_MAX)
        return {
            "counts": findings.submissions_by_verdict(self.db),
            "rows": rows,
            "older": rows[-1]["place"] if len(rows) == BOARD_MAX else None,
        }

    def component(self, id_: str) -> dict[str, Any] | None:
        """Return one component: sources, differences to its parents, lineage, verdicts, scores, who builds on it.

        ``id_`` may be the beginning of its id, where no other begins so.
        """
        named = components.named(self.db, id_)
        found = findings.component(self.db, named[0]) if len(named) == 1 else None
        if found is None:
            return None
        parents = []
        for parent in found["parents"]:
            source = findings.source_of(self.db, parent)
            lines = diff_lines(source, found["source"], context=100) if source is not None else None
            parents.append({"id": parent, "known": source is not None, "diff": lines})
        return found | {
            "claims": orjson.loads(found["claims"]),
            "parents": parents,
            "verdicts": [
                row | {"submission": submission["id"], "submitter": submission["submitter"]}
                for submission in found["submissions"]
                for row in findings.verdicts_of(self.db, submission=submission["id"])
            ],
            "scores": findings.scores_of(self.db, found["id"]),
        }

    def standings(self) -> dict[str, Any]:
        """Return how every node stands."""
        return {"standings": trust.standings(self.db), "levels": trust.levels(self.db)}

    def collaborations(self) -> dict[str, Any]:
        """Return the newest collaborations and who helped whom."""
        newest = fleet.collaborations(self.db, limit=COLLABORATIONS_MAX)
        return {
            "collaborations": newest,
            "states": dict(Counter(row["state"] for row in newest)),
            "who_helped_whom": sharing.helped(self.db),
        }

    def collaboration(self, id_: str) -> dict[str, Any] | None:
        """Return one collaboration with its answers."""
        return fleet.collaboration(self.db, id_)


def _told(found: browsing.Found) -> dict[str, Any]:
    return {
        "rows": [_row(row) for row in found.rows],
        "looked_down_to": found.looked_down_to,
        "newest": found.newest,
    }


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a message's row with its body read; the page of one message shows the rest."""
    return {key: value for key, value in row.items() if key != "payload"} | {"body": body_of(row["payload"])}
