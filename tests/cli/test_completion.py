"""The tab key, in a real bash on a terminal; zsh and fish by what they ask and are told."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.real_parts import need

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 60.0
PROMPT = "ready> "
MODULES = {"mqtt-hub": "mqtt_hub", "kernel-trainer": "trainers"}
DOCUMENTED = re.findall(r"```(bash|zsh|fish)\n(.*?)```", (ROOT / "docs" / "cli.md").read_text(), re.DOTALL)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which both programs are on the path, as an installation has them."""
    for name, module in MODULES.items():
        program = tmp_path / name
        program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {module} "$@"\n')
        program.chmod(0o755)
    return {
        **os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "PS1": PROMPT,
        "HOME": str(tmp_path), "TERM": "dumb",
    }  # fmt: skip


class Bash:
    """An interactive bash on a terminal of its own."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._terminal, theirs = pty.openpty()
        self._process = subprocess.Popen(
            ["bash", "--norc", "--noprofile", "-i"],
            stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.until(PROMPT)

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def until(self, text: str) -> str:
        """Return what appeared up to and with ``text``."""
        said, end = "", time.monotonic() + DEADLINE_S
        while text not in said:
            ready, _, _ = select.select([self._terminal], [], [], max(0.0, end - time.monotonic()))
            assert ready, f"{text!r} never came, but {said!r}"
            said += os.read(self._terminal, 4096).decode(errors="replace")
        return said

    def end(self) -> None:
        self._process.kill()
        self._process.wait(DEADLINE_S)
        os.close(self._terminal)


def test_bash_completes_commands_options_and_values_as_documented(environment: dict[str, str]) -> None:
    need("bash")
    bash = Bash(environment)
    try:
        lines = next(text for shell, text in DOCUMENTED if shell == "bash").splitlines()
        assert [line.split("=")[0].split("(")[1] for line in lines] == [
            "_MQTT_HUB_COMPLETE",
            "_KERNEL_TRAINER_COMPLETE",
        ]
        for line in lines:
            bash.type(line + "\n")
            bash.until(PROMPT)
        for keys, completed in (
            ("mqtt-hub arch\t", "archive "),
            ("ver\t", "verify "),
            ("--js\t", "--json "),
        ):
            bash.type(keys)
            bash.until(completed)
        bash.type("\x15kernel-trainer export --as po\t")
        bash.until("policy ")
    finally:
        bash.end()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("program", MODULES)
def test_every_shell_gets_a_script_by_the_documented_line(
    environment: dict[str, str], shell: str, program: str
) -> None:
    text = next(text for named, text in DOCUMENTED if named == shell)
    variable = f"_{program.upper().replace('-', '_')}_COMPLETE"
    assert f"{variable}={shell}_source {program}" in text
    done = subprocess.run(
        [program], env={**environment, variable: f"{shell}_source"},
        capture_output=True, text=True, check=True, timeout=DEADLINE_S,
    )  # fmt: skip
    assert f"{variable}={shell}_complete" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_what_a_shell_asks_at_the_tab_key_is_answered(environment: dict[str, str], shell: str) -> None:
    word = {"COMP_WORDS": "mqtt-hub sub", "COMP_CWORD": "sub" if shell == "fish" else "1"}
    done = subprocess.run(
        ["mqtt-hub"], env={**environment, **word, "_MQTT_HUB_COMPLETE": f"{shell}_complete"},
        capture_output=True, text=True, check=True, timeout=DEADLINE_S,
    )  # fmt: skip
    assert "submission" in done.stdout
    assert "archive" not in done.stdout
