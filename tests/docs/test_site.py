"""The documentation as a site: it builds without a warning, holds every page, and fetches nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.real_parts import need

ROOT = Path(__file__).resolve().parents[2]
PARTS = ["Tutorial", "How to", "Reference", "Explanation"]
TIMEOUT_S = 120


def sphinx(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """Build as `scripts/build_site` does, from another tree."""
    options = ["--fail-on-warning", "--keep-going", "--nitpicky", "--quiet", "--conf-dir", str(source / "docs")]
    return subprocess.run(
        [sys.executable, "-m", "sphinx", *options, str(source), str(site)],
        capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the site, built by the script that `scripts/check` calls."""
    site = tmp_path_factory.mktemp("site")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [ROOT / "scripts" / "build_site", site],
        env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return site


def test_the_navigation_has_four_parts_with_every_page_there_is(site: Path) -> None:
    text = (site / "docs" / "index.html").read_text()
    navigation = text.split('<div class="sidebar-tree">')[1].split("</aside>")[0]
    assert re.findall(r'class="caption-text">([^<]*)<', navigation) == PARTS
    linked = {(site / "docs" / target).resolve() for target in re.findall(r'href="([^"#]+\.html)"', navigation)}
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("docs/decisions/*.md")]
    expected = {site / page.relative_to(ROOT).with_suffix(".html") for page in pages}
    assert {path.resolve() for path in expected} - linked == {(site / "docs" / "index.html").resolve()}


def test_its_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    for page in pages:
        loaded = re.findall(r"<(?:script|link|img|iframe)\b[^>]*?(?:src|href)=\"([^\"]*)\"", page.read_text())
        assert [target for target in loaded if "//" in target] == [], page.name


def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path) -> None:
    source = tmp_path / "tree"
    (source / "docs").mkdir(parents=True)
    shutil.copy(ROOT / "docs" / "conf.py", source / "docs")
    page = source / "docs" / "index.md"
    page.write_text("# Title\n\n[itself](index.md#title)\n")
    assert sphinx(source, tmp_path / "good").returncode == 0
    page.write_text("# Title\n\n[gone](gone.md), [a heading](index.md#gone-too)\n")
    done = sphinx(source, tmp_path / "bad")
    assert done.returncode != 0
    assert "'gone.md'" in done.stderr
    assert "'gone-too'" in done.stderr


@pytest.mark.long
def test_it_opens_from_the_disk_and_its_search_finds_a_page(site: Path) -> None:
    path = need("chromium")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=path, args=["--no-sandbox"] if os.geteuid() == 0 else [])
        page = browser.new_page()
        asked: list[str] = []
        faults: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(f"file://{site}/index.html")
        expect(page.get_by_role("heading", level=1)).to_contain_text("mqtt-hub")
        page.goto(f"file://{site}/search.html?q=quarantine")
        expect(page.locator("#search-results li a", has_text="Security").first).to_be_visible(timeout=30_000)
        browser.close()
    assert [url for url in asked if not url.startswith(("file://", "data:"))] == []
    assert faults == []
