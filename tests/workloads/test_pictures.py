"""A picture shows what is in the workload: every request, every page, LRU's misses as the arena counts them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.real_parts import need_module
from trainers.arenas.page_replacement import baselines
from trainers.arenas.registry import kinds, register
from trainers.cli import main
from trainers.workloads import pictures
from trainers.workloads.errors import WorkloadError
from trainers.workloads.format import Workload, save, workload
from trainers.workloads.pictures import picture, save_picture
from trainers.workloads.show import reuse_distances

SVG = "{http://www.w3.org/2000/svg}"


def words(svg: str) -> list[str]:
    """Return what is written in a picture; it must be well-formed."""
    return [str(element.text) for element in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 — our own


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=120))
def test_the_curve_is_what_lru_misses_at_every_capacity(requests: list[int]) -> None:
    made = workload("any", requests)
    again = [distance for distance in reuse_distances(list(made.words)) if distance is not None]
    points = pictures._miss_curve(again, made.rows, made.size)
    assert points[0] == (0.0, 1.0)
    for capacity in range(1, made.size + 1):
        misses = baselines.run("lru", list(made.words), made.size, capacity)[0][1]
        share, missed = points[capacity]
        assert share == pytest.approx(capacity / made.size)
        assert missed == pytest.approx(misses / made.rows)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=500))
def test_the_grid_has_every_request_once(requests: list[int]) -> None:
    made = workload("any", requests)
    assert sum(map(sum, pictures._grid(made.words, made.size))) == len(requests)


def test_the_picture_of_pages_says_name_sizes_capacity_and_origin() -> None:
    made = workload("loop", [number % 9 for number in range(1000)], capacity=4, origin="<a> & b")
    said = words(picture(made))
    assert "loop (whole): 1,000 requests, 9 pages, capacity 4 pages" in said
    assert "<a> & b" in said
    assert "requests; never before: 9" in said


@pytest.mark.parametrize("requests", [[0], [0, 0], list(range(50))])
def test_the_smallest_workloads_can_be_drawn(requests: list[int]) -> None:
    assert words(picture(workload("small", requests)))


def test_columns_are_drawn_one_by_one() -> None:
    register("tests.kinds.disk_sleep")
    made = workload("disk", [(1 + number % 700,) for number in range(900)], kind="disk_sleep")
    assert any(said.startswith("gap: ") for said in words(picture(made)))


def test_every_kind_s_recordings_can_be_drawn() -> None:
    from trainers.arenas.evaluate import bundled

    for kind in kinds():
        for found in bundled(kind)[:1]:
            assert found.name in picture(found)


def test_long_workloads_are_drawn_from_their_first_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MEASURED_MAX", 50)
    assert "request 50" in words(picture(workload("long", [number % 7 for number in range(99)])))


class TestFiles:
    @pytest.fixture
    def made(self) -> Workload:
        return workload("loop", [number % 9 for number in range(100)])

    def test_show_writes_svg_and_png_of_the_same_size(self, made: Workload, tmp_path: Path) -> None:
        need_module("cairosvg")
        save(made, tmp_path / "w")
        files = tmp_path / "w.svg", tmp_path / "w.png"
        done = CliRunner().invoke(
            main, ["workload", "show", str(tmp_path / "w"), "--svg", str(files[0]), "--png", str(files[1])]
        )
        assert done.exit_code == 0, done.output
        size = re.search(r'width="(\d+)" height="(\d+)"', files[0].read_text())
        assert size is not None
        png = files[1].read_bytes()
        assert png[:8] == b"\x89PNG\r\n\x1a\n"
        assert [int.from_bytes(png[at : at + 4]) for at in (16, 20)] == [int(number) for number in size.groups()]

    def test_without_the_extra_png_is_refused_and_svg_drawn(
        self, made: Workload, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "cairosvg", None)
        with pytest.raises(WorkloadError, match=r"no PNG.*--svg works everywhere.*figures"):
            save_picture(made, tmp_path / "w.png", png=True)
        assert not (tmp_path / "w.png").exists()
        save_picture(made, tmp_path / "w.svg")
        assert words((tmp_path / "w.svg").read_text())

    def test_a_place_that_cannot_be_written_is_told(self, made: Workload, tmp_path: Path) -> None:
        with pytest.raises(WorkloadError, match="No such file"):
            save_picture(made, tmp_path / "none" / "w.svg")
