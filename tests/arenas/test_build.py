"""The committed WebAssembly is what the C gives: its hashes are right, and a rebuild has the same bytes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from trainers.arenas.page_replacement import kind
from trainers.arenas.page_replacement.kind import FORM

FOLDER = Path(kind.__file__).parent
ROOT = FOLDER.parents[2]


def test_the_hashes_are_those_of_the_modules() -> None:
    for line in (FOLDER / "arena.sha256").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest


def test_rebuilding_gives_the_same_bytes() -> None:
    pytest.importorskip("ziglang")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / "build_arenas", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_slots_are_dense_and_each_belongs_to_one_name() -> None:
    slots = {feature.name: feature.slot for function in FORM.functions.values() for feature in function.features}
    assert sorted(slots.values()) == list(range(len(slots)))


def test_the_document_names_every_function_feature_and_baseline() -> None:
    text = (ROOT / "docs" / "page-replacement.md").read_text()
    names = {feature.name for function in FORM.functions.values() for feature in function.features}
    for name in {*names, *FORM.functions, *FORM.actions, *kind.BASELINES, kind.BOUND}:
        assert f"`{name}" in text, name


def test_the_compiler_is_the_one_that_the_project_pins() -> None:
    version = next(
        line.split('"')[1]
        for line in (ROOT / "scripts" / "build_arenas").read_text().splitlines()
        if line.startswith("ZIG_VERSION")
    )
    assert f"ziglang=={version}" in (ROOT / "pyproject.toml").read_text()
