"""A progress bar appears for what takes long, tells how far it is, and leaves nothing behind."""

from __future__ import annotations

import io
import threading

import pytest

from mqtt_hub.protocol.bar import COUNT_EVERY, LINE_CHARS, Bar


class Screen(io.StringIO):
    """What was written, and a way to wait for the first line."""

    def __init__(self) -> None:
        super().__init__()
        self.drawn = threading.Event()

    def write(self, text: str) -> int:
        self.drawn.set()
        return super().write(text)


def test_what_is_over_soon_shows_nothing() -> None:
    screen = Screen()
    with Bar(screen, shown=True, after_s=60) as bar:
        assert list(bar.watch("reading", range(10), 10)) == list(range(10))
    assert screen.getvalue() == ""


def test_what_takes_long_is_drawn_over_one_line_and_wiped_out() -> None:
    screen = Screen()
    with Bar(screen, shown=True, after_s=0) as bar:
        bar.stage("packing")
        assert screen.drawn.wait(20)
    lines = screen.getvalue().split("\r")
    assert lines.pop() == ""
    assert {len(line) for line in lines} == {LINE_CHARS}
    assert not lines[-1].strip()
    assert "\n" not in screen.getvalue()


def test_a_line_of_output_finds_the_bar_wiped_out_and_the_bar_comes_back() -> None:
    screen = Screen()
    with Bar(screen, shown=True, after_s=0) as bar:
        bar.stage("looking")
        assert screen.drawn.wait(20)
        bar.aside()
        assert "" in [line.strip() for line in screen.getvalue().split("\r")[:-1]]
        screen.drawn.clear()
        assert screen.drawn.wait(20)
    assert screen.getvalue().endswith("\r")
    assert not screen.getvalue().split("\r")[-2].strip()


def test_where_nobody_watches_nothing_is_written() -> None:
    screen = Screen()
    with Bar(screen, shown=False, after_s=0) as bar:
        assert list(bar.watch("reading", range(5000), 5000)) == list(range(5000))
    assert screen.getvalue() == ""


@pytest.mark.parametrize(("total", "told"), [(4 * COUNT_EVERY, "50%"), (COUNT_EVERY, "100%"), (0, " s")])
def test_the_share_is_that_of_the_items_that_passed(total: int, told: str) -> None:
    bar = Bar(Screen(), shown=False)
    items = bar.watch("reading", range(10 * COUNT_EVERY), total)
    for _ in range(2 * COUNT_EVERY + 1):
        next(items)
    assert bar.line().endswith(told)
    assert bar.line().startswith("reading")
