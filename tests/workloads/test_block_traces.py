"""Block traces become rows: blkparse's text, perf's, VMware's records; what they hold besides is passed by."""

from __future__ import annotations

import shutil
import struct
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.arenas.io_scheduling.form import STREAMS_MAX
from trainers.workloads.block_traces import blkparse, perf_script, vscsi
from trainers.workloads.errors import WorkloadError
from trainers.workloads.importers import import_workload
from trainers.workloads.record_io import paced, record
from trainers.workloads.requests import SECTORS_MAX, Event, busiest, pace, rows_of

BLKPARSE = """\
  8,0    1        1     0.000000000   697  A   R 223490 + 8 <- (8,1) 223427
  8,0    1        2     0.000000100   697  Q   R 223490 + 8 [kjournald]
  8,0    1        3     0.000001829   697  G   R 223490 + 8 [kjournald]
  8,0    1        5     0.000006809   697  D   R 223490 + 8 [kjournald]
  8,0    1        6     0.004812100    12  Q  WS 900000 + 256 [jbd2/sda1-8]
  8,0    1        7     0.004812200    12  Q FWS 0 + 0 [jbd2/sda1-8]
  8,0    1        8     0.004900000    12  Q   D 900000 + 2048 [fstrim]
  8,0    0        0     0.005000000     0  m   N cfq697 insert_request
  8,0    1        9     0.006000999   698  Q  RA 223498 + 16 [cat]
  8,0    1       10     0.007000000     0  C   R 223490 + 8 [0]
CPU0 (8,0):
 Reads Queued:           2,       12KiB
"""
PERF = """\
              sh 11518 [001] 11577.088992:    block:block_rq_issue: 254,0 RM 4096 () 17402336 + 8 0x2,0,4 [sh]
 kworker/1:1H-kb    44 [001] 11577.101403:    block:block_rq_issue: 254,0 FF 0 () 0 + 0 0x0,0,0 [kworker/1:1H]
Web Content 7 1000 11577.101404123: block:block_rq_issue: 254,0 WSM 524288 () 80814080 + 1024 [Web Content]
              sh 11518 [001] 11577.1:    block:block_rq_complete: 254,0 RM () 17402336 + 8 [0]
              dd 11520 [000] 11577.200000:    block:block_rq_issue: 7,0 W 4096 () 8 + 8 [dd]
"""


def test_blkparse_text_gives_what_was_queued() -> None:
    events = list(blkparse(BLKPARSE.splitlines()))
    assert rows_of(events, "8:0") == [(0, 223490, 8, 0, 0), (4812, 900000, 256, 1, 1), (6000, 223498, 16, 2, 0)]


def test_blkparse_text_without_queueing_gives_what_was_issued() -> None:
    lines = [line for line in BLKPARSE.splitlines() if " Q " not in line]
    assert rows_of(blkparse(lines), "8:0") == [(0, 223490, 8, 0, 0)]


def test_perf_text_gives_what_was_issued_to_each_device() -> None:
    events = list(perf_script(f"{line}\n" for line in PERF.splitlines()))
    assert rows_of(events, "254:0") == [(0, 17402336, 8, 0, 0), (12412, 80814080, 1024, 1, 1)]
    assert rows_of(events, "7:0") == [(0, 8, 8, 0, 1)]
    assert busiest(events) == "254:0"


@pytest.mark.parametrize(("version", "layout"), [(1, "<IIIHHQQ"), (2, "<HHIIIQQQ")])
def test_vscsi_records_give_reads_and_writes(version: int, layout: str) -> None:
    def entry(command: int, length: int, sector: int, time: int) -> bytes:
        tag = version << 8
        fields = (
            (1, length, 1, command, tag, sector, time)
            if version == 1
            else (command, tag, 1, length, 1, sector, time, 9)
        )
        return struct.pack(layout, *fields)

    data = (
        entry(0x28, 4096, 63, 1000) + entry(0x2A, 65536, 900, 1250) + entry(0x35, 0, 0, 1300) + entry(0x8A, 512, 7, 99)
    )
    assert rows_of(vscsi(data), "vscsi") == [(0, 7, 1, 0, 1), (901, 63, 8, 0, 0), (1151, 900, 128, 0, 1)]
    with pytest.raises(WorkloadError, match=f"byte {len(data)}: the last record has 5 of"):
        list(vscsi(data + b"short"))


