"""Archives with a quorum of one validator and of two."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.archives import Archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = Archive(tmp_path / "archive.db")
    yield opened
    opened.db.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Archive]:
    """Yield an archive in which two validators must agree on what a new node submits, and one on a trusted one's."""
    opened = Archive(tmp_path / "pair.db", quorum=1, quorum_new=2)
    yield opened
    opened.db.close()
