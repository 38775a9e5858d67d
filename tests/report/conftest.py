"""A home with the dashboard's story in it, and its facts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mqtt_hub.archive.storing import Grant
from mqtt_hub.home import Home
from mqtt_hub.intake import Entry
from mqtt_hub.report.facts import gather
from mqtt_hub.report.figures import Drawing, draw
from tests.dashboard.conftest import told_home
from tests.hub.archives import Archive
from tests.hub.harness import make_home
from tests.report.hostile import hostile

__all__ = ["NOW", "archive_of", "facts_of", "more", "told_home"]

NOW = "2026-01-31T13:00:00.000Z"


@pytest.fixture
def home(told_home: Path, tmp_path: Path) -> Home:
    """Return a copy of the dashboard's home: accounts, and an archive with something of everything in it."""
    shutil.copytree(told_home, tmp_path / "hub")
    return Home(tmp_path / "hub")


@pytest.fixture(scope="session")
def drawn(told_home: Path) -> tuple[dict[str, Any], list[Drawing]]:
    """Return the facts of that home and their drawings, made once: not to be changed."""
    facts = facts_of(Home(told_home))
    return facts, draw(facts)


@pytest.fixture(scope="session")
def drawn_hostile(told_home: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[Drawing]]:
    """Return the same after hostile nodes have written wherever they can."""
    path = tmp_path_factory.mktemp("hostile") / "hub"
    shutil.copytree(told_home, path)
    more(Home(path), *hostile())
    facts = facts_of(Home(path))
    return facts, draw(facts)


@pytest.fixture
def empty(tmp_path: Path) -> Home:
    """Return a home on which nobody has spoken."""
    return make_home(tmp_path / "empty")


@contextmanager
def archive_of(home: Home) -> Iterator[Archive]:
    """Yield a home's archive, open for writing."""
    archive = Archive(home.archive_path)
    try:
        yield archive
    finally:
        archive.db.close()


def more(home: Home, *entries: Entry | Grant) -> None:
    """Add to a home's archive."""
    with archive_of(home) as archive:
        archive.commit(*entries)


def facts_of(home: Home, experiment: Path | None = None) -> dict[str, Any]:
    """Return what a report of a home says."""
    return gather(home, now=NOW, experiment=experiment)
