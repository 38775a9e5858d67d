"""A node on its connection: it announces itself, tells and hears. What must arrive goes through the mailroom.

::

    node.py ──┬─ presence.py     what it says of itself: HELLO, STATUS
              ├─ ../mailroom.py  what must arrive: courier.py sends it until its receipt, outbox.py keeps it
              ├─ telemetry.py    what need not: PROGRESS, LOG (log.py), behind everything else
              ├─ inbox.py        what it hears, for its loop: bounded, nobody who is under quarantine
              └─ connection.py   bytes out and messages in, over MQTT; settings.py says where to
"""

from trainers.node.node import Node
from trainers.node.settings import NodeSettings

__all__ = ["Node", "NodeSettings"]
