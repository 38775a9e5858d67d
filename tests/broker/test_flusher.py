"""The flusher: everything that was written in a turn goes out together, and nothing waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop

from mqtt_hub.broker.flusher import Flusher

Loops = Callable[[Coroutine[Any, Any, None]], None]
LOOPS = pytest.mark.parametrize("run", [asyncio.run, uvloop.run])


class Line:
    """What notes when it is flushed."""

    def __init__(self, log: list[str], name: str) -> None:
        self.log, self.name = log, name

    def flush(self) -> None:
        self.log.append(self.name)


@LOOPS
def test_what_is_written_outside_of_reading_goes_out_in_the_next_turn_in_one_call(run: Loops) -> None:
    async def main() -> None:
        log: list[str] = []
        flusher = Flusher(asyncio.get_running_loop())
        for name in ("a", "b"):
            flusher.flush_later(Line(log, name))
        assert log == []
        await asyncio.sleep(0)
        assert log == ["a", "b"]
        await asyncio.sleep(0)
        assert log == ["a", "b"]

    run(main())


@pytest.mark.parametrize(("run", "at_once"), [(asyncio.run, False), (uvloop.run, True)])
def test_what_is_written_while_reading_goes_out_at_its_end_where_the_loop_gathers(run: Loops, *, at_once: bool) -> None:
    async def main() -> None:
        log: list[str] = []
        flusher = Flusher(asyncio.get_running_loop())
        flusher.reading_begins()
        flusher.flush_later(Line(log, "a"))
        assert log == []
        flusher.reading_ends()
        assert log == (["a"] if at_once else [])
        await asyncio.sleep(0)
        assert log == ["a"]

    run(main())


@LOOPS
def test_what_waited_already_is_not_forgotten_by_a_read_that_comes_between(run: Loops) -> None:
    async def main() -> None:
        log: list[str] = []
        flusher = Flusher(asyncio.get_running_loop())
        flusher.flush_later(Line(log, "before"))
        flusher.reading_begins()
        flusher.flush_later(Line(log, "while"))
        flusher.reading_ends()
        await asyncio.sleep(0)
        assert log == ["before", "while"]
        flusher.reading_begins()
        flusher.reading_ends()
        flusher.flush_later(Line(log, "after"))
        await asyncio.sleep(0)
        assert log == ["before", "while", "after"]

    run(main())


@LOOPS
def test_a_line_that_writes_again_while_it_is_flushed_is_flushed_once_more(run: Loops) -> None:
    async def main() -> None:
        flusher = Flusher(asyncio.get_running_loop())
        turns: list[int] = []

        class Again:
            def flush(self) -> None:
                turns.append(len(turns))
                if len(turns) < 3:
                    flusher.flush_later(self)

        flusher.flush_later(Again())
        for _ in range(5):
            await asyncio.sleep(0)
        assert turns == [0, 1, 2]

    run(main())
