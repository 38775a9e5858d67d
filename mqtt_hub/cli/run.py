"""``mqtt-hub serve``, ``broker``, ``spawn``, ``demo``: what runs until it is stopped."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from itertools import cycle
from pathlib import Path

import click

from mqtt_hub.broker import serve_open
from mqtt_hub.cli.common import home_option
from mqtt_hub.config import DEFAULT_PORT
from mqtt_hub.home import Home
from mqtt_hub.live import LiveLines, node_line
from mqtt_hub.protocol.log import log_to
from mqtt_hub.serve import serve as serve_hub
from mqtt_hub.spawn import NodePlan, Supervisor, enlist, shown_certificate
from mqtt_hub.starts import note_start

__all__ = ["broker", "demo", "serve", "spawn"]


@click.command()
@home_option
@click.option("--port", type=click.IntRange(0, 65535), help="Instead of the configured port; 0 picks a free one.")
@click.option("--broker", "url", help="Read from another broker, e.g. mqtt://hub@127.0.0.1:1883, not the embedded one.")
@click.option(
    "--dashboard-port", type=click.IntRange(0, 65535), help="Instead of the configured port (8080); 0 picks a free one."
)
@click.option("--no-dashboard", is_flag=True, help="Just the hub.")
@click.option("--log-file", type=click.Path(dir_okay=False, path_type=Path), help="Instead of standard error.")
def serve(
    home: Home,
    port: int | None,
    url: str | None,
    dashboard_port: int | None,
    no_dashboard: bool,  # noqa: FBT001 — click passes flags so
    log_file: Path | None,
) -> None:
    """Run the hub with its embedded broker, or with another one, until SIGTERM or Ctrl-C.

    Beside it runs the dashboard, in a process of its own.

    \b
    Examples:
      mqtt-hub serve
      mqtt-hub serve --port 1884 --dashboard-port 8081
      mqtt-hub serve --broker mqtt://hub@127.0.0.1:1883
    """  # noqa: D301 — click's \b keeps the lines apart
    config = home.config()
    if port is not None:
        config = replace(config, port=port)
    if url is not None:
        config = config.reading_from(url)
    log_to(log_file)
    if dashboard_port is not None:
        config = replace(config, dashboard_port=dashboard_port)
    serve_hub(home, replace(config, dashboard=config.dashboard and not no_dashboard))


@click.command()
@click.option("--open", "open_", is_flag=True, required=True, help="No accounts: anybody on this machine may connect.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="To listen on; 0: any free one.",
)
def broker(open_: bool, port: int) -> None:  # noqa: ARG001, FBT001 — the flag is there to be typed
    """Run just the embedded MQTT 3.1.1 broker, open, on loopback only: for trying it with any client.

    \b
    Example:
      mqtt-hub broker --open --port 1883
      mosquitto_sub -t 'try/#' -v          # in another terminal
      mosquitto_pub -t try/it -m hello
    """  # noqa: D301 — click's \b keeps the lines apart
    log_to()
    with suppress(KeyboardInterrupt):
        asyncio.run(serve_open(port, started=lambda bound: click.echo(f"listening on 127.0.0.1:{bound}")))


@click.command()
@click.option("-n", "--nodes", type=click.IntRange(1, 1000), default=4, show_default=True, help="How many nodes.")
@click.option(
    "--role",
    type=click.Choice(["trainer", "validator"]),
    default="trainer",
    show_default=True,
    help="What all of them do.",
)
@click.option(
    "--specialization",
    "specializations",
    multiple=True,
    default=["memory_management"],
    show_default=True,
    help="What the nodes work at; given several times, they take turns.",
)
@click.option("--name", default="", help="Names are NAME_1, NAME_2, …; AI_Node or Validator by default.")
@click.option("--seed", type=int, default=1, show_default=True, help="Node K searches with seed SEED + K.")
@click.option(
    "--evaluations",
    type=click.IntRange(1),
    help="Trainers stop after so many, and some to choose.",
)
@home_option
def spawn(
    nodes: int,
    role: str,
    specializations: tuple[str, ...],
    name: str,
    seed: int,
    evaluations: int | None,
    home: Home,
) -> None:
    """Run nodes as subprocesses of this one, restart those that crash, stop all on Ctrl-C.

    \b
    Examples; the hub runs in another terminal:
      mqtt-hub spawn -n 4
      mqtt-hub spawn -n 6 --specialization memory_management --specialization storage
      mqtt-hub spawn -n 1 --role validator
    """  # noqa: D301 — click's \b keeps the lines apart
    config = home.running_config()
    stem = name or {"trainer": "AI_Node", "validator": "Validator"}[role]
    budget = ("--evaluations", str(evaluations)) if evaluations and role == "trainer" else ()
    plans = [
        NodePlan(
            node, role, specialization, ("--seed", str(seed + number), *budget, *shown_certificate(home, config, node))
        )
        for number, specialization in zip(range(1, nodes + 1), cycle(specializations), strict=False)
        for node in [f"{stem}_{number}"]
    ]
    enlist(home, plans)
    note_start(
        home.path,
        "spawn",
        {
            "nodes": nodes, "role": role, "specialization": list(specializations), "name": name or None, "seed": seed,
            "evaluations": evaluations,
        },
    )  # fmt: skip
    supervisor = Supervisor(
        home, plans, host=config.own_host, port=home.running_port(), prefix=config.prefix, tls=config.own_tls,
        ca_file=home.trusted_ca(config),
    )  # fmt: skip
    live = LiveLines()
    supervisor.start()
    try:
        while supervisor.running():
            supervisor.poll()
            live.show([node_line(child) for child in supervisor.children])
            time.sleep(0.5)
        live.show([node_line(child) for child in supervisor.children])
        supervisor.check()
    except KeyboardInterrupt:
        click.echo("stopping")
    finally:
        supervisor.stop()


@click.command()
@click.option("--seconds", type=click.IntRange(5, 86_400), default=60, show_default=True, help="How long to search.")
@click.option("--nodes", type=click.IntRange(1, 64), default=4, show_default=True, help="How many trainers.")
@click.option("--seed", type=int, default=1, show_default=True, help="Trainer K searches with seed SEED + K.")
@click.option(
    "--evaluations",
    type=click.IntRange(1),
    help="Trainers stop after so many, and some to choose.",
)
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Keep everything here; a temporary directory by default.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of progress and summary.")
def demo(
    seconds: int,
    nodes: int,
    seed: int,
    evaluations: int | None,
    home: Path | None,
    as_json: bool,  # noqa: FBT001 — click passes flags so
) -> None:
    """Run the whole thing once: a hub, trainers and a validator search, share, prove and archive.

    It ends after --seconds, or earlier when every trainer has done its --evaluations. One node, the same seed
    and an evaluation budget give the same components again.

    \b
    Example:
      mqtt-hub demo --seconds 60 --nodes 4
    """  # noqa: D301 — click's \b keeps the lines apart
    from mqtt_hub.demo import run_demo  # noqa: PLC0415 — it makes a home as `init` does, so it imports this package

    run_demo(seconds=seconds, nodes=nodes, seed=seed, evaluations=evaluations, home=home, as_json=as_json)
