"""The demo's summary for people, losses shown too."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mqtt_hub.demo.summary import Summary
from mqtt_hub.home import Home
from mqtt_hub.report.wins import HiddenRow, best_of, closed, default_of, figure, is_ratio, unit, verdict

__all__ = ["render"]

_NAMED = 18  # a name of the textbook, and its figure
_COLUMNS = (
    "".join(f"{title:>{_NAMED}}" for title in ("picked on train", "best classic", "best seed"))
    + f"{'chosen':>8}{'best':>7}{'bound':>7}"
)


def render(summary: Summary, home: Home) -> str:
    """Return the summary as text."""
    parts = [_work(summary), _table(summary), _help(summary), _receipts(summary), _source(summary), _next(home)]
    return "\n\n".join(part for part in parts if part)


def _work(summary: Summary) -> str:
    verdicts: dict[str, int] = {}
    for component in summary.components:
        verdicts[component["verdict"]] = verdicts.get(component["verdict"], 0) + 1
    judged = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())) or "none"
    return (
        f"{summary.evaluations} evaluations in {summary.seconds:.0f} s,"
        f" {sum(summary.messages_by_type.values())} messages archived; components: {judged}"
    )


def _table(summary: Summary) -> str:
    """A block a kind, one line a hidden workload: the baseline one would have picked, the best, ours, the bound."""
    if not summary.hidden:
        return "No component was accepted: give it more --seconds."
    blocks = [
        _block([row for row in summary.hidden if row.kind == kind])
        for kind in dict.fromkeys(row.kind for row in summary.hidden)
    ]
    legend = [
        "picked on train  the baseline that is best on the half that trainers have",
        "best classic     the best of the baselines, seen with the hidden score in view",
        "best seed        the best of the textbook's programs that search starts from, hidden score in view",
        "chosen           ours: the last accepted component submitted for the workload; the words on the right are",
        "                 about it. Its author saw the train part only; to be accepted it had to beat the field's",
        "                 default (LRU for page replacement) here",
        "best             ours: the best of all accepted components, hidden score in view",
        "bound            proven: no policy does better (Belady's MIN for page replacement)",
    ]
    return "\n\n".join(["Hidden workloads (no trainer saw them); lower is better:", *blocks, "\n".join(legend)])


def _block(rows: list[HiddenRow]) -> str:
    # A ratio to the default has that default at 1: no column worth its width.
    default = default_of(rows[0]) if not is_ratio(rows[0]) else ""
    if not all(default in row.baselines for row in rows):
        default = ""
    lines = [
        f"{rows[0].kind}, {unit(rows[0])}:",
        f"{'workload':<13}{default:>{7 if default else 0}}{_COLUMNS}",
    ]
    for row in rows:
        chosen = _figure(row, row.chosen["value"]) if row.chosen else "-"
        lines.append(
            f"{row.workload:<13}{_figure(row, row.baselines[default]) if default else '':>{7 if default else 0}}"
            f"{row.picked + ' ' + _figure(row, row.baselines[row.picked]):>{_NAMED}}"
            f"{_best(row, row.baselines):>{_NAMED}}{_best(row, row.programs):>{_NAMED}}{chosen:>8}"
            f"{_figure(row, row.best['value']):>7}{_figure(row, row.bound):>7}  {verdict(row)}"
        )
    return "\n".join(lines)


def _figure(row: HiddenRow, value: float) -> str:
    return f"{figure(row, value):.4f}"


def _best(row: HiddenRow, scores: Mapping[str, float]) -> str:
    name = best_of(scores)
    return f"{name} {_figure(row, scores[name])}" if name else "-"


def _help(summary: Summary) -> str:
    """Who answered whom and what it brought, and how many accepted components have several authors."""
    accepted = [component for component in summary.components if component["verdict"] == "accepted"]
    together = sum(len(component["authors"]) > 1 for component in accepted)
    lines = [f"Of {len(accepted)} accepted components {together} have more than one author."]
    pairs: dict[tuple[str, str], dict[str, Any]] = {}
    for row in summary.collaborations:
        pairs.setdefault((row["helper"], row["requester"]), {})[row["status"]] = row
    if pairs:
        lines.append("Who helped whom on request:")
    for (helper, requester), by_status in sorted(pairs.items()):
        done, declined = by_status.get("completed", {}), by_status.get("declined", {})
        lines.append(
            f"  {helper} -> {requester}: {done.get('answers', 0)} times, {done.get('evaluations', 0)} evaluations,"
            f" {done.get('components', 0)} better programs; declined {declined.get('answers', 0)} times"
        )
    return "\n".join(lines)


def _receipts(summary: Summary) -> str:
    lines = ["Messages that wanted a receipt (sent = archived + missing):"]
    lines += [
        f"  {row.name:<16} sent {row.sent:>5}  archived {row.archived:>5}  rejected {row.rejected:>3}"
        f"  missing {row.missing:>3}"
        for row in summary.nodes
    ]
    return "\n".join(lines)


def _source(summary: Summary) -> str:
    """Show the component with the largest lead over the best baseline, as a part of the way to the bound, and its C."""
    if not summary.hidden:
        return ""
    leader = max(summary.hidden, key=lambda row: closed(row, row.best["value"]) or 0.0)
    source = summary.sources[leader.best["component"]]
    authors = next(item["authors"] for item in summary.components if item["id"] == leader.best["component"])
    return (
        f"The best for {leader.workload} with the hidden score in view, by {', '.join(authors)}"
        f" ({leader.best['component'][:12]}):\n\n"
        f"{source['policy'].rstrip()}\n\nThe same in C:\n\n{(source['c'] or '').rstrip()}"
    )


def _next(home: Home) -> str:
    program = _program()
    return (
        f"The archive: {home.archive_path}\n"
        f"All of this and more as one page, with figures: {_report(program, home)}\n\n"
        "Next (the hub first; the others in further terminals):\n"
        f"  {program} serve --home {home.path}     (and look at http://127.0.0.1:{home.config().dashboard_port})\n"
        f"  {program} spawn -n 4 --home {home.path}\n"
        f"  {program} spawn -n 1 --role validator --home {home.path}\n"
        f"  {program} status --home {home.path}\n"
        f'  mosquitto_sub -p "$(cat {home.port_path})" -u observer -P "$(cat {home.tokens / "observer"})"'
        " -t 'kernel/v1/#' -v\n"
        f"  {program} browse --home {home.path}     (in Datasette; first: {_program('pip')} install datasette)"
    )


def _report(program: str, home: Home) -> str:
    command = f"{program} report --home {home.path} --open"
    if importlib.util.find_spec("matplotlib") is None:
        return f"{_program('pip')} install matplotlib && {command}"
    return command


def _program(name: str = "mqtt-hub") -> str:
    """Return how this program, or one beside it, is called: what is printed can be typed, also from a .venv."""
    called = Path(sys.argv[0])
    if called.name != "mqtt-hub":
        return name
    called = called.with_name(name)
    try:
        return str(called.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(called)
