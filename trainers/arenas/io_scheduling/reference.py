"""The arena again in plain Python: the truth for differential tests, and the stand-in where wasmtime has no wheel.

Read it beside ``arena.c``: same steps, same names, same counters for every program, a hundred times slower.
The candidate is interpreted, so this needs no WebAssembly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from trainers.arenas.io_scheduling.device import Request, Tally, cost, requests
from trainers.arenas.io_scheduling.form import FORM, REGISTER_MAX, SECTORS, VISIBLE
from trainers.policy.arithmetic import clamp
from trainers.policy.interpret import interpret
from trainers.policy.tree import Component

__all__ = ["run"]

SEED = 0x9E3779B97F4A7C15
_NONE = -1

_SLOTS = {feature.name: feature.slot for function in FORM.functions.values() for feature in function.features}


@dataclass(slots=True)
class _Stream:
    """What is known of a stream."""

    since: int  # its latest service; before the first, when it was first seen
    reg: int = 0
    queued: int = 0
    served: int = 0


@dataclass(slots=True)
class _Channel:
    """One server of the device."""

    free_at: int = 0
    write: int = 0


@dataclass(slots=True)
class _Arena:
    """The queue, the device and what the candidate sees of them."""

    functions: Mapping[str, Callable[[], int]]
    features: list[int]
    rows: Sequence[Request]
    channels: list[_Channel]
    tally: Tally
    now: int = 0
    head: int = 0
    arrived: int = 0
    admitted: int = 0
    last_stream: int = _NONE
    last_write: int = 0
    trail: int = SEED
    visible: list[Request] = field(default_factory=list)  # in the order of their arrival
    streams: dict[int, _Stream] = field(default_factory=dict)

    def step(self) -> None:
        """Serve a request if there is one and a channel for it; else go on in time."""
        self._admit()
        channel = next((channel for channel in self.channels if channel.free_at <= self.now), None)
        if self.visible and channel:
            self._serve(channel)
        else:
            self._advance()

    def _admit(self) -> None:
        """Make rows whose time has come visible, while there are slots."""
        while self.arrived < len(self.rows) and self.rows[self.arrived].time <= self.now:
            self.arrived += 1
        while self.admitted < self.arrived and len(self.visible) < VISIBLE:
            request = self.rows[self.admitted]
            stream = self.streams.setdefault(request.stream, _Stream(self.now))
            self._show_queue(self.last_write)
            self._show_request(request)
            stream.reg = self._register("on_stream")
            stream.queued += 1
            self.visible.append(request)
            self.admitted += 1

    def _serve(self, channel: _Channel) -> None:
        self._show_queue(channel.write)
        request = self._pick(channel)
        stream = self.streams[request.stream]
        taken = self._show_service(request, channel)
        # All three see the state before the service.
        reg, first, second = (self._register(name) for name in ("on_serve", "next0", "next1"))
        stream.reg = reg
        self._show(g0=first, g1=second)
        stream.queued -= 1
        stream.served += 1
        stream.since = self.now
        self.last_stream, self.last_write = request.stream, request.write
        self.head = request.end
        channel.write, channel.free_at = request.write, self.now + taken
        self.visible.remove(request)
        self.tally.add(request, self.now, taken)
        self.trail = (self.trail ^ (request.id + 1)) * SEED & (1 << 64) - 1
        self.trail ^= self.trail >> 32

    def _pick(self, channel: _Channel) -> Request:
        """Return the request with the highest score; of equals the earliest."""
        if len(self.visible) == 1:
            return self.visible[0]
        scores = []
        for request in self.visible:
            self._show_service(request, channel)
            scores.append(self.functions["pick_score"]())
        return self.visible[scores.index(max(scores))]

    def _advance(self) -> None:
        """Go to the next arrival or end of a service, whichever is first."""
        ends = [channel.free_at for channel in self.channels if channel.free_at > self.now]
        arrivals = [self.rows[self.arrived].time] if self.arrived < len(self.rows) else []
        self.now = min(ends + arrivals)

    def _register(self, name: str) -> int:
        return clamp(self.functions[name](), -REGISTER_MAX, REGISTER_MAX)

    def _show(self, **values: int) -> None:
        for name, value in values.items():
            self.features[_SLOTS[name]] = value

    def _show_queue(self, last_write: int) -> None:
        waits = [[self.now - request.time for request in self.visible if request.write == kind] for kind in (0, 1)]
        self._show(
            now=self.now,
            n_queued=len(self.visible),
            n_reads=len(waits[0]),
            n_writes=len(waits[1]),
            old_read=max(waits[0], default=0),
            old_write=max(waits[1], default=0),
            last_write=last_write,
            min_sreg=min((self.streams[request.stream].reg for request in self.visible), default=0),
            backlog=self.arrived - self.admitted,
        )

    def _show_request(self, request: Request) -> None:
        stream, offset = self.streams[request.stream], request.sector - self.head
        self._show(
            wait=self.now - request.time,
            offset=offset,
            forward=offset % SECTORS,
            distance=abs(offset),
            len=request.sectors,
            write=request.write,
            sreg=stream.reg,
            squeued=stream.queued,
            sserved=stream.served,
            sgap=self.now - stream.since,
            same=int(request.stream == self.last_stream),
        )

    def _show_service(self, request: Request, channel: _Channel) -> int:
        """Show the request and what serving it now on the channel means; return what it costs."""
        taken = cost(request, len(self.channels), now=self.now, head=self.head, last_write=channel.write)
        self._show_request(request)
        alike = [other for other in self.channels if other is not channel and other.write == request.write]
        self._show(cost=taken, alike=len(alike))
        return taken


def run(component: Component, words: Sequence[int], _streams: int, capacity: int) -> tuple[tuple[int, ...], int]:
    """Serve the rows from an idle device at sector 0; return the counters and the digest of the order."""
    features = [0] * len(_SLOTS)
    functions = {name: partial(body, features) for name, body in interpret(component).items()}
    rows, tally = list(requests(words)), Tally(capacity)
    arena = _Arena(functions, features, rows, [_Channel() for _ in range(capacity)], tally)
    while len(tally.latencies) < len(rows):
        arena.step()
    return tally.counters(), arena.trail
