"""What was sent: nodes, their sessions, accepted and rejected messages."""

from __future__ import annotations

from sqlite_utils import Database

__all__ = ["m0001_messages"]


def m0001_messages(db: Database) -> None:
    """Who sent what, accepted or not, and how far each session is committed."""
    db.table("nodes").create(
        {
            "id": int, "name": str, "role": str, "specialization": str, "kinds": str, "state": str,
            "session": int, "instance": str, "capabilities": str, "first_seen": str, "last_seen": str,
        },
        pk="id", not_null={"name", "role"},
    )  # fmt: skip
    db.table("nodes").create_index(["name"], unique=True)
    db.table("sessions").create(
        {"id": int, "node": int, "session": int, "upto": int, "granted_at": str},
        pk="id", foreign_keys=[("node", "nodes", "id")], not_null={"node", "session", "upto"},
    )  # fmt: skip
    db.table("sessions").create_index(["node", "session"], unique=True)
    db.table("messages").create(
        {
            "id": int, "node": int, "session": int, "seq": int, "type": str, "scope": str,
            "correlation_id": str, "sent_at": str, "received_at": str, "payload": str,
        },
        pk="id", foreign_keys=[("node", "nodes", "id")],
        not_null={"node", "session", "type", "received_at", "payload"},
    )  # fmt: skip
    db.table("messages").create_index(["node", "session", "seq"], unique=True)
    db.table("messages").create_index(["type"])
    db.table("rejected").create(
        {
            "id": int, "node": int, "session": int, "seq": int, "topic": str, "reason": str,
            "received_at": str, "payload": bytes,
        },
        pk="id", foreign_keys=[("node", "nodes", "id")], not_null={"topic", "reason", "received_at"},
    )  # fmt: skip
    db.execute(
        "CREATE UNIQUE INDEX rejected_key ON rejected (node, session, seq) WHERE seq IS NOT NULL",
    )
