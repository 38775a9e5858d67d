"""The sharing experiment over a real broker with processes, beside the same in one process.

::

    arms x seeds ─▶ fleet: a home, a hub, trainers with `--takes`, a validator ─▶ archive ─▶ FleetResult ─┐
    kernel-trainer experiment sharing --setting classics ─────────────────────────────────────────────────┴▶ compare
"""

from mqtt_hub.experiment.compare import run_experiment

__all__ = ["run_experiment"]
