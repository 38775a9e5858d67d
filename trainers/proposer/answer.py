"""From a model's answer to a checked component, or to the reason why there is none."""

from __future__ import annotations

import re

from trainers.policy.errors import PolicyError
from trainers.policy.kind import Form
from trainers.policy.parse import parse
from trainers.policy.tree import Component
from trainers.proposer.prompt import Told

__all__ = ["read_answer"]

ANSWER_CHARACTERS_MAX = 64 * 1024
SHOWN_CHARACTERS_MAX = 2_000  # of a failure in the next prompt: it costs tokens
_BLOCK = re.compile(r"```[a-zA-Z]*[ \t]*\n(.*?)```", re.DOTALL)


def read_answer(text: str, form: Form) -> Component | Told:
    """Return the program in the last code block, or what was wrong, as the next prompt tells it."""
    if len(text) > ANSWER_CHARACTERS_MAX:
        return Told("", f"The answer had {len(text)} characters; at most {ANSWER_CHARACTERS_MAX} are read.")
    blocks = _BLOCK.findall(text)
    if not blocks:
        return Told(text[:SHOWN_CHARACTERS_MAX], "There was no complete ```python block in the answer.")
    source = blocks[-1]
    try:
        return parse(source, form)
    except PolicyError as error:
        return Told(source[:SHOWN_CHARACTERS_MAX], f"Refused: {error}")
