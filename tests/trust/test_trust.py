"""A node's standing follows from its deeds, in their order, and from nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt_hub.trust import STRIKES_MAX, Deed, Event, Standing, fold

OFFENCES = [Deed.FALSE_CLAIM, Deed.FAULTY, Deed.FORGERY, Deed.NOISE, Deed.OUTVOTED]
DEEDS = st.lists(st.sampled_from(list(Deed)).map(Event))
GOOD = Event(Deed.IMPROVED, "component c0ffee", 5)


def test_a_stranger_is_new_and_neither_trusted_nor_mistrusted() -> None:
    assert (Standing().level, Standing().trust) == ("new", 0.5)


def test_three_validated_improvements_make_a_node_trusted_and_earn_it_credit() -> None:
    assert [fold([GOOD] * count).level for count in range(4)] == ["new", "new", "new", "trusted"]
    assert fold([GOOD] * 3).credit_millionths == 15


@pytest.mark.parametrize("deed", OFFENCES)
def test_an_offence_lowers_trust_and_whoever_has_one_is_not_trusted_until_its_next_improvement(deed: Deed) -> None:
    honest = fold([GOOD] * 20)
    fallen = honest.after(Event(deed))
    assert fallen.trust < honest.trust
    assert (honest.level, fallen.level, fallen.after(GOOD).level) == ("trusted", "new", "trusted")


@pytest.mark.parametrize("deed", OFFENCES)
def test_offences_in_a_row_end_in_quarantine_with_the_reason_and_an_improvement_breaks_the_row(deed: Deed) -> None:
    bad = Event(deed, "what it did")
    row = [bad] * (STRIKES_MAX - 1)
    assert fold(row).level == "new"
    assert fold([*row, bad]).quarantined == f"{STRIKES_MAX} offences in a row, the last: {deed}: what it did"
    assert fold([*row, GOOD, *row]).level == "new"


def test_the_operator_quarantines_and_releases_and_what_was_done_stays_on_record() -> None:
    held = fold([Event(Deed.QUARANTINE, "a strange node")])
    assert (held.level, held.quarantined, held.offences) == ("quarantined", "by the operator: a strange node", 0)
    freed = fold([Event(Deed.FORGERY)] * STRIKES_MAX).after(Event(Deed.RELEASE))
    assert (freed.level, freed.strikes, freed.offences) == ("new", 0, STRIKES_MAX)
    assert freed.after(Event(Deed.FORGERY)).level == "new"


def test_an_improvement_does_not_end_a_quarantine() -> None:
    assert fold([*[Event(Deed.FORGERY)] * STRIKES_MAX, GOOD]).level == "quarantined"


@given(DEEDS)
def test_trust_lies_within_0_and_1_and_only_the_operator_ends_a_quarantine(deeds: list[Event]) -> None:
    standing = Standing()
    for event in deeds:
        before, standing = standing, standing.after(event)
        assert 0 < standing.trust < 1
        assert bool(standing.quarantined) == (standing.level == "quarantined")
        if before.quarantined and not standing.quarantined:
            assert event.deed is Deed.RELEASE
    assert fold(deeds) == standing
