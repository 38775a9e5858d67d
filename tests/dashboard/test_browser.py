"""The dashboard in a real browser (Debian's Chromium) beside a real fleet; what it looked like lies in artifacts/.

::

    hub + dashboard ── 2 trainers, 1 validator ── Chromium: overview left open, never reloaded
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from mqtt_hub.config import Config
from mqtt_hub.home import Home
from mqtt_hub.spawn import NodePlan
from tests.node.fleet import DEADLINE_S, ROOT, SPECIALIZATION, Hub, RunningNode, make_home, rows, until
from tests.real_parts import need

TIMEOUT_S = 300
DEADLINE_MS = DEADLINE_S * 1000
expect.set_options(timeout=DEADLINE_MS)
pytestmark = [pytest.mark.long, pytest.mark.timeout(TIMEOUT_S)]

SCREENSHOTS = ROOT / "artifacts" / "dashboard"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1360, "height": 900}
PATHS = (
    "/", "/limits", "/race", "/race?along=evaluations", "/network", "/stream?minutes=5", "/log", "/messages",
    "/rejected", "/validation", "/nodes", "/nodes/AI_Node_1", "/collaborations", "/login",
)  # fmt: skip
# Of what a page must have for those who do not see it: axe-core's basics, asked of the page itself.
LACKING = """() => {
  const lacking = [];
  for (const name of ["header", "nav", "main", "footer", "h1"])
    if (document.querySelectorAll(name).length < 1) lacking.push(`no ${name}`);
  if (document.querySelectorAll("h1").length !== 1) lacking.push("not one h1");
  for (const field of document.querySelectorAll("input:not([type=hidden]), select"))
    if (!field.labels?.length) lacking.push(`no label: ${field.outerHTML}`);
  for (const image of document.querySelectorAll("img:not([alt])")) lacking.push(image.outerHTML);
  for (const drawing of document.querySelectorAll("main svg[role=img]:not([aria-label])"))
    lacking.push(`no label: ${drawing.outerHTML.slice(0, 80)}`);
  for (const button of document.querySelectorAll("button, a[href]"))
    if (!button.textContent.trim() && !button.ariaLabel) lacking.push(`no name: ${button.outerHTML.slice(0, 80)}`);
  const ids = [...document.querySelectorAll("[id]")].map((item) => item.id);
  for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) lacking.push(`id twice: ${id}`);
  const wide = document.documentElement.scrollWidth;
  if (wide > innerWidth) lacking.push(`${wide} px wide`);
  return lacking;
}"""


@dataclass
class Watched:
    """A page and all that must not happen on it."""

    page: Page
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Fleet:
    """A hub with a dashboard, and the nodes that searched."""

    home: Home
    hub: Hub
    url: str


@contextmanager
def watched(browser: Browser, url: str, *, size: dict[str, int] = DESK, scheme: Any = "light") -> Iterator[Watched]:
    """Yield a page that notes console errors, dialogs and requests to elsewhere."""
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    made = Watched(context.new_page())
    note = made.faults.append
    made.page.on("console", lambda said: note(said.text) if said.type in ("error", "warning") else None)
    made.page.on("pageerror", lambda error: note(str(error)))
    made.page.on("dialog", lambda dialog: note(f"dialog {dialog.message}"))
    made.page.on("request", lambda asked: None if asked.url.startswith(url) else note(f"request to {asked.url}"))
    try:
        yield made
    finally:
        context.close()


def keep(page: Page, name: str) -> None:
    """Keep what the page looks like."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / f"{name}.png")


