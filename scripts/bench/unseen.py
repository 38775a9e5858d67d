"""Page replacement on programs that nobody tuned to: record twice, search on one run, compare on the other.

    scripts/bench/unseen [--set SET] [--evaluations 1000] [--seed 1] [--program NAME …] [--halves]
                         [--recordings FOLDER] [--json]

Each program of a set (`programs*.py`) is recorded with strace as a user would, once to search with and, with another
input, once to judge by; `--halves` cuts the first recording in the middle instead. One counts where each part has
4,000 requests, the two differ, and Belady's algorithm misses at least .02 of the hidden part's requests less than
LRU: that is settled before anything is searched for, and the others are listed with their reason. *Best* is the one
of the textbook (programs and native ones) that turns out best on the hidden part, *picked* the one that was best on
the train part.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import orjson
from programs import PROGRAMS, Program
from programs_development import DEVELOPMENT
from programs_second import SECOND
from specialists import study

from trainers.arenas.classics import classics
from trainers.arenas.evaluator import Counters, Evaluator
from trainers.arenas.evaluators import Evaluators
from trainers.workloads.format import Workload, halves, read, save
from trainers.workloads.record_pages import record

KIND = "page_replacement"
SETS = {"first": PROGRAMS, "second": SECOND, "development": DEVELOPMENT}
REQUESTS_MIN = 4_000  # of a half
ROOM_MIN = 0.02  # misses a request between LRU and Belady on the hidden part
LOSS = 0.005  # misses a request: what the issue of a loss is drawn at


def argv(text: str) -> list[str]:
    """Return the command that runs a script of `programs.py`."""
    return [sys.executable, "-I", "-c", text] if text.startswith("#py") else ["sh", "-c", text]


def recording(name: str, program: Program, number: int, kept: Path | None) -> Workload:
    """Return a recording of the program with that input of its two: the one that is kept, else a new one."""
    file = kept / f"{name}.{number}.workload" if kept else None
    if file is not None and file.exists():
        return read(file)
    os.environ["INPUT"] = program.inputs[number]
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        if program.make:
            subprocess.run(argv(program.make), check=True, stdout=subprocess.DEVNULL)
        made = record(argv(program.run), name=name, origin=program.meaning).workload
    if file is not None:
        save(made, file)
    return made


def parts(name: str, program: Program, arguments: argparse.Namespace) -> tuple[Workload, Workload]:
    """Return what is searched with and what is judged by."""
    first = recording(name, program, 0, arguments.recordings)
    if arguments.halves:
        return halves(first)
    return replace(first, part="train"), replace(recording(name, program, 1, arguments.recordings), part="hidden")


def misses(evaluator: Evaluator, part: Workload) -> dict[str, float]:
    """Return the miss ratio of each baseline, the bound's too, and of each program that the search starts from."""
    evaluator.load(part)
    native = {name: evaluator.baseline(name, part.id, part.capacity) for name in evaluator.kind.runs}
    programs = {
        f"{name}, program": evaluator.run(program, part.id, part.capacity) for name, program in classics(KIND).items()
    }
    counted = {name: run for name, run in (native | programs).items() if isinstance(run, Counters)}
    return {name: run.values["misses"] / part.rows for name, run in counted.items()}


def row(name: str, program: Program, arguments: argparse.Namespace) -> dict[str, object]:
    """Return one program's figures, or why it does not count."""
    lacking = [tool for tool in program.needs if shutil.which(tool) is None]
    if lacking:
        return {"program": name, "left_out": f"{', '.join(lacking)} is not installed"}
    train, hidden = parts(name, program, arguments)
    if min(train.rows, hidden.rows) < REQUESTS_MIN:
        return {"program": name, "left_out": f"{train.rows:,} and {hidden.rows:,} requests"}
    if train.words == hidden.words:
        return {"program": name, "left_out": "the other input asks for the same pages"}
    with Evaluators() as evaluators:
        evaluator = evaluators.of(KIND)
        on_train, on_hidden = misses(evaluator, train), misses(evaluator, hidden)
    lru, bound = on_hidden["lru"], on_hidden["belady"]
    if lru - bound < ROOM_MIN:
        return {"program": name, "left_out": f"LRU {lru:.3f}, Belady {bound:.3f}"}
    textbook = [known for known in on_hidden if known != "belady"]
    picked, best = (min(textbook, key=ratios.__getitem__) for ratios in (on_train, on_hidden))
    found = study(KIND, train, hidden, arguments.evaluations, arguments.seed)
    mine = int(str(found["value"])) / hidden.rows
    return {
        "program": name, "requests": hidden.rows, "pages": hidden.size, "capacity": hidden.capacity,
        "lru": lru, "belady": bound, "picked": picked, "picked_ratio": on_hidden[picked],
        "best": best, "best_ratio": on_hidden[best], "chosen": mine, "gap_closed": (lru - mine) / (lru - bound),
        "gap_picked": (lru - on_hidden[picked]) / (lru - bound), "gap_best": (lru - on_hidden[best]) / (lru - bound),
        "source": found["source"],
    }  # fmt: skip


def rows(arguments: argparse.Namespace) -> Iterator[dict[str, object]]:
    """Yield a row a program, and write it as it is done."""
    for name, program in SETS[arguments.set].items():
        if not arguments.program or name in arguments.program:
            found = row(name, program, arguments)
            if arguments.json:
                print(orjson.dumps(found).decode(), flush=True)
            elif "left_out" in found:
                print(f"| {name} | left out: {found['left_out']} |", flush=True)
            else:
                cells = (
                    f"{found['lru']:.3f} | {found['picked']} {found['picked_ratio']:.4f}"
                    f" | {found['best']} {found['best_ratio']:.4f} | {found['chosen']:.4f}"
                    f" | {found['belady']:.3f} | {found['gap_closed']:.2f}"
                )
                print(f"| {name} | {found['requests']:,} | {cells} |", flush=True)
            if "left_out" not in found:
                yield found


def main() -> None:
    """Print a row a program, then how many were won and lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--evaluations", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--set", choices=SETS, default="first", help="of programs")
    parser.add_argument("--program", action="append", choices=[name for known in SETS.values() for name in known])
    parser.add_argument("--halves", action="store_true", help="one recording, cut in the middle")
    parser.add_argument("--recordings", type=Path, metavar="FOLDER", help="keep recordings there, and use those there")
    parser.add_argument("--json", action="store_true", help="a JSON object a line")
    arguments = parser.parse_args()
    if arguments.recordings:
        arguments.recordings = arguments.recordings.resolve()
        arguments.recordings.mkdir(parents=True, exist_ok=True)
    if not arguments.json:
        print("| program | requests | LRU | picked | best in hindsight | chosen | Belady | gap closed |")
        print("|---|---|---|---|---|---|---|---|")
    done = list(rows(arguments))
    if not done:
        sys.exit("nothing to compare")
    mine, best, picked = (
        [float(str(found[key])) for found in done] for key in ("chosen", "best_ratio", "picked_ratio")
    )
    total = {
        "programs": len(done),
        "below_best": sum(a < b for a, b in zip(mine, best, strict=True)),
        "below_picked": sum(a < b for a, b in zip(mine, picked, strict=True)),
        "lost_to_picked": sum(a > b + LOSS for a, b in zip(mine, picked, strict=True)),
        **{f"mean_{key}": sum(float(str(found[key])) for found in done) / len(done)
           for key in ("gap_closed", "gap_picked", "gap_best")},
    }  # fmt: skip
    print(orjson.dumps(total).decode())


if __name__ == "__main__":
    main()
