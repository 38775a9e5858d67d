"""What keeps reading fast however long the archive: counts that each batch brings up to date, and indexes."""

from __future__ import annotations

from sqlite_utils import Database

from mqtt_hub.archive.backfill import TELEMETRY

__all__ = ["m0019_telemetry", "m0031_verdicts_of_a_node"]


def m0019_telemetry(db: Database) -> None:
    """What is asked all the time: counts by type, what nodes do, who got better when, and with whose work."""
    db.table("totals").create({"type": str, "messages": int}, pk="type")
    db.table("traffic").create({"at": str, "type": str, "messages": int}, pk=("at", "type"))
    db.table("workloads").create(
        {"id": str, "kind": str, "name": str, "part": str}, pk="id", not_null={"kind", "name", "part"}
    )
    node = ("node", "nodes", "id")
    db.table("activities").create(
        {"id": int, "node": int, "activity": str, "kind": str, "began_at": str, "ended_at": str, "told": int},
        pk="id", foreign_keys=[node], not_null={"node", "activity", "began_at", "ended_at"},
    )  # fmt: skip
    db.table("activities").create_index(["node"])
    db.table("progress").create(
        {
            "id": int, "message": int, "node": int, "kind": str, "workload": str, "best": float,
            "evaluations": int, "at": str,
        },
        pk="id", foreign_keys=[("message", "messages", "id"), node], not_null={"node", "kind", "workload", "best"},
    )  # fmt: skip
    db.table("progress").create_index(["kind", "workload", "node", "best"])
    db.table("imports").create(
        {
            "id": int, "message": int, "node": int, "kind": str, "workload": str, "author": str,
            "component": str, "at": str,
        },
        pk="id", foreign_keys=[("message", "messages", "id"), node], not_null={"node", "author"},
    )  # fmt: skip
    db.table("imports").create_index(["workload", "node"])
    # None of these tables takes more than a row in a hundred messages, so an index there is not felt.
    db.table("components").create_index(["verdict"])
    db.table("submissions").create_index(["kind", "target", "verdict", "message"])
    db.execute("DROP INDEX idx_hidden_scores_workload_id")
    db.table("hidden_scores").create_index(["workload_id", "capacity", "value"])
    db.table("hidden_scores").create_index(["component"])
    db.table("collaborations").create_index(["workload", "requester"])
    db.table("collaboration_answers").create_index(["collaboration"])
    db.table("lineage").create_index(["parent"])
    db.table("code").create_index(["component"])
    for statement in TELEMETRY:
        db.execute(statement)


def m0031_verdicts_of_a_node(db: Database) -> None:
    """A node that says HELLO is told the newest verdicts on its own submissions."""
    db.table("submissions").create_index(["node", "message"])
