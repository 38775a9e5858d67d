"""Datasette over the archive: read-only, on one address, with everything explained."""

from __future__ import annotations

import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from datasette.app import Datasette

from mqtt_hub.browse.questions import QUESTIONS
from mqtt_hub.browse.search import SearchIndex
from mqtt_hub.browse.tables import TABLES
from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["following", "make_site", "serve_site"]

FOLLOW_EVERY_S = 2.0
FACET_MS_MAX = 500
SQL_MS_MAX = 3_000  # a question that takes longer is stopped: it would keep the disk busy under a running hub
ROWS_MAX = 2_000  # of one answer


def metadata() -> dict[str, Any]:
    """Return Datasette's description of both databases."""
    return {
        "title": "mqtt-hub archive",
        "description": "Every message of the fleet, and what follows from it. Read-only; the hub alone writes.",
        "databases": {
            "archive": {
                "description": "docs/archive.md tells how the tables hang together.",
                "tables": {name: table.metadata() for name, table in TABLES.items()}
                | {"_sqlite_migrations": {"hidden": True}},
                "queries": {name: dict(question) for name, question in QUESTIONS.items()},
            },
            "search": {
                "description": "Full-text search over code, patterns and components; made from the archive.",
                "tables": {
                    "knowledge": {
                        "title": "Search code and patterns",
                        "description": "What nodes shared, word by word.",
                        "columns": {
                            "source": "pattern, code or component",
                            "message": "its number in the archive's messages",
                            "node": "who shared it",
                            "kind": "component kind",
                            "text": "source in the policy language",
                            "component": "digest of a program",
                        },
                        "facets": ["source", "kind", "node"],
                    },
                    "followed": {"hidden": True},
                },
            },
        },
    }


def make_site(archive: Path, search: Path) -> Datasette:
    """Return the Datasette application. Both files are opened read-only and may grow while it runs."""
    return Datasette(
        [str(archive), str(search)],
        metadata=metadata(),
        settings={
            "sql_time_limit_ms": SQL_MS_MAX,
            "max_returned_rows": ROWS_MAX,
            "facet_time_limit_ms": FACET_MS_MAX,
            "suggest_facets": False,
            "allow_download": False,
        },
    )


def serve_site(archive: Path, search: Path, host: str, port: int, told: Callable[[str], None]) -> None:
    """Serve until interrupted, the index following the archive; ``told`` gets the address.

    Raises `ConfigurationError` where the address cannot be listened on, `ArchiveError` where a file cannot be read.
    """
    with _listener(host, port) as listener, following(archive, search):
        server = uvicorn.Server(uvicorn.Config(make_site(archive, search).app(), log_level="warning"))
        told(f"http://{_in_url(host)}:{listener.getsockname()[1]}/")
        server.run(sockets=[listener])


@contextmanager
def following(archive: Path, search: Path) -> Iterator[None]:
    """Keep the search index up to date while the body runs; raises `ArchiveError`."""
    SearchIndex(archive, search).close()  # made before anybody reads it
    stop = threading.Event()
    follower = threading.Thread(target=_follow, args=(archive, search, stop), name="search-index")
    follower.start()
    try:
        yield
    finally:
        stop.set()
        follower.join()


def _follow(archive: Path, search: Path, stop: threading.Event) -> None:
    index = SearchIndex(archive, search)
    while not stop.is_set():
        taken = 0
        with suppress(sqlite3.OperationalError):  # busy, or no room: search is behind for a while, nothing else
            taken = index.follow()
        if not taken:
            stop.wait(FOLLOW_EVERY_S)
    index.close()


def _listener(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigurationError(f"cannot listen on {host}:{port}: {error.strerror}", hint="--port chooses") from error


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
