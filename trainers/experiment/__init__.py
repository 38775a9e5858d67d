"""What sharing is worth: the same nodes, seeds and budget, with and without it, in one process.

::

    settings (who starts where) ──▶ fleet (rounds of search) ──▶ records: hidden score of every node
                                      ▲ arms (what is exchanged)          └▶ statistics ▶ text, figure, JSON
                                      └ memory (a program is run once, whichever arm asks)

Nodes are `trainers.study.Study`, as in a real fleet; only the messages are left out. Everything follows from the
seed. docs/experiments.md tells what was found.
"""
