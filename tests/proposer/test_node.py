"""A real node with a scripted endpoint: what the model proposes enters the search, and the budget holds."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click import Command
from click.testing import CliRunner

from mqtt_hub.spawn import NodePlan
from tests.node.fleet import SPECIALIZATION, Hub, RunningNode, make_home, until
from tests.proposer.endpoint import Says, endpoint
from trainers.arenas.classics import classics
from trainers.cli import main
from trainers.policy import canonical

HOSTILE = "```python\nimport os\nos.kill(1, 9)\n```"


def answer(name: str) -> Says:
    """Return an answer with one of the textbook's programs, and no word on what it cost."""
    return Says(f"```python\n{canonical(classics('page_replacement')[name])}```", usage=None)


@pytest.mark.long
def test_a_node_tries_what_a_model_proposes_until_the_budget_is_spent(tmp_path: Path) -> None:
    home = make_home(tmp_path / "hub", [NodePlan("AI_Node_1", "trainer", SPECIALIZATION)])
    says = [Says(HOSTILE, usage=(10, 10)), Says("no idea", usage=(10, 10))]
    says += [answer(name) for name in sorted(classics("page_replacement"))]
    with endpoint(*says) as served, Hub(home) as hub:
        options = ("--proposer", "llm", "--model", "m", "--llm-url", served.url, "--llm-tokens", "30000")
        with RunningNode(home, hub.port, "AI_Node_1", *options) as node:
            until(lambda: "the model's budget is spent" in node.log(), told=node.log)
            assert node.terminate() == 0
        told = re.search(r"asked (\d+) times, (\d+) answers were no programs, proposals: ({.*})", node.log())
    assert told is not None
    asked, refused, outcomes = told.groups()
    assert (int(asked), refused) == (len(served.asked), "2")
    assert len(served.asked) < 10  # each prompt has some 7,000 bytes
    assert outcomes != "{}"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--proposer llm", "needs a model"),
        ("--proposer llm --model m --llm-money 1", "needs prices"),
        ("--proposer llm --model m --llm-prices 1", "are no prices"),
        ("--proposer llm --model m --llm-prices 1,-2", "are no prices"),
        ("--proposer llm --model m --llm-key-file /nonexistent", "/nonexistent"),
    ],
)
def test_options_that_do_not_fit_are_one_clear_line(options: str, complaint: str) -> None:
    command: Command = main
    done = CliRunner().invoke(command, ["run", "--name", "AI_Node_1", *options.split()])
    assert done.exit_code == 2
    assert complaint in done.output
