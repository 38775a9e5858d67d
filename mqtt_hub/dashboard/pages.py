"""The pages: each asks its view for values, adds what only a drawing needs, and fills a template."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, abort, current_app, g, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from mqtt_hub.accounts import Accounts
from mqtt_hub.dashboard import asked, figures
from mqtt_hub.dashboard.actions import ACTIONS
from mqtt_hub.dashboard.gate import OPERATOR, Gate
from mqtt_hub.dashboard.highlight import c_code, policy_code
from mqtt_hub.dashboard.snapshot import look
from mqtt_hub.dashboard.views import LANES_MAX, LOG_LEVELS, NODES_MAX, SPARK_S
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import AccessDeniedError, ArchiveError, MqttHubError
from mqtt_hub.protocol.table import MessageType
from mqtt_hub.workload_store import WorkloadStore

__all__ = ["pages"]

pages = Blueprint("pages", __name__)

MARKS_MAX = 100  # of a race
LINES_MAX = 8  # of a race that have a colour and a name; the rest is drawn grey
RANGES_MIN = (5, 15, 60, 360, 1440)
VERDICTS = ("pending", "disputed", "accepted", "rejected", "not_reproduced")


@pages.app_context_processor
def _frame() -> dict[str, Any]:
    """What the frame around every page shows."""
    return {"seen": current_app.extensions["hub_watch"].seen, "open_to_viewers": _gate().open_to_viewers}


@pages.get("/")
def overview() -> str:
    """Show who is there, what is said, what was found."""
    values = look().overview()
    sparks = {
        type_: {"points": figures.sparkline(counts[:-1]), "rate": counts[-2] / 10, "sum": sum(counts)}
        for type_, counts in values["traffic"]["by_type"].items()
    }
    return render_template(
        "overview.html", **values, sparks=sparks, gauges=_gauges(values["limits"]), spark_minutes=SPARK_S // 60
    )


@pages.get("/limits")
def limits() -> str:
    """Show the distance to the limit."""
    return render_template("limits.html", gauges=_gauges(look().limits()["workloads"]))


@pages.get("/race")
def race() -> str:
    """Show how each node's best grew, a figure a workload."""
    along = "evaluations" if request.args.get("along") == "evaluations" else "at"
    races = [
        _race(look().race(row["kind"], row["workload"]), along, look().now) for row in look().workloads()["workloads"]
    ]
    return render_template("race.html", races=races, along=along)


@pages.get("/race/<kind>/<path:workload>")
def race_of(kind: str, workload: str) -> str:
    """Show one workload's race, large."""
    along = "evaluations" if request.args.get("along") == "evaluations" else "at"
    values = look().race(kind, workload)
    if not values["steps"]:
        abort(404, "no progress was told of this workload")
    return render_template("race.html", races=[_race(values, along, look().now)], along=along, alone=True)


@pages.get("/network")
def network() -> str:
    """Show who gave what to whom."""
    values = look().network()
    nodes = figures.on_ring(values["nodes"])
    return render_template("network.html", nodes=nodes, edges=figures.arcs(values["edges"], nodes))


