"""``mqtt-hub demo``: the whole thing once, with real parts, and an honest summary.

::

    home ─▶ accounts ─▶ workloads ─▶ hub (process) ─▶ validator and trainers (processes)
                                                            │ --seconds later
    summary ◀─ archive ◀─ hub stops ◀─ validator has judged everything ◀─ trainers stop
"""

from mqtt_hub.demo.run import run_demo

__all__ = ["run_demo"]
