"""Who may look and who may act.

::

    on loopback      everybody on this machine looks; acting asks for the operator's token
    elsewhere        looking asks for an observer's account (name and token) or the operator's token
    the API          takes the same as `Authorization: Bearer TOKEN` (observer: `Basic NAME:TOKEN`)

The operator's token lies in HOME/tokens/operator, 0600, made when the dashboard first starts; delete the file and
restart, and every session is void: the key that signs them follows from it. Requests that change something carry a
token of the session (no other site can know it), and cookies are SameSite=Strict. On loopback only loopback names
are answered, so that no page on the web can reach the dashboard under a name of its own (DNS rebinding).
"""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import threading
import time
from hashlib import sha256
from typing import Any

from flask import Flask, Response, abort, g, redirect, request, session, url_for
from werkzeug.datastructures import Authorization

from mqtt_hub.accounts import AccountBook, Accounts
from mqtt_hub.broker.limits import Limits
from mqtt_hub.broker.logins import LoginThrottle
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import AccessDeniedError, ConfigurationError

__all__ = ["OPERATOR", "Gate", "is_loopback", "operator_token"]

OPERATOR = "operator"
OBSERVER = "observer"
SESSION_S_MAX = 12 * 3600
TOKEN_CHARACTERS_MAX = 256
_OPEN_ENDPOINTS = frozenset({"pages.login", "pages.enter", "static"})


def is_loopback(host: str) -> bool:
    """Say whether an address to listen on is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def operator_token(home: Home) -> str:
    """Return the operator's token, made where there is none yet."""
    try:
        return home.token(OPERATOR)
    except ConfigurationError:
        home.tokens.mkdir(mode=0o700, exist_ok=True)
        home.keep_token(OPERATOR, secrets.token_urlsafe(32))
        return home.token(OPERATOR)


class Gate:
    """Asks for a login where one is needed; one for the whole process."""

    def __init__(self, home: Home, *, open_to_viewers: bool) -> None:
        self.open_to_viewers = open_to_viewers
        self._operator_token = operator_token(home)
        self._book = AccountBook(Accounts(home.accounts_path))
        self._throttle = LoginThrottle(Limits())
        self._lock = threading.Lock()  # one book and one throttle for all threads of the server

    def guard(self, app: Flask) -> None:
        """Make the application ask this gate before every request."""
        app.secret_key = hmac.digest(self._operator_token.encode(), b"dashboard sessions", sha256)
        app.config.update(
            SESSION_COOKIE_NAME="mqtt_hub_dashboard",
            SESSION_COOKIE_HTTPONLY=True,
            SESSION_COOKIE_SAMESITE="Strict",
            PERMANENT_SESSION_LIFETIME=SESSION_S_MAX,
        )
        app.before_request(self._check)
        app.context_processor(lambda: {"role": g.get("role", ""), "csrf": _csrf})

    def close(self) -> None:
        """Close the accounts."""
        self._book.close()

    def login(self, name: str, token: str) -> str:
        """Return the role of a right name and token; raises `AccessDeniedError`, also for who has to wait."""
        address, now_s = request.remote_addr or "", time.monotonic()
        with self._lock:
            wait_s = self._throttle.wait_s(address, name, now_s)
            if wait_s > 0:
                raise AccessDeniedError(
                    "too many wrong logins from this address", hint=f"try again in {wait_s + 1:.0f} s"
                )
            try:
                role = self._verify(name, token)
            except AccessDeniedError:
                self._throttle.failed(address, name, now_s)
                raise
            self._throttle.succeeded(address, name)
            return role

    def enter(self, name: str, token: str) -> None:
        """Log the browser in; raises `AccessDeniedError`."""
        role = self.login(name, token)
        session.clear()
        session.permanent = True
        session["role"], session["name"], session["csrf"] = role, name, secrets.token_urlsafe(16)
        if role == OBSERVER:
            record = self._book.get(name)
            session["generation"] = record.generation if record else 0

    def _verify(self, name: str, token: str) -> str:
        if len(token) > TOKEN_CHARACTERS_MAX:
            raise AccessDeniedError("that is no token")
        if name == OPERATOR:
            if hmac.compare_digest(token.encode(), self._operator_token.encode()):
                return OPERATOR
            raise AccessDeniedError("wrong token", hint="the operator's token lies in HOME/tokens/operator")
        self._book.refresh()
        record = self._book.verify(name, token.encode())
        if record.role != OBSERVER:
            raise AccessDeniedError(f"{name} is a {record.role}", hint="observers and the operator may look")
        return OBSERVER

    def _check(self) -> Response | None:
        if self.open_to_viewers and not is_loopback(_name_in(request.host)):
            abort(403, "this dashboard answers to names of this machine only")
        g.role = self._role()
        if request.method not in ("GET", "HEAD", "OPTIONS"):
            _check_origin()
        if g.role or self.open_to_viewers or request.endpoint in _OPEN_ENDPOINTS:
            return None
        if request.path.startswith("/api/"):
            abort(401, "a login is needed: Authorization: Bearer OPERATOR_TOKEN or Basic NAME:TOKEN")
        response: Any = redirect(url_for("pages.login", next=request.full_path.rstrip("?")))
        return response  # type: ignore[no-any-return]

    def _role(self) -> str:
        """Return the role of the session or the request's own credentials, or nothing."""
        role, name = session.get("role", ""), session.get("name", "")
        if role == OBSERVER:
            with self._lock:
                self._book.refresh()
                record = self._book.get(name)
            return role if record is not None and record.generation == session.get("generation") else ""
        if role == OPERATOR:
            return OPERATOR
        return self._by_header(request.authorization) if request.authorization else ""

    def _by_header(self, shown: Authorization) -> str:
        name = shown.username or OBSERVER if shown.type == "basic" else OPERATOR
        token = shown.password if shown.type == "basic" else shown.token
        try:
            return self.login(name, token or "")
        except AccessDeniedError as error:
            abort(401, str(error))


def _csrf() -> str:
    """Return what a form of this session has to carry."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_urlsafe(16)
    return str(session["csrf"])


def _check_origin() -> None:
    """Refuse a change that this session's own page did not ask for."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.rstrip("/") != request.host_url.rstrip("/"):
        abort(403, "this request came from another site")
    carried = request.form.get("csrf", "")
    if not hmac.compare_digest(carried.encode(), str(session.get("csrf", "")).encode()) or not carried:
        abort(403, "this form is too old: reload the page and try again")
    if request.endpoint not in _OPEN_ENDPOINTS and g.role != OPERATOR:
        abort(403, "only the operator may do this")


def _name_in(host: str) -> str:
    """Return the name in a Host header, without its port."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
