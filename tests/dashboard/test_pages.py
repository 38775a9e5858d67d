"""Every number on a page is the archive's, and whatever nodes write stays text."""

from __future__ import annotations

import html
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlite_utils import Database

from mqtt_hub.archive.schema import open_read_only
from mqtt_hub.archive.storing import Grant
from mqtt_hub.dashboard.api import ROUTES, describe
from mqtt_hub.dashboard.hub_watch import Seen
from mqtt_hub.dashboard.views import Look
from mqtt_hub.home import Home
from mqtt_hub.intake import Entry
from mqtt_hub.protocol.bodies import HiddenScore
from mqtt_hub.protocol.table import MessageType
from tests.dashboard.conftest import application
from tests.dashboard.story import HOSTILE, TRAIN, at, progress, score, submission, verdict
from tests.hub.archives import Archive
from tests.hub.entries import accepted, digest, hello, rejected
from tests.hub.harness import make_home, rows
from tests.protocol.examples import named

PAGES = (
    "/", "/limits", "/race", "/race/page_replacement/sqlite", "/network", "/stream?minutes=1440", "/log", "/messages",
    "/messages/1", "/rejected", "/validation", f"/components/{digest(2)}", "/nodes", "/nodes/AI_Node_1",
    "/collaborations", "/collaborations/AI_Node_2.3.1", "/login",
)  # fmt: skip


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a browser without scripts."""
    return app.test_client()


def more(home: Home, *entries: Entry | Grant) -> None:
    """Add to the archive."""
    archive = Archive(home.archive_path)
    archive.commit(*entries)
    archive.db.close()


def answer(client: FlaskClient, path: str) -> dict[str, Any]:
    """Return what the API says."""
    told: dict[str, Any] = orjson.loads(client.get(path).data)
    return told


def text_of(page: str) -> str:
    """Return what a reader sees."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))


