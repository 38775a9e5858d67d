"""The hub's side of mqtt-hub: broker, archive, receipts, accounts, status.

A message's way, in the order of the tree::

    broker/     a client's PUBLISH arrives, is checked against the access rule, is routed
    sources.py  the one seam: a delivery whose acknowledge is called after the commit
    intake.py   bytes -> Accepted | Rejected with a reason
    ledger.py   which (node, session, seq) are committed: duplicates, gaps, receipts
    archive/    one batch, one transaction
    hub.py      the wiring: intake, batch, commit, acknowledge, receipt, answer
"""
