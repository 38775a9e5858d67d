"""``mqtt-hub``: the hub side's command line. Parse, call, print; no logic.

::

    init   serve   status   tail          a hub and a look at it
    node   add list revoke rotate         who may connect
           quarantine release             whose shares are not taken
    submission  list reopen               what validators made of it
    workload  add list best               what the fleet searches for, and what it has found
    component  show                       what the archive has of one, as source or as C
    doctor                                what is wrong, and what to do about it
    cert   server client                  TLS with a private authority
    rules  mosquitto nats                 accounts and access rule for a broker of one's own
    archive  verify backup prune digest   check it, copy it, make it smaller, compare it
    spawn  demo                           many nodes; the whole thing in a minute
    experiment                            what sharing adds in real fleets
    dashboard                             the live view by itself, without a hub beside it
    browse                                the archive in Datasette
    report                                one HTML file about a run
    broker --open                         just the embedded broker, for trying it with any client

Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 access denied, 4 no broker there, 5 archive.
"""

from __future__ import annotations

import click

from mqtt_hub.protocol.command_line import Commands

__all__ = ["main"]

# Imported when they are run: the list of commands is there at once.
_COMMANDS = {
    "demo": ("mqtt_hub.cli.run:demo", "Run the whole thing once: a hub, trainers and a validator."),
    "init": ("mqtt_hub.cli.home:init", "Make a hub's home: configuration, archive, accounts."),
    "serve": ("mqtt_hub.cli.run:serve", "Run the hub, with its dashboard, until Ctrl-C."),
    "spawn": ("mqtt_hub.cli.run:spawn", "Run nodes as subprocesses of this one."),
    "workload": ("mqtt_hub.cli.workloads:workload", "Add workloads to search for; see what was found."),
    "component": ("mqtt_hub.cli.components:component", "Show a submitted component, as source or as C."),
    "status": ("mqtt_hub.cli.look:status", "Show what the running hub says of itself."),
    "tail": ("mqtt_hub.cli.look:tail", "Show traffic as it passes."),
    "dashboard": ("mqtt_hub.cli.dashboard:dashboard", "Show the fleet live in a browser, by itself."),
    "experiment": ("mqtt_hub.cli.experiment:experiment", "Measure what sharing adds in real fleets."),
    "report": ("mqtt_hub.cli.report:report", "Write one HTML page about a run."),
    "browse": ("mqtt_hub.cli.browse:browse", "Browse the archive in Datasette."),
    "doctor": ("mqtt_hub.cli.doctor:doctor", "Say what is wrong, and what to do about it."),
    "node": ("mqtt_hub.cli.nodes:node", "Add, list, revoke, quarantine nodes; give new tokens."),
    "submission": ("mqtt_hub.cli.submissions:submission", "List what was submitted; have one judged anew."),
    "archive": ("mqtt_hub.cli.archive:archive", "Verify the archive, back it up, prune it."),
    "cert": ("mqtt_hub.cli.cert:cert", "Make certificates of a private authority."),
    "rules": ("mqtt_hub.cli.rules:rules", "Write accounts and access rule for another broker."),
    "broker": ("mqtt_hub.cli.run:broker", "Run just the embedded broker, open, on loopback."),
}


@click.group(cls=Commands, deferred=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mqtt-hub")
def main() -> None:
    """A hub for a fleet of machines that search for OS kernel policies and share what they learn over MQTT."""
