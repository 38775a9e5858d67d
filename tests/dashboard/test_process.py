"""The dashboard's own process: started and ended with its hub, many viewers at once, honest errors."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from mqtt_hub.config import Config
from mqtt_hub.dashboard.fan_out import VIEWERS_MAX
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ConfigurationError
from mqtt_hub.protocol.table import MessageType
from tests.hub.archives import Archive
from tests.hub.entries import accepted
from tests.node.fleet import DEADLINE_S, ROOT, Hub, all_processes, command_line, make_home, until


def dashboards_on(home: Home) -> list[int]:
    return [pid for pid in all_processes() if f"mqtt_hub dashboard --home {home.path} " in command_line(pid) + " "]


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=DEADLINE_S) as answer:  # noqa: S310 — an address of ours
        text: str = answer.read().decode()
    return text


@contextmanager
def dashboard(home: Home, *options: str) -> Iterator[str]:
    """Run a dashboard without a hub; yields its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "mqtt_hub", "dashboard", "--home", str(home.path), "--port", "0", *options],
        cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = re.fullmatch(r"dashboard: (https?://\S+)\n", process.stdout.readline())
        assert said is not None
        yield said[1]
        process.send_signal(signal.SIGTERM)
        assert process.wait(DEADLINE_S) == 0
    finally:
        process.kill()
        process.communicate()


class Viewer:
    """A browser's stream of events, without the browser."""

    def __init__(self, url: str, last_id: int | None = None) -> None:
        place = urlsplit(url)
        self._deadline = time.monotonic() + DEADLINE_S
        self._connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=DEADLINE_S)
        headers = {} if last_id is None else {"Last-Event-ID": str(last_id)}
        self._connection.request("GET", "/api/events", headers=headers)
        self.answer = self._connection.getresponse()

    def until_told(self, name: str) -> dict[str, object]:
        """Return the data of the next event of that name."""
        while True:
            line = self.answer.readline()
            assert line, "the stream ended"
            assert time.monotonic() < self._deadline, f"no {name} within {DEADLINE_S:g} s"
            if line == f"event: {name}\n".encode():
                told: dict[str, object] = json.loads(self.answer.readline().removeprefix(b"data: "))
                return told

    def close(self) -> None:
        self.answer.close()
        self._connection.close()


@pytest.fixture
def whole(tmp_path: Path) -> Home:
    """Return a home whose hub has a dashboard beside it."""
    return make_home(tmp_path / "hub", config=Config(port=0, dashboard_port=0))


def test_the_hub_starts_a_dashboard_and_takes_it_along(whole: Home) -> None:
    with Hub(whole) as hub:
        url = until(lambda: whole.dashboard_path.exists() and whole.dashboard_path.read_text().strip())
        until(lambda: json.loads(get(f"{url}/api/status"))["hub"]["state"] == "running")
        told = json.loads(get(f"{url}/api/status"))
        assert told["status"]["port"] == hub.port
        assert hub.terminate() == 0
        assert dashboards_on(whole) == []
        assert not whole.dashboard_path.exists()


@pytest.mark.long
def test_a_dashboard_does_not_outlive_a_hub_that_is_killed_and_is_restarted_when_it_is(whole: Home) -> None:
    with Hub(whole) as hub:
        (first,) = until(lambda: whole.dashboard_path.exists() and dashboards_on(whole))
        Path(f"/proc/{first}/stat").read_text()
        subprocess.run(["kill", "-9", str(first)], check=True)
        (second,) = until(lambda: [pid for pid in dashboards_on(whole) if pid != first])
        assert second != first
        hub.kill()
        until(lambda: not dashboards_on(whole))


def test_a_taken_port_is_told_in_one_line_with_what_to_do(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "mqtt_hub", "dashboard", "--home", str(home.path), "--port", port],
            cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
        )  # fmt: skip
    assert done.returncode == ConfigurationError.exit_code
    assert "dashboard_port" in done.stderr
    assert "Traceback" not in done.stderr


def test_viewers_are_told_what_is_archived_and_go_on_where_they_were(home: Home) -> None:
    archive = Archive(home.archive_path)
    with closing(archive.db.conn), dashboard(home) as url, ExitStack() as stack:
        viewer = stack.enter_context(closing(Viewer(url)))
        assert viewer.until_told("hub")["state"] == "away"
        archive.commit(accepted(MessageType.LOG, "AI_Node_1"), accepted(MessageType.LOG, "AI_Node_1"))
        told = viewer.until_told("traffic")
        assert told["groups"] == [{"type": "LOG", "sender": "AI_Node_1", "to": None, "messages": 2}]
        viewer.close()
        archive.commit(accepted(MessageType.TEST_RESULT, seq=50))
        upto = told["upto"]
        assert isinstance(upto, int)
        again = stack.enter_context(closing(Viewer(url, last_id=upto)))
        more = again.until_told("traffic")
        assert more["after"] == upto
        assert more["groups"] == [{"type": "TEST_RESULT", "sender": "Validator_1", "to": "AI_Node_1", "messages": 1}]


@pytest.mark.long
def test_pages_are_answered_while_every_place_for_a_viewer_is_taken(home: Home) -> None:
    archive = Archive(home.archive_path)
    with closing(archive.db.conn), dashboard(home) as url, ExitStack() as stack:
        viewers = [stack.enter_context(closing(Viewer(url))) for _ in range(VIEWERS_MAX)]
        for viewer in viewers:
            viewer.until_told("hub")
        with closing(Viewer(url)) as late:
            assert late.answer.status == 503
        assert "Overview" in get(url)
        archive.commit(accepted(MessageType.LOG, "AI_Node_1"))
        for viewer in viewers:
            assert viewer.until_told("traffic")["passed_over"] == 0
