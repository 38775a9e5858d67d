"""``mqtt-hub status`` and ``mqtt-hub tail``: a look at a running hub, as its observer."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click
import orjson

from mqtt_hub.cli.common import home_option
from mqtt_hub.home import Home
from mqtt_hub.observer import Observer, plain, seen_line
from mqtt_hub.protocol.codec import encode
from mqtt_hub.protocol.table import MessageType

__all__ = ["status", "tail"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON object, as get_hub_status() gives it.")
@home_option
def status(as_json: bool, home: Home) -> None:  # noqa: FBT001 — click passes flags so
    """Show what the running hub says of itself: nodes, traffic, knowledge, sizes.

    \b
    Examples:
      mqtt-hub status
      mqtt-hub status --json
    """  # noqa: D301 — click's \b keeps the lines apart
    with Observer.of(home) as observer:
        report = observer.hub_status()
    if as_json:
        click.echo(orjson.dumps(report, option=orjson.OPT_INDENT_2))
        return
    messages, components = report["messages"], report["components"]
    click.echo(f"hub {report['state']}, up {report['uptime_s']:.0f} s, port {report['port']}")
    if report["reason"]:
        click.echo(f"! nothing is acknowledged: {plain(report['reason'])}")
    for name, specialization in report["connected_nodes"].items():
        click.echo(f"  {name:<24} {plain(specialization)}")
    if report["connected"] > len(report["connected_nodes"]):
        click.echo(f"  ... {report['connected']} nodes in all")
    click.echo(
        f"messages: {messages['accepted']} accepted, {messages['rejected']} rejected, {messages['per_second']} a second"
    )
    for type_, count in messages["by_type"].items():
        click.echo(f"  {type_:<24} {count}")
    for name, lost in (
        ("rejected beyond a node's quota, not kept", messages["rejected_beyond_quota"]),
        ("telemetry dropped by nodes", report["telemetry_dropped"]),
        ("pauses of accounts that publish too fast", report["broker"]["publishes_throttled"]),
    ):
        if lost:
            click.echo(f"  {name}: {lost}")
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in sorted(components.items())) or "none"
    click.echo(f"components: {verdicts}; patterns: {report['patterns']}; code: {report['code']}")
    levels = ", ".join(f"{count} {level}" for level, count in report["trust"]["levels"].items()) or "no node yet"
    click.echo(f"trust: {levels}")
    for name, reason in report["trust"]["quarantined"].items():
        click.echo(f"  {name:<24} quarantined: {plain(reason)}")
    click.echo(f"workloads: {report['workloads']} files")
    click.echo(f"active collaborations: {report['active_collaborations']}; archive: {report['archive_bytes']} bytes")
    for advice in _advice(report):
        click.echo(f"! {advice}")


@click.command()
@click.option(
    "--type",
    "types",
    multiple=True,
    type=click.Choice(list(MessageType), case_sensitive=False),
    help="Only this message type (repeatable), e.g. TEST_RESULT.",
)
@click.option("--count", type=click.IntRange(1), help="Stop after so many messages.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a message: its envelope.")
@home_option
def tail(types: tuple[str, ...], count: int | None, home: Home, *, as_json: bool) -> None:
    """Show traffic as it passes, coloured by type; Ctrl-C ends it.

    \b
    Examples:
      mqtt-hub tail --type TEST_RESULT --type VERDICT
      mqtt-hub tail --json --count 100

    \b
    The same with any client:
      mosquitto_sub -p 1883 -u observer -P "$(cat ~/.mqtt-hub/tokens/observer)" -t 'kernel/v1/#' -v
    """  # noqa: D301 — click's \b keeps the lines apart
    wanted = {type_.upper() for type_ in types}
    with Observer.of(home) as observer, suppress(KeyboardInterrupt):
        for number, message in enumerate(observer.messages(wanted), 1):
            if as_json:
                click.echo(encode(message))
            else:
                click.secho(seen_line(message), fg=_COLOURS.get(message.type.value))
            if number == count:
                return


_COLOURS = {
    "PATTERN_SHARE": "cyan",
    "CODE_SHARE": "blue",
    "COLLABORATION_REQUEST": "yellow",
    "COLLABORATION_RESPONSE": "yellow",
    "OS_COMPONENT_SHARE": "magenta",
    "TEST_RESULT": "green",
    "VERDICT": "green",
    "LOG": "bright_black",
    "PROGRESS": "bright_black",
    "RECEIPT": "bright_black",
}


def _advice(report: dict[str, Any]) -> list[str]:
    """Return what keeps a fleet from getting anywhere, and what to do about it."""
    advice = []
    if not report["workloads"]:
        advice.append("no workloads, so nobody has anything to search for: mqtt-hub workload add --bundled")
    if not report["connected"]:
        advice.append("no node is connected: mqtt-hub spawn -n 4")
    if report["components"].get("pending", 0) and not report["validators"]:
        advice.append("components wait for a verdict, no validator is connected: mqtt-hub spawn -n 1 --role validator")
    if report["trust"]["quarantined"]:
        advice.append("what quarantined nodes share is not taken; after a look at why: mqtt-hub node release NAME")
    if report["components"].get("disputed", 0):
        advice.append("validators differ on submissions: mqtt-hub submission list --verdict disputed")
    return advice
