"""The archive as one request sees it: its own read-only connection, one snapshot, and a time to be done in."""

from __future__ import annotations

import time
from contextlib import suppress
from sqlite3 import Error

from flask import Flask, current_app, g

from mqtt_hub.archive.schema import one_moment, open_read_only
from mqtt_hub.dashboard.hub_watch import HubWatch
from mqtt_hub.dashboard.views import Look
from mqtt_hub.home import Home
from mqtt_hub.protocol.codec import stamp

__all__ = ["look", "tend"]

REQUEST_S_MAX = 5.0  # of SQLite's time; then the question is given up


def look() -> Look:
    """Return this request's look at the archive; raises `ArchiveError`."""
    if "look" not in g:
        home: Home = current_app.extensions["home"]
        watch: HubWatch = current_app.extensions["hub_watch"]
        db = open_read_only(home.archive_path)
        g.connection = db.conn
        one_moment(db, seconds_max=REQUEST_S_MAX)  # every number of a page is of it
        g.look = Look(db, watch.seen, stamp(time.time()))
    found: Look = g.look
    return found


def tend(app: Flask) -> None:
    """Close the archive after each request."""

    @app.teardown_request
    def close(_error: BaseException | None) -> None:
        connection = g.pop("connection", None)
        if connection is not None:
            with suppress(Error):
                connection.close()
