"""The archive: what was sent, and what follows from it.

::

    migrations ──▶ schema (opened, or why not) ──▶ thread ──▶ writer ──▶ projections, telemetry, judge, standing
                                                                │
    questions, read-only beside it: queries, browsing, findings, sharing, fleet ◀┘     verify, backup, prune, digest
"""
