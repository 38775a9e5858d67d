"""Every number of a report is the archive's: asked here in other words, it comes to the same."""

from __future__ import annotations

import pytest

from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ArchiveError
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.report.cut import KINDS_MAX, ROWS_MAX
from mqtt_hub.report.exchange import MATRIX_NODES_MAX
from mqtt_hub.starts import note_start
from tests.dashboard.story import at, score, submission, verdict
from tests.hub.entries import accepted, digest, hello, rejected
from tests.hub.harness import DEADLINE_S, RawClient, hub_on, rows
from tests.protocol.examples import KIND
from tests.report.conftest import archive_of, facts_of, more


def test_the_sums_are_counts_of_the_tables(home: Home) -> None:
    found = facts_of(home)["found"]
    assert found["messages"] == rows(home, "SELECT count(*) FROM messages")[0][0]
    assert found["by_type"] == dict(rows(home, "SELECT type, count(*) FROM messages GROUP BY type"))
    assert found["rejected_messages"] == rows(home, "SELECT count(*) FROM rejected")[0][0] == 1
    assert found["submissions"] == dict(rows(home, "SELECT verdict, count(*) FROM submissions GROUP BY verdict"))
    assert found["nodes"] == {"trainer": 2, "validator": 1}
    assert (found["from"], found["to"]) == rows(home, "SELECT min(received_at), max(received_at) FROM messages")[0]
    credit = dict(rows(home, "SELECT name, credit FROM standings"))
    assert {row["name"]: row["credit"] for row in found["standings"]["rows"]} == credit


def test_the_win_table_has_the_leaderboards_best_and_the_last_that_was_chosen(home: Home) -> None:
    ((kind,),) = [(kind,) for kind in facts_of(home)["wins"]["kinds"]]
    (row,) = kind["rows"]
    assert (kind["kind"], kind["unit"], row["workload"]) == (KIND, "misses per request", "sqlite")
    best = rows(home, "SELECT component, value, bound, best_baseline FROM leaderboard ORDER BY value LIMIT 1")[0]
    assert (row["best"]["name"], row["best"]["value"], row["bound"]["value"], row["classic"]["name"]) == best
    # 360 of 1000 requests is the best; 380 was submitted later for it, so that is what its author chose
    assert (row["chosen"]["name"], row["chosen"]["value"], row["chosen"]["shown"]) == (digest(3), 380.0, 0.38)
    assert (row["default"]["name"], row["default"]["value"]) == ("lru", 450.0)
    assert row["chosen"]["closed"] == pytest.approx((410 - 380) / (410 - 300))
    assert (row["words"], row["outcome"]) == ("beats all classics and seeds", "win")


@pytest.mark.parametrize(
    ("value", "outcome", "words"),
    [(409.0, "win", "beats all classics"), (410.0, "loss", "beats only LRU"), (451.0, "loss", "loses to LRU")],
)
def test_a_loss_is_called_one(home: Home, value: float, outcome: str, words: str) -> None:
    last = submission(9, seq=9, when=at(20))
    more(home, last, verdict(last, [score(value)], seq=9))
    wins = facts_of(home)["wins"]
    assert (wins["kinds"][0]["rows"][0]["words"], wins["counts"]) == (words, {outcome: 1})


def test_who_helped_whom_is_what_answers_and_imports_say(home: Home) -> None:
    (kind,) = facts_of(home)["help"]["kinds"]
    assert kind["nodes"] == ["AI_Node_1", "AI_Node_2"]
    asked = rows(
        home,
        "SELECT count(*), sum(a.evaluations), sum(a.component != '') FROM collaboration_answers a"
        " WHERE a.status = 'completed'",
    )
    assert [(kind["answers"], kind["evaluations"], kind["with_program"])] == asked
    assert kind["matrices"]["answers"] == kind["matrices"]["programs"] == [[0, 1], [0, 0]]
    taken = rows(home, "SELECT count(DISTINCT component) FROM imports WHERE author = 'AI_Node_1'")[0][0]
    assert kind["matrices"]["built_on"] == [[0, taken], [0, 0]]
    assert kind["adopted"] == taken == 1


