"""The options of ``kernel-trainer run`` that let a language model propose programs, and what they make."""

from __future__ import annotations

import importlib.util
import logging
import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mqtt_hub.protocol.errors import ConfigurationError

if TYPE_CHECKING:
    from trainers.proposer.adviser import Adviser

__all__ = ["ModelSettings", "advised", "model_options", "model_settings"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which model, where, and what it may cost. Prices are for a million tokens, in any currency."""

    model: str
    url: str | None
    key: str
    tokens_max: int
    money_max: float
    prompt_price: float
    answer_price: float


def model_options(command: F) -> F:
    """Add the options."""
    for option in reversed(
        (
            click.option(
                "--proposer",
                type=click.Choice(["none", "llm"]),
                default="none",
                show_default=True,
                help="Who proposes programs beside the search; llm: a language model, docs/llm.md.",
            ),
            click.option("--model", help="With --proposer llm: the model's name at the endpoint."),
            click.option("--llm-url", help="An OpenAI-compatible endpoint, e.g. http://127.0.0.1:11434/v1."),
            click.option(
                "--llm-key-file",
                type=click.Path(dir_okay=False, path_type=Path),
                help="File with the key; otherwise OPENAI_API_KEY; local models need none.",
            ),
            click.option("--llm-tokens", type=click.IntRange(1), default=200_000, show_default=True, help="Hard stop."),
            click.option("--llm-money", type=click.FloatRange(0), default=0.0, help="Hard stop, with --llm-prices."),
            click.option("--llm-prices", metavar="IN,OUT", help="For a million tokens of prompt and of answer."),
        )
    ):
        command = option(command)
    return command


def model_settings(
    proposer: str,
    model: str | None,
    llm_url: str | None,
    llm_key_file: Path | None,
    llm_tokens: int,
    llm_money: float,
    llm_prices: str | None,
) -> ModelSettings | None:
    """Return the settings, or None where no model is wanted; raises `ConfigurationError`."""
    if proposer == "none":
        return None
    if importlib.util.find_spec("openai") is None:
        raise ConfigurationError("the model's library is not installed", hint="pip install 'mqtt-hub[trainer,llm]'")
    if not model:
        raise ConfigurationError("--proposer llm needs a model", hint="--model NAME, as its endpoint calls it")
    if llm_money and not llm_prices:
        raise ConfigurationError("--llm-money needs prices", hint="--llm-prices IN,OUT for a million tokens")
    prompt_price, answer_price = _prices(llm_prices) if llm_prices else (0.0, 0.0)
    return ModelSettings(model, llm_url, _key(llm_key_file), llm_tokens, llm_money, prompt_price, answer_price)


@contextmanager
def advised(settings: ModelSettings | None, log: logging.Logger) -> Iterator[Adviser | None]:
    """Have a model advise while the body runs; nothing without settings."""
    if settings is None:
        yield None
        return
    from trainers.proposer.adviser import Adviser  # noqa: PLC0415 — an extra, and slow to import
    from trainers.proposer.budget import Budget  # noqa: PLC0415
    from trainers.proposer.client import Client  # noqa: PLC0415
    from trainers.proposer.proposer import Proposer  # noqa: PLC0415

    budget = Budget(
        settings.tokens_max,
        settings.money_max,
        prompt_price=settings.prompt_price,
        answer_price=settings.answer_price,
    )
    with Proposer(Client(settings.model, url=settings.url, key=settings.key), budget, log) as proposer:
        adviser = Adviser(proposer)
        yield adviser
        log.info(
            "the model was asked %d times, %d answers were no programs, proposals: %s; %d tokens, %.4f",
            proposer.asked, proposer.refused, dict(adviser.outcomes), budget.tokens, budget.money,
        )  # fmt: skip


def _prices(text: str) -> tuple[float, float]:
    try:
        prompt, answer = (float(price) for price in text.split(","))
    except ValueError:
        prompt = answer = math.nan
    if prompt >= 0 and answer >= 0:  # false for NaN too
        return prompt, answer
    raise ConfigurationError(f"{text!r} are no prices", hint="two numbers, e.g. 0.5,1.5")


def _key(path: Path | None) -> str:
    if path is None:
        return os.environ.get("OPENAI_API_KEY", "")
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}", hint="the file that holds the endpoint's key") from error
