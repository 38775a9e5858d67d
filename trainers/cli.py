"""``kernel-trainer``: the node side's command line. Parse, call, print; no logic.

::

    run                          a trainer or validator node
    kinds, baselines             the component kinds there are, and what is to be beaten
    evaluate                     one policy or baseline on one workload
    tests, check                 what a component must pass, and whether one does
    export                       a component as C or as source, with its provenance
    workload                     import, record, show, split, bundled
    experiment                   what sharing is worth, and what a fleet reaches, measured
    outbox                       what a node has sent and what still waits
    doctor                       whether this machine can run a node

Exit codes: 0 done, 1 failed, 2 bad usage, 3 access denied, 4 no broker there, 6 the node's disk.
"""

from __future__ import annotations

import click

from mqtt_hub.protocol.command_line import Commands

__all__ = ["main"]

# Imported when they are run: the list of commands is there at once.
_COMMANDS = {
    "run": ("trainers.commands_node:run", "Run a node until Ctrl-C."),
    "outbox": ("trainers.commands_node:outbox", "Show how much a node has sent, and what has no receipt yet."),
    "kinds": ("trainers.commands_kinds:kinds", "List the component kinds there are."),
    "baselines": ("trainers.commands_kinds:baselines", "Show what baselines, oracles and the bound reach."),
    "evaluate": ("trainers.commands_workload:evaluate", "Score a policy or a baseline on a workload."),
    "tests": ("trainers.commands_trials:tests", "List the tests that a component must pass."),
    "check": ("trainers.commands_trials:check", "Run them on one component."),
    "export": ("trainers.commands_trials:export", "Write a component as C or as source, with its provenance."),
    "workload": ("trainers.commands_workload:workload", "Import, record, show and split workload files."),
    "experiment": ("trainers.commands_experiment:experiment", "Measure what sharing is worth."),
    "doctor": ("trainers.commands_doctor:doctor", "Look whether this machine can run a node."),
}


@click.group(cls=Commands, deferred=_COMMANDS, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="mqtt-hub")
def main() -> None:
    """A node of the fleet: searches for OS kernel policies, or validates what others found."""
