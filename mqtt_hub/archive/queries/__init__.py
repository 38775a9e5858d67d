"""Every question that the archive is asked, by subject; read-only, beside the writer.

::

    what the hub asks                          what people ask: commands, dashboard, report
    nodes.py    where every session stood      components.py  submissions, verdicts, hidden scores by component
    welcome.py  what a HELLO is told           findings.py    distance to the bound, the race towards it, one component
    totals.py   how many, for its status       fleet.py       what nodes are and do, requests and answers
    trust.py    how every node stands          sharing.py     who took what from whom
                                               browsing.py    messages, page by page
"""
