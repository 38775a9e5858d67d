"""The report as one HTML file: facts and drawings in, bytes out; nothing in it is fetched, nothing in it runs.

::

    facts ────┐
    drawings ─┼──▶ templates/report.html (jinja2, every value escaped) ──▶ one page, less than `PAGE_BYTES_MAX`
    style ────┘        drawings as <img src="data:…">: an image's own scripts and ids stay inside of it

The Content-Security-Policy in its head allows images from the page itself and the one style sheet by its hash. So
even a string that got past the escaping could neither run nor call home.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mqtt_hub.dashboard.wording import FILTERS

if TYPE_CHECKING:  # drawing wants the extra, an empty page does not
    from mqtt_hub.report.figures import Drawing

__all__ = ["PAGE_BYTES_MAX", "render"]

PAGE_BYTES_MAX = 3_000_000
_SLACK_BYTES = 50_000  # for what stands around the drawings
_NOTHING = "\N{EN DASH}"
_POINTS_A_PIXEL = 0.75


def render(facts: Mapping[str, Any], drawings: Sequence[Drawing]) -> bytes:
    """Return the page, at most `PAGE_BYTES_MAX`: the bounds of `facts` leave room, and drawings take what is left."""
    environment = Environment(
        loader=PackageLoader("mqtt_hub.report"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    environment.filters.update(FILTERS, when=when, signed=signed)
    style = (files("mqtt_hub.report") / "templates" / "report.css").read_text()

    def filled(shown: Mapping[str, Any]) -> bytes:
        page = environment.get_template("report.html").render(
            facts,
            policy=_policy(style),
            style=Markup(style),  # noqa: S704 — our own file
            drawings=shown,
            left_out={drawing.name for drawing in drawings} - shown.keys(),
        )
        return page.strip().encode() + b"\n"

    return filled(_embedded(drawings, PAGE_BYTES_MAX - len(filled({})) - _SLACK_BYTES))


def when(at: str | None) -> str:
    """Return a time in UTC to the second, as people write it."""
    return at[:19].replace("T", " ") if at else _NOTHING


def signed(value: float) -> str:
    """Return a difference with its sign."""
    return f"{value:+.3f}".replace("-", "\N{MINUS SIGN}")


def _policy(style: str) -> str:
    digest = b64encode(sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def _embedded(drawings: Sequence[Drawing], room: int) -> dict[str, dict[str, Any]]:
    """Return as images by name those drawings for which there is room, in bytes; others are named instead."""
    shown: dict[str, dict[str, Any]] = {}
    for drawing in drawings:
        source = "data:image/svg+xml;base64," + b64encode(drawing.svg()).decode()
        if len(source) > room:
            continue
        room -= len(source)
        width, height = (round(inches * 72 / _POINTS_A_PIXEL) for inches in drawing.figure.get_size_inches())
        shown[drawing.name] = {
            "source": source, "title": drawing.title, "words": drawing.words, "width": width, "height": height,
        }  # fmt: skip
    return shown
