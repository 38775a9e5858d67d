"""A language model as one more source of variation: it proposes, and what it proposes is checked like all else.

::

    study ─ Situation ─▶ prompt ─▶ budget (hard stop) ─▶ client ── HTTP ──▶ any OpenAI-compatible endpoint
       ▲                              └ tokens, money         │
       └── island.adopt ◀── Proposal ◀── answer (parse, check) ◀┘── failures go back into the next prompt

Optional (the extra ``llm``), off unless ``--proposer llm`` is given, and in a thread of its own: the search never
waits for it. A proposal is source in the policy language, so it can do no more than any other candidate.
"""