def test_the_lineage_goes_from_the_best_to_whoever_told_first(home: Home) -> None:
    (line,) = facts_of(home)["lineages"]["rows"]
    steps = [(step["component"], step["finder"], step["verdict"], step["value"]) for step in line["line"]]
    assert steps == [(digest(2), "AI_Node_2", "accepted", 360.0), (digest(1), "AI_Node_1", "", None)]
    assert [(record["component"], record["value"]) for record in line["records"]] == [(digest(2), 360.0)]


def test_what_was_observed_of_one_author_and_of_several_adds_up(home: Home) -> None:
    (observed,) = facts_of(home)["impact"]["observed"]
    assert (observed["one"]["accepted"], observed["several"]["accepted"]) == (1, 1)
    credit = rows(home, "SELECT sum(credit_millionths) / 1e6 FROM trust_events WHERE deed = 'improved'")[0][0]
    assert observed["one"]["credit"] + observed["several"]["credit"] == pytest.approx(credit)
    assert credit > 0
    assert observed["programs"] == rows(home, "SELECT count(DISTINCT component) FROM code")[0][0]


def test_the_league_counts_programs_of_others_only(home: Home) -> None:
    (first,) = facts_of(home)["items"]["programs"]["rows"]  # AI_Node_2 built on its own second too
    uses = "SELECT count(*) FROM lineage WHERE parent = ? AND node = (SELECT id FROM nodes WHERE name = 'AI_Node_2')"
    assert (first["component"], first["finder"], first["takers"]) == (digest(1), "AI_Node_1", 1)
    assert first["uses"] == rows(home, uses, digest(1))[0][0]
    gained = "SELECT credit_millionths / 1e6 FROM trust_events e JOIN submissions s ON s.id = e.submission"
    assert first["credit"] == rows(home, f"{gained} WHERE s.component = ?", digest(2))[0][0]


def test_rejections_come_with_their_reasons(home: Home) -> None:
    refused = facts_of(home)["rejected"]
    (row,) = refused["submissions"]["rows"]
    assert (row["component"], row["reason"]) == (digest(4), "useful: sqlite (hidden): 460 misses, lru has 450")
    assert [test["test"] for test in refused["tests"]["rows"]] == ["useful"]
    assert [(row["reason"], row["messages"]) for row in refused["messages"]["rows"]] == [("made up", 1)]


def test_more_than_a_table_holds_is_counted(home: Home) -> None:
    refused = [submission(number, seq=number, when=at(30), target="x") for number in range(100, 100 + ROWS_MAX)]
    more(home, *refused, *(verdict(one, [], seq=100 + n, says="rejected") for n, one in enumerate(refused)))
    told = facts_of(home)["rejected"]["submissions"]
    assert (len(told["rows"]), told["more"]) == (ROWS_MAX, 1)


def test_of_many_nodes_those_with_most_to_do_with_others_are_drawn(home: Home) -> None:
    names = [f"AI_Node_{number}" for number in range(10, 11 + MATRIX_NODES_MAX)]
    shares = [
        accepted(
            MessageType.CODE_SHARE, name, seq=1, at=at(40), source=f"of {name}", parents=(),
            authors=("AI_Node_1", name),
        )
        for name in names
    ]  # fmt: skip
    more(home, *(hello(name, session=3) for name in names), *shares)
    (kind,) = facts_of(home)["help"]["kinds"]
    assert len(kind["nodes"]) == MATRIX_NODES_MAX
    assert kind["nodes_more"] == len(names) + 2 - MATRIX_NODES_MAX
    assert kind["nodes"][:2] == ["AI_Node_1", "AI_Node_2"]
    assert sum(map(sum, kind["matrices"]["built_on"])) < kind["adopted"] == len(names) + 1


def test_kinds_beyond_the_bound_are_counted_not_shown(home: Home) -> None:
    kinds = [f"kind_{number:02}" for number in range(KINDS_MAX)]
    more(
        home,
        *(
            accepted(
                MessageType.CODE_SHARE, "AI_Node_2", seq=50 + n, at=at(40), source=kind, kind=kind,
                authors=("AI_Node_1", "AI_Node_2"),
            )
            for n, kind in enumerate(kinds)
        ),
    )  # fmt: skip
    help_ = facts_of(home)["help"]
    assert (len(help_["kinds"]), help_["kinds_more"]) == (KINDS_MAX, 1)


