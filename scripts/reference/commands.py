"""docs/cli.md: every command as click knows it, with the examples of its help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

__all__ = ["commands_markdown", "examples", "leaves"]

VERBATIM = "\b"  # click: the paragraph below keeps its lines


def leaves(program: click.Command, name: str) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield every command that does something, with its whole name and a context to ask it in."""
    yield from _below(program, click.Context(program, info_name=name))


def _below(command: click.Command, context: click.Context) -> Iterator[tuple[str, click.Command, click.Context]]:
    if not isinstance(command, click.Group):
        yield context.command_path, command, context
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        if found is not None and not found.hidden:
            yield from _below(found, click.Context(found, info_name=name, parent=context))


def commands_markdown(program: click.Command, name: str) -> str:
    """Return a program's commands: a table of them, and each with usage, options and examples."""
    found = list(leaves(program, name))
    lines = ["| command | what it does |", "|---|---|"]
    lines += [f"| [`{path}`](#{_anchor(path)}) | {_told(command)[0][0]} |" for path, command, _ in found]
    for path, command, context in found:
        lines += ["", f"### {path}", "", *_command(command, context)]
    return "\n".join(lines)


def examples(command: click.Command) -> list[str]:
    """Return the lines of a command's help that can be typed."""
    return [line for _, block in _paragraphs(command) for line in block]


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield from ("```text", usage, "```", "")
    for text, block in _paragraphs(command):
        if text:
            yield from (text, "")
        if block:
            yield from ("```sh", *block, "```", "")
    rows = [row for option in command.get_params(context) if (row := _option(option, context))]
    if rows:
        yield from ("| option | meaning |", "|---|---|", *rows)
    else:
        yield "No options."


def _option(option: click.Parameter, context: click.Context) -> str | None:
    record = option.get_help_record(context)
    if not isinstance(option, click.Option) or record is None or "--help" in option.opts:
        return None
    names, meaning = (part.replace("|", "\\|") for part in record)
    meaning = re.sub(r"default: \((.*)\)", r"default: \1", meaning)  # click marks what is no literal value so
    meaning = re.sub(r"\s*\[(.*)\]$", r" (\1)", meaning).strip()
    return f"| `{names}` | {meaning} |"


def _told(command: click.Command) -> list[tuple[str, list[str]]]:
    """Return what comes before the first example."""
    return [(text.split("\n")[0], block) for text, block in _paragraphs(command)] or [("", [])]


def _paragraphs(command: click.Command) -> list[tuple[str, list[str]]]:
    """Return a help text as paragraphs, each with the lines below it that can be typed."""
    told: list[tuple[str, list[str]]] = []
    for paragraph in re.split(r"\n{2,}", inspect.cleandoc(command.help or "").strip()):
        if not paragraph.startswith(VERBATIM):
            told.append((" ".join(paragraph.split()), []))
            continue
        lines = paragraph.removeprefix(VERBATIM).strip("\n").split("\n")
        text = " ".join(line for line in lines if not line.startswith(" "))
        told.append((text, [line.strip() for line in lines if line.startswith(" ")]))
    return told


def _anchor(path: str) -> str:
    return path.replace(" ", "-")
