"""A node that is killed in the middle of a large workload goes on where it was."""

from __future__ import annotations

import zlib
from pathlib import Path

import orjson
import pytest

from mqtt_hub.spawn import NodePlan
from mqtt_hub.workload_store import WorkloadStore
from tests.node.fleet import SPECIALIZATION, Hub, RunningNode, make_home, rows, until
from trainers.workloads.codecs import Pages
from trainers.workloads.format import workload, write

NAME = "AI_Node_1"
JUMPS = 3_000_000  # three bytes each


def large() -> bytes:
    """Return a train part of 9 MB, packed without compression: a sweep, then to and fro between its ends."""
    sweep = range(20_000)
    header = orjson.loads(write(workload("large", sweep, part="train")).partition(b"\n")[0])
    header["requests"] += JUMPS
    codec = Pages()
    encoded = codec.encode(sweep)
    encoded += codec.encode([*sweep, 0, len(sweep) - 1])[len(encoded) :] * (JUMPS // 2)
    return orjson.dumps(header, option=orjson.OPT_SORT_KEYS) + b"\n" + zlib.compress(encoded, 0)


@pytest.mark.long
@pytest.mark.parametrize("victim", ["node", "hub"])
def test_who_is_killed_in_the_middle_of_a_large_workload_does_not_start_from_the_first_piece(
    tmp_path: Path, victim: str
) -> None:
    data = large()
    home = make_home(tmp_path / "hub", [NodePlan(NAME, "trainer", SPECIALIZATION)], [])
    stored = WorkloadStore(home.workloads).add(data)
    assert len(data) > 5_000_000

    def pieces() -> int:
        return sum(path.stat().st_size for path in (home.nodes / NAME / "workloads").glob("*.pieces"))

    with Hub(home) as hub, RunningNode(home, hub.port, NAME) as node:
        until(lambda: pieces() > len(data) // 8, told=node.log)
        if victim == "node":
            node.kill()
        else:
            hub.kill()
        assert 0 < pieces() < len(data), "it was whole before it could be interrupted"
        if victim == "node":
            node.start()
        else:
            hub.start()
        node.until_said("workload large is here")
        assert not pieces()
        assert (home.nodes / NAME / "workloads" / f"{stored.entry.id}.workload").read_bytes() == data

        def last_hello() -> dict[str, int]:
            ((payload,),) = rows(home, "SELECT payload FROM messages WHERE type = 'HELLO' ORDER BY id DESC LIMIT 1")
            partial: dict[str, int] = orjson.loads(payload)["body"]["partial"]
            return partial

        assert last_hello()[stored.entry.id] > 1
        sent = "SELECT payload FROM messages WHERE type = 'WORKLOAD' ORDER BY id"

        def archived() -> list[int]:
            return [orjson.loads(payload)["body"]["chunk"] for (payload,) in rows(home, sent)]

        # Some go out twice, and again while we look: their number and order say nothing.
        until(lambda: stored.chunk_count - 1 in archived(), told=node.log)
        # A hub that is killed may not have archived its last few; the first is never sent twice.
        assert archived().count(0) == 1
