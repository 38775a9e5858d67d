"""Any trace becomes a train and a hidden part by one command; what is wrong with it is told in one line."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner

from mqtt_hub.protocol.bar import Bar
from trainers.arenas.registry import kind_of, register
from trainers.cli import main
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import Workload, halves, read, save, workload
from trainers.workloads.importers import import_workload
from trainers.workloads.parts import parts_of

PAGES = [number % 37 for number in range(400)]


def parts(path: Path, **options: object) -> tuple[Workload, Workload]:
    return parts_of(path, bar=Bar(io.StringIO(), shown=False), **options)  # type: ignore[arg-type]


@pytest.fixture
def traces(tmp_path: Path) -> dict[str, Path]:
    """Write the same requests in every way."""
    files = {name: tmp_path / f"shop.{name}" for name in ("csv", "txt", "oracleGeneral", "workload")}
    files["csv"].write_text("time,page\n" + "".join(f"{at},{page}\n" for at, page in enumerate(PAGES)))
    files["txt"].write_text("".join(f"{page}\n" for page in PAGES))
    files["oracleGeneral"].write_bytes(b"".join(struct.pack("<IQIq", 0, page, 1, -1) for page in PAGES))
    save(workload("shop", PAGES), files["workload"])
    return files


@pytest.mark.parametrize("suffix", ["csv", "txt", "oracleGeneral", "workload"])
def test_the_name_of_a_file_says_its_format_and_both_parts_are_the_halves(traces: dict[str, Path], suffix: str) -> None:
    expected = halves(workload("shop", PAGES, origin="" if suffix == "workload" else "any"))
    made = parts(traces[suffix])
    assert [part.words for part in made] == [part.words for part in expected]
    assert [(part.name, part.part, part.capacity) for part in made] == [("shop", "train", 3), ("shop", "hidden", 3)]


def test_name_and_capacity_are_those_asked_for(traces: dict[str, Path]) -> None:
    for path in traces.values():
        made = parts(path, name="other", capacity=9)
        assert [(part.name, part.capacity) for part in made] == [("other", 9)] * 2


def test_what_the_command_writes_are_the_two_parts(traces: dict[str, Path], tmp_path: Path) -> None:
    words = ["workload", "split", str(traces["csv"]), "--train", str(tmp_path / "t"), "--hidden", str(tmp_path / "h")]
    done = CliRunner().invoke(main, [*words, "--column", "page", "--kind", "page_replacement", "--capacity", "5"])
    assert done.exit_code == 0, done.output
    assert (read(tmp_path / "t"), read(tmp_path / "h")) == parts(traces["csv"], capacity=5)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kind": "nonsense"}, "no component kind"),
        ({"format": "nonsense"}, "no trace format"),
        ({"name": "Capital"}, "the name 'Capital' is not possible"),
        ({"capacity": 0}, "capacity 0 is not within"),
        ({"column": "nonsense"}, "there is no column"),
    ],
)
def test_what_cannot_be_is_told(traces: dict[str, Path], options: dict[str, object], told: str) -> None:
    with pytest.raises(Exception, match=told) as caught:
        parts(traces["csv"], **options)
    assert "\n" not in str(caught.value)


def test_a_part_is_not_split_again_and_a_file_that_says_nothing_is_asked_about(
    traces: dict[str, Path], tmp_path: Path
) -> None:
    save(parts(traces["csv"])[0], tmp_path / "t.workload")
    with pytest.raises(WorkloadError, match="is the train part"):
        parts(tmp_path / "t.workload")
    (tmp_path / "log").write_text("hello\n")
    with pytest.raises(WorkloadError, match="--format"):
        parts(tmp_path / "log")
    with pytest.raises(WorkloadError, match="No such file"):
        parts(tmp_path / "none")


class TestColumns:
    """A csv of a kind whose rows are columns has these columns by name."""

    @pytest.fixture(autouse=True)
    def _kind(self) -> None:
        register("tests.kinds.disk_sleep")

    def test_its_columns_are_found_by_the_header_among_others(self, tmp_path: Path) -> None:
        path = tmp_path / "disk.csv"
        path.write_text("when,Gap\n" + "".join(f"{at},{1 + at % 9}\n" for at in range(50)))
        made = import_workload(path, "csv", kind="disk_sleep")
        assert (made.kind, made.name, list(made.words)) == ("disk_sleep", "disk", [1 + at % 9 for at in range(50)])
        assert made.capacity == kind_of("disk_sleep").capacity.default(made.size)

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("when\n1\n", "line 1: there is no column gap"),
            ("gap\n1\nx\n", "line 3: 'x' is no whole number"),
            ("gap\n1\n-5\n", "line 3: '-5' is no whole number"),
            ("gap,a\n1,2\n5\n", "line 3: 1 columns"),
            ("gap\n0\n", "gap 0 is not within"),
            ("gap\n", "no gaps"),
        ],
    )
    def test_what_is_wrong_is_told_with_its_line(self, tmp_path: Path, text: str, told: str) -> None:
        path = tmp_path / "disk.csv"
        path.write_text(text)
        with pytest.raises(WorkloadError, match=told):
            import_workload(path, "csv", kind="disk_sleep")

    def test_one_column_is_not_enough(self, tmp_path: Path) -> None:
        path = tmp_path / "keys"
        path.write_text("1\n2\n")
        with pytest.raises(WorkloadError, match="rows of several columns"):
            import_workload(path, "keys", kind="disk_sleep")
