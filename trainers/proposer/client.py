"""One question to an OpenAI-compatible endpoint, streamed; every way it can fail is a value.

The library is ``openai``: it knows the protocol, time-outs and proxies. Retries are ours, because they cost money.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

import openai
from openai.types.chat import ChatCompletionMessageParam

from mqtt_hub.protocol.errors import ConfigurationError

__all__ = ["Answer", "Client", "Failed"]

TIMEOUT_S = 120.0  # between two pieces of an answer
ANSWER_BYTES_MAX = 256 * 1024  # read of one answer: an endpoint may send without end


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; the tokens are 0 where the endpoint did not tell."""

    text: str
    prompt_tokens: int = 0
    answer_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """Why nothing usable came back. ``busy`` passes by itself; ``refused`` will not."""

    reason: Literal["timeout", "busy", "cut", "refused", "unreachable"]
    detail: str
    retry_after_s: float = 0.0


class Client:
    """A model at an address."""

    def __init__(self, model: str, *, url: str | None, key: str, timeout_s: float = TIMEOUT_S) -> None:
        """``url`` None: OpenAI's own. Raises `ConfigurationError`."""
        try:
            self._openai = openai.OpenAI(api_key=key or "none", base_url=url, timeout=timeout_s, max_retries=0)
        except (openai.OpenAIError, ValueError) as error:
            raise ConfigurationError(f"the model cannot be asked: {error}", hint="look at --llm-url") from error
        self._model = model

    def ask(self, messages: Sequence[dict[str, str]], answer_tokens_max: int) -> Answer | Failed:
        """Ask once; never raises for what an endpoint or the network does."""
        try:
            return self._stream(messages, answer_tokens_max)
        except openai.APITimeoutError:
            return Failed("timeout", "no answer in time")
        except openai.RateLimitError as error:
            return Failed("busy", _detail(error), _retry_after_s(error))
        except openai.APIConnectionError as error:
            return Failed("unreachable", str(error.__cause__ or error))
        except openai.APIStatusError as error:
            return Failed("busy" if error.status_code >= 500 else "refused", _detail(error), _retry_after_s(error))
        except openai.APIError as error:
            return Failed("cut", str(error))
        except Exception as error:  # noqa: BLE001 — a stream cut in the middle comes as any of a dozen libraries' errors
            return Failed("cut", f"{type(error).__name__}: {error}")

    def _stream(self, messages: Sequence[dict[str, str]], answer_tokens_max: int) -> Answer | Failed:
        pieces: list[str] = []
        size, finished, usage = 0, False, None
        with self._openai.chat.completions.create(
            model=self._model,
            messages=cast("list[ChatCompletionMessageParam]", list(messages)),
            max_tokens=answer_tokens_max,
            stream=True,
            stream_options={"include_usage": True},
        ) as stream:
            for event in stream:
                usage = event.usage or usage
                for choice in event.choices:
                    pieces.append(choice.delta.content or "")
                    finished = finished or choice.finish_reason is not None
                    size += len(pieces[-1].encode())
                if size > ANSWER_BYTES_MAX:
                    return Failed("cut", f"more than {ANSWER_BYTES_MAX} bytes of answer")
        if not finished:
            return Failed("cut", "the answer ended in the middle")
        told = (usage.prompt_tokens, usage.completion_tokens) if usage else (0, 0)
        return Answer("".join(pieces), *told)


def _detail(error: openai.APIStatusError) -> str:
    return f"HTTP {error.status_code}: {error.message}"[:300]


def _retry_after_s(error: openai.APIStatusError) -> float:
    try:
        return max(0.0, float(error.response.headers.get("retry-after", 0)))
    except ValueError:
        return 0.0
