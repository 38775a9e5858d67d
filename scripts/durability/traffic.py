"""What happens to a fleet in an ordinary hour, from a seed: nothing that is not meant to be survived.

::

    every 20 s   the network cuts the connection of a talking trainer, in the middle of whatever it says
    every 60 s   the last of them is killed, and comes back 5 s later
    every 30 s   an observer comes and reads everything, or goes
    every 30 s   somebody looks at the dashboard; in the warm-up every 2 s, so that each of its threads has worked once:
                 they take turns, and each keeps its stack
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from urllib.error import URLError
from urllib.request import urlopen

from parts import ROOT, Fleet

from tests.node.proxy import Proxy

__all__ = ["Traffic"]

CUT_EVERY_S = 20.0
KILL_EVERY_S = 60.0
AWAY_S = 5.0
OBSERVE_EVERY_S = 30.0
LOOK_EVERY_S, LOOK_EARLY_S = 30.0, 2.0
ANSWER_S_MAX = 10.0


class Traffic:
    """Does what is due; ``happened`` counts it."""

    def __init__(self, fleet: Fleet, proxies: list[Proxy], seed: int, warm_up_s: float) -> None:
        self._fleet, self._proxies, self._rng = fleet, proxies, random.Random(seed)
        self._warm_up_s = warm_up_s
        self._visitor = fleet.talkers[-1]
        self._observer: subprocess.Popen[bytes] | None = None
        self.happened: Counter[str] = Counter()
        self._due: list[tuple[float, float, Callable[[], None]]] = [
            (CUT_EVERY_S, CUT_EVERY_S, self._cut),
            (KILL_EVERY_S, KILL_EVERY_S, self._kill),
            (KILL_EVERY_S + AWAY_S, KILL_EVERY_S, self._visitor.start),
            (OBSERVE_EVERY_S / 2, OBSERVE_EVERY_S, self._observe_or_go),
        ]
        self._look_due_s = LOOK_EARLY_S

    def go_on(self, now_s: float) -> None:
        """Do what is due so long after the start."""
        for place, (due_s, every_s, do) in enumerate(self._due):
            if now_s >= due_s:
                self._due[place] = (due_s + every_s, every_s, do)
                do()
        if now_s >= self._look_due_s:
            self._look_due_s += LOOK_EARLY_S if now_s < self._warm_up_s else LOOK_EVERY_S
            self._look()

    def close(self) -> None:
        """Let the observer go."""
        if self._observer is not None:
            self._observer.terminate()
            self._observer.wait()
            self._observer = None

    def _cut(self) -> None:
        self._rng.choice(self._proxies).cut()
        self.happened["connections cut"] += 1

    def _kill(self) -> None:
        self._visitor.kill()
        self.happened["trainers killed"] += 1

    def _observe_or_go(self) -> None:
        if self._observer is not None:
            self.close()
            return
        self._observer = subprocess.Popen(
            [sys.executable, "-m", "mqtt_hub", "tail", "--home", str(self._fleet.home.path)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=ROOT,
        )  # fmt: skip
        self.happened["observers"] += 1

    def _look(self) -> None:
        with suppress(URLError, OSError):
            address = self._fleet.home.dashboard_path.read_text().strip()
            with urlopen(address, timeout=ANSWER_S_MAX) as answer:  # noqa: S310 — its own address, loopback
                answer.read()
            self.happened["looks at the dashboard"] += 1
