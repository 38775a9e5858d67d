"""What stands for a study: nothing that the textbook beats by the kind's value, whatever other measures say of it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from trainers.arenas.classics import classics as textbook_of
from trainers.arenas.cpu_scheduling.kind import KIND
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Counters
from trainers.arenas.evaluators import Evaluators
from trainers.policy import Component
from trainers.search.final import choose, standing
from trainers.search.memory import Measured
from trainers.search.objective import Objective
from trainers.study import Meter, Study

OVERLOAD = next(found for found in bundled(KIND.name) if (found.name, found.part) == ("overload", "train"))


def test_who_is_above_the_lowest_of_the_textbook_and_who_fails_does_not_stand(
    classics: Mapping[str, Component],
) -> None:
    values = {classics["lru"]: 10, classics["fifo"]: 7, classics["arc"]: 8, classics["clock"]: 6, classics["bip"]: None}
    found = standing(values, [classics["lru"], classics["fifo"], classics["bip"]], values.__getitem__)
    assert found == {classics["fifo"], classics["clock"]}
    loose = standing(values, [classics["fifo"]], values.__getitem__, slack_percents=15)
    assert loose == found | {classics["arc"]}, "8 is 14.3 % above 7"
    assert standing(values, [classics["fifo"]], values.__getitem__, slack_percents=14) == found
    for silent in ([], [classics["bip"]]):
        assert standing(values, silent, values.__getitem__) == values.keys() - {classics["bip"]}


def test_under_overload_the_choice_is_no_worse_than_the_textbook_though_another_measure_prefers_one_that_is() -> None:
    programs = textbook_of(KIND.name)
    few = [programs[name] for name in ("mlfq", "cfs")]

    with Evaluators() as evaluators:

        def value(component: Component) -> int:
            evaluator = evaluators.of(KIND.name)
            yardstick = evaluator.baseline(KIND.baseline, OVERLOAD.id, OVERLOAD.capacity)
            outcome = evaluator.run(component, OVERLOAD.id, OVERLOAD.capacity)
            assert isinstance(outcome, Counters)
            return KIND.value(outcome.values, yardstick.values)

        study = Study(OVERLOAD, seeds=few, rivals=few, meter=Meter(evaluators), rng=random.Random(1))
        study.island.run(len(few))
        patient = replace(KIND, value=lambda counters, _reference: counters["longest_wait"])
        waits = Objective(evaluators.of(KIND.name), patient, OVERLOAD.id, OVERLOAD.capacity)
        study._measures = {"longest wait": (1.0, Measured(waits, 2))}
        careful = choose(study.island.seeds, study._measures)
        choice = study.choose()
        bar = study.bar()
        alone = Study(OVERLOAD, seeds=few[:1], rivals=few, meter=Meter(evaluators), rng=random.Random(1))
        alone.island.run(1)
        worse = alone.choose()
        assert choice is not None
        assert worse is not None, "who did not start from the better one has a choice all the same"
        assert (study.stands(choice), alone.stands(worse)) == (True, False), "and tells nobody"
        mlfq, cfs = map(value, few)
    assert careful.individual.component == programs["mlfq"]
    assert mlfq > cfs
    assert choice.individual.component == programs["cfs"]
    assert bar == max(0.0, choice.mean) < careful.mean, "what is told must beat what stands, not what does not"
