"""A node installs and runs without the hub's dependencies, and a hub without the nodes'."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import mqtt_hub

HUB_ONLY = ("amqtt", "argon2", "sqlite_utils", "uvloop", "websockets", "transitions", "cryptography")
TRAINER_ONLY = ("wasmtime",)


def run_without(blocked: tuple[str, ...], code: str) -> str:
    block = f"import sys\nfor name in {blocked!r}: sys.modules[name] = None\n"
    done = subprocess.run([sys.executable, "-c", block + code], check=True, capture_output=True, text=True, timeout=60)
    return done.stdout


def test_a_trainer_runs_without_any_of_the_hubs_packages() -> None:
    said = run_without(
        HUB_ONLY, "from trainers.cli import main; main(['run', '--help'], standalone_mode=False, prog_name='x')"
    )
    assert "--token-file" in said


def test_a_hub_runs_without_any_of_the_trainers_packages() -> None:
    said = run_without(
        TRAINER_ONLY, "from mqtt_hub.cli import main; main(['serve', '--help'], standalone_mode=False, prog_name='x')"
    )
    assert "--home" in said


def test_the_import_contract_names_every_part_of_the_hub() -> None:
    """A new module of the hub must not be open to trainers by being forgotten in pyproject.toml."""
    import tomllib
    from pathlib import Path

    text = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    forbidden = next(item for item in contracts if item["source_modules"] == ["trainers"])["forbidden_modules"]
    parts = {f"mqtt_hub.{module.name}" for module in pkgutil.iter_modules(mqtt_hub.__path__)}
    assert set(forbidden) == parts - {"mqtt_hub.protocol", "mqtt_hub.__main__"}
