"""docs/component-tests.md: what a component must pass."""

from __future__ import annotations

from trainers.trials import TRIALS

__all__ = ["trials_markdown"]


def trials_markdown() -> str:
    """Return one line a test of components."""
    lines = ["| stage | test | what it says |", "|---|---|---|"]
    return "\n".join([*lines, *(f"| {trial.stage} | `{trial.name}` | {trial.meaning} |" for trial in TRIALS)])
