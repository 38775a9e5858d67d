"""Where our broker answers otherwise than mosquitto, and why ours is right. The table of docs/conformance.md.

``python -m tests.conformance.differences`` plays every script on both brokers and writes what it finds: the
transcripts of ours (``transcripts.txt``) and the page. The reasons are written by hand, in ``reasons.toml``.
"""

from __future__ import annotations

import difflib
import shutil
import tempfile
import tomllib
from pathlib import Path

from tests.conformance.brokers import hub_broker, mosquitto, mosquitto_version
from tests.conformance.play import play
from tests.conformance.scripts import SCRIPTS

__all__ = ["PAGE", "REASONS", "TRANSCRIPTS", "VERSION", "as_text", "difference", "from_text", "table"]

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "conformance.md"
TRANSCRIPTS = Path(__file__).with_name("transcripts.txt")
VERSION = "2.0.11"  # of mosquitto: Debian's

REASONS: dict[str, str] = tomllib.loads(Path(__file__).with_name("reasons.toml").read_text())

_TOP = f"""\
# Conformance

What an MQTT 3.1.1 client sees of the embedded broker is written down as {{count}} scripts
(`tests/conformance/scripts.py`): connecting, subscribing, publishing at every QoS, retained messages, wills,
sessions, takeover, keep-alive, and every malformed packet of `tests/broker/malformed.py`. They are played, byte for
byte, to `mqtt-hub broker --open` and to mosquitto {VERSION}; what is heard from ours is kept in
`tests/conformance/transcripts.txt`, and every line in which the two differ is below, with the reason.

The packet parser is also fed streams in every split (`tests/conformance/corpus`), and arbitrary and damaged bytes
(`tests/broker/test_codec.py`).

`python -m tests.conformance.differences` builds this page; a test checks it.

| script | mosquitto | ours | why ours |
|---|---|---|---|
"""


def as_text(transcripts: dict[str, list[str]]) -> str:
    """Return transcripts as the text of a file: a name, then its lines, indented."""
    return "".join("\n".join([name, *(f"    {line}" for line in lines)]) + "\n" for name, lines in transcripts.items())


def from_text(text: str) -> dict[str, list[str]]:
    """Return the transcripts in a text."""
    transcripts: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("    "):
            transcripts[next(reversed(transcripts))].append(line[4:])
        else:
            transcripts[line] = []
    return transcripts


def difference(theirs: list[str], ours: list[str]) -> tuple[str, str]:
    """Return the lines that only one of two transcripts has."""
    lines = list(difflib.ndiff(theirs, ours))
    only = ("<br>".join(line[2:] for line in lines if line.startswith(sign)) for sign in "-+")
    first, second = (text.replace("|", "\\|") or "nothing" for text in only)
    return first, second


def table(differences: dict[str, tuple[str, str]]) -> str:
    """Return the page."""
    rows = [f"| {name} | {a} | {b} | {REASONS[name]} |\n" for name, (a, b) in differences.items()]
    return _TOP.format(count=len(SCRIPTS)) + "".join(rows)


def main() -> None:
    """Play everything and write both files."""
    program = shutil.which("mosquitto", path="/usr/bin:/usr/sbin:/usr/local/sbin:/usr/local/bin")
    if program is None or mosquitto_version(program) != VERSION:
        raise SystemExit(f"this needs mosquitto {VERSION}")
    with (
        tempfile.TemporaryDirectory() as directory,
        hub_broker() as ours,
        mosquitto(program, Path(directory)) as theirs,
    ):
        mine = {script.name: play(ours, script) for script in SCRIPTS}
        others = {script.name: play(theirs, script) for script in SCRIPTS}
    TRANSCRIPTS.write_text(as_text(mine))
    differences = {name: difference(others[name], mine[name]) for name in mine if mine[name] != others[name]}
    unexplained = differences.keys() - REASONS.keys()
    if unexplained:
        raise SystemExit(f"without a reason: {sorted(unexplained)}")
    PAGE.write_text(table(differences))


if __name__ == "__main__":
    main()
