"""`mqtt-hub broker --open` answers every script as written down, and mosquitto but for the differences explained."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.brokers import hub_broker, mosquitto, mosquitto_version
from tests.conformance.differences import (
    PAGE,
    REASONS,
    TRANSCRIPTS,
    VERSION,
    difference,
    from_text,
    table,
)
from tests.conformance.play import Script, play
from tests.conformance.scripts import SCRIPTS
from tests.real_parts import need

EXPECTED = from_text(TRANSCRIPTS.read_text())


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with hub_broker() as port:
        yield port


def test_every_script_has_a_name_of_its_own_and_a_transcript() -> None:
    assert len(SCRIPTS) >= 140
    assert [script.name for script in SCRIPTS] == list(EXPECTED)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_the_open_broker_answers_as_written_down(port: int, script: Script) -> None:
    assert play(port, script) == EXPECTED[script.name]


@pytest.mark.long
def test_every_difference_from_mosquitto_is_explained(tmp_path: Path) -> None:
    program = need("mosquitto")
    if mosquitto_version(program) != VERSION:
        pytest.skip(f"the table is that of mosquitto {VERSION}")
    with mosquitto(program, tmp_path) as port:
        others = {script.name: play(port, script) for script in SCRIPTS}
    found = {name: difference(others[name], ours) for name, ours in EXPECTED.items() if others[name] != ours}
    assert sorted(found) == sorted(REASONS), "a difference without a reason, or a reason without a difference"
    assert table(found) == PAGE.read_text(), "run python -m tests.conformance.differences"
