"""docs/exit-codes.md: what an exit code means, from the tree of errors."""

from __future__ import annotations

import mqtt_hub.cli
import trainers.cli
from mqtt_hub.protocol.errors import MqttHubError
from reference.commands import leaves

__all__ = ["exits_markdown"]

# What no error of the tree says.
OTHERS = {
    0: ["done", "Ctrl-C in a command that runs until then; `serve`, `dashboard` and `run`: SIGTERM too"],
    1: [
        "`doctor` found a problem; in `kernel-trainer check` a test failed",
        "Ctrl-C in a command that was to come to an end by itself; the reader of a pipe went away",
    ],
    2: ["an option or a command that there is not, or a value that does not fit"],
    5: ["`mqtt-hub archive verify` found a fault"],
}


def exits_markdown() -> str:
    """Return one line an exit code."""
    said = {code: list(causes) for code, causes in OTHERS.items()}
    for name, program in (("mqtt-hub", mqtt_hub.cli.main), ("kernel-trainer", trainers.cli.main)):
        list(leaves(program, name))  # which imports every command, and so every error that one may end with
    for error in MqttHubError.__subclasses__():
        said.setdefault(error.exit_code, []).append(f"{_first(error)} (`{error.__name__}`)")
    lines = ["| exit code | what happened |", "|---|---|"]
    return "\n".join([*lines, *(f"| {code} | {'<br>'.join(said[code])} |" for code in sorted(said))])


def _first(error: type[MqttHubError]) -> str:
    text = (error.__doc__ or "").split("\n")[0].split(";")[0].replace("``", "`").rstrip(".")
    return text[0].lower() + text[1:]
