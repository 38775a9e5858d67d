"""Search: evolution of components in the policy language, pure and deterministic.

::

    units ◀─ grow ◀─ variation ◀─┐
                      patterns ◀─┼─ island ──▶ final (the choice) ──▶ a component and its evidence
                    population ◀─┘     ▲
                                  objective (gap closed on one slice of one workload)

Randomness, evaluation and time are passed in. ``README.md`` tells what was measured.
"""
