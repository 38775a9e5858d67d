#!/usr/bin/env python3
"""What work claims are worth: fleets of trainers that go round all workloads, and such that claim theirs.

    scripts/bench/claims --kind page_replacement --nodes 4 --evaluations 1000 --seeds 6 [--workload NAME …] [--arm …]

Trainers' own parts in one process, without the messages: `Studies` begins them, `Claims` says whose turn it is, and
what `findings` tells is offered to the others as it would arrive. Whoever has spent least is next. A score is the gap
closed on a hidden part by the choice of the node whose own evidence is best; seeds are paired, both arms have the same
budget, and what a trainer spends on choices and on the textbook it is measured against is in it.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from hashlib import sha256
from pathlib import Path
from statistics import fmean

import orjson

from mqtt_hub.protocol.table import MessageType
from trainers.arenas.evaluate import bundled
from trainers.arenas.evaluators import Evaluators
from trainers.arenas.registry import kind_of
from trainers.checkpoint import Checkpoint
from trainers.claims import CLAIM_S, Claims
from trainers.experiment.member import hidden_score
from trainers.experiment.memory import RememberingEvaluators
from trainers.experiment.settings import Pair
from trainers.experiment.statistics import effect
from trainers.letters import Letter, findings
from trainers.library import Library
from trainers.search.final import Choice
from trainers.studies import Studies, TrainerSettings
from trainers.study import Meter, Study
from trainers.workloads.format import write

# Whether they claim, and from how many classics each study starts.
ARMS = {"rounds": (False, 4), "claims": (True, 4), "rounds-all": (False, 99), "claims-all": (True, 99)}


class Trainer:
    """One node's search, without its connection."""

    def __init__(
        self, name: str, settings: TrainerSettings, kind: str, library: Library, meter: Meter, checkpoint: Checkpoint
    ) -> None:
        self.name, self.meter, self.turn = name, meter, 0
        self.settings = settings
        log = logging.getLogger(name)
        self.studies = Studies(name, {kind: kind_of(kind)}, self.settings, library, meter, checkpoint, log)
        self.studies.make()
        self.claims = Claims(name, clock=lambda: 0.0)

    def round(self, evaluations_max: int) -> list[Letter]:
        """Search one round; return what it found."""
        order = {study.workload.id: study for study in self.studies.in_order()}
        study = order[self.claims.choose(tuple(order), self.turn)]
        self.turn += 1
        study.adopt_waiting()
        until = min(evaluations_max, self.meter.evaluations + self.settings.round_evaluations)
        while self.meter.evaluations < until:
            study.island.step()
        return findings(study, self.name)

    def hear(self, sender: Trainer, letters: Sequence[Letter]) -> None:
        """Take up what another found, as when it arrives."""
        for letter in letters:
            if letter.type is MessageType.CODE_SHARE:
                self.studies.offer_program(letter.body, sender.name)
            elif letter.type is MessageType.PATTERN_SHARE:
                self.studies.offer_pattern(letter.body, sender.name)


def fleet(
    arm: str, kind: str, library: Library, evaluators: Evaluators, nodes: int, budget: int, seed: int
) -> list[Trainer]:
    """Return the trainers of a fleet when all have spent their budget."""
    claiming, starts = ARMS[arm]
    trainers = []
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        for number in range(1, nodes + 1):
            name, log = f"AI_Node_{number}", logging.getLogger("fleet")
            checkpoint = stack.enter_context(closing(Checkpoint(Path(place) / f"{name}.db", {}, log)))
            settings = TrainerSettings(seed=1000 * seed + number, seeds=starts)
            trainers.append(Trainer(name, settings, kind, library, Meter(evaluators), checkpoint))
    while searching := [trainer for trainer in trainers if trainer.meter.evaluations < budget]:
        trainer = min(searching, key=lambda one: one.meter.evaluations)
        letters = trainer.round(budget)
        gone = trainer.meter.evaluations >= budget
        claimed = trainer.claims.to_tell() if claiming else None
        for other in trainers:
            if other is not trainer:
                other.hear(trainer, letters)
                if claimed is not None or gone:
                    other.claims.hear(trainer.name, 1, claimed or (), 0 if gone else CLAIM_S)
    return trainers


def handed_over(studies: Sequence[Study]) -> Choice | None:
    """Return the choice with the best evidence of all who searched."""
    choices = [study.choose() for study in studies if study.island.best is not None]
    return max((choice for choice in choices if choice), key=lambda choice: choice.mean, default=None)


def rows(arguments: argparse.Namespace, pairs: Sequence[Pair]) -> Iterator[dict[str, object]]:
    """Yield a row for each seed, arm and workload."""
    with tempfile.TemporaryDirectory() as place:
        for data in (write(pair.train) for pair in pairs):
            (Path(place) / f"{sha256(data).hexdigest()}.workload").write_bytes(data)
        library = Library(Path(place))
        for seed in range(arguments.first, arguments.first + arguments.seeds):
            with RememberingEvaluators() as evaluators:
                for arm in arguments.arm:
                    trainers = fleet(
                        arm, arguments.kind, library, evaluators, arguments.nodes, arguments.evaluations, seed
                    )
                    for pair in pairs:
                        studies = [trainer.studies.by_id[pair.train.id] for trainer in trainers]
                        spent = [study.island.evaluations for study in studies]
                        choice, kind = handed_over(studies), kind_of(arguments.kind)
                        score = hidden_score(evaluators, kind, pair, choice.component) if choice else 0.0
                        row = {"seed": seed, "arm": arm, "workload": pair.train.name}
                        yield row | {"hidden": score, "evidence": choice.mean if choice else 0.0, "evaluations": spent}


def told(scores: dict[str, dict[str, list[float]]], arm: str) -> str:
    """Return an arm's mean, and what it adds to the first arm, with its intervals."""
    control = next(iter(scores.values()))
    differences = {
        name: [mine - theirs for mine, theirs in zip(values, control[name], strict=False)]
        for name, values in scores[arm].items()
    }
    mean, added = fmean(map(fmean, scores[arm].values())), effect(differences)
    return (
        f"{arm:<12}{mean:6.3f}  {added.mean:+.3f} [{added.seeds.low:+.3f} {added.seeds.high:+.3f}] over seeds"
        f" [{added.workloads.low:+.3f} {added.workloads.high:+.3f}] over workloads too"
    )


def main() -> None:
    """Print each score as it is there, then each arm's effect against the first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", default="page_replacement")
    parser.add_argument("--nodes", type=int, default=4)
    parser.add_argument("--evaluations", type=int, default=1000, help="of each node, over all workloads")
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--workload", action="append")
    parser.add_argument("--arm", action="append", choices=list(ARMS))
    arguments = parser.parse_args()
    arguments.arm = arguments.arm or ["rounds", "claims"]
    parts = {(found.name, found.part): found for found in bundled(arguments.kind)}
    names = [name for name, part in parts if part == "train" and name in (arguments.workload or [name])]
    pairs = [Pair(parts[name, "train"], parts[name, "hidden"]) for name in names]
    found = {
        what: {arm: {name: list[float]() for name in names} for arm in arguments.arm} for what in ("hidden", "evidence")
    }
    for row in rows(arguments, pairs):
        print(orjson.dumps(row).decode(), flush=True)
        for what, scores in found.items():
            scores[str(row["arm"])][str(row["workload"])].append(float(row[what]))  # type: ignore[arg-type]
    for what, scores in found.items():
        for arm in arguments.arm:
            print(f"{what:<9} {told(scores, arm)}")


if __name__ == "__main__":
    main()
