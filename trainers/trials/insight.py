"""What no verdict hangs on, but people want to know: which features matter, and whether the C does the same."""

from __future__ import annotations

import shutil

from trainers.arenas.errors import EvaluationError
from trainers.arenas.evaluator import Counters
from trainers.arenas.native import COMPILERS, compiled
from trainers.policy.arithmetic import clamp
from trainers.policy.source import parameters
from trainers.policy.tree import Assign, Component, Const, FunctionDef
from trainers.search.objective import gap_closed
from trainers.trials.trial import Outcome, Subject, Trial, failed, passed, skipped

__all__ = ["ABLATIONS_MAX", "Ablation", "CompiledC"]

ABLATIONS_MAX = 32  # runs


class Ablation(Trial):
    """Hold one feature of one function at nothing, and see what is lost."""

    name = "ablation"
    meaning = "informative: how much of the gap is lost when a function does not see one of its features"
    stage = 4
    judges = False

    def run(self, subject: Subject) -> Outcome:
        """Measure on the first workload that it is meant for; the dearest feature first."""
        kind, whole = subject.kind, subject.parsed
        pairs = [(f, name) for f in whole.functions.values() for name in parameters(kind.form, f)]
        workloads = subject.aimed(subject.train)
        if not pairs or not workloads:
            return skipped("it sees no feature" if workloads else "no workload was given")
        workload = workloads[0]
        intact = subject.run(workload)
        if not isinstance(intact, Counters):
            return skipped("it does not run")
        ends = subject.yardstick.baselines(workload)
        losses = {}
        for function, name in pairs[:ABLATIONS_MAX]:
            outcome = subject.evaluator.run(_without(whole, function, name), workload.id, workload.capacity)
            if isinstance(outcome, Counters):
                with_it, without = (subject.yardstick.value(counters, workload) for counters in (intact, outcome))
                loss = gap_closed(with_it, ends[kind.baseline], ends[kind.bound])
                loss -= gap_closed(without, ends[kind.baseline], ends[kind.bound])
                losses[f"{function.name}.{name}"] = round(loss, 4)
        dear = dict(sorted(losses.items(), key=lambda item: (-item[1], item[0])))
        return passed(dear, reason=f"share of the gap on {workload.name} that is lost without")


def _without(whole: Component, function: FunctionDef, name: str) -> Component:
    """Return the component with a feature held at what is nearest to 0: a local of its name hides it."""
    feature = whole.form.functions[function.name].feature(name)
    if feature is None:
        raise AssertionError(name)
    hidden = Assign(name, Const(clamp(0, feature.low, feature.high)))
    return whole.with_function(FunctionDef(function.name, (hidden, *function.body)))


class CompiledC(Trial):
    """Compile what a kernel developer would read, and run it in the arena."""

    name = "c"
    meaning = "the C compiles under gcc and clang without a warning and takes the same decisions"
    stage = 4
    judges = False

    def run(self, subject: Subject) -> Outcome:
        """Compare on the first workload with every compiler that is installed."""
        installed = [name for name in COMPILERS if shutil.which(name)]
        if not installed or not subject.train:
            return skipped("neither gcc nor clang is installed" if subject.train else "no workload was given")
        workload = subject.train[0]
        expected = subject.run(workload)
        if not isinstance(expected, Counters):
            return skipped("it does not run")
        for compiler in installed:
            try:
                with compiled(subject.parsed, compiler=compiler) as native:
                    found = native.run(workload, workload.capacity)
            except EvaluationError as error:
                return failed(error.facts)
            if not isinstance(found, Counters) or (found.values, found.digest) != (expected.values, expected.digest):
                return failed(f"{workload.name}: compiled by {compiler} it does something else")
        return passed(reason=f"with {' and '.join(installed)}")