def number(page: Page, name: str) -> int:
    """Return one of the overview's large numbers."""
    return int(page.locator(f"#n-{name}").inner_text().replace(",", ""))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield Chromium, driven through its debugging protocol; nothing is downloaded."""
    path = need("chromium")
    with sync_playwright() as play:
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        launched = play.chromium.launch(executable_path=path, args=options)
        launched.new_context().close()
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def fleet(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Yield a fleet whose trainers have spent their evaluations, watched from the first moment on."""
    trainers = ("AI_Node_1", "AI_Node_2")
    plans = [NodePlan(name, "trainer", SPECIALIZATION) for name in trainers]
    plans.append(NodePlan("Validator_1", "validator", SPECIALIZATION))
    home = make_home(tmp_path_factory.mktemp("seen") / "hub", plans, config=Config(port=0, dashboard_port=0))
    with ExitStack() as stack:
        hub = stack.enter_context(Hub(home))
        url = until(lambda: home.dashboard_path.exists() and home.dashboard_path.read_text().strip())
        port = url.rpartition(":")[2]
        text = home.config_path.read_text()  # the same address again after a restart
        home.config_path.write_text(re.sub(r"dashboard_port = 0", f"dashboard_port = {port}", text))
        with watched(browser, url) as seen:
            seen.page.goto(url)
            expect(seen.page.locator("#hub-state")).to_have_text("hub running")
            expect(seen.page.get_by_text("Nobody has spoken yet")).to_be_visible()
            keep(seen.page, "overview-empty")
            stack.enter_context(RunningNode(home, hub.port, "Validator_1", role="validator"))
            for seed, name in enumerate(trainers):
                stack.enter_context(RunningNode(home, hub.port, name, "--seed", str(seed), "--evaluations", "700"))
            expect(seen.page.locator("#node-AI_Node_1")).to_be_visible(timeout=DEADLINE_MS)
            expect(seen.page.locator("#n-accepted")).not_to_have_text("0", timeout=2 * DEADLINE_MS)
            assert seen.faults == []
        done = "SELECT count(*) FROM nodes WHERE role = 'trainer' AND state = 'disconnected'"
        until(lambda: rows(home, done) == [(2,)], seconds=2 * DEADLINE_S)
        until(lambda: rows(home, "SELECT count(*) FROM components WHERE verdict = 'pending'") == [(0,)])
        yield Fleet(home, hub, url)


def test_the_numbers_on_the_page_are_the_archives(browser: Browser, fleet: Fleet) -> None:
    counts = {
        "patterns": "SELECT count(*) FROM patterns",
        "code": "SELECT count(*) FROM code",
        "accepted": "SELECT count(*) FROM components WHERE verdict = 'accepted'",
        "collaborations": "SELECT count(*) FROM collaborations WHERE state IN ('open', 'accepted')",
    }
    with watched(browser, fleet.url) as seen:
        before = rows(fleet.home, "SELECT count(*) FROM messages")[0][0]
        seen.page.goto(fleet.url)
        shown = {name: number(seen.page, name) for name in (*counts, "messages", "nodes")}
        by_type = {
            cell.get_attribute("data-type"): int(cell.inner_text().replace(",", ""))
            for cell in seen.page.locator("[data-type]").all()
        }
        after = rows(fleet.home, "SELECT count(*) FROM messages")[0][0]
        assert before <= shown.pop("messages") <= after, "the hub tells its status all the time"
        assert shown.pop("nodes") == 1, "the validator is still there"
        assert shown == {name: rows(fleet.home, sql)[0][0] for name, sql in counts.items()}
        archived = dict(rows(fleet.home, "SELECT type, count(*) FROM messages GROUP BY type"))
        assert by_type.keys() == archived.keys()
        assert {name: count for name, count in archived.items() if name != "STATUS"} == {
            name: count for name, count in by_type.items() if name != "STATUS"
        }
        best = "SELECT workload, min(value) FROM leaderboard GROUP BY workload ORDER BY workload"
        seen.page.goto(f"{fleet.url}/limits")
        gauges = [gauge.inner_text() for gauge in seen.page.locator("article.gauge").all()]
        for (workload, value), text in zip(rows(fleet.home, best), gauges, strict=True):
            assert workload in text
            assert f"best {value:,.0f}" in re.sub(r"\s+", " ", text)
        assert seen.faults == []


@pytest.mark.parametrize(("size", "scheme", "name"), [(DESK, "light", "desk-light"), (PHONE, "dark", "phone-dark")])
def test_every_page_is_whole_for_all_eyes_and_asks_nobody_else(
    browser: Browser, fleet: Fleet, size: dict[str, int], scheme: str, name: str
) -> None:
    component = rows(fleet.home, "SELECT id FROM components WHERE verdict = 'accepted' LIMIT 1")[0][0]
    newest = rows(fleet.home, "SELECT max(id) FROM messages WHERE type = 'PROGRESS'")[0][0]
    asked = rows(fleet.home, "SELECT id FROM collaborations LIMIT 1")
    paths = [*PATHS, f"/components/{component}", f"/messages/{newest}"]
    paths += [f"/collaborations/{id_}" for (id_,) in asked]
    with watched(browser, fleet.url, size=size, scheme=scheme) as seen:
        for path in paths:
            seen.page.goto(fleet.url + path)
            assert seen.page.evaluate(LACKING) == [], path
            keep(seen.page, f"{name}-{re.sub(r'[^a-z]+', '-', path.partition('?')[0]).strip('-') or 'overview'}")
        assert seen.faults == []


