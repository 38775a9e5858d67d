"""One ring for all viewers: what each is told, at and beyond every bound."""

from __future__ import annotations

from contextlib import ExitStack

import orjson
import pytest

from mqtt_hub.dashboard.fan_out import FRAMES_MAX, VIEWERS_MAX, FanOut, TooManyViewersError

Event = tuple[str, dict[str, object]]


def events(block: bytes) -> list[Event]:
    """Return the events in what a stream yielded."""
    found = []
    for part in block.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in part.splitlines() if ": " in line)
        if "event" in fields:
            found.append((fields["event"], orjson.loads(fields["data"])))
    return found


def publish(fan_out: FanOut, *ids: int) -> None:
    for id_ in ids:
        fan_out.publish("traffic", {"upto": id_}, after=id_ - 1, upto=id_)


def uptos(block: bytes) -> list[object]:
    return [data["upto"] for name, data in events(block) if name == "traffic"]


def test_every_viewer_is_told_everything_in_order() -> None:
    fan_out = FanOut()
    with fan_out.viewer(None) as one, fan_out.viewer(None) as other:
        assert events(next(one)) == events(next(other)) == []
        publish(fan_out, 1, 2)
        assert uptos(next(one)) == [1, 2]
        publish(fan_out, 3)
        assert uptos(next(one)) == [3]
        assert uptos(next(other)) == [1, 2, 3]


def test_a_newcomer_is_told_the_last_of_what_stands_and_no_old_traffic() -> None:
    fan_out = FanOut()
    publish(fan_out, 1)
    for state in ("away", "running"):
        fan_out.publish("hub", {"state": state}, standing=True)
    with fan_out.viewer(None) as viewer:
        assert events(next(viewer)) == [("hub", {"state": "running"})]


def test_who_comes_back_goes_on_where_it_was() -> None:
    fan_out = FanOut()
    publish(fan_out, 1, 2, 3)
    with fan_out.viewer(1) as viewer:
        told = next(viewer)
        assert uptos(told) == [2, 3]
        assert "gap" not in [name for name, _data in events(told)]
        assert b"id: 3\n" in told
    with fan_out.viewer(3) as viewer:
        assert events(next(viewer)) == []


@pytest.mark.parametrize("last_id", [0, 10, 999])
def test_who_comes_back_too_late_or_from_elsewhere_is_told_of_the_gap(last_id: int) -> None:
    fan_out = FanOut()
    publish(fan_out, 101, 102)
    with fan_out.viewer(last_id) as viewer:
        assert [name for name, _data in events(next(viewer))] == ["gap"]


def test_another_process_that_told_of_nothing_yet_cannot_say_what_was_missed() -> None:
    with FanOut().viewer(7) as viewer:
        assert [name for name, _data in events(next(viewer))] == ["gap"]


def test_a_viewer_as_slow_as_the_ring_is_long_misses_nothing_and_a_slower_one_is_told_so() -> None:
    fan_out = FanOut()
    with fan_out.viewer(None) as slow, fan_out.viewer(None) as slower:
        next(slow)
        next(slower)
        publish(fan_out, *range(1, FRAMES_MAX + 1))
        assert uptos(next(slow)) == list(range(1, FRAMES_MAX + 1))
        publish(fan_out, FRAMES_MAX + 1)
        told = next(slower)
        assert events(told)[0][0] == "gap"
        assert uptos(told) == list(range(2, FRAMES_MAX + 2))


def test_there_is_room_for_so_many_viewers_and_again_when_one_leaves() -> None:
    fan_out = FanOut()
    with ExitStack() as stack:
        first = ExitStack()
        first.enter_context(fan_out.viewer(None))
        for _ in range(VIEWERS_MAX - 1):
            stack.enter_context(fan_out.viewer(None))
        with pytest.raises(TooManyViewersError), fan_out.viewer(None):
            pass
        first.close()
        stack.enter_context(fan_out.viewer(None))
        assert fan_out.viewers == VIEWERS_MAX
    assert fan_out.viewers == 0


def test_closing_ends_every_stream() -> None:
    fan_out = FanOut()
    with fan_out.viewer(None) as viewer:
        next(viewer)
        fan_out.close()
        assert list(viewer) == []
