"""The application factory: what every request meets, whichever view it asks for."""

from __future__ import annotations

from sqlite3 import OperationalError
from typing import Any

from flask import Flask, Response, jsonify, make_response, render_template, request
from werkzeug.exceptions import HTTPException

from mqtt_hub.archive.schema import explain
from mqtt_hub.dashboard import wording
from mqtt_hub.dashboard.actions import UPLOAD_BYTES_MAX
from mqtt_hub.dashboard.api import api
from mqtt_hub.dashboard.fan_out import FanOut
from mqtt_hub.dashboard.gate import Gate
from mqtt_hub.dashboard.hub_watch import HubWatch
from mqtt_hub.dashboard.pages import pages
from mqtt_hub.dashboard.snapshot import REQUEST_S_MAX, tend
from mqtt_hub.home import Home
from mqtt_hub.protocol.errors import ArchiveError, MqttHubError

__all__ = ["create_app"]

FORM_BYTES_MAX = 64 * 1024
_HEADERS = {
    # Nothing from elsewhere, nothing inline, no framing: what a hostile node writes stays text.
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer a browser names no origin, and forms are refused
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def create_app(home: Home, gate: Gate, watch: HubWatch, fan_out: FanOut) -> Flask:
    """Return the dashboard's WSGI application on one hub's home."""
    app = Flask(__name__)
    app.config.update(MAX_CONTENT_LENGTH=UPLOAD_BYTES_MAX, MAX_FORM_MEMORY_SIZE=FORM_BYTES_MAX)
    app.extensions.update(home=home, gate=gate, hub_watch=watch, fan_out=fan_out)
    app.jinja_env.filters.update(wording.FILTERS)
    app.jinja_env.globals.update(in_words=wording.in_words, pretty=wording.pretty)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    gate.guard(app)
    tend(app)
    app.register_blueprint(pages)
    app.register_blueprint(api)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(MqttHubError, _failed)
    app.register_error_handler(OperationalError, lambda error: _unanswered(home, error))
    app.after_request(_protect)
    return app


def _protect(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint == "static":
        response.headers["Cache-Control"] = "public, max-age=3600"
    else:
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def _unanswered(home: Home, error: OperationalError) -> Response:
    if "interrupted" in str(error):
        return _failed(ArchiveError(f"no answer within {REQUEST_S_MAX:.0f} s", hint="ask for less, or try again later"))
    return _failed(explain(error, home.archive_path))


def _failed(error: MqttHubError) -> Response:
    return _tell(503 if isinstance(error, ArchiveError) else 400, error.facts, error.hint)


def _refused(error: HTTPException) -> Any:
    if error.response is not None:
        return error.response
    return _tell(error.code or 500, error.description or error.name, "")


def _tell(code: int, facts: str, hint: str) -> Response:
    if request.path.startswith("/api/"):
        body: Any = jsonify({"error": facts, "hint": hint})
    else:
        body = render_template("error.html", code=code, facts=facts, hint=hint)
    response = make_response(body, code)
    if code == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="mqtt-hub"'
    return response