def test_everything_is_reached_with_the_keyboard(browser: Browser, fleet: Fleet) -> None:
    with watched(browser, fleet.url) as seen:
        page = seen.page
        page.goto(f"{fleet.url}/network")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        page.keyboard.press("Tab")
        expect(page.locator(".dot").first).to_be_focused()
        page.keyboard.press("Space")
        expect(page.locator("#h-chosen")).to_have_text("AI_Node_1")
        expect(page.locator("#chosen")).to_contain_text("Validator_1")
        page.keyboard.press("Escape")
        expect(page.locator("#h-chosen")).to_have_text("All nodes")
        page.locator(".dot").first.focus()
        page.keyboard.press("Enter")
        expect(page).to_have_url(f"{fleet.url}/nodes/AI_Node_1")
        assert seen.faults == []


def test_filters_find_and_what_is_found_is_shown(browser: Browser, fleet: Fleet) -> None:
    with watched(browser, fleet.url) as seen:
        page = seen.page
        page.goto(f"{fleet.url}/messages")
        page.get_by_label("test result").check()
        page.get_by_role("button", name="Show").click()
        results = rows(fleet.home, "SELECT count(*) FROM messages WHERE type = 'TEST_RESULT'")[0][0]
        expect(page.locator("tbody tr")).to_have_count(results)
        page.locator("tbody tr a").first.click()
        expect(page.get_by_role("heading", name="As it was sent")).to_be_visible()
        page.goto(f"{fleet.url}/log?node=AI_Node_2")
        assert page.locator("tbody tr").count() > 0
        assert {cell.inner_text() for cell in page.locator("tbody a.node").all()} == {"AI_Node_2"}
        assert seen.faults == []


def test_the_operator_logs_in_revokes_a_node_and_quarantines_another(browser: Browser, fleet: Fleet) -> None:
    with watched(browser, fleet.url) as seen:
        page = seen.page
        page.goto(f"{fleet.url}/operator")
        page.get_by_label("Token").fill(fleet.home.token("operator"))
        page.get_by_role("button", name="Log in").click()
        expect(page).to_have_url(f"{fleet.url}/operator")
        page.get_by_role("button", name="Revoke AI_Node_2").click()
        expect(page.get_by_role("status").filter(has_text="shut out")).to_be_visible()
        page.get_by_role("button", name="Quarantine AI_Node_1").click()
        expect(page.locator("#account-AI_Node_1")).to_contain_text("quarantined")
        assert page.evaluate(LACKING) == []
        keep(page, "desk-light-operator")
        assert seen.faults == []


def test_a_page_left_open_says_that_the_hub_is_gone_and_lives_again_with_it(browser: Browser, fleet: Fleet) -> None:
    with watched(browser, fleet.url) as seen:
        page = seen.page
        page.goto(fleet.url)
        page.evaluate("() => { window.neverReloaded = true; }")
        expect(page.locator("#hub-state")).to_have_text("hub running")
        fleet.hub.kill()
        expect(page.locator("#banner")).to_contain_text("Reconnecting")
        keep(page, "desk-light-reconnecting")
        before = number(page, "messages")
        fleet.hub.start()
        expect(page.locator("#banner")).to_be_hidden(timeout=DEADLINE_MS)
        expect(page.locator("#hub-state")).to_have_text("hub running")
        page.wait_for_function(
            "(before) => Number(document.getElementById('n-messages').textContent.replaceAll(',', '')) > before",
            arg=before, timeout=DEADLINE_MS,
        )  # fmt: skip
        assert page.evaluate("() => window.neverReloaded") is True
        assert [fault for fault in seen.faults if "ERR_" not in fault] == [], "a browser notes lost connections itself"
