"""`mqtt-hub report` from outside: what it writes, prints and refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from mqtt_hub.cli import main
from mqtt_hub.home import Home
from tests.report.conftest import facts_of
from tests.report.test_experiment import experiment, written


def run(home: Home, *words: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["report", "--home", str(home.path), *map(str, words)])


def test_it_writes_one_file_into_the_home_and_says_so(home: Home) -> None:
    done = run(home)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{home.path / 'report.html'}: ")
    assert (home.path / "report.html").read_bytes().startswith(b"<!doctype html>")
    assert list(home.path.glob("*.new")) == []


def test_json_is_the_data_of_the_page_and_writes_nothing(home: Home, tmp_path: Path) -> None:
    before = _files(home)
    done = run(home, "--json", "--experiment", written(tmp_path, experiment()))
    told = json.loads(done.stdout)
    assert _files(home) == before
    expected = facts_of(home, tmp_path / "sharing.json")
    assert told | {"made_at": expected["made_at"]} == json.loads(json.dumps(expected))


def _files(home: Home) -> list[Path]:
    """Return the files of a home; those that SQLite makes beside a database while somebody reads are its own affair."""
    return sorted(path for path in home.path.rglob("*") if not path.name.endswith(("-wal", "-shm")))


def test_json_and_page_come_together_where_both_are_asked_for(home: Home, tmp_path: Path) -> None:
    done = run(home, "--json", "--out", tmp_path / "deep" / "run.html")
    assert json.loads(done.stdout)["found"]["messages"] > 0
    assert "run.html" in done.stderr
    assert (tmp_path / "deep" / "run.html").exists()


def test_every_figure_is_written_as_svg_and_png(home: Home, tmp_path: Path) -> None:
    done = run(home, "--out", tmp_path / "r.html", "--figures", tmp_path / "figures")
    assert "5 figures" in done.stdout
    names = sorted(path.name for path in (tmp_path / "figures").iterdir())
    assert [name for name in names if name.endswith(".svg")] == [name.replace(".png", ".svg") for name in names[::2]]
    assert len(names) == 10


def test_an_empty_archive_is_no_error(empty: Home) -> None:
    done = run(empty)
    assert (done.exit_code, done.stdout) == (
        0, f"{empty.path / 'report.html'}: nothing has been archived yet, and the page says so\n",
    )  # fmt: skip


def test_without_matplotlib_the_error_says_what_to_install_and_json_does_without(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    done = run(home)
    assert done.exit_code == 2
    assert done.stderr == (
        "Error: matplotlib is not installed, which draws the figures"
        " (pip install 'mqtt-hub[report]'; --json does without)\n"
    )
    assert run(home, "--json").exit_code == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--experiment", "missing.json"], 2, "missing.json: No such file or directory"),
        (["--json", "--open"], 2, "--json makes no page that could be opened"),
        (["--out", "/proc/nothing/report.html"], 2, "/proc/nothing/report.html: "),
    ],
)
def test_what_cannot_be_done_is_one_line(empty: Home, words: list[str], code: int, said: str) -> None:
    done = run(empty, *words)
    assert done.exit_code == code
    assert done.stderr.startswith(f"Error: {said}")
    assert done.stderr.count("\n") == 1


def test_where_there_is_no_archive_it_exits_as_for_archives(tmp_path: Path) -> None:
    assert run(Home(tmp_path)).exit_code == 5


def test_open_shows_the_page_in_the_browser_of_the_user(
    empty: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/opened\n')
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    _forget_browsers(monkeypatch)
    assert run(empty, "--open").exit_code == 0
    assert (tmp_path / "opened").read_text().strip() == (empty.path / "report.html").as_uri()


def _forget_browsers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the library look at the environment again."""
    empty: Any
    for name, empty in (("_tryorder", None), ("_browsers", {})):
        monkeypatch.setattr(f"webbrowser.{name}", empty)
