"""The audit of what is locked: it holds for this project, and sees what does not."""

from __future__ import annotations

import importlib.util
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
HASH = f"--hash=sha256:{'0' * 64}"
CLICK = f"click==8.2.0 \\\n    {HASH} \\\n    {HASH}\n    # via mqtt-hub\n"
GOOD = f"{CLICK}uvloop==0.22.1 ; sys_platform != 'win32' \\\n    {HASH}\n"
PROJECT: dict[str, Any] = {
    "build-system": {"requires": []},
    "project": {"dependencies": ["click>=8.1"], "optional-dependencies": {"hub": ["uvloop>=0.21", "mqtt-hub[x]"]}},
}


@pytest.fixture(scope="module")
def audit() -> Any:
    loader = SourceFileLoader("audit", str(ROOT / "scripts" / "audit"))
    spec = importlib.util.spec_from_loader("audit", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_this_projects_lock_files_hold(
    audit: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit.shutil, "which", lambda _name: None)  # the internet is no part of this test
    assert audit.main(environment=False) == 0, capsys.readouterr().out
    assert "known vulnerabilities were not looked up" in capsys.readouterr().out


def test_a_good_lock_file_is_read_whole(audit: Any) -> None:
    locked, faults = audit.pins(GOOD, "x.lock")
    assert faults == []
    assert {name: audit.version(pins[0]) for name, pins in locked.items()} == {"click": "8.2.0", "uvloop": "0.22.1"}
    assert audit.unlocked(PROJECT, locked, None) == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("click==8.2.0\n", "has no hash"),
        (f"click>=8.2.0 {HASH}\n", "is not pinned"),
        ("--index-url https://packages.example\n", "names a place"),
        (f"click @ https://packages.example/click.whl {HASH}\n", "names a place"),
    ],
)
def test_a_lock_file_that_pins_hashes_or_sources_badly_is_told(audit: Any, line: str, fault: str) -> None:
    _locked, (said,) = audit.pins(line, "x.lock")
    assert fault in said


def test_a_dependency_that_is_not_locked_or_locked_otherwise_is_told(audit: Any) -> None:
    locked, _ = audit.pins(GOOD.replace("8.2.0", "8.0.0"), "x.lock")
    assert audit.unlocked(PROJECT, locked, set()) == ["click>=8.1 does not allow the locked 8.0.0"]
    del locked["uvloop"]
    assert "uvloop>=0.21 is not locked" in audit.unlocked(PROJECT, locked, {"hub"})


def test_what_is_installed_in_another_version_or_beside_the_lock_is_told(audit: Any) -> None:
    locked, _ = audit.pins(GOOD, "x.lock")
    assert audit.installed_otherwise(locked, {"click": "8.2.0", "pip": "1", "mqtt-hub": "1"}) == []
    assert audit.installed_otherwise(locked, {"click": "8.3.0", "left-pad": "1"}) == [
        "installed: click 8.3.0, locked: 8.2.0",
        "installed: left-pad 1, locked: no version",
    ]


def test_the_smaller_lock_file_is_a_part_of_the_larger(audit: Any) -> None:
    smaller, _ = audit.pins(GOOD, "x.lock")
    larger, _ = audit.pins(GOOD.replace("8.2.0", "8.3.0"), "y.lock")
    assert audit.other_versions(smaller, smaller) == []
    assert audit.other_versions(smaller, larger) == ["requirements.lock: click is not as in requirements-all.lock"]
