"""A node's workloads: chunks in any order, damage, and what is on the disk after a crash."""

from __future__ import annotations

import base64
import os
import random
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mqtt_hub.protocol.bodies import WorkloadChunk, WorkloadEntry
from mqtt_hub.protocol.errors import ConfigurationError
from trainers import pieces
from trainers.library import HAVE_MAX, Library
from trainers.pieces import STALE_S, UNFINISHED_MAX
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import FILE_BYTES_MAX, Workload, workload, write

PIECES = 5


def chunks(data: bytes, pieces: int = PIECES) -> list[WorkloadChunk]:
    """Return a file in that many chunks, as the hub sends it."""
    size = -(-len(data) // pieces)
    digest = sha256(data).hexdigest()
    return [
        WorkloadChunk(
            digest, "page_replacement", "loops", "train", len(data), index, pieces,
            base64.b64encode(data[index * size : (index + 1) * size]).decode(),
        )
        for index in range(pieces)
    ]  # fmt: skip


def entry(data: bytes) -> WorkloadEntry:
    return WorkloadEntry(sha256(data).hexdigest(), "page_replacement", "loops", "train", len(data))


@pytest.fixture
def made() -> Workload:
    rng = random.Random(1)
    return workload("loops", [rng.randrange(50) for _ in range(500)], part="train")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path / "workloads")


@pytest.mark.parametrize("seed", range(5))
def test_chunks_come_in_any_order_and_more_than_once(library: Library, made: Workload, seed: int) -> None:
    data = write(made)
    stream = chunks(data)
    random.Random(seed).shuffle(stream)
    taken = [library.take(chunk) for chunk in [stream[0], *stream]]
    assert taken == [None] * PIECES + [made]
    assert library.take(stream[0]) is None  # it is here: nothing begins anew
    assert not library.lacks((entry(data),))
    assert library.of("page_replacement", "train") == [made]
    assert library.of("page_replacement", "hidden") == []


def test_a_restart_has_what_was_complete_and_only_that(tmp_path: Path, library: Library, made: Workload) -> None:
    data, other = write(made), write(workload("other", [1, 2, 3], part="train"))
    for chunk in chunks(data):
        library.take(chunk)
    library.take(chunks(other)[0])
    again = Library(tmp_path / "workloads")
    assert again.have() == (sha256(data).hexdigest(),)
    assert again.partial() == {sha256(other).hexdigest(): 1}
    assert again.lacks((entry(other),))


def test_a_file_cut_short_or_damaged_is_dropped_and_asked_for_again(
    tmp_path: Path, library: Library, made: Workload
) -> None:
    data = write(made)
    for chunk in chunks(data):
        library.take(chunk)
    (path,) = (tmp_path / "workloads").glob("*.workload")
    path.write_bytes(data[:-3])
    again = Library(tmp_path / "workloads")
    assert again.have() == ()
    assert again.lacks((entry(data),))
    assert not path.exists()


def test_a_chunk_that_is_no_base64_is_not_taken_and_the_right_one_still_completes(
    library: Library, made: Workload
) -> None:
    stream = chunks(write(made))
    library.take(replace(stream[0], data="not base64!"))
    assert [library.take(chunk) for chunk in stream][-1] == made


def test_a_whole_of_another_digest_is_forgotten_and_can_be_sent_again(library: Library, made: Workload) -> None:
    stream = chunks(write(made))
    wrong = replace(stream[1], data=stream[2].data)
    assert [library.take(chunk) for chunk in [stream[0], wrong, *stream[2:]]] == [None] * PIECES
    assert library.have() == ()
    assert [library.take(chunk) for chunk in stream][-1] == made


def test_what_the_hub_keeps_and_is_no_workload_is_told_once_and_not_waited_for(library: Library) -> None:
    data = b'{"kind":"page_replacement","name":"loops","part":"train"}\nsomething'
    stream = chunks(data)
    for chunk in stream[:-1]:
        library.take(chunk)
    with pytest.raises(WorkloadError):
        library.take(stream[-1])
    assert library.take(stream[-1]) is None
    assert not library.lacks((entry(data),))
    assert library.of("page_replacement", "train") == []


def test_chunks_that_contradict_each_other_complete_nothing(library: Library, made: Workload) -> None:
    stream = chunks(write(made))
    assert library.take(stream[4]) is None
    assert library.take(replace(stream[0], chunks=2)) is None
    assert library.take(replace(stream[0], chunk=7, chunks=3)) is None
    assert library.have() == ()


def kept(tmp_path: Path) -> list[Path]:
    """Return the files of pieces that are on the disk."""
    return sorted((tmp_path / "workloads").glob("*.pieces"))


