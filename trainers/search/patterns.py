"""Patterns: the sub-expressions that a good component cannot do without.

::

    best ──ablate──▶ replace a sub-expression by something plain of its type ──▶ what is lost is its gain
    a peer's Pattern ──graft──▶ the same function of another component, where the type fits

A pattern travels as source text and is read by the language's own checker before it is used.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass

from trainers.policy.kind import Form, Unit
from trainers.policy.parse import complete, parse_expression
from trainers.policy.source import expression_source
from trainers.policy.tree import (
    Act,
    Assign,
    Component,
    Const,
    Expression,
    If,
    Name,
    Node,
    Return,
    locals_of,
    names,
    size,
)
from trainers.search.population import Fitness, Individual
from trainers.search.units import Place, Site, replace_node, sites
from trainers.search.variation import sound, transplant

__all__ = ["PATTERN_NODES_MAX", "TEST", "Pattern", "ablate", "graft", "pattern_id"]

PATTERN_NODES_MAX = 15
TEST = "test"  # the unit of a pattern that is true or false


@dataclass(frozen=True, slots=True)
class Pattern:
    """A sub-expression with its evidence."""

    function: str
    source: str  # canonical text, over the function's features
    unit: str  # "test" or a unit's name
    gain: float  # score that was lost when it was replaced
    uses: int = 0  # new bests that it was grafted into, as far as known

    @property
    def id(self) -> str:
        """Return the SHA-256 of function and source, in hex: equal patterns have equal ids."""
        return pattern_id(self.function, self.source)


def pattern_id(function: str, source: str) -> str:
    """Return what names a pattern."""
    return hashlib.sha256(f"{function}: {source}".encode()).hexdigest()


def ablate(
    individual: Individual,
    evaluate: Callable[[Component], Fitness | None],
    *,
    evaluations_max: int = 24,
    gain_min: float = 0.002,
    rng: random.Random,
) -> list[Pattern]:
    """Return the sub-expressions whose loss costs at least ``gain_min``, the dearest first.

    Each is replaced by the plainest things of its type (a constant, a part of it); the best replacement
    counts, so a pattern's gain is what nothing plain makes up for. The whole is measured first, by the same
    ``evaluate``. Spends at most ``evaluations_max``.
    """
    form, whole = individual.component.form, complete(individual.component)
    found: dict[str, Pattern] = {}
    candidates = [(name, site) for name in individual.component.functions for site in _minable(form, individual, name)]
    rng.shuffle(candidates)
    intact = evaluate(individual.component)
    if intact is None:
        return []
    left = evaluations_max - 1
    for name, site in candidates:
        plain = _plain(site)
        if left < len(plain):
            break
        scores = [intact.score - 1.0]  # the dearest that a part is taken for, also where nothing fits its place
        for replacement in plain:
            changed = sound(form, replace_node(whole.functions[name], site.path, replacement))
            if changed is not None:
                left -= 1
                fitness = evaluate(individual.component.with_function(changed))
                scores.append(fitness.score if fitness else scores[0])
        gain = intact.score - max(scores)
        if gain >= gain_min and len(scores) > 1:
            assert not isinstance(site.node, (Assign, If, Return))  # noqa: S101 — _minable took expressions
            unit = site.wanted.value if isinstance(site.wanted, Unit) else TEST
            pattern = Pattern(name, expression_source(site.node), unit, gain)
            found.setdefault(pattern.id, pattern)
    return sorted(found.values(), key=lambda pattern: -pattern.gain)


def graft(pattern: Pattern, component: Component, rng: random.Random) -> Component | None:
    """Return the component with the pattern in its function, where its type fits; None where it does not.

    Raises `PolicyError` where the pattern's source is outside of the language.
    """
    form = component.form
    part = parse_expression(pattern.source, form, pattern.function)
    function = complete(component).functions[pattern.function]
    changed = transplant(part, function, form, rng, lambda site: _unit(site) == pattern.unit)
    return component.with_function(changed) if changed else None


def _unit(site: Site) -> str:
    return site.wanted.value if isinstance(site.wanted, Unit) else TEST if site.wanted is Place.TEST else ""


def _minable(form: Form, individual: Individual, name: str) -> list[Site]:
    """Return the sub-expressions that mean something by themselves: small, of features only, no bare leaf."""
    function = individual.component.functions[name]
    own = set(locals_of(function))
    return [
        site
        for site in sites(form, function)
        if _unit(site)
        and not isinstance(site.node, (Const, Name, Act))
        and size(site.node) <= PATTERN_NODES_MAX
        and names(site.node)
        and not own & names(site.node)
    ]


def _plain(site: Site) -> list[Expression]:
    """Return the plainest things that could stand there instead."""
    if site.wanted is Place.TEST:
        return [Const(0), Const(1)]
    leaf = next((node for node in _leaves(site.node) if isinstance(node, Name)), Const(0))
    return [leaf, Const(1)]


def _leaves(node: Node) -> list[Expression]:
    return [Name(name) for name in sorted(names(node))]
