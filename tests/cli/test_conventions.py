"""What every command keeps: an example that can be typed, an explanation of every option, JSON where there is data."""

from __future__ import annotations

import os
import pty
import re
import shlex
import subprocess
import sys
from itertools import takewhile

import click
import pytest
from reference.commands import examples, leaves

import mqtt_hub.cli
import trainers.cli
from mqtt_hub.protocol.findings import Finding, tell

PROGRAMS: dict[str, click.Command] = {"mqtt-hub": mqtt_hub.cli.main, "kernel-trainer": trainers.cli.main}
COMMANDS = {path: (command, context) for name in PROGRAMS for path, command, context in leaves(PROGRAMS[name], name)}
# What these print is no data: they run until they are stopped, write a file, or say in a line what they did.
WITHOUT_JSON = {
    "mqtt-hub": {
        "init", "serve", "spawn", "dashboard", "browse", "broker", "rules", "cert server", "cert client",
        "node add", "node rotate", "node revoke", "node quarantine", "node release", "submission reopen",
        "workload add", "archive backup",
    },
    "kernel-trainer": {
        "run", "export", "workload import", "workload record", "workload split", "workload generate",
        "workload bundled", "experiment figure",
    },
}  # fmt: skip
# What no program may load before it says what commands there are.
HEAVY = {"amqtt", "asyncio", "paho", "sqlite3", "sqlite_utils", "flask", "wasmtime", "orjson", "cryptography", "numpy"}


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_of_every_command_has_an_example_that_parses(path: str) -> None:
    command, _ = COMMANDS[path]
    typed = [shlex.split(line, comments=True) for line in examples(command)]
    own = [words for words in typed if " ".join(words).startswith(path)]
    assert own, f"{path} --help has no example"
    for words in own:
        given = takewhile(lambda word: word != ">", words[len(path.split()) :])
        command.make_context(path, list(given), resilient_parsing=False)


@pytest.mark.parametrize("path", COMMANDS)
def test_the_help_shows_its_examples_as_they_were_written(path: str) -> None:
    command, context = COMMANDS[path]
    context.terminal_width = context.max_content_width = 80
    shown = command.get_help(context)
    for line in examples(command):
        assert f"    {line}\n" in f"{shown}\n"


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_says_what_it_means(path: str) -> None:
    command, _ = COMMANDS[path]
    options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("path", COMMANDS)
def test_whatever_prints_data_prints_it_as_json_too(path: str) -> None:
    command, context = COMMANDS[path]
    program, _, name = path.partition(" ")
    choices = {option: option.type for option in command.params if isinstance(option.type, click.Choice)}
    forms = [kind for option, kind in choices.items() if "--as" in option.opts]
    speaks = any("--json" in option.opts for option in command.params) or any("json" in kind.choices for kind in forms)
    assert speaks is (name not in WITHOUT_JSON[program]), context.command_path


@pytest.mark.parametrize("module", ["mqtt_hub", "trainers"])
def test_the_list_of_commands_is_there_without_loading_any(module: str) -> None:
    asked = f"import sys; import {module}.cli as cli; cli.main(['--help'], standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True, timeout=60)
    *_, loaded = done.stdout.strip().split("\n")
    assert HEAVY & set(loaded.split()) == set()


@pytest.mark.parametrize("path", ["mqtt-hub", "kernel-trainer"])
def test_the_list_of_commands_names_those_that_there_are(path: str) -> None:
    program = PROGRAMS[path]
    listed = re.findall(r"^  ([a-z]+) {2,}\S", program.get_help(click.Context(program, info_name=path)), re.MULTILINE)
    there = list(dict.fromkeys(name.split()[1] for name in COMMANDS if name.startswith(f"{path} ")))
    assert [name for name in listed if name in there] == there


def first_line(*, colours: bool, terminal: bool) -> str:
    """Return what `mqtt-hub doctor` prints first, to a terminal or to a pipe."""
    environment = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    if not colours:
        environment["NO_COLOR"] = "1"
    ours, theirs = pty.openpty() if terminal else os.pipe()
    doctor = subprocess.Popen(
        [sys.executable, "-m", "mqtt_hub", "doctor", "--home", "/nowhere"],
        stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL, env={**environment, "TERM": "xterm"},
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while b"\n" not in said:
        piece = os.read(ours, 4096)
        assert piece, said
        said += piece
    doctor.kill()
    doctor.wait(60)
    os.close(ours)
    return said.decode().splitlines()[0]


def test_colours_are_for_terminals_and_for_those_who_want_them() -> None:
    assert first_line(colours=True, terminal=True).startswith("\x1b[32mok ")
    assert first_line(colours=True, terminal=False).startswith("ok ")
    assert first_line(colours=False, terminal=True).startswith("ok ")


def test_findings_go_to_standard_output_and_nothing_else_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert tell([Finding("clock", "ok", "right")], as_json=False) == 0
    said = capsys.readouterr()
    assert said.out == "ok       clock          right\n"
    assert said.err == ""
