"""docs/security.md claims nothing that no test shows: every row of its threat model names tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs" / "security.md").read_text()
TABLES = re.findall(r"^\|[^\n]*\| shown by \|\n\|[-|]+\|\n((?:\|[^\n]*\n)+)", TEXT, re.MULTILINE)
ROWS = [line for table in TABLES for line in table.splitlines()]
OUT_OF_SCOPE = "out of scope"


def named_in(row: str) -> list[str]:
    return re.findall(r"`(tests/[^`]+)`", row.rsplit("|", 2)[1])


def test_each_kind_of_attacker_has_a_table() -> None:
    titles = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    for attacker in (
        "Hostile network", "Hostile node with a valid token", "Hostile component", "Hostile observer",
        "Hostile validator", "Stolen database, stolen device",
    ):  # fmt: skip
        assert attacker in titles
    assert len(TABLES) == 7
    assert len(ROWS) > 40


@pytest.mark.parametrize("row", ROWS, ids=[f"{number}" for number in range(len(ROWS))])
def test_every_row_names_a_test_that_exists(row: str) -> None:
    named = named_in(row)
    assert named or row.rstrip(" |").endswith(OUT_OF_SCOPE), row
    for name in named:
        path, _, test = name.partition("::")
        tree = ast.parse((ROOT / path).read_text())
        there = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        assert any(found.startswith("test_") for found in there)
        assert not test or test in there, f"{name} does not exist"


def test_only_what_is_out_of_scope_goes_without_a_test() -> None:
    assert sum(not named_in(row) for row in ROWS) == 1
