"""Who spoke, and what was sent."""

from __future__ import annotations

from collections.abc import Mapping

from mqtt_hub.browse.tables.table import AT, KIND, Table

__all__ = ["TRAFFIC"]

TRAFFIC: Mapping[str, Table] = {
    "nodes": Table(
        "Nodes",
        "Every node that ever spoke, as the hub last saw it.",
        {
            "id": "number in this archive",
            "name": "its account, client id and topic level",
            "role": "trainer, validator, observer or hub",
            "specialization": "what it said it searches for",
            "kinds": "component kinds it serves, a JSON list",
            "state": "presence: init, ready, sleeping, disconnected or lost",
            "session": "its latest start, counted by the hub",
            "instance": "random name of that start, by which a repeated HELLO is known",
            "capabilities": "processor, memory, architecture and versions, as JSON",
            "first_seen": AT,
            "last_seen": AT,
            "rejected_beyond": "rejected messages beyond its quota: counted, not kept",
        },
        facets=("role", "specialization", "state"),
        label="name",
    ),
    "sessions": Table(
        "Sessions",
        "One row a start of a node: how far it is committed.",
        {
            "id": "number in this archive",
            "node": "whose",
            "session": "number of the start",
            "upto": "every message up to this seq is archived",
            "granted_at": AT,
        },
    ),
    "messages": Table(
        "Messages",
        "Every accepted message, as it was sent. The key (node, session, seq) is what makes a retry harmless.",
        {
            "id": "number in this archive, in the order of arrival",
            "node": "sender",
            "session": "the sender's start",
            "seq": "grows by one; empty for telemetry, which wants no receipt",
            "type": "message type: topics.md lists them",
            "scope": "last topic level: component kind, recipient or log level",
            "correlation_id": "ties an answer to its request",
            "sent_at": "by the sender's clock, " + AT,
            "received_at": "by the hub's clock, " + AT,
            "payload": "the JSON envelope, unchanged",
        },
        facets=("type", "node"),
        newest_first="id",
    ),
    "pruned": Table(
        "Pruned keys",
        "What `archive prune` has taken out, as ranges of keys: no gap is unexplained, no key is new again.",
        {
            "id": "number in this archive",
            "node": "whose",
            "session": "of which start",
            "first": "first seq of the range",
            "last": "last seq of the range",
            "pruned_at": AT,
        },
        facets=("node",),
    ),
    "rejected": Table(
        "Rejected messages",
        "Every message that was not accepted: why, and its bytes. The sender was told in its receipt.",
        {
            "id": "number in this archive",
            "node": "the account it came from",
            "session": "its key, where it had a readable one",
            "seq": "its key, where it had a readable one",
            "topic": "where it was published",
            "reason": "what was wrong, with the path of the field",
            "received_at": AT,
            "payload": "the bytes as they came",
        },
        facets=("node",),
        newest_first="id",
    ),
    "totals": Table(
        "Totals",
        "Accepted messages by type since the archive was made, kept up with every batch.",
        {"type": "message type", "messages": "how many"},
    ),
    "traffic": Table(
        "Traffic",
        "Accepted messages by type and 10 seconds.",
        {"at": "start of the 10 s, " + AT, "type": "message type", "messages": "how many"},
        facets=("type",),
    ),
    "activities": Table(
        "Activities",
        "What each node was at, and from when to when: the task stream. It follows from PROGRESS and STATUS.",
        {
            "id": "number in this archive",
            "node": "whose",
            "activity": "search, help, wait, validate or offline",
            "kind": KIND + "; empty while offline",
            "began_at": AT,
            "ended_at": "last word of it, " + AT,
            "told": "messages that said so",
        },
        facets=("activity", "node"),
    ),
    "traffic_by_minute": Table(
        "Traffic by minute",
        "Accepted messages and their bytes.",
        {"minute": AT, "type": "message type", "messages": "how many", "bytes": "of the payloads"},
        units={"bytes": "B"},
        facets=("type",),
    ),
}
