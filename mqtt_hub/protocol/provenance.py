"""The head of an exported component: what it is, whose it is, and what was made of it.

Both sides write it: a node from a file, the hub from its archive.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

__all__ = ["Provenance"]

TEXT_CHARACTERS_MAX = 300


@dataclass(frozen=True, slots=True)
class Provenance:
    """What is known of a component; what is not known is not written."""

    kind: str
    component: str  # its id
    authors: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    target: str = ""
    verdict: str = ""
    # hidden workload: (value, the best baseline's name and value, bound)
    scores: Mapping[str, tuple[float, str, float, float]] = field(default_factory=dict)

    def lines(self) -> Iterator[str]:
        """Yield what is known, a line each."""
        yield f"{self.kind} component {self.component}"
        for name, values in (("authors", self.authors), ("parents", self.parents)):
            if values:
                yield f"{name}: {', '.join(values)}"
        if self.target:
            yield f"made for: {self.target}"
        if self.verdict:
            yield f"verdict: {self.verdict}"
        for workload, (value, best, theirs, bound) in self.scores.items():
            yield f"hidden part of {workload}: {value:.15g}; best baseline {best} {theirs:.15g}; bound {bound:.15g}"

    def c(self, text: str) -> str:
        """Return C with the head as a comment."""
        return "\n".join(["/*", *(f" * {_plain(line).replace('*/', '* /')}" for line in self.lines()), " */", text])

    def policy(self, text: str) -> str:
        """Return source with the head as comments; reading it gives the same component."""
        return "\n".join([*(f"# {_plain(line)}" for line in self.lines()), text])


def _plain(line: str) -> str:
    """Return the line without what could end a comment or move a terminal's cursor."""
    return "".join(character if character.isprintable() else " " for character in line)[:TEXT_CHARACTERS_MAX]
