"""The numbers that an island is run with: what was measured once for all kinds, and what a kind says of its own."""

from __future__ import annotations

from dataclasses import dataclass

from trainers.arenas.kind import Kind

__all__ = ["Settings"]


@dataclass(frozen=True, slots=True)
class Settings:
    """What the search is tuned by; the defaults are measured (``trainers/search/README.md``)."""

    population_max: int = 70
    tournament: int = 4
    parsimony: float = 0.0005  # of the gap, a node
    crossover_share: float = 0.3
    graft_share: float = 0.1  # where there are patterns
    changes_mean: float = 1.6
    patterns_max: int = 64  # the oldest is forgotten first
    known_max: int = 100_000  # sources, and behaviours on the probe, remembered
    tries_max: int = 100  # variants of known source before a step evaluates one again
    probes_max: int = 8  # variants of known behaviour, where there is a probe, before a step evaluates one again
    probe_margin: float | None = None  # of score on the probe: what is farther behind the best is not evaluated

    @classmethod
    def of(cls, kind: Kind) -> Settings:
        """Return what a kind says of its search."""
        return cls(parsimony=kind.form.growth.parsimony, probes_max=kind.probes_max, probe_margin=kind.probe_margin)
