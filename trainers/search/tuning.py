"""Local search of constants: one to three of a program's numbers moved by a sixteenth up to fourfold, nothing else.

A mutation changes a constant now and then, by a quarter or a factor of two, and mostly something else with it; where
what is left to gain is how much to weigh what, as between a wait and a cost, most of them are lost steps.
"""

from __future__ import annotations

import random

from trainers.policy.kind import Form
from trainers.policy.parse import complete
from trainers.policy.simplify import idle_functions
from trainers.policy.tree import Component, Const
from trainers.search.units import replace_node, sites
from trainers.search.variation import sound

__all__ = ["tune"]

_SIXTEENTHS = (4, 8, 12, 14, 15, 17, 18, 20, 24, 32, 64)
_SMALL_MAX = 7  # to here steps are of one
_MOVED = (1, 1, 2, 3)


def tune(component: Component, form: Form, rng: random.Random) -> Component:
    """Return the component with some constants moved; itself where it has none that matters."""
    whole = complete(component)
    idle = idle_functions(component)
    for _ in range(rng.choice(_MOVED)):
        places = [
            (name, site)
            for name, function in whole.functions.items()
            if name not in idle
            for site in sites(form, function)
            if isinstance(site.node, Const)
        ]
        if not places:
            break
        name, site = rng.choice(places)
        assert isinstance(site.node, Const)  # noqa: S101 — what was looked for
        moved = Const(_near(site.node.value, rng))
        good = sound(form, replace_node(whole.functions[name], site.path, moved))
        if good is not None:
            whole, component = whole.with_function(good), component.with_function(good)
    return component


def _near(value: int, rng: random.Random) -> int:
    """Return a number near ``value``: one more or less, or so many sixteenths of it."""
    if abs(value) <= _SMALL_MAX:
        return value + rng.choice((-1, 1))
    return value * rng.choice(_SIXTEENTHS) // 16
