"""Who may look and who may act: on loopback, beyond it, with a stolen, revoked or guessed token, from other sites."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from mqtt_hub.accounts import Accounts
from mqtt_hub.broker.limits import Limits
from mqtt_hub.dashboard.api import ROUTES
from mqtt_hub.dashboard.gate import is_loopback
from mqtt_hub.home import Home
from mqtt_hub.workload_store import WorkloadStore
from tests.dashboard.conftest import application
from tests.hub.harness import NOW
from tests.node.fleet import small_workloads
from trainers.workloads.format import write

ELSEWHERE = "http://hub.example.org"


def carried(client: FlaskClient, path: str = "/login", base: str = "http://localhost") -> str:
    """Return the CSRF token in a form of that page."""
    found = re.search(r'name="csrf" value="([^"]+)"', client.get(path, base_url=base).text)
    assert found is not None
    return found[1]


def log_in(client: FlaskClient, name: str, token: str, base: str = "http://localhost") -> TestResponse:
    form = {"csrf": carried(client, base=base), "name": name, "token": token, "next": "/nodes"}
    return client.post("/login", data=form, base_url=base)


@pytest.fixture
def operator(app: Flask, home: Home) -> FlaskClient:
    """Return a browser in which the operator is logged in."""
    client = app.test_client()
    assert log_in(client, "operator", home.token("operator")).status_code == 302
    return client


def act(client: FlaskClient, action: str, **form: object) -> TestResponse:
    data = {"csrf": carried(client, "/operator"), **form}
    return client.post(f"/operator/{action}", data=data, content_type="multipart/form-data")


def test_on_loopback_everybody_looks_and_nobody_acts_without_a_login(app: Flask, accounts: Accounts) -> None:
    client = app.test_client()
    assert client.get("/").status_code == client.get("/api/status").status_code == 200
    assert client.get("/operator").status_code == 302
    refused = client.post("/operator/revoke", data={"csrf": carried(client), "name": "AI_Node_1"})
    assert refused.status_code == 403
    record = accounts.find("AI_Node_1")
    assert record is not None
    assert record.revoked_at is None


@pytest.mark.parametrize("host", ["evil.example.org", "127.0.0.1.example.org", "192.168.1.7:8080", "[2001:db8::1]"])
def test_on_loopback_only_names_of_this_machine_are_answered(app: Flask, host: str) -> None:
    assert app.test_client().get("/api/status", headers={"Host": host}).status_code == 403


@pytest.mark.parametrize("host", ["localhost:8080", "127.0.0.1", "127.0.0.1:9999", "[::1]:8080"])
def test_names_of_this_machine_are(app: Flask, host: str) -> None:
    assert app.test_client().get("/api/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("10.0.0.1", False)],  # noqa: S104 — asked about
)
def test_what_is_loopback(host: str, local: bool) -> None:  # noqa: FBT001 — a parameter of the test
    assert is_loopback(host) is local


def test_beyond_loopback_every_page_and_every_answer_wants_a_login(guarded: Flask) -> None:
    client = guarded.test_client()
    paths = [
        str(rule) for rule in guarded.url_map.iter_rules() if "GET" in (rule.methods or ()) and "<" not in str(rule)
    ]
    assert len(paths) > len([route for route in ROUTES if "<" not in route.path]) + 10
    for path in set(paths) - {"/login"}:
        answer = client.get(path, base_url=ELSEWHERE)
        assert answer.status_code == (401 if path.startswith("/api/") else 302), path
        assert "AI_Node" not in answer.text
    for path in ("/nodes/AI_Node_1", "/components/x", "/messages/1"):
        assert client.get(path, base_url=ELSEWHERE).status_code == 302


def test_an_observer_looks_and_does_not_act(guarded: Flask, home: Home) -> None:
    client = guarded.test_client()
    entered = log_in(client, "watcher", home.token("watcher"), ELSEWHERE)
    assert (entered.status_code, entered.location) == (302, "/nodes")
    assert "AI_Node_1" in client.get("/nodes", base_url=ELSEWHERE).text
    assert client.get("/operator", base_url=ELSEWHERE).status_code == 302
    form = {"csrf": carried(client, base=ELSEWHERE), "name": "AI_Node_1"}
    assert client.post("/operator/revoke", data=form, base_url=ELSEWHERE).status_code == 403


@pytest.mark.parametrize("end", ["revoke", "rotate"])
def test_an_observer_whose_token_is_void_looks_no_more(
    guarded: Flask, home: Home, accounts: Accounts, end: str
) -> None:
    client = guarded.test_client()
    log_in(client, "watcher", home.token("watcher"), ELSEWHERE)
    assert client.get("/", base_url=ELSEWHERE).status_code == 200
    if end == "revoke":
        accounts.revoke("watcher", NOW)
    else:
        accounts.rotate("watcher")
    assert client.get("/", base_url=ELSEWHERE).status_code == 302


@pytest.mark.parametrize("name", ["operator", "watcher", "nobody", "AI_Node_1", "hub"])
def test_a_wrong_token_does_not_get_in_and_who_goes_on_guessing_waits(guarded: Flask, home: Home, name: str) -> None:
    client = guarded.test_client()
    for _ in range(Limits().login_failures_free_max + 1):
        assert log_in(client, name, "guess", ELSEWHERE).status_code == 403
    right = log_in(client, "operator", home.token("operator"), ELSEWHERE)
    assert right.status_code == 403
    assert "try again in" in right.text


def test_trainers_and_the_hub_do_not_look_with_their_tokens(guarded: Flask, home: Home) -> None:
    for name in ("AI_Node_1", "hub"):
        assert log_in(guarded.test_client(), name, home.token(name), ELSEWHERE).status_code == 403


def test_the_api_takes_tokens_in_headers(guarded: Flask, home: Home) -> None:
    client = guarded.test_client()
    bearer = {"Authorization": f"Bearer {home.token('operator')}"}
    assert client.get("/api/nodes", headers=bearer, base_url=ELSEWHERE).status_code == 200
    assert client.get("/api/nodes", auth=("watcher", home.token("watcher")), base_url=ELSEWHERE).status_code == 200
    assert client.get("/api/nodes", auth=("watcher", "guess"), base_url=ELSEWHERE).status_code == 401


def test_the_login_leads_to_places_of_this_dashboard_only(guarded: Flask, home: Home) -> None:
    for place in ("//evil.example.org", "https://evil.example.org", "/\\evil.example.org", ""):
        client = guarded.test_client()
        form = {
            "name": "operator",
            "token": home.token("operator"),
            "next": place,
            "csrf": carried(client, base=ELSEWHERE),
        }
        assert client.post("/login", data=form, base_url=ELSEWHERE).location == "/"


def test_the_operator_revokes(operator: FlaskClient, accounts: Accounts) -> None:
    assert act(operator, "revoke", name="AI_Node_1").status_code == 302
    record = accounts.find("AI_Node_1")
    assert record is not None
    assert record.revoked_at is not None
    page = operator.get("/operator").text
    assert "AI_Node_1 is shut out" in page
    assert 'aria-label="Revoke AI_Node_1"' not in page


def test_what_the_operator_decides_is_written_down_for_the_hub(operator: FlaskClient, accounts: Accounts) -> None:
    for action, subject in (("quarantine", "AI_Node_1"), ("release", "AI_Node_1"), ("reopen", "a" * 64)):
        assert act(operator, action, name=subject).status_code == 302
    assert [(decision.action, decision.subject) for decision in accounts.decisions()] == [
        ("quarantine", "AI_Node_1"),
        ("release", "AI_Node_1"),
        ("reopen", "a" * 64),
    ]


def test_the_operator_adds_a_workload_as_the_command_line_does(operator: FlaskClient, home: Home) -> None:
    data = write(small_workloads()[0])
    assert act(operator, "add-workload", file=(BytesIO(data), "x.workload")).status_code == 302
    (entry,) = WorkloadStore(home.workloads).entries()
    assert (entry.name, entry.size_bytes) == ("loops", len(data))
    assert "loops" in operator.get("/operator").text


@pytest.mark.parametrize(
    ("action", "form", "code", "told"),
    [
        ("revoke", {"name": "nobody"}, 400, "there is no account nobody"),
        ("add-workload", {"file": (BytesIO(b"no workload"), "x")}, 400, "no workload file"),
        ("add-workload", {}, 400, "no file was chosen"),
        ("delete-everything", {}, 404, "no such action"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    operator: FlaskClient, action: str, form: dict[str, object], code: int, told: str
) -> None:
    answer = act(operator, action, **form)
    assert answer.status_code == code
    assert told in answer.text
    assert "Traceback" not in answer.text


def test_another_site_cannot_act_in_the_operators_name(operator: FlaskClient, accounts: Accounts) -> None:
    csrf = carried(operator, "/operator")
    form = {"name": "AI_Node_1", "csrf": csrf}
    assert operator.post("/operator/revoke", data={"name": "AI_Node_1"}).status_code == 403
    assert operator.post("/operator/revoke", data=form | {"csrf": "guess"}).status_code == 403
    assert (
        operator.post("/operator/revoke", data=form, headers={"Origin": "http://evil.example.org"}).status_code == 403
    )
    assert operator.post("/logout", headers={"Origin": "null"}, data={"csrf": csrf}).status_code == 403
    record = accounts.find("AI_Node_1")
    assert record is not None
    assert record.revoked_at is None
    assert operator.post("/operator/revoke", data=form, headers={"Origin": "http://localhost"}).status_code == 302


def test_the_session_is_no_secret_of_scripts_or_other_sites_and_ends(operator: FlaskClient) -> None:
    cookie = operator.get_cookie("mqtt_hub_dashboard")
    assert cookie is not None
    assert (cookie.http_only, cookie.same_site) == (True, "Strict")
    assert operator.post("/logout", data={"csrf": carried(operator, "/operator")}).status_code == 302
    assert operator.get("/operator").status_code == 302


def test_a_new_operators_token_voids_every_session(operator: FlaskClient, home: Home) -> None:
    cookie = operator.get_cookie("mqtt_hub_dashboard")
    assert cookie is not None
    home.keep_token("operator", "another")
    with application(home) as made:
        restarted = made.test_client()
        restarted.set_cookie("mqtt_hub_dashboard", cookie.value)
        assert restarted.get("/operator").status_code == 302
