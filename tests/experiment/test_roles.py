"""What a pattern of one kind says in another: always something of that kind's language, and only by the roles."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainers.arenas.classics import classics
from trainers.arenas.registry import kind_of, kinds
from trainers.experiment.roles import ROLES, Role, Untranslatable, role_of, scramble, translate, well_typed
from trainers.policy.kind import Form, Unit
from trainers.policy.parse import parse, parse_expression
from trainers.policy.source import canonical, expression_source
from trainers.policy.tree import Name, walk
from trainers.search.grow import Grower
from trainers.search.patterns import TEST, Pattern, graft
from trainers.search.units import Place, Wanted, unit_of

FORMS = {kind: kind_of(kind).form for kind in ROLES}
PAGES, TASKS, REQUESTS = (FORMS[kind] for kind in ("page_replacement", "cpu_scheduling", "io_scheduling"))


def features_in(pattern: Pattern, form: Form) -> list[str]:
    """Return the features that a pattern reads, each time it does."""
    part = parse_expression(pattern.source, form, pattern.function)
    return [node.name for node in walk(part) if isinstance(node, Name)]


@st.composite
def patterns(draw: st.DrawFn) -> tuple[Form, Pattern]:
    """Draw what search itself could grow in some function of some kind."""
    form = FORMS[draw(st.sampled_from(list(FORMS)))]
    function = form.functions[draw(st.sampled_from(list(form.functions)))]
    wanted: Wanted = draw(st.sampled_from([Place.TEST, *Unit]))
    grown = Grower(form, function, random.Random(draw(st.integers(0, 1 << 32)))).grow(wanted, draw(st.integers(1, 3)))
    unit = wanted.value if isinstance(wanted, Unit) else TEST
    return form, Pattern(function.name, expression_source(grown), unit, gain=0.1, uses=3)


@pytest.mark.parametrize("kind", [name for name, kind in kinds().items() if kind.package.startswith("trainers.")])
def test_every_feature_and_function_of_every_kind_has_one_role(kind: str) -> None:
    form, players = kind_of(kind).form, [name for some in ROLES[kind].values() for name in some]
    seen = {feature.name for function in form.functions.values() for feature in function.features}
    assert sorted(players) == sorted(seen | set(form.functions))


def test_every_role_but_none_is_played_in_two_kinds_at_least() -> None:
    for role in set(Role) - {Role.NONE}:
        assert sum(role in players for players in ROLES.values()) > 1, role


@settings(deadline=None, max_examples=150)
@given(patterns(), st.sampled_from(list(FORMS)), st.sampled_from([translate, scramble]), st.integers(0, 99))
def test_whatever_is_translated_is_well_typed_in_the_other_kind_and_can_be_grafted(
    given_: tuple[Form, Pattern], kind: str, read: object, seed: int
) -> None:
    (source, pattern), target = given_, FORMS[kind]
    try:
        said = translate(pattern, source, target) if read is translate else scramble(pattern, source, target)
    except Untranslatable as refusal:
        assert refusal.reason in {"function", "feature", "units", "scramble"}
        return
    function = target.functions[said.function]
    part = parse_expression(said.source, target, said.function)  # the language's own checker
    assert expression_source(part) == said.source
    assert well_typed(part, function)
    assert (said.unit == TEST) == (pattern.unit == TEST)
    if said.unit not in (TEST, Unit.FREE):
        assert unit_of(part, function) in (None, Unit(said.unit))
    assert said.uses == 0
    for program in classics(kind).values():
        grown = graft(said, program, random.Random(seed))
        assert grown is None or parse(canonical(grown), target) == grown


@settings(deadline=None, max_examples=150)
@given(patterns(), st.sampled_from(list(FORMS)))
def test_a_translation_keeps_every_role_and_a_scramble_none(given_: tuple[Form, Pattern], kind: str) -> None:
    (source, pattern), target = given_, FORMS[kind]
    try:
        right = translate(pattern, source, target)
        wrong = scramble(pattern, source, target)
    except Untranslatable:
        return
    before = features_in(pattern, source)
    for said, same in ((right, True), (wrong, False)):
        after = features_in(said, target)
        assert len(set(zip(before, after, strict=True))) == len(set(before)) == len(set(after))
        for one, other in zip(before, after, strict=True):
            assert (role_of(source.kind, one) is role_of(kind, other)) is same, (one, other)
    assert (wrong.function, wrong.unit) == (right.function, right.unit)
    assert role_of(source.kind, pattern.function) is role_of(kind, right.function)


@pytest.mark.parametrize(
    ("source", "target", "pattern", "said"),
    [
        (REQUESTS, TASKS, ("pick_score", "free", "(wait + cost) * 64 // cost"), "(wait + ewma) * 64 // ewma"),
        (TASKS, REQUESTS, ("on_wake", "free", "max(reg, min_reg - 9600)"), "max(sreg, min_sreg - 9600)"),
        (PAGES, REQUESTS, ("on_scan", TEST, "frequency > 1"), "sserved > 1"),
        (TASKS, PAGES, ("run_score", TEST, "used >= wait"), "units"),
        (PAGES, TASKS, ("on_scan", TEST, "queue == 0"), "feature"),
        (TASKS, PAGES, ("slice", "count", "24 * cpus // n_run"), "function"),
        (TASKS, PAGES, ("run_score", "time", "used + wait"), "units"),
    ],
)
def test_what_is_said_and_why_not(source: Form, target: Form, pattern: tuple[str, str, str], said: str) -> None:
    function, unit, text = pattern
    try:
        assert translate(Pattern(function, text, unit, 0.1), source, target).source == said
    except Untranslatable as refusal:
        assert refusal.reason == said


def test_a_scramble_is_the_same_each_time() -> None:
    pattern = Pattern("pick_score", "(wait + cost) * 64 // cost", "free", 0.1)
    assert scramble(pattern, REQUESTS, TASKS) == scramble(pattern, REQUESTS, TASKS)


def test_a_kind_without_roles_takes_nothing_from_another() -> None:
    stranger = Form("unheard_of", "form", PAGES.functions, PAGES.actions, PAGES.features_at)
    with pytest.raises(Untranslatable, match="function"):
        translate(Pattern("on_scan", "mark > 1", TEST, 0.1), PAGES, stranger)
