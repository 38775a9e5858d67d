"""The archive: what was sent, and what follows from it.

::

    migrations ──▶ schema (opened, or why not) ──▶ thread ──▶ writer ──▶ storing ──▶ projections, telemetry
                                                                │              └──▶ judge ──▶ standing
               queries/: every question, read-only beside it ◀──┘     verify/, backup, prune, digest: the whole file
"""
