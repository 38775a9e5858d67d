"""Is the archive what it says it is: eleven questions to the file, each answered with facts and never with a traceback.

::

    asking.py ──┬─ sound.py     file          SQLite's own check of pages and indexes
                │               schema        tables, indexes and views as the migrations make them; no strange trigger
                │               references    every row's node, message, component, request is there
                ├─ received.py  keys          no (node, session, seq) twice: accepted, rejected or pruned
                │               sessions      messages belong to sessions that were granted
                │               gaps          up to where a session is committed, every seq is there, or was pruned
                │               envelopes     each message's bytes say what its columns say
                └─ followed.py  knowledge     best patterns, code, components, …: replayed (replay.py), compared
                                verdicts      every verdict has a validator's result behind it, every component
                                              shows one of its submissions
                                trust         every node stands as the events that are told of it come to
                                states        every collaboration's state has the answers behind it; no fewer
                                              messages were counted than are there

What lies beyond a gap that is still open is told apart (`Report.open_gaps`): its sender has it in its outbox.
"""

from mqtt_hub.archive.verify.asking import CHECKS, verify
from mqtt_hub.archive.verify.report import Fault, Report

__all__ = ["CHECKS", "Fault", "Report", "verify"]
