"""Archives for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub.archives import Archive


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """Yield an empty archive in which one validator's word is enough."""
    opened = Archive(tmp_path / "archive.db")
    yield opened
    opened.db.close()


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Archive]:
    """Yield an empty archive in which two validators must agree."""
    opened = Archive(tmp_path / "archive.db", quorum=2)
    yield opened
    opened.db.close()
