"""What the model may cost: tokens and money, reserved before a call, so that the bound is never passed.

::

    reserve(upper bound of a call) ── too much ──▶ Exhausted: nothing is sent
         └─▶ call ─▶ settle(what the endpoint says it used)     no usage told: the whole reservation counts
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Budget", "Reservation"]


@dataclass(frozen=True, slots=True)
class Reservation:
    """An upper bound of one call."""

    prompt_tokens: int
    answer_tokens: int


class Budget:
    """Tokens, and money at the given prices; 0 money means no price is known and tokens alone count."""

    def __init__(
        self,
        tokens_max: int,
        money_max: float = 0.0,
        *,
        prompt_price: float = 0.0,
        answer_price: float = 0.0,
    ) -> None:
        """``money_max`` in the currency of the prices, which are for a million tokens."""
        self.tokens_max, self.money_max = tokens_max, money_max
        self._prices = prompt_price, answer_price
        self.tokens = 0
        self.money = 0.0

    def reserve(self, prompt_bytes: int, answer_tokens: int) -> Reservation | None:
        """Set aside what a call may cost at most; None where that would pass a bound.

        No tokenizer makes more tokens of a text than it has bytes.
        """
        wanted = Reservation(prompt_bytes, answer_tokens)
        tokens, money = self.tokens + prompt_bytes + answer_tokens, self.money + self._cost(wanted)
        if tokens > self.tokens_max or (self.money_max and money > self.money_max):
            return None
        self.tokens, self.money = tokens, money
        return wanted

    def settle(self, reserved: Reservation, prompt_tokens: int, answer_tokens: int) -> None:
        """Replace a reservation by what was really used."""
        used = Reservation(prompt_tokens, answer_tokens)
        self.tokens += prompt_tokens + answer_tokens - reserved.prompt_tokens - reserved.answer_tokens
        self.money += self._cost(used) - self._cost(reserved)

    def _cost(self, call: Reservation) -> float:
        prompt, answer = self._prices
        return (call.prompt_tokens * prompt + call.answer_tokens * answer) / 1e6