@pytest.mark.parametrize("path", PAGES)
def test_every_page_answers_with_landmarks_and_headers_that_let_nothing_in(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"
    for landmark in ("<header", "<nav aria-label", '<main id="main"', "<footer", 'lang="en"', "<h1"):
        assert landmark in answer.text
    assert not re.search(r"\sstyle=|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=\"/static/)", answer.text)
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", answer.text)


def test_the_overview_counts_what_the_archive_holds(client: FlaskClient, home: Home) -> None:
    page = client.get("/").text
    shown = dict(re.findall(r'id="n-(\w+)">([\d,]+)<', page))
    counts = "SELECT (SELECT count(*) FROM messages), (SELECT count(*) FROM patterns), (SELECT count(*) FROM code)"
    ((messages, patterns, code),) = rows(home, counts)
    assert int(shown["messages"]) == messages
    assert int(shown["patterns"]) == patterns == 1
    assert int(shown["code"]) == code == 2
    assert int(shown["accepted"]) == rows(home, "SELECT count(*) FROM components WHERE verdict = 'accepted'")[0][0] == 2
    by_type = {type_: int(count) for type_, count in re.findall(r'data-type="(\w+)">([\d,]+)<', page)}
    assert by_type == dict(rows(home, "SELECT type, count(*) FROM messages GROUP BY type"))
    assert "1 refused" in text_of(page)


def test_the_best_and_the_chosen_stand_between_baselines_and_bound(client: FlaskClient) -> None:
    (row,) = answer(client, "/api/limits")["workloads"]
    assert (row["workload"], row["best"], row["value"], row["bound"]) == ("sqlite", digest(2), 360.0, 300.0)
    assert row["chosen"]["component"] == digest(3), "the last accepted one submitted for it, whatever its score"
    assert row["baselines"] == {"lru": 450.0, "arc": 410.0}
    said = text_of(client.get("/limits").text)
    assert "45.5 %" in said  # (410 - 360) of (410 - 300)
    assert "best 360" in said
    assert "chosen 380" in said


def test_capacities_and_kinds_are_kept_apart(client: FlaskClient, home: Home) -> None:
    other = submission(2, seq=9, claims=())
    more(home, other, verdict(other, [score(150.0, capacity=50, bound=100.0)], seq=9))
    found = answer(client, "/api/limits")["workloads"]
    assert [(row["capacity"], row["value"]) for row in found] == [(50, 150.0), (100, 360.0)]


def test_what_only_a_validator_beside_the_quorum_says_is_not_shown_as_best(tmp_path: Path) -> None:
    home = make_home(tmp_path / "pair")
    archive = Archive(home.archive_path, quorum=2)
    alone = submission(2, seq=1)
    archive.commit(alone, verdict(alone, [score(310.0)], seq=1))
    archive.db.close()
    with application(home) as app:
        assert app.test_client().get("/api/limits").json == {"workloads": []}


def test_the_race_shows_every_improvement_and_where_others_work_arrived(client: FlaskClient) -> None:
    told = answer(client, "/api/race/page_replacement/sqlite")
    assert [(step["node"], step["best"]) for step in told["steps"]] == [
        ("AI_Node_1", 0.2), ("AI_Node_1", 0.3), ("AI_Node_2", 0.1), ("AI_Node_2", 0.5),
    ]  # fmt: skip
    assert [(mark["node"], mark["from"], mark["how"]) for mark in told["arrivals"]] == [
        ("AI_Node_2", "AI_Node_1", "built on"),
        ("AI_Node_2", "AI_Node_1", "answer"),
    ]
    page = client.get("/race").text
    assert page.count('class="arrival') == 2
    assert "AI_Node_2 0.500" in text_of(page)


def test_other_kinds_are_shown_by_their_own_names_and_numbers(client: FlaskClient, home: Home) -> None:
    kind, classics = "cpu_scheduling", {"rr": 1_000_000.0, "cfs": 990_000.0}
    cost = HiddenScore("forks", digest(501), "cost", 4, 8000, 985_000.0, 702_000.0, classics, "cfs")
    forks = submission(20, seq=20, target="forks", kind=kind)
    more(
        home,
        forks,
        verdict(forks, [cost], seq=20),
        accepted(MessageType.PROGRESS, "AI_Node_2", at=at(20), workload="forks", best=0.05, kind=kind),
    )  # fmt: skip
    said = text_of(client.get("/limits").text)
    assert "cpu scheduling, hidden part" in said
    assert "cost, lower is better" in said
    assert "cfs 990,000" in said
    assert "forks cpu scheduling" in text_of(client.get("/race").text)


def test_the_task_stream_tells_what_was_told(home: Home, app: Flask) -> None:
    told = answer(app.test_client(), "/api/lanes?minutes=1440")
    assert told["nodes"] == ["AI_Node_2", "AI_Node_1", "Validator_1"], "who is here first"
    more(home, progress("AI_Node_1", 0.1, "2999-01-01T00:00:00.000Z"))
    spans = answer(app.test_client(), "/api/lanes")
    assert [(span["node"], span["activity"]) for span in spans["spans"]] == [
        ("AI_Node_1", "offline"), ("AI_Node_1", "search"),
    ][1:]  # fmt: skip


def test_messages_are_found_by_type_node_text_and_place(client: FlaskClient, home: Home) -> None:
    def ids(query: str) -> list[int]:
        found = answer(client, f"/api/messages?{query}")
        return [row["id"] for row in found["rows"]]

    def asked(condition: str) -> list[int]:
        sql = f"SELECT m.id FROM messages m JOIN nodes n ON n.id = m.node WHERE {condition} ORDER BY m.id DESC"  # noqa: S608 — a test's own
        return [id_ for (id_,) in rows(home, sql)]

    assert ids("") == asked("1")
    assert ids("type=PROGRESS&type=LOG") == asked("type IN ('PROGRESS', 'LOG')")
    assert ids("node=AI_Node_2") == asked("name = 'AI_Node_2'")
    assert ids("text=STUCK%20AT") == asked("payload LIKE '%stuck at%'")
    assert ids("text=%25") == asked("payload LIKE '%\\%%' ESCAPE '\\'")
    newest = ids("")[0]
    assert ids(f"before={newest}") == asked(f"m.id < {newest}")
    assert ids("node=nobody") == []


@pytest.mark.parametrize("query", ["type=NO_SUCH", "before=x", "before=-1", "before=0", "text=" + "x" * 201])
def test_what_makes_no_sense_is_refused_and_said_so(client: FlaskClient, query: str) -> None:
    for path in ("/messages", "/api/messages"):
        assert client.get(f"{path}?{query}").status_code == 400


def test_a_message_is_compared_with_its_senders_last_of_the_type(client: FlaskClient, home: Home) -> None:
    newest, last = (id_ for (id_,) in rows(home, "SELECT m.id FROM messages m JOIN nodes n ON n.id = m.node"
        " WHERE type = 'PROGRESS' AND name = 'AI_Node_1' ORDER BY m.id DESC LIMIT 2"))  # fmt: skip
    told = answer(client, f"/api/messages/{newest}")
    assert told["previous"] == last
    assert ["-", '  "evaluations": 150,'] in told["diff"]
    assert ["+", '  "evaluations": 200,'] in told["diff"]
    assert "150" in client.get(f"/messages/{newest}").text
    first = answer(client, "/api/messages/1")
    assert (first["previous"], first["diff"]) == (None, [])


def test_the_board_has_every_test_with_its_reason(client: FlaskClient) -> None:
    said = text_of(client.get("/validation").text)
    assert "useful : useful: sqlite (hidden): 460 misses, lru has 450" in said
    assert "all 3" in said
    assert "rejected 1" in said
    only = answer(client, "/api/components?verdict=rejected")
    assert [row["id"] for row in only["rows"]] == [digest(4)]


def test_a_component_page_has_sources_lineage_scores_and_users(client: FlaskClient) -> None:
    told = answer(client, f"/api/components/{digest(2)}")
    assert told["authors"] == ["AI_Node_1", "AI_Node_2"]
    assert [(item["id"], item["node"]) for item in told["ancestors"]] == [(digest(1), None)]
    assert told["used_by"] == ["AI_Node_2"]
    assert [item["id"] for item in told["children"]] == [digest(3)]
    assert told["parents"][0]["diff"][-2:] == [["-", "source 1"], ["+", "source 2"]]
    page = client.get(f"/components/{digest(2)}").text
    said = text_of(page)
    assert "static s64 on_insert" in said.replace("  ", " ")
    assert "lru 450 win" in said
    assert "lirs as a program 405 win" in said
    assert client.get(f"/components/{digest(99)}").status_code == 404


def test_a_component_is_found_by_the_beginning_of_its_id_where_no_other_begins_so(client: FlaskClient) -> None:
    whole = client.get(f"/components/{digest(2)}")
    assert client.get(f"/components/{digest(2)[:12]}").text == whole.text
    assert client.get("/components/").status_code == 404
    assert client.get("/api/components/none").status_code == 404


def test_a_collaboration_and_a_node_are_told_with_all_that_belongs_to_them(client: FlaskClient) -> None:
    told = answer(client, "/api/collaborations/AI_Node_2.3.1")
    assert (told["requester"], told["workload"], told["state"]) == ("AI_Node_2", "sqlite", "completed")
    assert [(answer["helper"], answer["component"]) for answer in told["answered"]] == [("AI_Node_1", digest(5))]
    node = answer(client, "/api/nodes/AI_Node_1")
    assert (node["state"], node["rejected"]) == ("disconnected", 1)
    assert [help_["requester"] for help_ in node["helped"]] == ["AI_Node_2"]
    assert client.get("/nodes/nobody").status_code == 404


def test_who_gave_what_to_whom(client: FlaskClient) -> None:
    told = answer(client, "/api/network")
    assert {(edge["giver"], edge["taker"], edge["sort"]): edge["times"] for edge in told["edges"]} == {
        ("AI_Node_1", "AI_Node_2", "answer"): 1,
        ("AI_Node_1", "AI_Node_2", "import"): 1,
        ("Validator_1", "AI_Node_2", "verdict"): 3,
    }


def test_whatever_nodes_write_stays_text(client: FlaskClient, home: Home) -> None:
    code = HOSTILE + "\n"
    submitted = accepted(
        MessageType.OS_COMPONENT_SHARE, "-_hostile_-", seq=2, source=code + "x", target=HOSTILE[:120],
        parents=(named(code),), claims=(),
    )  # fmt: skip
    more(
        home,
        hello("-_hostile_-", session=1),
        accepted(MessageType.STATUS, "-_hostile_-", state="ready", specialization=HOSTILE[:64], session=1),
        accepted(MessageType.LOG, "-_hostile_-", text=HOSTILE, at=at(30)),
        accepted(MessageType.CODE_SHARE, "-_hostile_-", seq=1, source=code, claims=()),
        submitted,
        verdict(submitted, [score(310.0, workload=HOSTILE[:120])], seq=30, reason=HOSTILE, c_source=HOSTILE),
        accepted(MessageType.PROGRESS, "-_hostile_-", workload=HOSTILE[:120], best=0.4, at=at(31)),
        accepted(
            MessageType.COLLABORATION_REQUEST, "-_hostile_-", seq=3, workload=TRAIN,
            envelope={"correlation_id": "-_hostile_-./x:1"},
        ),
    )  # fmt: skip
    newest = rows(home, "SELECT max(id) FROM messages")[0][0]
    pages = [*PAGES, "/nodes/-_hostile_-", "/collaborations/-_hostile_-./x:1", f"/components/{named(code + 'x')}"]
    pages += [f"/messages/{id_}" for id_ in range(newest - 6, newest + 1)]
    seen = 0
    for path in pages:
        page = client.get(path).text
        assert "<script>alert" not in page, path
        assert "<img src=x" not in page, path
        assert "49" not in re.findall(r"\{\{ 7\*7 \}\}|49(?=</pre>)", page), path
        seen += "&lt;script&gt;alert" in page
    assert seen >= 7, "it is shown, as text"


def test_the_api_is_described_as_it_is(app: Flask) -> None:
    described = answer(app.test_client(), "/api/openapi.json")
    assert described == describe()
    rules = {
        re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(rule))
        for rule in app.url_map.iter_rules()
        if str(rule).startswith("/api/")
    }
    assert set(described["paths"]) == rules - {"/api/openapi.json"}
    assert len(described["paths"]) == len(ROUTES) + 1
    for path, item in described["paths"].items():
        named = {parameter["name"] for parameter in item["get"]["parameters"] if parameter["in"] == "path"}
        assert named == set(re.findall(r"{(\w+)}", path))
        assert item["get"]["summary"]


