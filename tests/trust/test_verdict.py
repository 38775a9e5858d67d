"""Votes and what they come to: an order of arrival, never a matter of when somebody looks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_hub.verdict import Decision, Vote, decide

VOTES = st.lists(
    st.builds(
        lambda validator, digest: Vote(validator, f"verdict {digest}", digest),
        st.integers(1, 6),
        st.sampled_from("abc"),
    )
)


def votes(digests: str) -> list[Vote]:
    """Return one vote of a further validator for each letter."""
    return [Vote(number, f"verdict {digest}", digest) for number, digest in enumerate(digests)]


@pytest.mark.parametrize(
    ("digests", "needed", "decision"),
    [
        ("", 1, Decision("pending")),
        ("a", 1, Decision("verdict a", "a", 1, 0)),
        ("a", 2, Decision("pending", "", 1, 0)),
        ("aa", 2, Decision("verdict a", "a", 2, 0)),
        ("ab", 2, Decision("disputed", "", 1, 1)),
        ("aba", 2, Decision("verdict a", "a", 2, 1)),
        ("abcc", 2, Decision("disputed", "", 2, 2)),  # two of four are no majority
        ("abccc", 2, Decision("verdict c", "c", 3, 2)),
        ("abbb", 1, Decision("verdict a", "a", 1, 3)),  # the first to reach the quorum stands
        ("aabbb", 2, Decision("verdict a", "a", 2, 3)),
    ],
)
def test_a_digest_decides_with_the_quorum_and_a_majority_of_those_who_voted(
    digests: str, needed: int, decision: Decision
) -> None:
    assert decide(votes(digests), needed) == decision
    assert decision.final == bool(decision.digest)


def test_a_validator_votes_once_and_cannot_change_its_mind() -> None:
    assert decide([Vote(1, "accepted", "a")] * 5, 2) == Decision("pending", "", 1, 0)
    swung = [Vote(1, "accepted", "a"), Vote(1, "rejected", "b"), Vote(2, "rejected", "b")]
    assert decide(swung, 2) == Decision("disputed", "", 1, 1)


@given(VOTES, VOTES, st.integers(1, 4))
def test_what_was_decided_stands_whoever_votes_later(before: list[Vote], later: list[Vote], needed: int) -> None:
    first, then = decide(before, needed), decide([*before, *later], needed)
    if first.final:
        assert (then.state, then.digest) == (first.state, first.digest)
        assert then.agreeing >= first.agreeing


@given(VOTES, st.integers(1, 4))
def test_every_validator_is_counted_once_and_nothing_is_decided_below_the_quorum(cast: list[Vote], needed: int) -> None:
    decision = decide(cast, needed)
    assert decision.agreeing + decision.dissenting == len({vote.validator for vote in cast})
    if decision.final:
        assert decision.agreeing >= needed
    else:
        assert decision.state == ("disputed" if decision.dissenting else "pending")
