"""The experiment compares like with like: same budgets, same starts, and nothing but the arm's gifts between them."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import orjson
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.node.fleet import small_workloads
from trainers.arenas.classics import classics
from trainers.cli import main
from trainers.experiment.arms import ACROSS_KINDS, ARMS, CONTROL, SHUFFLED
from trainers.experiment.fleet import ROUND_EVALUATIONS, Outcome, run, run_late, searched
from trainers.experiment.member import ANSWER, FOREIGN, FUNCTION, PATTERN, PROGRAM
from trainers.experiment.memory import RememberingEvaluators
from trainers.experiment.roles import Foreign
from trainers.experiment.settings import LATE_SHARE, Pair, Setting, plans
from trainers.experiment.sharing import Cell, Design, Record, _cell, effects, imports, records, scores, worths
from trainers.experiment.statistics import effect
from trainers.experiment.text import as_json, as_text
from trainers.search.patterns import Pattern
from trainers.workloads.format import halves, workload
from trainers.workloads.generate_cpu import generate

EVALUATIONS = 160
NAMES = tuple(classics("page_replacement"))


def small_pairs() -> tuple[Pair, ...]:
    parts = small_workloads()
    return tuple(Pair(train, hidden) for train, hidden in zip(parts[::2], parts[1::2], strict=True))


PAIRS = small_pairs()
ABROAD = (Pair(*halves(workload("jobs", generate("bimodal", "1")[:400], kind="cpu_scheduling"))),)
DESIGN = Design(PAIRS, evaluations=EVALUATIONS, nodes=3, seeds=1)
AT_HOME = tuple(arm for arm in ARMS if arm not in ACROSS_KINDS)


@pytest.fixture(scope="module")
def found() -> list[Record]:
    """Return all arms around the first workload, in two settings."""
    design = replace(DESIGN, leave_one_out=True, abroad=ABROAD)
    return _cell(Cell(DESIGN, Setting.CLASSICS, 0, 1)) + _cell(Cell(design, Setting.LATE, 0, 1))


def by_arm(found: list[Record], setting: Setting) -> dict[str, list[Outcome]]:
    """Return the outcomes of the first workload, by arm."""
    return {
        record.arm: list(record.outcomes)
        for record in found
        if (record.setting, record.workload, record.silent) == (setting, PAIRS[0].train.name, "")
    }


def test_every_arm_spends_the_same_budget(found: list[Record]) -> None:
    for setting in (Setting.CLASSICS, Setting.LATE):
        for arm, outcomes in by_arm(found, setting).items():
            for outcome in outcomes:
                budget = EVALUATIONS // LATE_SHARE if setting is Setting.LATE and outcome.counted else EVALUATIONS
                # What is begun is finished: a mined program is ablated to its end, however little is left.
                assert budget <= outcome.evaluations <= budget + 24 or not outcome.counted, (arm, outcome)


KIND_OF_GIFT = {
    "patterns": PATTERN, "functions": FUNCTION, "programs": PROGRAM, "requests": ANSWER, SHUFFLED: PROGRAM,
}  # fmt: skip


def test_each_arm_imports_its_own_kind_of_gift_and_no_other(found: list[Record]) -> None:
    for setting in (Setting.CLASSICS, Setting.LATE):
        for arm, gift in KIND_OF_GIFT.items():
            told = imports(found, setting, arm)
            assert {name for name, count in told["adopted"].items() if count} <= {gift}, (setting, arm)
            assert told["adopted"].get(gift) or arm == "requests", (setting, arm)  # nobody has to be stuck
            assert not told["refused"], (setting, arm)
        assert not any(imports(found, setting, CONTROL).values())


def test_nodes_of_another_kind_give_nothing_but_patterns_and_only_to_who_is_late(found: list[Record]) -> None:
    for arm in ACROSS_KINDS:
        told = imports(found, Setting.LATE, arm)
        assert set(told["adopted"]) | set(told["used"]) | set(told["chosen"]) <= {FOREIGN}, arm
        assert sum(told["adopted"].values()) + sum(told["refused"].values()) > 0, arm
        assert not any(imports(found, Setting.CLASSICS, arm).values()), arm


def test_patterns_of_another_kind_are_all_counted_and_what_is_read_is_grafted() -> None:
    home, texts = classics("page_replacement"), ("used > 1", "weight > 16", "bursts > 1 and bursts > 1", "used > 2")
    foreign = [Foreign("cpu_scheduling", "there", Pattern("run_score", text, "test", 0.1)) for text in texts]
    newcomer = plans(Setting.LATE, PAIRS, 0, tuple(home), nodes=2, evaluations=1200, seed=1)[-1]
    used = 0
    with RememberingEvaluators() as evaluators:
        for arm in ACROSS_KINDS:
            [told] = run_late(arm, newcomer, evaluators, seed=1, early=(), foreign=foreign)
            assert told.refused == {"feature": 1}, arm
            assert told.adopted == {FOREIGN: 3}, arm
            assert set(told.used) <= {FOREIGN}, arm
            used += sum(told.used.values())
        assert used > 0
        [alone] = run_late(CONTROL, newcomer, evaluators, seed=1, early=(), foreign=foreign)
        assert not alone.adopted


def test_a_newcomer_really_uses_what_each_arm_gives_it() -> None:
    design = replace(DESIGN, evaluations=400, nodes=2)
    late = [record for seed in (1, 3) for record in _cell(Cell(design, Setting.LATE, 0, seed))]
    for arm, gift in KIND_OF_GIFT.items():
        told = imports(late, Setting.LATE, arm)
        assert told["adopted"].get(gift, 0) > 0, arm
        # What strangers found for another workload need not be of use here; and of fifty evaluations five are grafts:
        # that patterns are used where there are more is said above.
        assert told["used"].get(gift, 0) > 0 or arm in (SHUFFLED, "patterns"), arm
        assert told["chosen"].get(gift, 0) > 0 or arm in (SHUFFLED, "patterns"), arm
    assert set(imports(late, Setting.LATE, "all")["adopted"]) >= {PROGRAM, PATTERN}


def test_who_was_early_is_the_same_for_every_arm_and_is_asked_anew_in_each(found: list[Record]) -> None:
    early = [record for record in found if record.setting is Setting.LATE]
    searched = {tuple(one.component for one in record.outcomes[:2]) for record in early if record.arm != "all"}
    helped = [sum(one.helped for one in record.outcomes) for record in early if record.arm == CONTROL]
    assert len(searched - {tuple(one.component for one in early[0].outcomes[:2])}) <= 1  # whoever helped, went on
    assert helped == [0]


def test_without_sharing_nothing_is_adopted_and_with_it_something_is(found: list[Record]) -> None:
    arms = by_arm(found, Setting.CLASSICS)
    assert set(arms) == set(AT_HOME)
    assert not any(outcome.adopted for outcome in arms[CONTROL])
    for arm in ("patterns", "functions", "programs", "all", SHUFFLED):
        assert sum(sum(outcome.adopted.values()) for outcome in arms[arm]) > 0, arm


def test_what_is_imported_is_really_used(found: list[Record]) -> None:
    used = Counter[str]()
    for record in found:
        used[record.arm] += sum(sum(outcome.used.values()) for outcome in record.outcomes)
    assert used[CONTROL] == 0
    assert used["programs"] > 0
    assert used["all"] > 0


def test_islands_from_the_same_classics_differ_in_all_that_they_search() -> None:
    nodes = plans(Setting.SAME, PAIRS, 0, NAMES, nodes=3, evaluations=80, seed=1)
    with RememberingEvaluators() as evaluators:
        islands = [{name for name, _ancestor in snapshot.known} for snapshot in searched(nodes, evaluators, seed=1)]
    assert len(set.intersection(*islands)) >= len(nodes[0].seeds)
    for known in islands:
        alone = known.difference(*(other for other in islands if other is not known))
        assert len(alone) > len(known) / 2  # a short mutant of a classic may be found twice, most are not


def test_requests_are_really_answered() -> None:
    pair = PAIRS[0]
    design = plans(Setting.SAME, PAIRS, 0, NAMES, nodes=3, evaluations=200, seed=1)
    with RememberingEvaluators() as evaluators:
        outcomes = run("requests", design, evaluators, seed=1)
    assert pair.train.name == outcomes[0].workload
    assert sum(outcome.helped for outcome in outcomes) > 0


def test_only_the_newcomer_counts_when_one_is_late(found: list[Record]) -> None:
    for arm, outcomes in by_arm(found, Setting.LATE).items():
        assert [outcome.counted for outcome in outcomes] == [False, False, True], arm


def test_a_silent_node_gives_nothing(found: list[Record]) -> None:
    silenced = {record.silent for record in found if record.silent}
    assert silenced == {"node_1", "node_2"}
    assert set(worths(found, Setting.LATE)) == silenced


def test_the_same_design_gives_the_same_records_however_many_processes_there_are() -> None:
    small = replace(DESIGN, nodes=2, evaluations=60, settings=(Setting.SAME,), arms=(CONTROL, "all"))
    assert list(records(small, processes=1)) == list(records(small, processes=2))


def test_settings_differ_in_what_they_say() -> None:
    made = {setting: plans(setting, PAIRS, 0, NAMES, nodes=3, evaluations=800, seed=3) for setting in Setting}
    assert len({plan.seeds for plan in made[Setting.SAME]}) == 1
    own = [set(plan.seeds) for plan in made[Setting.CLASSICS]]
    assert sum(map(len, own)) == len(set().union(*own)) == len(NAMES)
    assert len({plan.pair.train.id for plan in made[Setting.WORKLOADS]}) == len(PAIRS)
    assert [plan.evaluations for plan in made[Setting.LATE]] == [800, 800, 100]


@pytest.mark.parametrize(("workloads", "cells"), [(2, [0]), (3, [0]), (4, [0, 3]), (7, [0, 3, 6])])
def test_where_each_has_a_workload_of_its_own_there_are_fleets_enough_for_all_and_no_more(
    workloads: int, cells: list[int]
) -> None:
    design = replace(DESIGN, pairs=PAIRS[:1] * workloads, settings=(Setting.WORKLOADS,), seeds=1)
    assert [cell.at for cell in design.cells()] == cells
    assert {(at + node) % workloads for at in cells for node in range(design.nodes)} == set(range(workloads))


def test_where_each_has_a_workload_of_its_own_scores_are_told_by_that_of_the_node() -> None:
    """A cell is around one workload, and has one of the next as well: neither's score is the other's."""

    def record(arm: str, *hidden: tuple[str, float]) -> Record:
        one = Outcome("", "", True, 0.0, 0.0, "", 0, {}, {}, (), 0, {})
        outcomes = tuple(replace(one, workload=workload, hidden=score) for workload, score in hidden)
        return Record(Setting.WORKLOADS, hidden[0][0], 1, arm, "", outcomes)

    found = [
        record(CONTROL, ("git", 0.2), ("notes", 0.4)), record("programs", ("git", 0.3), ("notes", 0.4)),
        record(CONTROL, ("notes", 0.6), ("git", 0.4)), record("programs", ("notes", 0.6), ("git", 0.7)),
    ]  # fmt: skip
    assert scores(found, Setting.WORKLOADS, CONTROL) == {"git": [pytest.approx(0.3)], "notes": [pytest.approx(0.5)]}
    told = effects(found, Setting.WORKLOADS)["programs"]
    assert told.pairs == 2
    assert told.mean == pytest.approx(0.1)  # .2 for git, nothing for notes
    assert told.workloads.low == pytest.approx(0.0)
    assert told.workloads.high == pytest.approx(0.2)


def test_the_table_and_the_json_tell_every_arm(found: list[Record]) -> None:
    design = replace(DESIGN, settings=(Setting.CLASSICS, Setting.LATE))
    text, told = as_text(design, found), orjson.loads(orjson.dumps(as_json(design, found)))
    for arm in ARMS:
        assert arm in text
    assert set(told["effects"]["classics"]) == set(AT_HOME) - {CONTROL}
    assert set(told["scores"]["classics"]) == set(AT_HOME)
    assert set(told["scores"]["late"]) == set(told["imports"]["late"]) == set(ARMS)
    assert set(told["scores_without"]["late"]) == {"node_1", "node_2"}
    assert set(told["fleet_effects"]["classics"]) == set(AT_HOME) - {CONTROL}  # a newcomer is no fleet
    assert told["fleet_effects"]["late"] == {}
    assert sum(fmean(one.hidden for one in record.outcomes if one.counted) for record in found) == pytest.approx(
        sum(
            score
            for setting in ("classics", "late")
            for by_workload in (*told["scores"][setting].values(), *told["scores_without"][setting].values())
            for some in by_workload.values()
            for score in some
        )
    )
    assert effects(found, Setting.CLASSICS)["all"].mean == pytest.approx(told["effects"]["classics"]["all"]["mean"])


def test_a_round_is_short_enough_for_gifts_to_matter() -> None:
    assert ROUND_EVALUATIONS * 3 < EVALUATIONS


@settings(deadline=None, max_examples=5)
@given(st.dictionaries(st.text(max_size=3), st.lists(st.floats(-1, 1), min_size=1, max_size=8), min_size=1, max_size=4))
def test_an_interval_holds_its_mean_or_nearly(differences: dict[str, list[float]]) -> None:
    told = effect(differences)
    assert told.mean == pytest.approx(fmean(fmean(values) for values in differences.values()))
    assert told.seeds.low <= told.mean + 0.2
    assert told.mean - 0.2 <= told.seeds.high
    assert told.workloads.low <= told.workloads.high
    assert told == effect(differences)


def test_a_clear_effect_is_told_from_chance_and_chance_is_not() -> None:
    rng = random.Random(5)
    noise = {name: [rng.gauss(0.0, 0.1) for _ in range(20)] for name in "abc"}
    clear = {name: [value + 0.3 for value in values] for name, values in noise.items()}
    assert effect(clear).seeds.beyond_zero() == "+"
    assert effect({name: [-value for value in values] for name, values in clear.items()}).seeds.beyond_zero() == "-"
    assert effect(noise).seeds.beyond_zero() == ""


def test_the_command_prints_a_table_and_keeps_every_score(tmp_path: Path) -> None:
    output = tmp_path / "found.json"
    options = ["--setting", "late", "--arm", "programs", "--nodes", "2", "--evaluations", "100", "--seeds", "1"]
    options += ["--workloads", "git", "--processes", "1", "--output", str(output)]
    done = CliRunner().invoke(main, ["experiment", "sharing", *options])
    assert done.exit_code == 0, done.output
    assert "late: a newcomer" in done.output
    assert list(orjson.loads(output.read_bytes())["scores"]["late"]) == [CONTROL, "programs"]


def test_a_workload_that_there_is_not_is_one_clear_line() -> None:
    done = CliRunner().invoke(main, ["experiment", "sharing", "--workloads", "nowhere"])
    assert done.exit_code != 0
    assert "no bundled workload 'nowhere'" in done.output
