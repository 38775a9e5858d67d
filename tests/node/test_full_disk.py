"""A disk that is really full under a hub: degraded with the reason, nothing receipted, then on without a restart."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mqtt_hub.archive.verify import verify
from tests.hub.processes import Hub, made_home, status_of
from tests.node.talk import Talker, heard_once

NAME = "AI_Node_1"
DISK_BYTES = 8 * 1024 * 1024
ROOM_BYTES = 96 * 1024  # left when the disk is "full": less than what is said
MESSAGES = 400


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Yield a directory on a file system of 8 MiB of its own."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("only root may mount a small file system; the file size limit shows the same")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", place], check=True)


@contextmanager
def fault(begin: Callable[[], Callable[[], None]]) -> Iterator[None]:
    mend = begin()
    try:
        yield
    finally:
        mend()


def nothing_is_lost_while(hub: Hub, talker: Talker, begin: Callable[[], Callable[[], None]], words: str) -> None:
    talker.say(5)
    talker.until_all_is_receipted()
    with fault(begin):
        talker.say(MESSAGES)
        status = talker.until(lambda: status if (status := status_of(hub, "hub"))["state"] == "degraded" else None)
        assert words in status["reason"], status["reason"]
        assert talker.node.pending() > 0
        assert hub.running.poll() is None
    talker.until_all_is_receipted()
    assert (
        talker.until(lambda: status if (status := status_of(hub, "hub"))["state"] == "running" else None)["reason"]
        == ""
    )
    assert hub.running.poll() is None, "without a restart"
    assert "Traceback" not in hub.log()
    heard_once(hub.home, NAME, 5 + MESSAGES)
    assert verify(hub.home.archive_path).faults == []


def test_a_full_file_system_degrades_the_hub_and_room_mends_it(small_disk: Path, tmp_path: Path) -> None:
    home = made_home(small_disk, nodes=(NAME,))

    def fill() -> Callable[[], None]:
        ballast = small_disk / "ballast"
        free = os.statvfs(small_disk)
        with ballast.open("wb") as file:
            file.write(bytes(free.f_bavail * free.f_frsize - ROOM_BYTES))
        return ballast.unlink

    with Hub(home) as hub, Talker(home, NAME, hub.port, tmp_path / "node") as talker:
        nothing_is_lost_while(hub, talker, fill, "full")


def test_a_limit_on_the_size_of_files_degrades_the_hub_and_lifting_it_mends_it(tmp_path: Path) -> None:
    """What the system refuses in another way than a full disk (quota, failing disk): SQLite calls it an I/O error."""
    home = made_home(tmp_path, nodes=(NAME,))

    with Hub(home) as hub, Talker(home, NAME, hub.port, tmp_path / "node") as talker:

        def limit() -> Callable[[], None]:
            pid = hub.running.pid
            before = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            wal = home.archive_path.with_name("archive.db-wal").stat().st_size
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (wal + ROOM_BYTES, before[1]))
            return lambda: resource.prlimit(pid, resource.RLIMIT_FSIZE, before) and None

        nothing_is_lost_while(hub, talker, limit, "disk I/O error")