@pages.get("/stream")
def stream() -> str:
    """Show what each node did when."""
    minutes = asked.whole("minutes", 1, 1440, 5)
    page = asked.whole("page", 0, 1000, 0)
    values = look().lanes(minutes, page=page)
    return render_template(
        "stream.html",
        **values,
        lanes=figures.lane_spans(values["spans"], values["from"], values["to"]),
        marks=figures.lane_marks(values["help_given"], values["from"], values["to"]),
        axis=figures.time_axis(values["from"], values["to"]),
        minutes=minutes,
        ranges=RANGES_MIN,
        page=page,
        pages_in_all=-(-values["nodes_in_all"] // LANES_MAX),
    )


@pages.get("/log")
def log() -> str:
    """Show the log lines of the nodes."""
    levels = asked.levels()
    values = look().log(levels=levels, sender=asked.sender(), text=asked.text(), before=asked.before())
    return render_template("log.html", **values, level=levels[0], all_levels=LOG_LEVELS)


@pages.get("/messages")
def messages() -> str:
    """Show messages, newest first."""
    values = look().messages(types=asked.types(), sender=asked.sender(), text=asked.text(), before=asked.before())
    return render_template(
        "messages.html", **values, all_types=[type_.value for type_ in MessageType], chosen=asked.types()
    )


@pages.get("/messages/<int:id_>")
def message(id_: int) -> str:
    """Show one message and how it differs from the one before."""
    return render_template("message.html", **_found(look().message(id_)))


@pages.get("/rejected")
def rejected() -> str:
    """Show messages that were refused."""
    return render_template("rejected.html", **look().rejected(asked.before()))


@pages.get("/validation")
def validation() -> str:
    """Show submissions on their way to a verdict."""
    verdict = "".join(asked.many("verdict", VERDICTS)[:1])
    return render_template("validation.html", **look().board(verdict, asked.before()), all=VERDICTS)


@pages.get("/components/<id_>")
def component(id_: str) -> str:
    """Show all about one component."""
    values = _found(look().component(id_))
    return render_template(
        "component.html",
        **values,
        policy=policy_code(values["source"]),
        generated=c_code(values["c_source"] or ""),
        gauges=_gauges(values["scores"]),
    )


@pages.get("/nodes")
def nodes() -> str:
    """Show every node."""
    page = asked.whole("page", 0, 1000, 0)
    values = look().nodes(page)
    return render_template("nodes.html", **values, page=page, pages_in_all=-(-values["nodes_in_all"] // NODES_MAX))


@pages.get("/nodes/<name>")
def node(name: str) -> str:
    """Show all about one node."""
    return render_template("node.html", node=_found(look().node(name)))


@pages.get("/collaborations")
def collaborations() -> str:
    """Show who asked for help and who gave it."""
    return render_template("collaborations.html", **look().collaborations())


@pages.get("/collaborations/<path:id_>")
def collaboration(id_: str) -> str:
    """Show one request and its answers."""
    return render_template("collaboration.html", asked=_found(look().collaboration(id_)))


@pages.get("/login")
def login() -> str:
    """Ask who it is."""
    return render_template("login.html", fault="", next=request.args.get("next", ""))


@pages.post("/login")
def enter() -> Any:
    """Let in who has the right token."""
    name, token = request.form.get("name", "").strip(), request.form.get("token", "").strip()
    try:
        _gate().enter(name, token)
    except AccessDeniedError as error:
        return render_template("login.html", fault=str(error), next=request.form.get("next", "")), 403
    return redirect(_local(request.form.get("next", "")))


@pages.post("/logout")
def leave() -> Response:
    """Forget who it was."""
    session.clear()
    return redirect(url_for("pages.overview"))


@pages.get("/operator")
def operator() -> Any:
    """Show the accounts and workloads, and what can be done to them."""
    if g.role != OPERATOR:
        return redirect(url_for("pages.login", next=url_for("pages.operator")))
    return _operator_page("", "")


@pages.post("/operator/<action>")
def act(action: str) -> Any:
    """Do what the operator asks for."""
    chosen = ACTIONS.get(action) or abort(404, "there is no such action")
    try:
        done = chosen.run(_home(), request.form.get("name", ""), request.files.get("file"))
    except MqttHubError as error:
        return _operator_page("", str(error)), 400
    session["done"] = done
    return redirect(url_for("pages.operator"))


def _operator_page(done: str, fault: str) -> str:
    accounts = Accounts(_home().accounts_path)
    records = accounts.all()
    accounts.close()
    return render_template(
        "operator.html",
        accounts=[record for record in records if record.role != "hub"],
        standings=_standings(),
        workloads=WorkloadStore(_home().workloads).entries(),
        actions=ACTIONS,
        done=done or session.pop("done", ""),
        fault=fault,
    )


def _standings() -> dict[str, dict[str, Any]]:
    """Return how nodes stand, by name; nothing while the archive cannot be read: acting goes on."""
    try:
        return {row["name"]: row for row in look().standings()["standings"]}
    except ArchiveError:
        return {}


def _gauges(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row | {"gauge": figures.gauge(row)} for row in rows]


def _race(values: dict[str, Any], along: str, now: str) -> dict[str, Any]:
    """Return the drawing of one race: axes, coloured lines with names, grey ones, marks of arrivals."""
    steps = values["steps"]
    bests = [step["best"] for step in steps]
    y = figures.number_axis(max(min(bests), -1.0), max([*bests, 0.1]))
    if along == "at":
        last = min(figures.later(steps[-1]["at"], 60), now)  # what stands still for long is not drawn out
        x = figures.time_axis(steps[0]["at"], max(last, steps[-1]["at"]))
    else:
        x = figures.number_axis(0, max(step["evaluations"] for step in steps))
    lines = figures.race_lines(steps, x, y, along=along)
    names = list(lines)
    drawn = {name: " ".join(f"{across:g},{up:g}" for across, up in line) for name, line in lines.items()}
    marks = figures.arrival_marks(values["arrivals"], steps, x, y, along=along)
    final = {step["node"]: step["best"] for step in steps}
    return values | {
        "x": x,
        "y": y,
        "lines": [(name, drawn[name], final[name]) for name in names[:LINES_MAX]],
        "grey": [(name, drawn[name]) for name in names[LINES_MAX:]],
        "more": max(0, len(names) - LINES_MAX),
        "marks": [mark | {"rank": names.index(mark["node"])} for mark in marks if mark["node"] in names[:LINES_MAX]][
            -MARKS_MAX:
        ],
    }


def _found(values: dict[str, Any] | None) -> dict[str, Any]:
    if values is None:
        abort(404, "nothing of that name is in the archive")
    return values


def _local(path: str) -> str:
    """Return where to go after the login: a path of this dashboard, whatever was asked for."""
    if path.startswith("/") and not path.startswith(("//", "/\\")):
        return path
    return url_for("pages.overview")


def _home() -> Home:
    found: Home = current_app.extensions["home"]
    return found


def _gate() -> Gate:
    found: Gate = current_app.extensions["gate"]
    return found
