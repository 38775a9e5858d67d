"""`mqtt-hub browse`: real Datasette as a process, on an archive that grows while people look at it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import urlopen

import orjson
import pytest

from mqtt_hub.browse.questions import QUESTIONS
from mqtt_hub.browse.tables import TABLES
from mqtt_hub.cli.home import create_home
from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.protocol.table import MessageType
from tests.dashboard.story import story
from tests.hub.archives import Archive
from tests.hub.entries import accepted, hello
from tests.node.fleet import until

# What sqlite-utils keeps for itself.
OWN_TABLES = {"_sqlite_migrations"}


class Site:
    """A running `mqtt-hub browse`."""

    def __init__(self, home: Home) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mqtt_hub", "browse", "--port", "0", "--home", str(home.path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        assert self.url.startswith("http://127.0.0.1:"), self.process.communicate()

    def json(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=30) as answer:  # noqa: S310 — our own address
            return orjson.loads(answer.read())

    def page(self, path: str) -> str:
        with urlopen(self.url + path, timeout=30) as answer:  # noqa: S310 — our own address
            return str(answer.read().decode())


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    home = Home(tmp_path_factory.mktemp("browse") / "hub")
    create_home(home, Config(port=0))
    archive = Archive(home.archive_path)
    story(archive)
    archive.commit(
        hello("AI_Node_1", session=1),
        accepted(MessageType.PATTERN_SHARE, "AI_Node_1", seq=2, expression="ghost_rank * 7"),
        accepted(MessageType.OS_COMPONENT_SHARE, "AI_Node_1", seq=3),
    )
    return archive


@pytest.fixture(scope="module")
def site(archive: Archive) -> Iterator[Site]:
    running = Site(Home(archive.path.parent))
    yield running
    running.process.send_signal(signal.SIGINT)
    running.process.communicate(timeout=30)


def test_every_table_view_and_column_is_explained(archive: Archive) -> None:
    names = [*archive.db.table_names(), *archive.db.view_names()]
    there = {name: [row[1] for row in archive.rows(f"PRAGMA table_info([{name}])")] for name in names}
    explained = {name: list(table.columns) for name, table in TABLES.items()}
    assert {name: columns for name, columns in there.items() if name not in OWN_TABLES} == explained


def test_every_table_opens_as_a_page(site: Site) -> None:
    pages = {name: site.page(f"archive/{name}") for name in TABLES}
    assert all(TABLES[name].title in page for name, page in pages.items())
    empty = {name for name, page in pages.items() if f"{name}: 0 rows" in page}
    assert empty == {"pruned", "operator_decisions", "offences"}, "a table without rows shows little of what may fail"


@pytest.mark.parametrize("question", list(QUESTIONS))
def test_every_canned_query_answers(site: Site, question: str) -> None:
    answer = site.json(f"archive/{question}.json?_shape=objects&component=a")
    assert answer.get("error") is None
    assert isinstance(answer["rows"], list)


def test_rows_archived_after_it_started_are_there_and_found(site: Site, archive: Archive) -> None:
    archive.commit(accepted(MessageType.PATTERN_SHARE, "AI_Node_1", seq=9, expression="hit_rate - 511"))
    assert "hit_rate - 511" in site.page("archive/patterns")
    found = until(lambda: site.json("search/knowledge.json?_shape=array&_search=hit_rate"))
    assert [(row["node"], row["source"]) for row in found] == [("AI_Node_1", "pattern")]


def test_nothing_can_be_written_through_it(site: Site, archive: Archive) -> None:
    before, statement = archive.count("messages"), "delete from messages"
    with pytest.raises(HTTPError) as refused:
        site.json(f"archive.json?sql={quote(statement)}")
    refused.value.close()
    assert refused.value.code == 400
    assert archive.count("messages") == before


def test_a_busy_port_is_one_clear_line(site: Site, archive: Archive) -> None:
    port = site.url.rstrip("/").rpartition(":")[2]
    done = subprocess.run(
        [sys.executable, "-m", "mqtt_hub", "browse", "--port", port, "--home", str(archive.path.parent)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("Error: cannot listen on 127.0.0.1:")


def test_a_directory_without_an_archive_is_one_clear_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mqtt_hub", "browse", "--home", str(tmp_path)],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (5, "")
    assert "no archive there" in done.stderr
