"""The ledger against a plain set: whatever the order, a receipt says exactly what is committed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mqtt_hub.ledger import AHEAD_MAX, MISSING_RANGES_MAX, Claim, Ledger, SeqSet
from mqtt_hub.protocol.bodies import SeqRange, SessionReceipt

arrivals = st.lists(st.integers(1, 60), max_size=80)
restored = st.integers(0, 20)


def covered(receipt: SessionReceipt) -> set[int]:
    """Return the seqs that a sender forgets when it reads the receipt."""
    missing = {seq for gap in receipt.missing for seq in range(gap.first, gap.last + 1)}
    return set(range(1, receipt.highest + 1)) - missing


@given(arrivals, restored)
def test_a_receipt_covers_exactly_what_is_committed(seqs: list[int], upto: int) -> None:
    ledger, model = Ledger(), set(range(1, upto + 1))
    ledger.restore("a", 1, upto, set())
    for seq in seqs:
        new = seq not in model
        assert ledger.claim("a", 1, seq) is (Claim.NEW if new else Claim.DUPLICATE)
        if new:
            ledger.commit("a", 1, [seq])
            model.add(seq)
        receipt = ledger.receipt("a", 1)
        assert covered(receipt) == model
        assert receipt.highest == max(model, default=0)
        assert set(range(1, receipt.upto + 1)) <= model
        assert receipt.upto + 1 not in model
        assert receipt.upto == ledger.upto("a", 1)


@given(arrivals)
def test_missing_ranges_ascend_and_begin_right_after_upto(seqs: list[int]) -> None:
    ledger = Ledger()
    for seq in dict.fromkeys(seqs):
        ledger.claim("a", 1, seq)
        ledger.commit("a", 1, [seq])
    receipt = ledger.receipt("a", 1)
    if receipt.missing:
        assert receipt.missing[0].first == receipt.upto + 1
    for gap, following in zip(receipt.missing, receipt.missing[1:], strict=False):
        assert gap.first <= gap.last < following.first - 1


@given(arrivals)
def test_what_is_claimed_but_not_committed_is_neither_new_nor_receipted(seqs: list[int]) -> None:
    ledger = Ledger()
    for seq in dict.fromkeys(seqs):
        assert ledger.claim("a", 1, seq) is Claim.NEW
        assert ledger.claim("a", 1, seq) is Claim.DUPLICATE
    assert ledger.receipt("a", 1) == SessionReceipt(1, 0, 0)
    assert ledger.take_moved() == set()


@given(arrivals, arrivals, st.integers(0, 60))
def test_a_restart_from_any_earlier_upto_and_what_lies_above_changes_nothing(
    before: list[int], after: list[int], lag: int
) -> None:
    straight, first = Ledger(), Ledger()
    for ledger in (straight, first):
        for seq in before:
            ledger.claim("a", 1, seq)
            ledger.commit("a", 1, [seq])
    upto = max(0, first.upto("a", 1) - lag)
    second = Ledger()
    second.restore("a", 1, upto, {seq for seq in before if seq > upto})
    assert second.receipt("a", 1) == straight.receipt("a", 1)
    for seq in after:
        assert second.claim("a", 1, seq) is straight.claim("a", 1, seq)
        for ledger in (straight, second):
            ledger.commit("a", 1, [seq])
    assert second.receipt("a", 1) == straight.receipt("a", 1)


def test_a_seq_may_be_ahead_max_beyond_the_last_gapless_one_and_no_further() -> None:
    ledger = Ledger()
    assert ledger.claim("a", 1, AHEAD_MAX - 1) is Claim.NEW
    assert ledger.claim("a", 1, AHEAD_MAX) is Claim.NEW
    assert ledger.claim("a", 1, AHEAD_MAX + 1) is Claim.BEYOND
    assert ledger.claim("a", 1, 1) is Claim.NEW
    assert ledger.claim("a", 1, AHEAD_MAX + 1) is Claim.NEW
    assert ledger.claim("a", 1, AHEAD_MAX + 2) is Claim.BEYOND


def test_a_receipt_names_64_gaps_and_covers_only_what_lies_between_them() -> None:
    seqs = SeqSet()
    for count in range(1, MISSING_RANGES_MAX + 3):
        seqs.add([2 * count])
        receipt = seqs.receipt(1)
        assert len(receipt.missing) == min(count, MISSING_RANGES_MAX)
        assert receipt.highest == 2 * min(count, MISSING_RANGES_MAX)
        assert covered(receipt) <= seqs.above
    assert receipt.missing[-1] == SeqRange(2 * MISSING_RANGES_MAX - 1, 2 * MISSING_RANGES_MAX - 1)


def test_sessions_and_nodes_are_apart() -> None:
    ledger = Ledger()
    for node, session in (("a", 1), ("a", 3), ("a", 2), ("b", 9)):
        assert ledger.claim(node, session, 1) is Claim.NEW
        ledger.commit(node, session, [1])
    assert ledger.receipt("nobody", 4) == SessionReceipt(4, 0, 0)
    assert ledger.take_moved() == {("a", 1), ("a", 2), ("a", 3), ("b", 9)}
    assert ledger.take_moved() == set()


def spoken(ledger: Ledger, node: str, session: int, *, commit: bool = True) -> None:
    ledger.claim(node, session, 1)
    if commit:
        ledger.commit(node, session, [1])


def test_the_longest_quiet_sessions_beyond_the_bound_are_forgotten_and_none_that_is_at_it() -> None:
    ledger = Ledger()
    for session in (1, 2, 3, 4):
        spoken(ledger, "a", session)
    ledger.claim("a", 1, 2)
    ledger.commit("a", 1, [2])
    ledger.take_moved()
    assert ledger.forget(4) == 0
    assert ledger.forget(2) == 2
    assert [session for session in (1, 2, 3, 4) if ledger.knows("a", session)] == [1, 4]


def test_nothing_is_forgotten_that_is_not_on_disk_or_whose_progress_is_not() -> None:
    ledger = Ledger()
    spoken(ledger, "a", 1, commit=False)
    spoken(ledger, "a", 2)
    assert ledger.forget(0) == 0
    upto = ledger.take_moved()
    ledger.moved_again(upto)  # it could not be written down
    assert ledger.forget(0) == 0
    ledger.take_moved()
    assert ledger.forget(0) == 1
    assert ledger.knows("a", 1)
