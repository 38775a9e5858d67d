"""The live dashboard: a process of its own beside the hub, that only reads.

::

    archive.db ──▶ follower ──┐                       ┌──▶ viewer 1   server-sent events, each with its own place
                              ├──▶ fan-out (a ring) ──┼──▶ viewer 2   in the one ring; who falls behind is told so
    broker ──▶ hub watch ─────┘                       └──▶ …
       kernel/v1/status/{hub,broker}

    archive.db ──▶ archive/queries/ ──▶ views (plain values) ──┬──▶ pages: HTML, figures as SVG
                                                               └──▶ api: the same as JSON

    server      cheroot, in the process that `mqtt-hub serve` starts (child.py) or `mqtt-hub dashboard`
    threads     as many as viewers and pages need
    app         the Flask application: snapshot a request, headers, errors
    gate        who may look, who may act; actions: what an operator does

A page is made by the server, again and again: an event tells the browser that something changed, it fetches the
page anew and takes over what differs. One renderer, one escaping, the same numbers with and without scripts.
"""
