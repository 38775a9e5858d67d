"""Who gets in, who is shut out while connected, and that hidden workloads reach validators and nobody else."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import orjson
import pytest

from mqtt_hub.accounts import Accounts
from mqtt_hub.home import Home
from mqtt_hub.protocol.bodies import WorkloadChunk
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.workload_store import CHUNK_BYTES, WorkloadStore
from tests.hub.harness import NOW, RawClient, RunningHub, hub_on, make_home, until
from tests.hub.test_workload_store import workload

A, B, V = "AI_Node_1", "AI_Node_2", "Validator_1"
WORKLOAD, HIDDEN = MessageType.WORKLOAD, MessageType.WORKLOAD_HIDDEN
TRAIN_DATA = workload("sqlite", "train", b"train" * 20_000)  # three pieces
HIDDEN_DATA = workload("sqlite", "hidden", b"hidden" * 10_000)
ALL_OF_IT = "kernel/v1/#"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = make_home(tmp_path / "home", {A: "trainer", B: "trainer", V: "validator"})
    store = WorkloadStore(made.workloads)
    store.add(TRAIN_DATA)
    store.add(HIDDEN_DATA)
    return made


@pytest.fixture
def running(home: Home) -> Iterator[RunningHub]:
    with hub_on(home) as hub:
        yield hub


@pytest.fixture
def accounts(home: Home) -> Iterator[Accounts]:
    """Yield the accounts as the command line has them: beside the running hub."""
    with closing(Accounts(home.accounts_path)) as opened:
        yield opened


# connecting


def test_wrong_tokens_unknown_names_and_other_client_ids_are_turned_away(running: RunningHub) -> None:
    for name, token, client_id in (
        (A, "wrong", A),
        (A, "", A),
        ("nobody", "wrong", "nobody"),
        (A, running.home.token(B), A),
        (A, running.home.token(A), B),
        (A, running.home.token(A), ""),
    ):
        with RawClient(running, name, token=token, client_id=client_id) as client:
            assert client.code != 0
    assert running.status()["broker"]["sessions"] == 0


def test_observers_may_be_many_and_a_node_is_one(running: RunningHub) -> None:
    with (
        RawClient(running, "observer", role="observer", client_id="one", filters=[ALL_OF_IT]) as one,
        RawClient(running, "observer", role="observer", client_id="two", filters=[ALL_OF_IT]) as two,
        RawClient(running, A) as first,
        RawClient(running, A) as second,
    ):
        until(lambda: first.disconnected)
        assert second.greet().accepted
        assert [client.disconnected for client in (one, two, second)] == [False, False, False]


def test_an_account_that_is_added_while_the_hub_runs_gets_in(running: RunningHub, accounts: Accounts) -> None:
    token = accounts.add("Late", "trainer", "memory_management", NOW)
    until(lambda: running.call(lambda: running.hub._book.get("Late")))
    with RawClient(running, "Late", token=token) as late:
        assert late.greet().accepted


@pytest.mark.parametrize("change", ["revoke", "rotate"])
def test_revoking_and_rotating_end_the_live_connection_and_void_the_old_token(
    running: RunningHub, accounts: Accounts, change: str
) -> None:
    old = running.home.token(A)
    with RawClient(running, A, clean=False) as a, RawClient(running, B) as b:
        a.greet()
        b.greet()
        new = accounts.rotate(A)
        if change == "revoke":
            accounts.revoke(A, NOW)
        until(lambda: a.disconnected)
        assert not b.disconnected
    with RawClient(running, A, token=old) as again:
        assert again.code != 0
    if change == "rotate":
        with RawClient(running, A, token=new) as again:
            assert again.code == 0
            assert again.greet().accepted


def test_a_revoked_node_keeps_no_session_that_could_still_be_told_something(
    running: RunningHub, accounts: Accounts
) -> None:
    with RawClient(running, A, clean=False) as a:
        a.greet()
        assert running.status()["broker"]["sessions"] == 1
        accounts.revoke(A, NOW)
        until(lambda: a.disconnected)
    assert running.status()["broker"]["sessions"] == 0


# workloads


def assembled(client: RawClient, type_: MessageType, data: bytes) -> bytes:
    """Return the workload's file as the client has received it, piece by piece."""
    digest = sha256(data).hexdigest()
    pieces = [
        client.expect(type_, lambda chunk, index=index: (chunk.id, chunk.chunk) == (digest, index)).body  # type: ignore[misc]
        for index in range(-(-len(data) // CHUNK_BYTES))
    ]
    return b"".join(base64.b64decode(piece.data) for piece in pieces)


def test_a_trainer_is_listed_and_sent_train_parts_only(running: RunningHub) -> None:
    with RawClient(running, A) as a:
        assert [(entry.part, entry.name) for entry in a.greet().workloads] == [("train", "sqlite")]
        assert assembled(a, WORKLOAD, TRAIN_DATA) == TRAIN_DATA


def test_a_validator_is_listed_and_sent_hidden_parts_too(running: RunningHub) -> None:
    with RawClient(running, V, role="validator") as v:
        assert sorted(entry.part for entry in v.greet().workloads) == ["hidden", "train"]
        assert assembled(v, HIDDEN, HIDDEN_DATA) == HIDDEN_DATA
        assert assembled(v, WORKLOAD, TRAIN_DATA) == TRAIN_DATA


def test_what_a_node_has_is_not_sent_again(running: RunningHub) -> None:
    with RawClient(running, A) as a, RawClient(running, V, role="validator") as v:
        (entry,) = a.greet(have=(sha256(TRAIN_DATA).hexdigest(),)).workloads
        assert entry.id == sha256(TRAIN_DATA).hexdigest()
        v.greet(have=(entry.id,))
        assert assembled(v, HIDDEN, HIDDEN_DATA) == HIDDEN_DATA  # had the train part been due, it would have come too
        assert a.heard(WORKLOAD) == v.heard(WORKLOAD) == []


def test_a_workload_is_for_those_who_ask_for_its_kind(running: RunningHub) -> None:
    with RawClient(running, A) as a:
        assert a.greet(kinds=("cpu_scheduling",)).workloads == ()


def test_a_workload_that_vanishes_is_a_warning_and_not_the_end_of_the_hub(running: RunningHub) -> None:
    with RawClient(running, A) as a:
        (running.home.workloads / f"{sha256(TRAIN_DATA).hexdigest()}.workload").unlink()
        (running.home.workloads / f"{'0' * 64}.workload").write_bytes(b"half a workl")
        a.greet()
        until(
            lambda: running.call(
                lambda: not running.hub._desk._transfers._due and not running.hub._desk._transfers._under_way
            )
        )
        assert a.greet().accepted


def test_a_large_workload_goes_out_in_portions_and_arrives_whole(running: RunningHub) -> None:
    large = workload("large", data=bytes(range(256)) * 8192)  # 2 MiB: 43 pieces
    WorkloadStore(running.home.workloads).add(large)
    with RawClient(running, A) as a, RawClient(running, B) as b:
        a.greet()
        assert assembled(a, WORKLOAD, large) == large
        b.greet()  # asks for what has just been sent: it is sent once more
        assert assembled(b, WORKLOAD, large) == large


def chunk_rows(running: RunningHub) -> list[tuple[str, str]]:
    return running.rows("SELECT type, payload FROM messages WHERE type LIKE 'WORKLOAD%'")


def test_hidden_data_is_never_on_the_wire_of_trainers_and_observers_nor_in_the_archive(running: RunningHub) -> None:
    grabs = [ALL_OF_IT, "kernel/#", "#", "kernel/v1/workload_hidden/hub/page_replacement", "kernel/v1/+/hub/+"]
    with (
        RawClient(running, A, filters=[*grabs, "kernel/v1/workload/#"]) as trainer,
        RawClient(running, "observer", role="observer", filters=grabs) as observer,
        RawClient(running, V, role="validator") as v,
    ):
        assert trainer.granted == [False, False, False, False, False, True]
        assert observer.granted == [True, False, False, False, True]
        v.greet()
        assert assembled(v, HIDDEN, HIDDEN_DATA) == HIDDEN_DATA
        assert assembled(trainer, WORKLOAD, TRAIN_DATA) == TRAIN_DATA
        assert assembled(observer, WORKLOAD, TRAIN_DATA) == TRAIN_DATA
        pieces = {base64.b64encode(HIDDEN_DATA[at : at + 30]) for at in range(90, len(HIDDEN_DATA) - 30, 30)}
        for client in (trainer, observer):
            for topic, payload, _ in client.raw:
                assert "workload_hidden" not in topic
                assert not any(piece in payload for piece in pieces)
    until(lambda: {type_ for type_, _ in chunk_rows(running)} == {"WORKLOAD", "WORKLOAD_HIDDEN"})
    for _, stored_payload in chunk_rows(running):
        assert '"data":""' in stored_payload
    files = [running.home.archive_path, running.home.archive_path.with_name("archive.db-wal")]
    stored = b"".join(file.read_bytes() for file in files if file.exists())
    assert not any(piece in stored for piece in pieces)
    assert b"hiddenhidden" not in stored


def test_answers_and_receipts_are_heard_by_their_node_and_by_observers_only(running: RunningHub) -> None:
    private = ["kernel/v1/receipt/hub/AI_Node_1", "kernel/v1/training_sync/hub/AI_Node_1", "kernel/v1/receipt/hub/+"]
    with (
        RawClient(running, B, filters=private) as b,
        RawClient(running, "observer", role="observer", filters=[ALL_OF_IT]) as observer,
        RawClient(running, A) as a,
    ):
        assert b.granted == [False, False, False]
        a.greet()
        a.say(MessageType.PATTERN_SHARE, seq=1)
        a.receipt(1)
        observer.expect(MessageType.RECEIPT)
        observer.expect(MessageType.TRAINING_SYNC)
        assert b.raw == []


def test_the_pieces_archived_name_the_workload_they_were_of(running: RunningHub) -> None:
    with RawClient(running, A) as a:
        a.greet()
        assembled(a, WORKLOAD, TRAIN_DATA)
        until(lambda: len(chunk_rows(running)) == 3)
    bodies = [WorkloadChunk(**orjson.loads(payload)["body"]) for _, payload in chunk_rows(running)]
    assert [body.chunk for body in bodies] == [0, 1, 2]
    assert {body.id for body in bodies} == {sha256(TRAIN_DATA).hexdigest()}
