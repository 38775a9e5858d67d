"""An external broker as the hub's source: mosquitto, a NATS cluster, whatever speaks MQTT 3.1.1.

::

    settings ──▶ Target ──▶ ExternalSource ──▶ Dialer ──▶ HubConnection ──▶ broker
    what the operator set   │                 hosts in turn   packets, PUBACK after the commit
                            ├─ Senders    who sent it: the topic says so, the broker vouches for it
                            └─ Outgoing   the hub's own messages: queue, in-flight window, again after a loss

Nothing is imported here: every command reads the settings, and few ever dial.
"""