@pytest.mark.parametrize("route", [route for route in ROUTES if "<" not in route.path], ids=lambda route: route.path)
def test_every_answer_of_the_api_is_an_object(client: FlaskClient, route: Any) -> None:
    answer = client.get("/api" + route.path)
    assert answer.status_code == 200
    assert isinstance(answer.json, dict)


def test_the_api_refuses_in_json(client: FlaskClient) -> None:
    for path, code in (("/api/nodes/nobody", 404), ("/api/nothing", 404), ("/api/messages?before=x", 400)):
        refused = client.get(path)
        assert refused.status_code == code
        assert set(orjson.loads(refused.data)) == {"error", "hint"}


def test_an_empty_archive_shows_what_to_do_next(tmp_path: Path) -> None:
    with application(make_home(tmp_path / "empty")) as app:
        client = app.test_client()
        for path in ("/", "/limits", "/race", "/network", "/stream", "/log", "/messages", "/rejected", "/validation"):
            answer = client.get(path)
            assert answer.status_code == 200
            assert 'class="card empty"' in answer.text, path
        assert "mqtt-hub spawn -n 4" in client.get("/").text


def test_while_the_hub_is_away_the_page_says_so_and_shows_the_archive(client: FlaskClient) -> None:
    page = client.get("/").text
    assert 'data-state="away"' in page
    assert "The hub is away" in page
    told = answer(client, "/api/status")
    assert told["hub"]["state"] == "away"
    assert told["archive"]["by_type"]["PROGRESS"] == 5


def test_who_was_only_ever_refused_is_known_and_not_here(home: Home) -> None:
    more(home, rejected("Stranger_1", b"?"))
    with closing(open_read_only(home.archive_path).conn) as connection:
        look = Look(Database(connection), Seen(state="running", why=""), at(30))
        told = look.overview()
        assert "Stranger_1" in [node["name"] for node in look.network()["nodes"]]
    assert (told["nodes_known"], told["nodes_here"]) == (4, 1)


def test_an_archive_that_cannot_be_read_is_told_with_what_to_do(client: FlaskClient, home: Home) -> None:
    archive = Archive(home.archive_path)
    with closing(archive.db.conn):
        archive.db.execute("DELETE FROM _sqlite_migrations WHERE name = 'm0019_telemetry'")
    answer = client.get("/")
    assert answer.status_code == 503
    assert "mqtt-hub serve brings it up to date" in answer.text
    for path in home.path.glob("archive.db*"):
        path.unlink()
    told = client.get("/api/status")
    assert told.status_code == 503
    assert "no archive there" in orjson.loads(told.data)["error"]
