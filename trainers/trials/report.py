"""What came of trials, for people (text), for programs (JSON) and for continuous integration (JUnit XML)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from xml.etree import ElementTree as ET

from mqtt_hub.protocol.bodies import HiddenScore
from trainers.arenas.kind import Kind
from trainers.policy import component_id
from trainers.search.objective import gap_closed
from trainers.trials.trial import Outcome, Subject, Trial

__all__ = ["Report"]

MARKS = {"passed": "ok", "failed": "FAILED", "skipped": "-"}
FIGURES_SHOWN_MAX = 8


@dataclass(frozen=True, slots=True)
class Report:
    """Trials with their outcomes, and what they were about."""

    kind: Kind
    where: str  # the file, for people
    component: str  # its id; empty where the source is none
    results: Sequence[tuple[Trial, Outcome]]
    scores: Sequence[HiddenScore]

    @classmethod
    def of(cls, subject: Subject, where: str, results: Sequence[tuple[Trial, Outcome]]) -> Report:
        """Return the report on a subject that was tried."""
        name = component_id(subject.component) if subject.component is not None else ""
        return cls(subject.kind, where, name, results, subject.scores)

    @property
    def passed(self) -> bool:
        """Say whether nothing failed."""
        return all(outcome.outcome != "failed" for _, outcome in self.results)

    def text(self) -> str:
        """Return a line a test, then a line a hidden workload."""
        lines = [f"{self.where}: {self.kind.name} {self.component[:12]}".rstrip()]
        for trial, outcome in self.results:
            lines.append(f"  {trial.name:<13}{MARKS[outcome.outcome]:<8}{outcome.reason or trial.meaning}")
            shown = list(outcome.figures.items())[:FIGURES_SHOWN_MAX]
            lines += [f"  {'':<21}{name} {value:g}" for name, value in shown]
        if self.scores:
            lines += [
                "",
                f"  {'hidden workload':<20}{'it has':>12}{'best baseline':>26}{'bound':>12}{'gap closed':>12}",
            ]
        for score in self.scores:
            best = min(score.baselines, key=lambda name: (score.baselines[name], name))
            lines.append(
                f"  {score.workload:<20}{self._shown(score, score.value):>12}"
                f"{f'{self._shown(score, score.baselines[best])} {best}':>26}"
                f"{self._shown(score, score.bound):>12}{_gap(self.kind, score):>12.3f}"
            )
        return "\n".join(lines)

    def json(self) -> dict[str, Any]:
        """Return everything, as ``kernel-trainer check --json`` prints it."""
        return {
            "kind": self.kind.name,
            "component": self.component,
            "passed": self.passed,
            "tests": [{"name": trial.name, **asdict(outcome)} for trial, outcome in self.results],
            "hidden": [{**asdict(score), "gap_closed": _gap(self.kind, score)} for score in self.scores],
        }

    def junit(self) -> bytes:
        """Return JUnit XML: a test suite, a test case a test."""
        counts = [outcome.outcome for _, outcome in self.results]
        suites = ET.Element("testsuites")
        suite = ET.SubElement(
            suites,
            "testsuite",
            name=f"{self.kind.name} {self.where}",
            tests=str(len(counts)),
            failures=str(counts.count("failed")),
            skipped=str(counts.count("skipped")),
            errors="0",
        )
        for trial, outcome in self.results:
            case = ET.SubElement(
                suite, "testcase", classname=f"{self.kind.name}.{self.component[:12]}", name=trial.name
            )
            if outcome.outcome != "passed":
                ET.SubElement(case, "failure" if outcome.outcome == "failed" else "skipped", message=outcome.reason)
        ET.indent(suites)
        xml: bytes = ET.tostring(suites, encoding="utf-8", xml_declaration=True)
        return xml

    def _shown(self, score: HiddenScore, value: float) -> str:
        return f"{self.kind.shown.of(int(value), score.requests):.4f}"


def _gap(kind: Kind, score: HiddenScore) -> float:
    return round(gap_closed(int(score.value), int(score.baselines[kind.baseline]), int(score.bound)), 4)
