"""The report of a hostile archive in a real browser (Debian's Chromium), from a file, without any server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from mqtt_hub.report.figures import Drawing
from mqtt_hub.report.page import render
from tests.dashboard.test_browser import DESK, LACKING, PHONE, browser, watched
from tests.node.fleet import ROOT

__all__ = ["browser"]

pytestmark = pytest.mark.long
SCREENSHOTS = ROOT / "artifacts" / "report"


@pytest.mark.parametrize(("size", "scheme", "name"), [(DESK, "light", "desk-light"), (PHONE, "dark", "phone-dark")])
def test_the_page_is_whole_for_all_eyes_runs_nothing_and_asks_nobody(
    browser: Browser,
    drawn_hostile: tuple[dict[str, Any], list[Drawing]],
    tmp_path: Path,
    size: dict[str, int],
    scheme: str,
    name: str,
) -> None:
    facts, drawings = drawn_hostile
    path = tmp_path / "report.html"
    path.write_bytes(render(facts, drawings))
    with watched(browser, path.as_uri(), size=size, scheme=scheme) as seen:
        page = seen.page
        page.goto(path.as_uri())
        page.wait_for_function("() => [...document.images].every((image) => image.complete && image.naturalWidth > 0)")
        assert page.locator("img").count() == len(drawings)
        assert int(page.locator("#n-messages").inner_text().replace(",", "")) == facts["found"]["messages"]
        for folded in page.locator("summary").all():
            folded.click()
        assert page.evaluate(LACKING) == []
        colour = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        assert colour == ("rgb(246, 247, 249)" if scheme == "light" else "rgb(15, 20, 25)"), "the style is let in"
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)
        assert [fault for fault in seen.faults if not fault.startswith("request to data:image/svg+xml")] == []
