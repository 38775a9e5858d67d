"""``kernel-trainer``: the node side's command line. Parse, call, print; no logic.

::

    run                          a trainer or validator node
    kinds                        the component kinds there are
    evaluate                     one policy or baseline on one workload
    workload                     import, record, show, split, bundled
    experiment                   what sharing is worth, measured
    outbox                       what a node has sent and what still waits
    doctor                       whether this machine can run a node

Exit codes: 0 done, 1 failed, 2 bad usage, 3 access denied, 4 no broker there, 6 the node's disk.
"""

from __future__ import annotations

import click

from mqtt_hub.protocol.command_line import Commands
from trainers.commands_doctor import doctor
from trainers.commands_experiment import experiment
from trainers.commands_kinds import kinds
from trainers.commands_node import outbox, run
from trainers.commands_workload import evaluate, workload

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mqtt-hub")
def main() -> None:
    """A node of the fleet: searches for OS kernel policies, or validates what others found."""


for command in (run, outbox, kinds, evaluate, workload, experiment, doctor):
    main.add_command(command)
