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
    archive  verify backup prune          check it, copy it, make it smaller
    spawn  demo                           many nodes; the whole thing in a minute
    dashboard                             the live view by itself, without a hub beside it
    browse                                the archive in Datasette
    broker --open                         just the embedded broker, for trying it with any client

Exit codes: 0 done, 1 failed, 2 bad usage or configuration, 3 access denied, 4 no broker there, 5 archive.
"""

from __future__ import annotations

import click

from mqtt_hub.cli import archive as archive_commands
from mqtt_hub.cli import browse, cert, components, dashboard, doctor, look, nodes, rules, run, submissions
from mqtt_hub.cli import home as home_commands
from mqtt_hub.cli import workloads as workload_commands
from mqtt_hub.protocol.command_line import Commands

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mqtt-hub")
def main() -> None:
    """A hub for a fleet of machines that search for OS kernel policies and share what they learn over MQTT."""


main.add_command(home_commands.init)
main.add_command(nodes.node)
main.add_command(submissions.submission)
main.add_command(workload_commands.workload)
main.add_command(components.component)
main.add_command(cert.cert)
main.add_command(archive_commands.archive)
main.add_command(rules.rules)
main.add_command(run.serve)
main.add_command(dashboard.dashboard)
main.add_command(run.broker)
main.add_command(run.spawn)
main.add_command(run.demo)
main.add_command(look.status)
main.add_command(look.tail)
main.add_command(browse.browse)
main.add_command(doctor.doctor)