def test_pieces_beyond_the_size_that_they_announce_are_let_go(tmp_path: Path, library: Library, made: Workload) -> None:
    for chunk in chunks(write(made)):
        assert library.take(replace(chunk, size_bytes=10)) is None
        assert kept(tmp_path) == []


def test_a_file_beyond_the_largest_is_not_begun(tmp_path: Path, library: Library, made: Workload) -> None:
    library.take(replace(chunks(write(made))[0], size_bytes=FILE_BYTES_MAX + 1))
    assert kept(tmp_path) == []
    library.take(replace(chunks(write(made))[0], size_bytes=FILE_BYTES_MAX))
    assert len(kept(tmp_path)) == 1


def test_only_so_many_workloads_are_unfinished_at_a_time(tmp_path: Path, library: Library, made: Workload) -> None:
    first = chunks(write(made))
    library.take(first[0])
    for number in range(UNFINISHED_MAX):
        library.take(replace(first[0], id=f"{number:064x}"))
    assert len(kept(tmp_path)) == len(library.partial()) == UNFINISHED_MAX
    assert first[0].id not in library.partial()
    assert library.take(first[1]) is None
    assert all(library.take(chunk) is None for chunk in first[2:])  # its first piece had to go


def test_only_so_many_bytes_are_unfinished_and_what_waits_longest_goes_first(
    tmp_path: Path, library: Library, made: Workload, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = chunks(write(made))
    size = len(base64.b64decode(stream[0].data))
    monkeypatch.setattr(pieces, "UNFINISHED_BYTES_MAX", 3 * size)
    for digest in "abc":
        library.take(replace(stream[0], id=digest * 64))
    library.take(replace(stream[1], id="a" * 64))  # no longer the one that waits longest
    assert set(library.partial()) == {"a" * 64, "c" * 64}
    assert {path.stem[0] for path in kept(tmp_path)} == {"a", "c"}


@pytest.mark.parametrize("seed", range(3))
def test_a_restart_in_the_middle_goes_on_where_it_was(tmp_path: Path, made: Workload, seed: int) -> None:
    stream = chunks(write(made))
    random.Random(seed).shuffle(stream)
    for upto, chunk in enumerate(stream, 1):
        library = Library(tmp_path / "workloads")  # a new start before every piece
        assert library.take(chunk) == (made if upto == PIECES else None)
        here = {piece.chunk for piece in stream[:upto]}
        missing = next(index for index in range(PIECES + 1) if index not in here)
        assert dict(library.partial()) == ({} if upto == PIECES or not missing else {chunk.id: missing})
    assert kept(tmp_path) == []


@given(at=st.floats(0, 1), cut=st.booleans())
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_pieces_damaged_on_the_disk_are_fetched_anew(
    tmp_path_factory: pytest.TempPathFactory, made: Workload, *, at: float, cut: bool
) -> None:
    directory = tmp_path_factory.mktemp("pieces") / "workloads"
    stream = chunks(write(made))
    library = Library(directory)
    for chunk in stream[:4]:
        library.take(chunk)
    (path,) = directory.glob("*.pieces")
    data = bytearray(path.read_bytes())
    place = min(int(at * len(data)), len(data) - 1)
    data[place] ^= 0x55
    path.write_bytes(data[:place] if cut else data)
    again = Library(directory)
    first = again.partial().get(stream[0].id, 0)
    assert first <= 4
    for chunk in stream[first:]:
        again.take(chunk)
    if not again.have():  # damage to the head, or to a piece that only the digest of the whole tells: from the start
        assert again.partial() == {}
        for chunk in stream:
            again.take(chunk)
    assert again.have() == (stream[0].id,)


def test_pieces_that_nobody_has_continued_for_a_week_are_removed_at_a_start(
    tmp_path: Path, library: Library, made: Workload
) -> None:
    stream = chunks(write(made))
    library.take(stream[0])
    (path,) = kept(tmp_path)
    for age, stays in ((STALE_S - 3600, True), (STALE_S + 3600, False)):
        os.utime(path, (time.time() - age,) * 2)
        assert bool(Library(tmp_path / "workloads").partial()) is stays
    assert kept(tmp_path) == []


def test_hello_names_no_more_than_it_may(library: Library) -> None:
    for number in range(HAVE_MAX + 1):
        for chunk in chunks(write(workload(f"w{number}", [1, 2], part="train")), pieces=1):
            library.take(chunk)
    assert len(library.have()) == HAVE_MAX


def test_a_directory_in_the_way_of_the_home_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError) as caught:
        Library(tmp_path / "file" / "workloads")
    assert "\n" not in str(caught.value)
