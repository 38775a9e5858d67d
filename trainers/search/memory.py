"""What a search remembers within a bound: what it ever evaluated, and what its final measures came to.

::

    Known      first come, first forgotten; counts what was added, so that a checkpoint keeps only what is new
    Measured   a measure that remembers its last results: the same finalists meet it round after round

Both are part of a search's state: with another memory it would evaluate other candidates, and count others.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, TypeVar

from trainers.policy.source import component_id
from trainers.policy.tree import Component
from trainers.search.population import Fitness

__all__ = ["Known", "Measured", "fitness_of", "fitness_state", "forget_oldest"]

Key = TypeVar("Key")
Value = TypeVar("Value")


class Known(Mapping[Key, Value]):
    """At most ``size_max`` things by name, oldest first; what is known stays as it was first told."""

    def __init__(self, size_max: int) -> None:
        self.size_max = size_max
        self.added = 0  # ever, the forgotten too
        self._kept: dict[Key, Value] = {}

    def __getitem__(self, key: Key) -> Value:
        return self._kept[key]

    def __iter__(self) -> Iterator[Key]:
        return iter(self._kept)

    def __len__(self) -> int:
        return len(self._kept)

    def add(self, key: Key, value: Value) -> None:
        """Remember; beyond the bound the oldest is forgotten."""
        if key in self._kept:
            return
        self._kept[key] = value
        self.added += 1
        forget_oldest(self._kept, self.size_max)

    def since(self, added: int) -> list[tuple[Key, Value]]:
        """Return what is kept of all that came after the first ``added``, oldest first."""
        newest = list(islice(reversed(self._kept.items()), self.added - added))
        return newest[::-1]

    def resume(self, added: int, kept: Iterable[tuple[Key, Value]]) -> None:
        """Remember what another remembered."""
        self._kept, self.added = dict(kept), added


class Measured:
    """``evaluate``, and the results of the last ``size_max`` components."""

    def __init__(self, evaluate: Callable[[Component], Fitness | None], size_max: int) -> None:
        self._evaluate, self._size_max = evaluate, size_max
        self._results: OrderedDict[str, Fitness | None] = OrderedDict()

    def __call__(self, component: Component) -> Fitness | None:
        """Return the component's fitness, evaluated where it is not remembered."""
        name = component_id(component)
        if name in self._results:
            self._results.move_to_end(name)
            return self._results[name]
        found = self._results[name] = self._evaluate(component)
        if len(self._results) > self._size_max:
            self._results.popitem(last=False)
        return found

    def state(self) -> list[Any]:
        """Return what is remembered, as JSON takes it."""
        return [[name, fitness and fitness_state(fitness)] for name, fitness in self._results.items()]

    def resume(self, state: list[Any]) -> None:
        """Remember what `state` told."""
        self._results = OrderedDict((name, told and fitness_of(told)) for name, told in state)


def forget_oldest(memory: dict[Any, Any], most: int) -> None:
    """Keep of a dictionary at most so many entries: those that came last."""
    while len(memory) > most:
        del memory[next(iter(memory))]


def fitness_state(fitness: Fitness) -> list[Any]:
    """Return a fitness as JSON takes it."""
    return [fitness.score, fitness.digest, dict(fitness.counters)]


def fitness_of(state: list[Any]) -> Fitness:
    """Return the fitness that `fitness_state` told."""
    score, digest, counters = state
    return Fitness(score, digest, counters)
