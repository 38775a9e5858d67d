"""The hub's workloads: named by their digest, cut into pieces, hidden parts for validators only."""

from __future__ import annotations

import base64
import logging
from hashlib import sha256
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqtt_hub.protocol.bodies import WorkloadChunk
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.protocol.schema import checker
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.workload_store import CHUNK_BYTES, HEADER_BYTES_MAX, WorkloadStore
from tests.protocol.examples import KIND

__all__ = ["workload"]


def workload(name: str = "sqlite", part: str = "train", data: bytes = b"\x01\x02", **header: object) -> bytes:
    """Return a workload file."""
    return orjson.dumps({"kind": KIND, "name": name, "part": part, **header}) + b"\n" + data


def names(store: WorkloadStore, role: str, *kinds: str) -> list[str]:
    return sorted(stored.entry.name for stored in store.for_role(role, kinds or (KIND,)))


def test_a_workload_is_kept_under_its_digest_and_told_with_its_size(tmp_path: Path) -> None:
    data = workload()
    stored = WorkloadStore(tmp_path).add(data)
    assert stored.entry.id == sha256(data).hexdigest()
    assert (stored.entry.kind, stored.entry.name, stored.entry.part, stored.entry.size_bytes) == (
        KIND, "sqlite", "train", len(data),
    )  # fmt: skip
    assert [file.name for file in tmp_path.iterdir()] == [f"{stored.entry.id}.workload"]
    assert stored.path.read_bytes() == data


def test_adding_it_again_changes_nothing_and_a_restart_finds_it(tmp_path: Path) -> None:
    store = WorkloadStore(tmp_path)
    assert store.add(workload()) == store.add(workload())
    assert names(WorkloadStore(tmp_path), "trainer") == ["sqlite"]


@given(st.sampled_from([0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES]), st.binary(max_size=9))
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_pieces_are_within_the_protocol_and_make_up_the_file(tmp_path: Path, size: int, tail: bytes) -> None:
    head = len(workload(data=b""))
    data = workload(data=b"x" * max(0, size - head) + tail)
    stored = WorkloadStore(tmp_path).add(data)
    chunks = list(stored.chunks())
    check = checker(WorkloadChunk)
    for index, chunk in enumerate(chunks):
        assert check(orjson.loads(orjson.dumps(chunk)), "body") == chunk
        assert (chunk.chunk, chunk.chunks, chunk.id, chunk.size_bytes) == (
            index, len(chunks), stored.entry.id, len(data),
        )  # fmt: skip
    assert b"".join(base64.b64decode(chunk.data) for chunk in chunks) == data


def test_hidden_parts_are_for_validators_and_travel_under_a_type_of_their_own(tmp_path: Path) -> None:
    store = WorkloadStore(tmp_path)
    train, hidden = store.add(workload("a")), store.add(workload("b", "hidden"))
    store.add(workload("c", kind="cpu_scheduling"))
    assert (train.type, hidden.type) == (MessageType.WORKLOAD, MessageType.WORKLOAD_HIDDEN)
    assert names(store, "validator") == ["a", "b"]
    for role in ("trainer", "observer", "stranger", ""):
        assert names(store, role) == ["a"]
    assert names(store, "validator", "cpu_scheduling", KIND) == ["a", "b", "c"]
    assert names(store, "validator", "io_scheduling") == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\xff\xfe\n",
        b"[]\n",
        b"{}\n",
        workload(part="secret"),
        workload(kind="Capital"),
        workload(name="x" * 129),
        workload(data=b"")[:-1],
        b'{"kind":"' + b"x" * HEADER_BYTES_MAX + b'"}\n',
    ],
)
def test_what_is_no_workload_file_is_refused_and_not_kept(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ConfigurationError, match="no workload file"):
        WorkloadStore(tmp_path).add(data)
    assert list(tmp_path.iterdir()) == []


def test_files_that_another_process_adds_are_taken_up(tmp_path: Path) -> None:
    store = WorkloadStore(tmp_path)
    WorkloadStore(tmp_path).add(workload("later"))
    assert names(store, "trainer") == []
    store.refresh()
    assert names(store, "trainer") == ["later"]


def test_a_file_that_is_none_or_is_still_being_copied_is_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole = workload("whole", data=b"x" * 1000)
    path = tmp_path / f"{sha256(whole).hexdigest()}.workload"
    path.write_bytes(whole[:500])
    (tmp_path / "notes.workload").write_bytes(b"to do: everything")
    (tmp_path / "directory.workload").mkdir()
    with caplog.at_level(logging.WARNING):
        store = WorkloadStore(tmp_path)
        store.refresh()
    assert names(store, "trainer") == []
    assert {record.message.partition(":")[0] for record in caplog.records} >= {path.name, "notes.workload"}
    path.write_bytes(whole)
    store.refresh()
    assert names(store, "trainer") == ["whole"]
