"""Numbers, times and messages in words: the template filters. Escaping is the templates' business, not done here."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from typing import Any

import orjson

__all__ = ["FILTERS", "body_of", "diff_lines", "in_words", "natural", "pretty"]

DIFF_LINES_MAX = 2_000
WORDS_CHARACTERS_MAX = 220
NOTHING = "\N{EN DASH}"
_DAY_S = 86_400


def count(value: float | None) -> str:
    """Return a number with thousands apart; whole ones without a fraction."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.4g}"


def percent(share: float | None) -> str:
    """Return a share as a percentage; a loss keeps its sign."""
    return NOTHING if share is None else f"{100 * share:.1f} %".replace("-", "\N{MINUS SIGN}")


def size(value: int) -> str:
    """Return bytes in the largest unit that leaves at least one."""
    amount = float(value)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def duration(seconds: float) -> str:
    """Return a time span in its two largest units."""
    whole = int(seconds)
    days, hours, minutes = whole // _DAY_S, whole % _DAY_S // 3600, whole % 3600 // 60
    if days:
        return f"{days} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"


def clock(at: str | None) -> str:
    """Return the time of day of a time in UTC, with the day where it was not today."""
    if not at:
        return NOTHING
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    return at[11:19] if at.startswith(today) else f"{at[:10]} {at[11:19]}"


def short(digest: str | None) -> str:
    """Return the beginning by which people tell digests apart."""
    return (digest or NOTHING)[:12]


def words(name: str) -> str:
    """Return a name_like_this as words."""
    return name.replace("_", " ").lower()


def natural(name: str) -> tuple[str, int, str]:
    """Return a key by which AI_Node_2 comes before AI_Node_10."""
    stem = name.rstrip("0123456789")
    number = name[len(stem) :]
    return stem, int(number) if number.isascii() and number else -1, name


def body_of(payload: str) -> dict[str, Any]:
    """Return the body in an archived payload."""
    body: dict[str, Any] = orjson.loads(payload)["body"]
    return body


def pretty(value: Any) -> str:
    """Return a value as indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def in_words(type_: str, body: dict[str, Any], scope: str | None) -> str:
    """Return what a message says in one line."""
    try:
        text = _IN_WORDS[type_](body, scope or "") if type_ in _IN_WORDS else pretty(body)
    except (KeyError, TypeError, IndexError):  # of a version that says it otherwise
        text = orjson.dumps(body).decode()
    return text if len(text) <= WORDS_CHARACTERS_MAX else text[: WORDS_CHARACTERS_MAX - 1] + "…"


_IN_WORDS: dict[str, Any] = {
    "HELLO": lambda b, _s: f"{b['role']}, {b['specialization']}: {', '.join(b['kinds'])}",
    "TRAINING_SYNC": lambda b, s: f"to {s}: session {b['session']}" if b["accepted"] else f"to {s}: {b['reason']}",
    "PATTERN_SHARE": lambda b, _s: f"{b['function']}: {b['expression']}  (gain {b['gain']:.4g})",
    "CODE_SHARE": lambda b, _s: f"program {short(b['component'])} by {', '.join(b['authors'])}",
    "COLLABORATION_REQUEST": lambda b, _s: (
        f"stuck, {percent(b['gap'])} of the gap left: {b['wanted']} wanted for {b['evaluations']} evaluations"
    ),
    "COLLABORATION_RESPONSE": lambda b, s: f"to {s}: {b['status']} {b['reason']}",
    "OS_COMPONENT_SHARE": lambda b, _s: f"{short(b['component'])} for {b['target']} by {', '.join(b['authors'])}",
    "TEST_RESULT": lambda b, _s: f"{short(b['component'])} of {b['submitter']}: {b['verdict']} ({b['reason']})",
    "VERDICT": lambda b, _s: f"{short(b['component'])} of {b['submitter']}: {b['verdict']} ({b['reason']})",
    "WORKLOAD": lambda b, _s: f"{b['name']} ({b['part']}), piece {b['chunk'] + 1} of {b['chunks']}",
    "WORKLOAD_HIDDEN": lambda b, _s: f"{b['name']} ({b['part']}), piece {b['chunk'] + 1} of {b['chunks']}",
    "RECEIPT": lambda b, s: f"to {s}: all up to {b['committed']['upto']} is archived",
    "STATUS": lambda b, _s: (
        f"{b['state']}" + (f", claims {', '.join(map(short, b['claims']))}" if b.get("claims") else "")
    ),
    "PROGRESS": lambda b, _s: (
        f"{b['activity']} on {b['workload']}: best {b['best']:.4f} after {b['evaluations']} evaluations"
        f" ({b['rate']:.0f}/s)"
    ),
    "LOG": lambda b, _s: f"{b['level']}: {b['text']}",
}


def diff_lines(before: str, after: str, context: int = 3) -> list[tuple[str, str]]:
    """Return the difference as (sign, line), sign one of ``+ - @`` and blank; empty where nothing differs."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=context, lineterm="")
    signed = [(line[0] if line else " ", line[1:]) for line in lines if not line.startswith(("---", "+++"))]
    return [("@", "…") if sign == "@" else (sign, line) for sign, line in signed[:DIFF_LINES_MAX]]


FILTERS = {
    "count": count,
    "percent": percent,
    "size": size,
    "duration": duration,
    "clock": clock,
    "short": short,
    "words": words,
}
