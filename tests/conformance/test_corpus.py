"""Every stream of the corpus means the same in every split."""

from __future__ import annotations

import random

from tests.conformance.fuzz import corpus, outcome, read

STREAMS = corpus()


def test_the_corpus_reaches_what_the_parser_can_say() -> None:
    assert len({outcome(stream) for stream in STREAMS}) == len(STREAMS) >= 100
    assert len({outcome(stream)[2] for stream in STREAMS}) >= 40


def test_one_byte_at_a_time_and_every_cut_in_two_mean_the_same() -> None:
    for stream in STREAMS:
        whole = read(stream)
        assert read(stream, range(1, len(stream))) == whole, stream.hex()
        for cut in range(len(stream) + 1):
            assert read(stream, [cut]) == whole, f"{stream.hex()} cut at {cut}"


def test_many_cuts_mean_the_same() -> None:
    rng = random.Random(1)
    for stream in STREAMS:
        whole = read(stream)
        for _ in range(20):
            cuts = sorted(rng.choices(range(len(stream) + 1), k=rng.randint(2, 9)))
            assert read(stream, cuts) == whole, f"{stream.hex()} cut at {cuts}"
