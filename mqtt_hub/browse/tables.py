"""What every table and column of the archive means, in words and units, as Datasette shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["TABLES", "Table"]


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view for people to read."""

    title: str
    description: str
    columns: Mapping[str, str]  # every column, in the order of the schema
    units: Mapping[str, str] = field(default_factory=dict)  # such as pint knows, with which Datasette shows them
    facets: tuple[str, ...] = ()
    label: str = ""  # the column that names a row where others refer to it
    newest_first: str = ""  # the column to sort by, descending

    def metadata(self) -> dict[str, Any]:
        """Return Datasette's description of the table (docs.datasette.io, Metadata)."""
        said: dict[str, Any] = {
            "title": self.title,
            "description": self.description,
            "columns": dict(self.columns),
            "units": dict(self.units),
        }
        if self.facets:
            said["facets"] = list(self.facets)
        if self.label:
            said["label_column"] = self.label
        if self.newest_first:
            said["sort_desc"] = self.newest_first
        return said


_MESSAGE = "the message that said so"
_KIND = "component kind, for example page_replacement"
_DIGEST = "SHA-256 of the component's canonical source: its name everywhere"
_AT = "UTC, ISO 8601"
_VERDICT = "pending, disputed, accepted, rejected or not_reproduced"
_DEED = "improved, false_claim, faulty, forgery, noise, outvoted, quarantine or release"
_PATTERN = {
    "kind": _KIND,
    "function": "the function of the form it was found in",
    "expression": "source in the policy language",
    "unit": "what it measures: time, count, size, rate, index or free",
    "gain": "share of the gap that is lost without it, measured by ablation on the train part",
    "uses": "how often it stood in a new best of its author",
    "workload": "id of the train part it was measured on",
    "component": "the program it was taken from",
}

