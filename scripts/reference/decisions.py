"""docs/decisions/README.md: the titles."""

from __future__ import annotations

from pathlib import Path

__all__ = ["decisions_markdown"]


def decisions_markdown(folder: Path) -> str:
    """Return one line a decision, the newest last."""
    pages = sorted(folder.glob("[0-9]*.md"))
    titles = [page.read_text().split("\n")[0].lstrip("# ").split(" ", 1) for page in pages]
    return "\n".join(
        f"- {number.rstrip(':')} [{title}]({page.name})" for (number, title), page in zip(titles, pages, strict=True)
    )
