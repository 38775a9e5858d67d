"""The hub's side of mqtt-hub: broker, archive, receipts, accounts, status.

A message's way, in the order of the tree::

    broker/       a client's PUBLISH arrives, is checked against the access rule, is routed
    sources.py    the one seam: a delivery whose acknowledge is called after the commit
    committer.py  batch after batch to the archive, and only then: acknowledge, receipt, answer
      intake.py   bytes -> Accepted | Rejected with a reason
      batch.py    what to write, and what follows once it is on disk
      ledger.py   which (node, session, seq) are committed: duplicates, gaps, receipts
      archive/    one batch, one transaction
      desk.py     what the hub itself says
    hub.py        the wiring, and what is done every second or two: accounts, decisions, house, status
"""