TABLES: Mapping[str, Table] = {
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
            "first_seen": _AT,
            "last_seen": _AT,
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
            "granted_at": _AT,
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
            "sent_at": "by the sender's clock, " + _AT,
            "received_at": "by the hub's clock, " + _AT,
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
            "pruned_at": _AT,
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
            "received_at": _AT,
            "payload": "the bytes as they came",
        },
        facets=("node",),
        newest_first="id",
    ),
    "patterns": Table(
        "Patterns",
        "PATTERN_SHARE: sub-expressions that helped, with their evidence; read from the messages.",
        {
            "id": _MESSAGE,
            "message": _MESSAGE,
            "node": "who shared it",
            **_PATTERN,
        },
        facets=("kind", "function", "node"),
        newest_first="gain",
    ),
    "best_patterns": Table(
        "Best patterns",
        "Of each kind the 64 patterns with the largest gain, each expression once: from them nodes are greeted.",
        _PATTERN,
        facets=("kind", "function"),
        newest_first="gain",
    ),
    "code": Table(
        "Code",
        "CODE_SHARE: whole programs with what their authors claim for them.",
        {
            "id": "number in this archive",
            "message": _MESSAGE,
            "node": "who shared it",
            "kind": _KIND,
            "component": _DIGEST,
            "source": "canonical source in the policy language",
            "authors": "nodes that have a part in it, a JSON list",
            "parents": "components it descends from, a JSON list",
            "claims": "raw counters by workload, as claimed, JSON",
        },
        facets=("kind", "node"),
        newest_first="id",
    ),
    "components": Table(
        "Components",
        "OS_COMPONENT_SHARE: what was submitted for validation, as the best of its submissions has it.",
        {
            "id": _DIGEST,
            "message": _MESSAGE,
            "node": "who sent its best submission",
            "kind": _KIND,
            "source": "canonical source in the policy language",
            "c_source": "the same as C, from the validator",
            "target": "the workload it is meant for",
            "claims": "raw counters by workload, as claimed, JSON",
            "verdict": _VERDICT,
            "reason": "why",
            "submitted_at": _AT,
            "judged_at": _AT,
            "digest": "of the result that a quorum of validators agreed on",
            "submission": "the best one",
        },
        facets=("verdict", "kind", "target"),
        newest_first="submitted_at",
    ),
    "submissions": Table(
        "Submissions",
        "Who claims what of which component: what a verdict is about.",
        {
            "id": "SHA-256 of sender, kind, component, target and claims",
            "message": _MESSAGE,
            "node": "the sender",
            "component": _DIGEST,
            "kind": _KIND,
            "target": "the workload it is meant for",
            "claims": "raw counters by workload, as claimed, JSON",
            "authors": "as the sender names them, JSON; credit and blame do not follow from it",
            "needed": "validators that must agree, by the sender's trust when it came",
            "verdict": _VERDICT,
            "reason": "why, with figures of hidden workloads",
            "digest": "of the result that decided",
            "agreeing": "validators with that result, or with the one that most have",
            "dissenting": "validators with another",
            "round": "how often an operator had it judged anew",
            "opened_after": "results up to this message are void",
            "submitted_at": _AT,
            "judged_at": _AT,
        },
        facets=("verdict", "kind", "node"),
        newest_first="message",
    ),
    "discoveries": Table(
        "Discoveries",
        "Who told of a component first, in a message of any type: its finder, whoever submits it.",
        {"component": _DIGEST, "node": "the finder", "message": _MESSAGE},
        facets=("node",),
    ),
    "trust": Table(
        "Trust",
        "How each node stands, as the sum of its trust events.",
        {
            "node": "whose",
            "improvements": "validated ones",
            "offences": "in all",
            "strikes": "offences since the last improvement or release; at three it is quarantined",
            "credit_millionths": "of the gap between best baseline and bound, closed beyond everything before",
            "quarantined": "why it is; empty where it is not",
            "level": "new, trusted or quarantined",
            "trust": "(improvements + 1) / (improvements + offences + 2)",
            "since": _AT,
        },
        facets=("level",),
        newest_first="since",
    ),
    "trust_events": Table(
        "Trust events",
        "What each node did that changed how far it is trusted; docs/security.md has the rules.",
        {
            "id": "number in this archive",
            "node": "who",
            "at": _AT,
            "deed": _DEED,
            "cause": "in words",
            "credit_millionths": "earned by an improvement",
            "submission": "which one, where it was one",
        },
        facets=("deed", "node"),
        newest_first="id",
    ),
    "operator_decisions": Table(
        "Decisions of the operator",
        "mqtt-hub node quarantine and release, mqtt-hub submission reopen.",
        {
            "id": "random, so that each is carried out once",
            "at": _AT,
            "action": "quarantine, release or reopen",
            "subject": "the node, or the submission",
            "reason": "the operator's words",
            "done": "0 where there was no such submission",
        },
        newest_first="at",
    ),
    "component_authors": Table(
        "Authors of components",
        "Who has a part in a component.",
        {"component": _DIGEST, "author": "node"},
        facets=("author",),
    ),
    "lineage": Table(
        "Lineage",
        "Which component descends from which.",
        {"component": "the child", "parent": "its parent", "kind": _KIND, "node": "who made the child"},
        facets=("node",),
    ),
    "test_results": Table(
        "Verdicts",
        "TEST_RESULT: what each validator found, test by test.",
        {
            "id": "number in this archive",
            "message": _MESSAGE,
            "node": "the validator",
            "component": _DIGEST,
            "submitter": "whose submission it judged",
            "verdict": "accepted, rejected or not_reproduced",
            "reason": "the first test that failed, or that all passed",
            "digest": "of everything that must be equal between honest validators",
            "tests": "each test's name, outcome and reason, JSON",
            "judged_at": _AT,
            "submission": "which one it judged",
            "faulty": "1: the submitter's own tests would have shown what failed",
            "told": "the reason without figures of hidden workloads, for everybody",
        },
        facets=("verdict", "node"),
        newest_first="id",
    ),
    "hidden_scores": Table(
        "Scores on hidden workloads",
        "What a validator counted on workloads that no trainer can read. Lower is better.",
        {
            "id": "number in this archive",
            "test_result": "the verdict it belongs to",
            "component": _DIGEST,
            "workload": "name",
            "workload_id": "SHA-256 of the workload",
            "metric": "what is counted, for example misses",
            "capacity": "what the machine has: pages of cache, processors",
            "requests": "length of the workload",
            "value": "the component's",
            "bound": "proven: no policy can do better",
            "best_baseline": "the best of the baselines in hindsight",
            "best_baseline_value": "its value",
            "picked": "the baseline that is best on the train part",
            "picked_value": "its value here",
            "baselines": "all of them, JSON",
            "programs": "the textbook's programs that search starts from, JSON",
        },
        facets=("workload", "metric"),
    ),
    "collaborations": Table(
        "Collaborations",
        "COLLABORATION_REQUEST: who was stuck on what, and how it ended.",
        {
            "id": "correlation id of the request",
            "message": _MESSAGE,
            "requester": "who asked",
            "kind": _KIND,
            "workload": "where it is stuck",
            "wanted": "what it asked for",
            "evaluations": "the budget it asked a helper to spend, in evaluations",
            "gap": "share of the gap that was closed when it asked",
            "state": "open, accepted, completed, declined or expired",
            "requested_at": _AT,
            "expires_at": _AT,
            "ended_at": _AT,
        },
        facets=("state", "kind"),
        newest_first="requested_at",
    ),
    "collaboration_answers": Table(
        "Answers to collaborations",
        "COLLABORATION_RESPONSE: who helped, what it cost and what came of it.",
        {
            "id": "number in this archive",
            "message": _MESSAGE,
            "collaboration": "the request",
            "helper": "who answered",
            "status": "accepted, declined or completed",
            "reason": "in words",
            "evaluations": "really spent",
            "component": "the result, where there is one",
            "answered_at": _AT,
        },
        facets=("status", "helper"),
    ),
    "totals": Table(
        "Totals",
        "Accepted messages by type since the archive was made, kept up with every batch.",
        {"type": "message type", "messages": "how many"},
    ),
    "traffic": Table(
        "Traffic",
        "Accepted messages by type and 10 seconds.",
        {"at": "start of the 10 s, " + _AT, "type": "message type", "messages": "how many"},
        facets=("type",),
    ),
    "activities": Table(
        "Activities",
        "What each node was at, and from when to when: the task stream. It follows from PROGRESS and STATUS.",
        {
            "id": "number in this archive",
            "node": "whose",
            "activity": "search, help, wait, validate or offline",
            "kind": _KIND + "; empty while offline",
            "began_at": _AT,
            "ended_at": "last word of it, " + _AT,
            "told": "messages that said so",
        },
        facets=("activity", "node"),
    ),
    "progress": Table(
        "Progress",
        "Every time a node told a better score than ever before on a workload: its own measure on the train part.",
        {
            "id": "number in this archive",
            "message": _MESSAGE,
            "node": "whose",
            "kind": _KIND,
            "workload": "name of the workload",
            "best": "share of the gap between default baseline and bound that is closed; 1 is the bound",
            "evaluations": "of the node so far, over all its workloads",
            "at": _AT,
        },
        facets=("workload", "node"),
    ),
    "imports": Table(
        "Imports",
        "Programs shared by a node that build on another's work: one row a program and author beside the sender.",
        {
            "id": "number in this archive",
            "message": _MESSAGE,
            "node": "who shared the program",
            "kind": _KIND,
            "workload": "digest of the train part that it was claimed on",
            "author": "whose work it builds on",
            "component": _DIGEST,
            "at": _AT,
        },
        facets=("author", "node"),
    ),
    "workloads": Table(
        "Workloads",
        "The name of each workload's digest, as the first submission made for it, or score on it, names it.",
        {
            "id": "SHA-256 of its requests, by which claims and scores name it",
            "kind": _KIND,
            "name": "the workload's name",
            "part": "train or hidden",
        },
        label="name",
    ),
    "leaderboard": Table(
        "Leaderboard",
        "Accepted components on hidden workloads, best first, beside the best baseline and the proven bound.",
        {
            "workload": "name",
            "kind": _KIND,
            "metric": "what is counted",
            "capacity": "what the machine has",
            "requests": "length of the workload",
            "value": "the component's",
            "bound": "no policy can do better",
            "best_baseline": "the best of the baselines in hindsight",
            "best_baseline_value": "its value",
            "gap_closed_beyond_best_baseline": "0: like the best baseline, 1: at the bound, below 0: worse",
            "component": _DIGEST,
            "found_by": "the node that told of it first",
            "submitted_by": "node",
            "verdict": "accepted",
        },
        facets=("workload", "submitted_by"),
    ),
    "who_helped_whom": Table(
        "Who helped whom",
        "Answers to collaboration requests by helper and requester.",
        {
            "helper": "who answered",
            "requester": "who asked",
            "kind": _KIND,
            "status": "of the answers",
            "answers": "how many",
            "evaluations": "spent on them, in evaluations",
            "components": "answers that brought a program",
        },
    ),
    "lineage_of_accepted": Table(
        "Lineage of accepted components",
        "The ancestors of each accepted component, nearest first.",
        {
            "component": "the accepted one",
            "generation": "0: itself, 1: its parents, …",
            "ancestor": _DIGEST,
            "found_by": "the node that told of it first, or else named it first",
            "shared": "1: it was told of; 0: only named as a parent",
        },
        facets=("found_by",),
    ),
    "standings": Table(
        "Standings",
        "How far each node is trusted, by name.",
        {
            "name": "node",
            "role": "trainer, validator or observer",
            "level": "new, trusted or quarantined",
            "trust": "0.5 for a stranger",
            "improvements": "validated ones",
            "offences": "in all",
            "strikes": "since the last improvement or release",
            "credit": "gaps closed beyond everything before",
            "quarantined": "why it is; empty where it is not",
            "since": _AT,
        },
        facets=("level", "role"),
    ),
    "offences": Table(
        "Offences",
        "What was held against whom, in order, and the operator's quarantines.",
        {
            "id": "number in this archive",
            "at": _AT,
            "name": "node",
            "deed": _DEED,
            "cause": "in words",
            "submission": "which one, where it was one",
        },
        facets=("deed", "name"),
    ),
    "traffic_by_minute": Table(
        "Traffic by minute",
        "Accepted messages and their bytes.",
        {"minute": _AT, "type": "message type", "messages": "how many", "bytes": "of the payloads"},
        units={"bytes": "B"},
        facets=("type",),
    ),
}
