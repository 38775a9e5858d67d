"""What `verify` tells: faults, and gaps that are no fault."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["FAULTS_A_CHECK_MAX", "Fault", "Report"]

FAULTS_A_CHECK_MAX = 100  # told; one more line says that there are more


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it must be."""

    check: str
    facts: str


@dataclass(slots=True)
class Report:
    """What was found; an archive without faults may have open gaps: messages still on their way."""

    messages: int = 0
    rejected: int = 0
    pruned: int = 0
    open_gaps: list[str] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether the archive is what it says it is."""
        return not self.faults
