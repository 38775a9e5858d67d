"""Reuse distance is what it is defined to be, and foretells LRU's misses at every capacity."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.arenas.page_replacement import baselines
from trainers.workloads.format import workload
from trainers.workloads.show import describe, render, reuse_distances

REQUESTS = st.lists(st.integers(0, 12), min_size=1, max_size=80)


@settings(deadline=None, max_examples=100)
@given(REQUESTS)
def test_distances_count_the_different_pages_in_between(requests: list[int]) -> None:
    for now, distance in enumerate(reuse_distances(requests)):
        before = [at for at in range(now) if requests[at] == requests[now]]
        assert distance == (len(set(requests[before[-1] + 1 : now])) if before else None)


@settings(deadline=None, max_examples=100)
@given(REQUESTS, st.integers(1, 14))
def test_lru_hits_exactly_what_is_nearer_than_its_capacity(requests: list[int], capacity: int) -> None:
    near = sum(distance is not None and distance < capacity for distance in reuse_distances(requests))
    assert baselines.run("lru", requests, 13, capacity)[0][1] == len(requests) - near


def test_a_description_counts_every_request_once() -> None:
    made = workload("loop", [number % 9 for number in range(100)])
    description = describe(made)
    assert description["first_uses"] == 9
    assert description["reuse"] == {"0": 0, "1": 0, "2-3": 0, "4-7": 0, "8-15": 91}
    assert "8-15        91 ████" in render(description)


def test_a_workload_without_any_reuse_is_described() -> None:
    description = describe(workload("once", range(5)))
    assert (description["first_uses"], description["reuse"]) == (5, {})
    assert "first use         5" in render(description)