def test_a_run_is_told_without_secrets(home: Home) -> None:
    note_start(home.path, "spawn", {"nodes": 2, "specialization": ["memory_management"], "seed": 5, "name": None})
    run = facts_of(home)["run"]
    assert run["commands"] == ["mqtt-hub spawn --nodes 2 --specialization memory_management --seed 5 --home DIR"]
    assert run["settings"]["quorum"] == 1
    assert {account["name"]: account["role"] for account in run["accounts"]}["AI_Node_1"] == "trainer"
    assert {row["id"] for row in run["workloads"]} == {id_ for (id_,) in rows(home, "SELECT id FROM workloads")}
    said = str(run)
    for name in ("hub", "observer", "AI_Node_1"):
        assert home.token(name) not in said
    assert "argon2" not in said
    assert str(home.path) not in said


def test_limits_that_were_changed_are_named(home: Home) -> None:
    home.config_path.write_text(home.config_path.read_text() + "connections_max = 12\n")
    run = facts_of(home)["run"]
    assert (run["changed"], run["limits"]["connections_max"]) == (["connections_max"], 12)


def test_settings_that_cannot_be_read_do_not_keep_the_report_away(home: Home) -> None:
    home.config_path.write_text("quorum = true")
    run = facts_of(home)["run"]
    assert (run["settings"], run["settings_away"]) == ({}, "HOME/config.toml: quorum must be int, got True")
    home.accounts_path.unlink()
    assert facts_of(home)["run"]["accounts"] == []


def test_it_is_read_beside_a_hub_that_is_in_the_middle_of_a_batch(home: Home) -> None:
    with archive_of(home) as archive:
        archive.db.execute("BEGIN IMMEDIATE")
        archive.db.execute("INSERT INTO rejected (topic, reason, received_at) VALUES ('t', 'not committed', 'x')")
        assert facts_of(home)["found"]["rejected_messages"] == 1
        archive.db.execute("ROLLBACK")


def test_a_running_hub_goes_on_archiving_while_reports_are_made(home: Home) -> None:
    with hub_on(home) as running, RawClient(running, "AI_Node_1", filters=[]) as node:
        for _ in range(3):
            before = facts_of(home)["found"]
            node.publish("kernel/v1/hello/AI_Node_2", b"not mine").wait_for_publish(DEADLINE_S)
            after = facts_of(home)["found"]  # acknowledged, so committed
            assert after["rejected_messages"] == before["rejected_messages"] + 1


def test_an_empty_archive_has_empty_facts(empty: Home) -> None:
    facts = facts_of(empty)
    assert facts["found"]["messages"] == facts["wins"]["workloads"] == 0
    assert facts["help"]["kinds"] == facts["lineages"]["rows"] == facts["impact"]["observed"] == []


def test_a_home_without_archive_is_an_error_with_a_hint(empty: Home) -> None:
    empty.archive_path.unlink()
    with pytest.raises(ArchiveError) as raised:
        facts_of(empty)
    assert "mqtt-hub init" in raised.value.hint


def test_a_damaged_archive_is_an_error_with_a_hint(home: Home) -> None:
    size = home.archive_path.stat().st_size
    with home.archive_path.open("r+b") as file:
        file.seek(size // 4)
        file.write(b"\xff" * (size // 2))
    with pytest.raises(ArchiveError) as raised:
        facts_of(home)
    assert "restore a backup" in raised.value.hint


def test_an_archive_that_takes_too_long_is_given_up(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    more(home, *(rejected("AI_Node_1", b"%d" % number) for number in range(2_000)))
    monkeypatch.setattr("mqtt_hub.report.facts.REPORT_S_MAX", -1.0)
    monkeypatch.setattr("mqtt_hub.archive.schema._STEPS_A_CHECK", 10)
    with pytest.raises(ArchiveError, match="no answer within"):
        facts_of(home)
