"""Every question in turn, asked of one moment of the archive beside a scratch database that the migrations made."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

from sqlite_utils import Database

from mqtt_hub.archive.schema import MIGRATIONS, open_read_only
from mqtt_hub.archive.verify import followed, received, sound
from mqtt_hub.archive.verify.report import FAULTS_A_CHECK_MAX, Fault, Report

__all__ = ["CHECKS", "verify"]

CHECKS: dict[str, Callable[[sqlite3.Connection], Iterable[str]]] = {
    "file": sound.file,
    "schema": sound.schema,
    "references": sound.references,
    "keys": received.keys,
    "sessions": received.sessions,
    "gaps": received.gaps,
    "envelopes": received.envelopes,
    "knowledge": followed.knowledge,
    "verdicts": followed.verdicts,
    "trust": followed.trust,
    "states": followed.states,
}


def verify(path: Path, *, begin: Callable[[str], None] = lambda _check: None) -> Report:
    """Ask everything, telling ``begin`` each check's name before it.

    Raises `ArchiveError` where there is no archive, or one of a newer version.
    Needs a read transaction on the archive (the hub may go on writing) and room for a copy of its tables in a
    temporary file.
    """
    report = Report()
    open_read_only(path).close()  # says what is wrong with a file that cannot be asked at all
    with closing(sqlite3.connect("", uri=True, isolation_level=None)) as scratch:
        MIGRATIONS.apply(Database(scratch))
        scratch.execute("ATTACH ? AS archive", (f"{path.absolute().as_uri()}?mode=ro",))
        scratch.execute("BEGIN")  # one snapshot for all questions
        _count(scratch, report)
        for name, check in CHECKS.items():
            begin(name)
            _ask(name, check, scratch, report)
        with suppress(sqlite3.Error):  # told by the checks
            report.open_gaps = list(received.open_gaps(scratch))
    return report


def _ask(name: str, check: Callable[[sqlite3.Connection], Iterable[str]], db: sqlite3.Connection, into: Report) -> None:
    try:
        found = list(islice(check(db), FAULTS_A_CHECK_MAX + 1))
    except sqlite3.Error as error:
        found = [f"cannot be checked: {error}"]
    if len(found) > FAULTS_A_CHECK_MAX:
        found[-1] = "... and more"
    into.faults += [Fault(name, facts) for facts in found]


def _count(db: sqlite3.Connection, report: Report) -> None:
    try:
        (report.messages,) = db.execute("SELECT count(*) FROM archive.messages").fetchone()
        (report.rejected,) = db.execute("SELECT count(*) FROM archive.rejected").fetchone()
        (report.pruned,) = db.execute("SELECT coalesce(sum(last - first + 1), 0) FROM archive.pruned").fetchone()
    except sqlite3.Error as error:
        report.faults.append(Fault("file", f"cannot be counted: {error}"))
