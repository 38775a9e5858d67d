"""A home with the story in its archive, and the dashboard on it with and without a network around it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from flask import Flask

from mqtt_hub.accounts import Accounts
from mqtt_hub.dashboard.app import create_app
from mqtt_hub.dashboard.fan_out import FanOut
from mqtt_hub.dashboard.gate import Gate
from mqtt_hub.dashboard.hub_watch import HubWatch
from mqtt_hub.home import Home
from tests.dashboard.story import story
from tests.hub.archives import Archive
from tests.hub.harness import make_home

__all__ = ["application"]


@pytest.fixture(scope="session")
def told_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a home with accounts and an archive with something of everything in it; made once, copied by tests."""
    roles = {"AI_Node_1": "trainer", "AI_Node_2": "trainer", "watcher": "observer"}
    made = make_home(tmp_path_factory.mktemp("told") / "hub", roles)
    archive = Archive(made.archive_path)
    story(archive)
    archive.db.close()
    return made.path


@pytest.fixture
def home(told_home: Path, tmp_path: Path) -> Home:
    """Return a copy of that home."""
    shutil.copytree(told_home, tmp_path / "hub")
    return Home(tmp_path / "hub")


@pytest.fixture
def app(home: Home) -> Iterator[Flask]:
    """Yield the application as a dashboard on loopback has it."""
    with application(home) as made:
        yield made


@pytest.fixture
def guarded(home: Home) -> Iterator[Flask]:
    """Yield the application as a dashboard beyond loopback has it."""
    with application(home, open_to_viewers=False) as made:
        yield made


@contextmanager
def application(home: Home, *, open_to_viewers: bool = True) -> Iterator[Flask]:
    """Yield an application whose hub is away."""
    gate = Gate(home, open_to_viewers=open_to_viewers)
    with closing(gate):
        yield create_app(home, gate, HubWatch(home, lambda _seen: None), FanOut())


@pytest.fixture
def accounts(home: Home) -> Iterator[Accounts]:
    """Yield the accounts as another process sees them."""
    opened = Accounts(home.accounts_path)
    yield opened
    opened.close()
