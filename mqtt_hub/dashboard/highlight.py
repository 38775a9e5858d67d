"""Source code in colours, escaped: Pygments' classes, coloured by app.css."""

from __future__ import annotations

from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers.c_cpp import CLexer
from pygments.lexers.python import PythonLexer

__all__ = ["c_code", "policy_code"]

_FORMATTER = HtmlFormatter(nowrap=True)


def policy_code(source: str) -> Markup:
    """Return a component's source, which reads as Python, as HTML; whatever is in it, it is text."""
    return Markup(highlight(source, PythonLexer(), _FORMATTER))  # noqa: S704 — Pygments escapes what it is given


def c_code(source: str) -> Markup:
    """Return generated C as HTML."""
    return Markup(highlight(source, CLexer(), _FORMATTER))  # noqa: S704 — Pygments escapes what it is given
