"""An evaluator a kind, started when it is first needed: a node may serve several kinds, and most serve one."""

from __future__ import annotations

from typing import Self

from trainers.arenas.evaluator import Evaluator
from trainers.arenas.process import engine_of

__all__ = ["Evaluators"]


class Evaluators:
    """Evaluators by kind; a context manager that closes them all. ``engine`` is as for `Evaluator`."""

    def __init__(self, *, engine: str = "auto") -> None:
        self.engine = engine_of(engine)
        self._evaluators: dict[str, Evaluator] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for evaluator in self._evaluators.values():
            evaluator.close()

    def of(self, kind: str) -> Evaluator:
        """Return the kind's evaluator. Raises `EvaluationError` where there is no such kind."""
        if kind not in self._evaluators:
            self._evaluators[kind] = Evaluator(kind, engine=self.engine)
        return self._evaluators[kind]