def test_what_is_no_vscsi_trace_is_refused() -> None:
    with pytest.raises(WorkloadError, match="no vscsi record"):
        list(vscsi(bytes(64)))


@pytest.mark.parametrize(("format_", "content"), [("blkparse", BLKPARSE), ("perf-block", PERF)])
def test_a_trace_is_imported_as_a_workload(format_: str, content: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    path.write_text(content)
    made = import_workload(path, format_, capacity=1)
    assert (made.kind, made.capacity, made.name) == ("io_scheduling", 1, "trace")
    assert made.rows == (3 if format_ == "blkparse" else 2)


@pytest.mark.parametrize("format_", ["blkparse", "perf-block"])
def test_text_without_a_request_is_refused_by_name(format_: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.txt"
    path.write_text("nothing of the kind\n")
    with pytest.raises(WorkloadError, match=r"trace"):
        import_workload(path, format_)


def test_long_requests_are_cut_and_what_no_row_can_name_is_left_out() -> None:
    event = Event(0, "8:0", 1, 100, SECTORS_MAX + 5, write=False)
    beyond = Event(1, "8:0", 1, (1 << 32) - 4, 8, write=True)
    assert rows_of([event, beyond], "8:0") == [(0, 100, SECTORS_MAX, 0, 0), (0, 100 + SECTORS_MAX, 5, 0, 0)]


def test_more_processes_than_streams_share_numbers() -> None:
    events = [Event(at, "8:0", at, 0, 1, write=False) for at in range(STREAMS_MAX + 2)]
    assert [row[3] for row in rows_of(events, "8:0")[-3:]] == [STREAMS_MAX - 1, 0, 1]


@given(
    st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 2000), st.booleans()), min_size=2, max_size=50),
    st.sampled_from((1, 2, 4)),
    st.integers(10, 400),
)
@settings(max_examples=60, deadline=None)
def test_pacing_keeps_the_order_and_meets_the_load(
    drawn: list[tuple[int, int, bool]], channels: int, load: int
) -> None:
    rows = [(time, 0, sectors, 0, int(write)) for time, sectors, write in sorted(drawn)]
    scaled = pace(rows, channels, load)
    assert [row[1:] for row in scaled] == [row[1:] for row in rows]
    assert all(one[0] <= other[0] for one, other in pairwise(scaled))
    if rows[-1][0] > rows[0][0]:
        typical = sum((9000 + 4 * n) if channels == 1 else (50 + (300 if w else 90) + n) for _, _, n, _, w in rows)
        assert scaled[-1][0] == typical * 100 // (channels * load)


def test_a_recording_says_how_its_times_were_scaled() -> None:
    rows, remark = paced([(0, 0, 8, 0, 0), (10_000_000, 80, 8, 0, 1)], 4)
    assert remark == f"; 10.0 s, times scaled to {rows[-1][0] / 1e6:.1f} s: an offered load of 100 %"


def _may_look() -> bool:
    """Tell whether perf is here and may watch block events."""
    perf = shutil.which("perf")
    if perf is None:
        return False
    command = [perf, "record", "-q", "-a", "-e", "block:block_rq_issue", "-o", "/dev/null", "--", "true"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _may_look(), reason="perf may not watch block events here")
def test_what_a_command_writes_and_syncs_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a machine whose temporary folder is on a disk; in memory nothing is asked for, and that is said."""
    monkeypatch.chdir(tmp_path)
    try:
        made = record(["dd", "if=/dev/zero", "of=file", "bs=64k", "count=64", "conv=fsync"], name="dd")
    except WorkloadError as error:
        assert "no disk was asked for anything" in str(error)
        return
    assert made.status == 0
    assert made.workload.kind == "io_scheduling"
    assert "offered load" in made.workload.origin


@pytest.mark.parametrize("command", [[], ["no-such-command-at-all"]])
def test_what_cannot_be_recorded_is_said(command: list[str]) -> None:
    with pytest.raises(WorkloadError):
        record(command)
