"""The docs say what the code does: tables, links, every command line in them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import click
import pytest

import mqtt_hub.cli
import trainers.cli
from mqtt_hub.protocol.codec import decode
from mqtt_hub.protocol.describe import topic_pattern
from mqtt_hub.protocol.table import MessageType

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
PROGRAMS: dict[str, click.Command] = {"mqtt-hub": mqtt_hub.cli.main, "kernel-trainer": trainers.cli.main}


def typed(line: str) -> list[str]:
    """Return the words that a shell hands over: without its comment, and what follows a redirection or a pipe."""
    return list(takewhile(lambda word: word not in {">", "<", "|", "&&"}, shlex.split(line, comments=True)))


def command_lines() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        for block in re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL):
            for line in block.splitlines():
                words = typed(line)
                if words and words[0] in PROGRAMS:
                    found.append((page.name, line))
    return found


def test_topics_md_and_asyncapi_are_what_the_code_says() -> None:
    subprocess.run([sys.executable, str(ROOT / "scripts" / "build_docs"), "--check"], check=True, cwd=ROOT)


@pytest.mark.parametrize("type_", list(MessageType))
def test_topics_md_names_every_message_with_its_topic(type_: MessageType) -> None:
    text = (ROOT / "topics.md").read_text()
    assert f"| {type_} | `{topic_pattern(type_)}` |" in text
    assert f"### {type_}\n" in text


def test_the_envelope_shown_in_topics_md_is_one_that_the_codec_takes() -> None:
    examples = re.findall(r"```json\n(.*?)```", (ROOT / "topics.md").read_text(), re.DOTALL)
    assert examples
    for example in examples:
        assert decode(example.encode()).sender == "AI_Node_1"


@pytest.mark.parametrize(("page", "line"), command_lines())
def test_every_command_line_in_the_docs_parses(page: str, line: str) -> None:
    name, *words = typed(line)
    command, context = PROGRAMS[name], None
    while True:
        context = command.make_context(name, list(words), parent=context)
        if not isinstance(command, click.Group):
            return
        name, *words = [*context._protected_args, *context.args]
        found = command.get_command(context, name)
        assert found is not None, f"{page}: {line}: there is no command {name}"
        command = found


def test_links_between_pages_lead_somewhere() -> None:
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert not broken


def test_no_page_names_a_place_outside_the_project() -> None:
    for page in PAGES:
        assert "../shared" not in page.read_text(), page
