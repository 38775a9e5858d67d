"""docs/workloads.md is true: every command in it runs, every bound it names is the code's."""

from __future__ import annotations

import re
import shlex
import shutil
import struct
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from mqtt_hub.workload_store import CHUNK_BYTES
from trainers import commands_workload, pieces
from trainers.arenas.evaluate import classics
from trainers.arenas.page_replacement.kind import CAPACITY_PERCENT
from trainers.policy.source import canonical
from trainers.workloads import codecs, importers
from trainers.workloads import format as workload_format
from trainers.workloads.families import families_of
from trainers.workloads.importers import FORMATS
from trainers.workloads.parts import SUFFIXES
from trainers.workloads.show import MEASURED_MAX
from trainers.workloads.text_traces import KEY_COLUMNS, LINE_BYTES_MAX

TEXT = (Path(__file__).parents[2] / "docs" / "workloads.md").read_text()
COMMANDS = [line.split(" #")[0] for line in TEXT.splitlines() if line.startswith("kernel-trainer ")]


def test_every_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pages = [number % 30 for number in range(3000)]
    Path("trace.bin").write_bytes(b"".join(struct.pack("<IQIq", 0, page, 1, -1) for page in pages))
    Path("keys.txt").write_text("".join(f"{page}\n" for page in pages))
    Path("table.csv").write_text("time,page\n" + "".join(f"{at},{page}\n" for at, page in enumerate(pages)))
    Path("mine.policy").write_text(canonical(classics("page_replacement")["lirs"]))
    group = click.Group(commands=[commands_workload.evaluate, commands_workload.workload])
    assert len(COMMANDS) >= 9
    for command in COMMANDS:
        if " record " in command and not shutil.which("strace"):
            continue
        result = CliRunner().invoke(group, shlex.split(command.replace("make -j2", "cat keys.txt"))[1:])
        assert result.exit_code == 0, (command, result.output, result.exception)


def test_the_bounds_are_the_code_s() -> None:
    text = " ".join(TEXT.split())
    assert f"At most {codecs.ROWS_MAX:,} requests and {importers.IMPORT_BYTES_MAX >> 30} GiB" in text
    assert f"up to {LINE_BYTES_MAX:,}" in text
    assert f"at most {workload_format.FILE_BYTES_MAX >> 20} MiB" in text
    assert f"{CAPACITY_PERCENT} % of its pages" in text
    assert ", ".join(f"`{name}`" for name in KEY_COLUMNS if "-" not in name) in text
    assert all(f"`{name}`" in text for name in FORMATS)
    assert f"more than {MEASURED_MAX:,} rows" in text


def test_what_is_told_of_the_way_to_the_fleet_is_so() -> None:
    text = " ".join(TEXT.split())
    assert f"in pieces of {CHUNK_BYTES >> 10} KiB" in text
    assert f"At most {pieces.UNFINISHED_MAX} workloads and {pieces.UNFINISHED_BYTES_MAX >> 20} MiB" in text
    assert pieces.STALE_S == 7 * 24 * 3600
    assert "continued for a week" in text
    assert {suffix for suffix in re.findall(r"`(\.[a-zA-Z]+)`", text) if SUFFIXES[suffix.lower()] in FORMATS} == {
        ".csv", ".tsv", ".txt", ".keys", ".oracleGeneral", ".swf", ".vscsi",
    }  # fmt: skip


def test_every_family_is_in_the_table() -> None:
    table = re.findall(r"^\| `([a-z-]+)` \| .*$", TEXT.partition("## What can be generated")[2], re.MULTILINE)
    assert table == list(families_of("page_replacement"))
