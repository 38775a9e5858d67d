"""What is kept up by the batch is what a count over all messages would say, whatever happens to the batch."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mqtt_hub.archive import backfill
from mqtt_hub.archive.queries import totals
from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.intake import Entry
from mqtt_hub.protocol.errors import ArchiveError
from mqtt_hub.protocol.table import MessageType
from tests.dashboard.story import at, progress, story
from tests.hub.archives import Archive
from tests.hub.entries import accepted, rejected

COUNTED = "SELECT type, count(*) FROM messages GROUP BY type"


def spans(archive: Archive) -> list[tuple[str, str, str]]:
    rows = archive.rows("SELECT activity, began_at, ended_at FROM activities ORDER BY id")
    return [(activity, began[17:19], ended[17:19]) for activity, began, ended in rows]


def test_totals_and_traffic_are_what_the_messages_count_to(archive: Archive) -> None:
    story(archive)
    counted = archive.rows(COUNTED)
    assert len(counted) > 8
    assert archive.rows("SELECT * FROM totals ORDER BY type") == counted
    assert archive.rows("SELECT type, sum(messages) FROM traffic GROUP BY type") == counted
    assert totals.messages_by_type(archive.db) == dict(counted)
    by_slot = "SELECT substr(received_at, 1, 18) || '0', type, count(*) FROM messages GROUP BY 1, 2"
    assert archive.rows("SELECT at, type, messages FROM traffic ORDER BY at, type") == archive.rows(by_slot)


@settings(max_examples=15, deadline=None)
@given(
    batches=st.lists(
        st.lists(st.tuples(st.sampled_from(["AI_Node_1", "AI_Node_2"]), st.integers(1, 6)), min_size=1, max_size=8),
        max_size=6,
    )
)
def test_a_message_that_comes_again_is_counted_once(
    batches: list[list[tuple[str, int]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    archive = Archive(tmp_path_factory.mktemp("again") / "archive.db")
    for batch in batches:
        archive.commit(*(accepted(MessageType.PATTERN_SHARE, name, seq=seq) for name, seq in batch))
    assert archive.rows("SELECT * FROM totals") == archive.rows(COUNTED)
    archive.db.close()


def test_refused_messages_and_batches_that_failed_are_not_counted(archive: Archive) -> None:
    archive.commit(rejected("AI_Node_1", b"{}"), accepted(MessageType.LOG))
    archive.db.execute("CREATE TRIGGER full BEFORE INSERT ON code BEGIN SELECT raise(ABORT, 'disk is full'); END")
    with pytest.raises(ArchiveError):
        archive.commit(accepted(MessageType.LOG), accepted(MessageType.CODE_SHARE))
    assert totals.messages_by_type(archive.db) == {"LOG": 1}


def test_one_activity_is_one_span_until_another_is_told_or_nothing_for_ten_seconds(archive: Archive) -> None:
    def told(activity: str, second: int) -> Entry:
        return progress("AI_Node_1", 0.1, at(second), activity=activity)

    archive.commit(told("search", 1), told("search", 3), told("help", 5), told("search", 7), told("search", 17))
    archive.commit(told("search", 28))
    assert spans(archive) == [
        ("search", "01", "03"),
        ("help", "03", "05"),
        ("search", "05", "17"),
        ("search", "28", "28"),
    ]


def test_a_verdicts_span_is_as_long_as_it_took(archive: Archive) -> None:
    archive.commit(accepted(MessageType.PROGRESS, "Validator_1", activity="validate", rate=0.25, at=at(8)))
    assert spans(archive) == [("validate", "04", "08")]
    assert archive.count("progress") == 0, "its figures are of verdicts, not of a search"


def test_a_node_is_offline_from_its_good_bye_to_its_next_word(archive: Archive) -> None:
    def status(state: str, second: int) -> Entry:
        return accepted(MessageType.STATUS, "AI_Node_1", state=state, at=at(second))

    archive.commit(status("ready", 1), progress("AI_Node_1", 0.1, at(2)), status("disconnected", 4), status("lost", 5))
    archive.commit(status("init", 9), status("ready", 10), progress("AI_Node_1", 0.1, at(11)))
    assert spans(archive) == [("search", "02", "02"), ("offline", "04", "10"), ("search", "11", "11")]


def test_only_what_is_better_than_all_before_is_progress(archive: Archive) -> None:
    for second, best in enumerate([0.2, 0.1, 0.3, 0.3, 0.25, 0.4]):
        archive.commit(progress("AI_Node_1", best, at(second)))
    assert archive.rows("SELECT best FROM progress ORDER BY id") == [(0.2,), (0.3,), (0.4,)]


def test_an_older_archive_is_filled_from_its_messages(archive: Archive) -> None:
    story(archive)
    tables = ("totals", "traffic", "workloads", "progress", "imports")
    kept = {table: archive.rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables}  # noqa: S608 — names above
    assert all(kept.values())
    for table in tables:
        archive.db.execute(f"DELETE FROM {table}")  # noqa: S608 — names above
    for statement in backfill.TELEMETRY:
        archive.db.execute(statement)
    again = {table: archive.rows(f"SELECT * FROM {table} ORDER BY 1") for table in tables}  # noqa: S608 — names above
    assert again == kept


def test_an_archive_of_an_older_version_is_refused_to_readers_with_what_to_do(archive: Archive, tmp_path: Path) -> None:
    archive.db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0019_telemetry'")
    with pytest.raises(ArchiveError, match="mqtt-hub serve"):
        open_read_only(tmp_path / "archive.db")
