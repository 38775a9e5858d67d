"""The recordings that come with the trainers, fetched by calling their program: the hub never imports them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import orjson

from mqtt_hub.protocol.errors import MqttHubError
from mqtt_hub.workload_store import StoredWorkload, WorkloadStore

__all__ = ["add_bundled", "kernel_trainer", "specializations"]

COMMAND_S_MAX = 60.0


def kernel_trainer(*arguments: str, codes: tuple[int, ...] = (0,)) -> bytes:
    """Run a kernel-trainer command and return what it prints; raises `MqttHubError` for a code not in ``codes``."""
    done = subprocess.run(
        [sys.executable, "-m", "trainers", *arguments], capture_output=True, timeout=COMMAND_S_MAX, check=False
    )
    if done.returncode not in codes:
        complaint = done.stderr.decode(errors="replace").strip().splitlines()
        raise MqttHubError(
            f"kernel-trainer {arguments[0]} failed: {complaint[-1] if complaint else done.returncode}",
            hint="is the trainer extra installed? pip install '.[hub,trainer]'",
        )
    return done.stdout


def specializations() -> list[str]:
    """Return what nodes can specialize in and find recordings for, each once, in the trainers' order."""
    kinds = [orjson.loads(line) for line in kernel_trainer("kinds", "--json").splitlines()]
    return list(dict.fromkeys(name for kind in kinds if kind["workloads"] for name in kind["specializations"]))


def add_bundled(store: WorkloadStore) -> list[StoredWorkload]:
    """Put the bundled recordings, train and hidden parts, into the hub's store."""
    with tempfile.TemporaryDirectory(prefix="mqtt-hub-") as directory:
        kernel_trainer("workload", "bundled", "--output", directory)
        return [store.add(path.read_bytes()) for path in sorted(Path(directory).glob("*.workload"))]
