"""A scripted OpenAI-compatible endpoint: real HTTP, real server-sent events, answers as told."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson

__all__ = ["Endpoint", "Says", "endpoint"]


@dataclass(frozen=True, slots=True)
class Says:
    """One answer: text in pieces, or a status, or an end in the middle, or silence."""

    text: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False  # the connection ends before the answer does
    silent: bool = False  # nothing comes until the test ends
    usage: tuple[int, int] | None = (100, 20)


class Endpoint:
    """The server, what it was asked, and what it says next (the last answer repeats)."""

    def __init__(self, answers: list[Says]) -> None:
        self.answers = answers
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.over = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.keys.append(self.headers.get("authorization", ""))
                says = outer.answers[min(len(outer.asked), len(outer.answers) - 1)]
                outer.asked.append(body | {"path": self.path})
                outer.reply(self, says)

            def log_message(self, *_: Any) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"

    def reply(self, to: BaseHTTPRequestHandler, says: Says) -> None:
        if says.silent:
            self.over.wait()
            return
        to.send_response(says.status)
        for name, value in says.headers.items():
            to.send_header(name, value)
        if says.status != 200:
            body = orjson.dumps({"error": {"message": says.text or "no"}})
            to.send_header("content-length", str(len(body)))
            to.end_headers()
            to.wfile.write(body)
            return
        to.send_header("content-type", "text/event-stream")
        to.send_header("connection", "close")
        to.end_headers()
        for start in range(0, len(says.text), 40):
            to.wfile.write(_event({"choices": [_choice(says.text[start : start + 40], None)]}))
        if not says.cut:
            to.wfile.write(_event({"choices": [_choice("", "stop")]}))
            if says.usage:
                prompt, answer = says.usage
                usage = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": prompt + answer}
                to.wfile.write(_event({"choices": [], "usage": usage}))
            to.wfile.write(b"data: [DONE]\n\n")
        to.close_connection = True


def _choice(content: str, finish: str | None) -> dict[str, Any]:
    return {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": finish}


def _event(body: dict[str, Any]) -> bytes:
    frame = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "m", **body}
    return b"data: " + orjson.dumps(frame) + b"\n\n"


@contextmanager
def endpoint(*answers: Says) -> Iterator[Endpoint]:
    """Serve the answers on loopback."""
    running = Endpoint(list(answers))
    thread = threading.Thread(target=running.server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield running
    finally:
        running.over.set()
        running.server.shutdown()
        thread.join()
        running.server.server_close()
