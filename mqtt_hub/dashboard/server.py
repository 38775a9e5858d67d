"""The dashboard's process: the application behind cheroot, until it is told to stop or its hub is gone.

::

    threads:  one for each viewer's stream, and SPARE_THREADS for pages and JSON (threads.py)
              1 follower of the archive, 1 connection to the broker (and paho's)

Every stream of events holds a thread that sleeps, and there may be as many threads as streams are let in and some
more, so pages are answered however many follow. A viewer that reads too slowly fills its socket, its thread waits
`STALLED_S` and lets it go; it comes back and is told what it missed.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from cheroot import wsgi
from cheroot.ssl.builtin import BuiltinSSLAdapter

from mqtt_hub.broker.memory import give_back, share_one_arena
from mqtt_hub.dashboard.app import create_app
from mqtt_hub.dashboard.fan_out import VIEWERS_MAX, FanOut
from mqtt_hub.dashboard.follower import Follower
from mqtt_hub.dashboard.gate import Gate, is_loopback
from mqtt_hub.dashboard.hub_watch import HubWatch, Seen
from mqtt_hub.dashboard.threads import SPARE_THREADS, Threads
from mqtt_hub.home import Home, write_private
from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["Dashboard", "serve_dashboard"]

STALLED_S = 10
STOP_S = 2
REST_EVERY_S = 60.0
BACKLOG_CONNECTIONS = 256
KEPT_CONNECTIONS = 256  # idle ones, kept open for the next request
HEADER_BYTES_MAX = 32 * 1024
BODY_BYTES_MAX = 65 * 1024 * 1024  # a workload file; Flask refuses all else beyond 64 KiB

_log = logging.getLogger("mqtt_hub.dashboard")


class Dashboard:
    """Server, follower and hub watch of one home."""

    def __init__(self, home: Home, host: str, port: int) -> None:
        self._home, self._host = home, host
        config = home.config()
        self._fan_out = FanOut()
        self._watch = HubWatch(home, self._tell)
        self._follower = Follower(home.archive_path, self._fan_out)
        gate = Gate(home, open_to_viewers=is_loopback(host))
        app = create_app(home, gate, self._watch, self._fan_out)
        self._server = wsgi.Server(
            (host, port), app, timeout=STALLED_S,
            request_queue_size=BACKLOG_CONNECTIONS, shutdown_timeout=STOP_S, server_name="mqtt-hub",
        )  # fmt: skip
        self._server.requests = self._threads = Threads(self._server, VIEWERS_MAX + SPARE_THREADS)
        self._server.max_request_header_size = HEADER_BYTES_MAX
        self._server.max_request_body_size = BODY_BYTES_MAX
        self._server.keep_alive_conn_limit = KEPT_CONNECTIONS
        setattr(self._server, "error_log", _log_fault)  # noqa: B010 — cheroot means it to be replaced, its stubs call it a method
        tls = home.tls_files(config)
        self._tls = tls is not None and not is_loopback(host)
        if tls is not None and self._tls:
            self._server.ssl_adapter = BuiltinSSLAdapter(str(tls.certificate), str(tls.key))
        elif not is_loopback(host):
            _log.warning("tokens travel in the clear to %s: set tls = true, or put a proxy with TLS in front", host)

    def start(self) -> str:
        """Listen and return the address to open; raises `ConfigurationError` where the port is taken."""
        try:
            self._server.prepare()
        except OSError as error:
            raise ConfigurationError(
                f"the dashboard cannot listen on {self._host}:{self._server.bind_addr[1]}: {error}",
                hint="choose another with --dashboard-port, or dashboard_port in config.toml",
            ) from error
        # Cheroot leaves it out for a port that the system picked; the next start on the same one would have to wait.
        self._server.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._watch.start()
        self._follower.start()
        shown = f"[{self._host}]" if ":" in self._host else self._host
        return f"http{'s' if self._tls else ''}://{shown}:{self._server.bind_addr[1]}"

    def serve(self) -> None:
        """Answer requests until `stop`."""
        self._server.serve()

    def rest(self) -> None:
        """Give back what a crowd has left: threads and memory."""
        self._threads.rest()
        give_back()

    def stop(self) -> None:
        """End all streams, then the server."""
        self._fan_out.close()
        self._watch.stop()
        self._follower.stop()
        self._server.stop()

    def _tell(self, seen: Seen) -> None:
        status = {key: value for key, value in (seen.hub or {}).items() if key != "connected_nodes"}
        self._fan_out.publish("hub", {"state": seen.state, "why": seen.why, "status": status}, standing=True)


def serve_dashboard(home: Home, host: str, port: int, started: Callable[[str], None], *, with_parent: bool) -> None:
    """Serve until SIGTERM, SIGINT or, ``with_parent``, until standard input closes: then the hub has died."""
    told = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    if with_parent:
        threading.Thread(target=_wait_for_end_of_input, args=(told,), daemon=True).start()
    share_one_arena()
    dashboard = Dashboard(home, host, port)
    url = dashboard.start()
    try:
        write_private(home.dashboard_path, url + "\n")
        started(url)
        threading.Thread(target=dashboard.serve, name="server", daemon=True).start()
        while not told.wait(REST_EVERY_S):
            dashboard.rest()
    finally:  # whatever ended it: cheroot's threads would keep the process alive
        with suppress(OSError):
            if home.dashboard_path.read_text().strip() == url:  # and not that of one that was started since
                home.dashboard_path.unlink()
        dashboard.stop()


def _wait_for_end_of_input(told: threading.Event) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    told.set()


def _log_fault(msg: str = "", level: int = 20, traceback: bool = False) -> None:  # noqa: FBT001, FBT002 — cheroot's
    _log.log(level, "%s", msg.strip(), exc_info=traceback)
