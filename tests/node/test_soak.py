"""The soak's verdict on memory lines that are known, and the whole of it in its shortest form."""

from __future__ import annotations

import importlib
import json
import math
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.node.fleet import ROOT

SCRIPTS = ROOT / "scripts" / "durability"
MINUTES = [number / 6 for number in range(240)]  # forty, a sample every ten seconds


@pytest.fixture(scope="module")
def trend() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        return importlib.import_module("trend")


@settings(deadline=None, max_examples=30)
@given(slope=st.floats(-1000, 1000), start=st.floats(0, 1e6))
def test_a_straight_line_has_its_slope(trend: Any, slope: float, start: float) -> None:
    found = trend.trend(MINUTES, [start + slope * minute for minute in MINUTES])
    assert math.isclose(found.slope, slope, abs_tol=1e-6)
    assert found.bound < 1e-3


@pytest.mark.parametrize(
    ("slope", "noise_kib", "verdict"), [(0, 50, "flat"), (30, 50, "grows"), (1, 5, "flat"), (14, 500, "unclear")]
)
def test_noise_around_a_line_does_not_change_what_it_is(
    trend: Any, slope: float, noise_kib: float, verdict: str
) -> None:
    rng = random.Random(3)
    found = trend.trend(MINUTES, [40_000 + slope * minute + rng.gauss(0, noise_kib) for minute in MINUTES])
    assert abs(found.slope - slope) < 2 * found.bound
    assert found.against(16) == verdict


def test_memory_that_wanders_is_less_sure_than_memory_that_jumps_as_far(trend: Any) -> None:
    rng = random.Random(4)
    jumps = [rng.gauss(0, 20) for _ in MINUTES]
    wanders, at = [], 0.0
    for step in jumps:
        at = 0.95 * at + step
        wanders.append(at)
    scale = math.sqrt(sum(value**2 for value in wanders) / sum(value**2 for value in jumps))
    sure, unsure = (trend.trend(MINUTES, values).bound for values in ([scale * jump for jump in jumps], wanders))
    assert unsure > 3 * sure


def test_memory_that_goes_up_by_single_steps_has_a_bound(trend: Any) -> None:
    steps = trend.trend(MINUTES, [40_000 + 40 * (minute > 13) + 40 * (minute > 31) for minute in MINUTES])
    assert abs(steps.slope - 2) < 1e-9 + steps.bound < 4
    rising = trend.trend(MINUTES, [float(int(minute / 2) * 100) for minute in MINUTES])
    assert (steps.against(16), rising.against(16)) == ("flat", "grows")


def test_of_a_few_points_nothing_is_said(trend: Any) -> None:
    found = trend.trend(MINUTES[:5], [1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.against(1e9) == "unclear"


@pytest.mark.long
def test_in_its_shortest_form_it_loses_nothing_and_says_that_it_was_too_short(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable, SCRIPTS / "soak.py", "--minutes", "0.2", "--trainers", "2",
            "--json", tmp_path / "soak.json", "--plot", tmp_path / "soak.svg",
        ],
        capture_output=True, text=True, timeout=150, check=False, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    report = json.loads((tmp_path / "soak.json").read_text())
    assert (report["lost"], report["doubled"], report["verify"], report["verdict"]) == (0, 0, "ok", "unclear")
    assert report["accepted"] == report["archived"] > 20
    assert {"hub", "hub, dashboard", "Load_1", "AI_Node_1", "Validator_1"} <= {
        line["process"] for line in report["processes"]
    }
    assert report["happened"]["looks at the dashboard"] >= 1
    assert (tmp_path / "soak.svg").read_text().count("<polyline") > 10
