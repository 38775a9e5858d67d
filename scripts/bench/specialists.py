#!/usr/bin/env python3
"""One study a workload of a kind, as a node alone would do it, and what its choice does on the hidden part.

    scripts/bench/specialists --kind cpu_scheduling --evaluations 1000 --seed 1 [--workload NAME …] [--json]

Beside it stand the program of the textbook that was best on the train part, which is what a careful user would have
picked, and the one that turns out best on the hidden part. Ratios are of the kind's value: below one is better.

With ``--ceiling`` the search climbs the hidden part itself: no result, but what form and search could come to at most,
to be held against what they come to from the train part.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from math import exp, log

import orjson

from trainers.arenas.classics import classics
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.kind import Values
from trainers.arenas.registry import kind_of
from trainers.policy import Component, canonical
from trainers.search.island import Island
from trainers.search.objective import Objective
from trainers.search.settings import Settings
from trainers.search.slices import probe
from trainers.study import Meter, Study
from trainers.workloads.format import Workload


def counted(evaluator: Evaluator, program: Component, workload: Workload) -> tuple[Values, Values]:
    """Return the counters of a program on a workload, and those of the kind's default baseline."""
    evaluator.load(workload)
    yardstick = evaluator.baseline(evaluator.kind.baseline, workload.id, workload.capacity)
    outcome = evaluator.run(program, workload.id, workload.capacity)
    if not isinstance(outcome, Counters):
        sys.exit(f"{workload.name}: {outcome.reason}: {outcome.detail}")
    return outcome.values, yardstick.values


def value(evaluator: Evaluator, program: Component, workload: Workload) -> int:
    """Return the kind's value of a program on a workload."""
    return evaluator.kind.value(*counted(evaluator, program, workload))


def study(kind: str, train: Workload, hidden: Workload, evaluations: int, seed: int) -> dict[str, object]:
    """Search on the train part, choose, and compare on the hidden part."""
    textbook = classics(kind)
    programs = list(textbook.values())
    started = time.process_time()
    with Evaluators() as evaluators:
        rng = random.Random(f"{seed} {train.name}")
        found = Study(train, seeds=programs, rivals=programs, meter=Meter(evaluators), rng=rng)
        found.island.run(evaluations)
        choice = found.choose()
        if choice is None:
            sys.exit(f"{train.name}: nothing ran to its end")
        evaluator = evaluators.of(kind)
        on_train = {name: value(evaluator, program, train) for name, program in textbook.items()}
        on_hidden = {name: value(evaluator, program, hidden) for name, program in textbook.items()}
        picked, best = (min(values, key=values.__getitem__) for values in (on_train, on_hidden))
        mine, limit = value(evaluator, choice.component, hidden), evaluator.kind.limit
        return {
            "workload": train.name,
            "value": mine,
            "refused": limit(*counted(evaluator, choice.component, hidden)) if limit else "",
            "train_value": value(evaluator, choice.component, train),
            "picked": picked,
            "picked_value": on_hidden[picked],
            "best": best,
            "best_value": on_hidden[best],
            "against_picked": mine / on_hidden[picked],
            "against_best": mine / on_hidden[best],
            "origin": choice.individual.origin,
            "parent_s": round(time.process_time() - started, 1),
            "source": canonical(choice.component),
        }


def ceiling(kind: str, hidden: Workload, evaluations: int, seed: int) -> dict[str, object]:
    """Search on the hidden part itself."""
    textbook = classics(kind)
    with Evaluators() as evaluators:
        evaluator = evaluators.of(kind)
        on_hidden = {name: value(evaluator, program, hidden) for name, program in textbook.items()}
        plain = replace(evaluator.kind, search_value=None)

        def on(capacity: int, start: int, stop: int | None) -> Objective:
            return Objective(evaluator, plain, hidden.id, capacity, start=start, stop=stop)

        objective, tell = on(hidden.capacity, 0, None), probe(on, hidden)
        rng = random.Random(f"ceiling {seed} {hidden.name}")
        settings = Settings.of(evaluator.kind)
        island = Island(evaluator.kind.form, list(textbook.values()), objective, rng, settings, probe=tell)
        island.run(evaluations)
        top = max(island.population, key=lambda member: member.score)
        mine, best = value(evaluator, top.component, hidden), min(on_hidden, key=on_hidden.__getitem__)
        return {
            "workload": hidden.name,
            "value": mine,
            "best": best,
            "best_value": on_hidden[best],
            "bound": objective.bound,
            "against_best": mine / on_hidden[best],
            "source": canonical(top.component),
        }


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield one study's figures after the other."""
    parts = {(found.name, found.part): found for found in bundled(arguments.kind)}
    for name in sorted({name for name, _ in parts}):
        if not arguments.workload or name in arguments.workload:
            pair = parts[name, "train"], parts[name, "hidden"]
            rest = arguments.evaluations, arguments.seed
            yield ceiling(arguments.kind, pair[1], *rest) if arguments.ceiling else study(arguments.kind, *pair, *rest)


def main() -> None:
    """Print a row a workload as it is done, then the geometric means."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", required=True)
    parser.add_argument("--evaluations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workload", action="append")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--ceiling", action="store_true", help="climb the hidden part itself; implies --json")
    arguments = parser.parse_args()
    if arguments.ceiling:
        for row in rows(arguments):
            print(orjson.dumps(row).decode(), flush=True)
        return
    kind, ratios = kind_of(arguments.kind), []
    if not arguments.json:
        print(f"| workload | {kind.metric} | picked on train | ratio | best in hindsight | ratio |")
        print("|---|---|---|---|---|---|")
    for row in rows(arguments):
        ratios.append((float(row["against_picked"]), float(row["against_best"])))  # type: ignore[arg-type]
        if arguments.json:
            print(orjson.dumps(row).decode(), flush=True)
            continue
        picked, best = (
            f"{row[name]} {row[f'{name}_value']:,} | {row[f'against_{name}']:.3f}" for name in ("picked", "best")
        )
        print(f"| {row['workload']} | {row['value']:,} | {picked} | {best} |", flush=True)
    means = [exp(sum(map(log, column)) / len(ratios)) for column in zip(*ratios, strict=True)]
    if not arguments.json:
        print(f"| geometric mean | | | {means[0]:.3f} | | {means[1]:.3f} |")


if __name__ == "__main__":
    main()
