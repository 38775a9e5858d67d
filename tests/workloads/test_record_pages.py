"""Recording: strace's lines become pages of files, a real program is followed, and what is missing is said."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from trainers.workloads.errors import WorkloadError
from trainers.workloads.record_pages import PAGE_BYTES, pages_of, record

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")


def pages(*lines: str) -> list[tuple[str, int]]:
    return list(pages_of(lines))


def test_reads_go_on_where_the_last_one_ended() -> None:
    assert pages(
        '7  openat(AT_FDCWD</w>, "a", O_RDONLY) = 3</w/a>',
        '7  read(3</w/a>, ""..., 4096) = 4096',
        '7  read(3</w/a>, ""..., 4096) = 100',
        '7  read(3</w/a>, "", 4096) = 0',
    ) == [("/w/a", 0), ("/w/a", 1)]


def test_a_read_across_a_boundary_is_two_pages() -> None:
    assert pages('7  pread64(3</a>, ""..., 2, 4095) = 2') == [("/a", 0), ("/a", 1)]


def test_lseek_moves_the_position_and_opening_takes_it_back() -> None:
    assert pages(
        "7  lseek(3</a>, 8192, SEEK_SET) = 8192",
        '7  read(3</a>, ""..., 1) = 1',
        '7  openat(AT_FDCWD</>, "a", O_RDWR) = 3</a>',
        '7  write(3</a>, ""..., 1) = 1',
    ) == [("/a", 2), ("/a", 0)]


def test_appending_starts_at_the_end_that_was_written() -> None:
    assert pages(
        '7  pwrite64(3</a>, ""..., 4096, 0) = 4096',
        '7  write(3</a>, ""..., 8192) = 8192',
        '7  openat(AT_FDCWD</>, "a", O_WRONLY|O_APPEND) = 4</a>',
        '7  write(4</a>, ""..., 1) = 1',
    ) == [("/a", 0), ("/a", 0), ("/a", 1), ("/a", 2)]


def test_a_mapping_is_each_of_its_pages() -> None:
    line = "7  mmap(NULL, 8193, PROT_READ, MAP_PRIVATE, 3</lib>, 0x2000) = 0x7f0000000000"
    assert pages(line) == [("/lib", 2), ("/lib", 3), ("/lib", 4)]
    assert pages("7  mmap(NULL, 8192, PROT_READ, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000") == []


def test_interrupted_calls_are_joined_by_process() -> None:
    assert pages(
        "7  read(3</a>,  <unfinished ...>",
        "8  read(3</b>,  <unfinished ...>",
        '7  <... read resumed>""..., 10) = 10',
        '8  <... read resumed>""..., 10) = 10',
    ) == [("/a", 0), ("/b", 0)]


def test_a_child_reads_on_where_its_parent_was() -> None:
    assert pages('7  read(3</a>, ""..., 4096) = 4096', '8  read(3</a>, ""..., 1) = 1') == [("/a", 0), ("/a", 1)]


@pytest.mark.parametrize(
    "line",
    [
        '7  read(3<pipe:[12]>, ""..., 10) = 10',
        '7  read(3<socket:[12]>, ""..., 10) = 10',
        '7  write(1</dev/null>, ""..., 10) = 10',
        '7  read(3</proc/self/maps>, ""..., 10) = 10',
        "7  read(3</a>, 0x7ffe, 10) = -1 EAGAIN (Resource temporarily unavailable)",
        "7  +++ exited with 0 +++",
        "7  read(3</a>, ",
        "nonsense",
        "",
    ],
)
def test_what_has_no_page_is_passed_over(line: str) -> None:
    assert pages(line) == []


@needs_strace
def test_a_real_program_is_followed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.write_bytes(b"x" * (4 * PAGE_BYTES))
    program = f"f = open({str(data)!r}, 'rb', 0)\nfor at in (0, 3, 1, 3): f.seek(at * 4096); f.read(10)"
    before = set(Path(tempfile.gettempdir()).glob("workload-*"))
    recording = record([sys.executable, "-I", "-c", program], name="reads")
    assert recording.status == 0
    assert set(Path(tempfile.gettempdir()).glob("workload-*")) <= before, "the log is gone"
    requests = list(recording.workload.words)
    first = max(requests) - 2  # the file's pages are the last new ones
    assert [page - first for page in requests if page >= first][:4] == [0, 1, 2, 1]


@needs_strace
def test_the_command_s_end_is_told() -> None:
    assert record(["sh", "-c", "exit 7"]).status == 7


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(WorkloadError, match="no command given"):
        record([])
    if shutil.which("strace"):
        with pytest.raises(WorkloadError, match="no-such-command: no such command"):
            record(["no-such-command"])
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkloadError, match=r"strace is not installed \(Debian and Ubuntu: apt-get install strace\)"):
        record(["true"])
