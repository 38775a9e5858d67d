"""Programs and libraries that tests use for real: missing ones are a visible skip, and a failure where ``CI=true``."""

from __future__ import annotations

import os
import shutil
from importlib import import_module

import pytest

__all__ = ["need", "need_module"]


def need(program: str) -> str:
    """Return the path of a program, or end the test."""
    path = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if path is not None:
        return path
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed, and CI runs every test: see .ci/run")
    pytest.skip(f"{program} is not installed")


def need_module(name: str) -> None:
    """End the test where a library, or what it stands on, is missing."""
    try:
        import_module(name)
    except (ImportError, OSError) as error:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{name} cannot be used ({error}), and CI runs every test: see .ci/run")
        pytest.skip(f"{name} cannot be used: {error}")
