"""The proposer over real HTTP: good answers, nonsense, hostile code, time-outs, limits, cuts; and what it may cost."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.node.fleet import until
from tests.proposer.endpoint import Endpoint, Says, endpoint
from trainers.arenas.evaluate import classics
from trainers.arenas.page_replacement.kind import FORM
from trainers.policy import canonical
from trainers.policy.tree import Component
from trainers.proposer import proposer as proposer_module
from trainers.proposer.answer import ANSWER_CHARACTERS_MAX, read_answer
from trainers.proposer.budget import Budget
from trainers.proposer.client import Answer, Client, Failed
from trainers.proposer.prompt import Situation, Told, messages, text_of
from trainers.proposer.proposer import Proposer

PROGRAM = canonical(classics("page_replacement")["sieve"])
GOOD = f"Sieve it is.\n```python\n{PROGRAM}```\n"
SITUATION = Situation(
    FORM, "orders", "orders", "LRU misses .2, the bound .1.", (Told(PROGRAM, "closes .412 of the gap"),)
)
LOG = logging.getLogger("tests.proposer")


@contextmanager
def proposing(url: str, *, tokens: int = 1_000_000, timeout_s: float = 20.0) -> Iterator[Proposer]:
    client = Client("m", url=url, key="s3cret", timeout_s=timeout_s)
    with Proposer(client, Budget(tokens, 10.0, prompt_price=1.0, answer_price=5.0), LOG) as proposer:
        yield proposer


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proposer_module, "PAUSE_S", 0.01)


def asked_until(proposer: Proposer, served: Endpoint, times: int) -> None:
    """Offer the situation until the endpoint has been asked so often."""

    def enough() -> bool:
        proposer.offer(SITUATION)
        return len(served.asked) >= times

    until(enough)


def ask(*answers: Says, timeout_s: float = 20.0) -> Answer | Failed:
    with endpoint(*answers) as served:
        return Client("m", url=served.url, key="k", timeout_s=timeout_s).ask(messages(SITUATION), 100)


def test_a_good_answer_becomes_a_checked_program() -> None:
    with endpoint(Says(GOOD)) as served, proposing(served.url) as proposer:
        proposer.offer(SITUATION)
        (proposal,) = until(proposer.take)
        assert (proposal.workload, canonical(proposal.component)) == ("orders", PROGRAM)
        assert (proposer.budget.tokens, served.asked[0]["path"]) == (120, "/v1/chat/completions")
        assert proposer.budget.money == pytest.approx((100 * 1.0 + 20 * 5.0) / 1e6)


def test_the_prompt_names_every_function_and_feature_and_the_best_program() -> None:
    told = text_of(messages(SITUATION))
    for function in FORM.functions.values():
        assert function.name in told
        assert all(f"{feature.name} ({feature.unit}" in told for feature in function.features)
    assert PROGRAM in told


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("I would rather talk about the weather.", "no complete ```python block"),
        ("```python\nimport os\nos.system('true')\n```", "Refused: line 1"),
        ("```python\ndef on_hit(mark):\n    while True:\n        pass\n```", "Refused: line 2"),
        ("```python\ndef on_hit(marc):\n    return keep(marc)\n```", "did you mean 'mark'"),
        ("```python\ndef on_hit(mark):\n    return keep(" + "(" * 500, "no complete ```python block"),
    ],
)
def test_what_is_no_program_is_refused_and_told_in_the_next_prompt(text: str, complaint: str) -> None:
    with endpoint(Says(text), Says(GOOD)) as served, proposing(served.url) as proposer:
        asked_until(proposer, served, 2)
        until(proposer.take)
        first, second = (text_of(asked["messages"]) for asked in served.asked[:2])
    assert complaint not in first
    assert complaint in second
    assert proposer.refused == 1


def test_what_became_of_a_proposal_is_told_in_the_next_prompt() -> None:
    with endpoint(Says(GOOD)) as served, proposing(served.url) as proposer:
        proposer.tell("orders", PROGRAM, "ran out of fuel")
        proposer.tell("another", PROGRAM, "no better")
        asked_until(proposer, served, 1)
    told = text_of(served.asked[0]["messages"])
    assert "ran out of fuel" in told
    assert "no better" not in told


def test_every_way_an_endpoint_fails_is_a_reason() -> None:
    assert ask(Says(silent=True), timeout_s=0.3) == Failed("timeout", "no answer in time")
    limited = ask(Says("slow down", status=429, headers={"retry-after": "7"}))
    assert isinstance(limited, Failed)
    assert (limited.reason, limited.retry_after_s) == ("busy", 7.0)
    for says, reason in (
        (Says("down", status=503), "busy"),
        (Says("who are you", status=401), "refused"),
        (Says("no such model", status=404), "refused"),
        (Says(GOOD, cut=True), "cut"),
    ):
        failed = ask(says)
        assert isinstance(failed, Failed), says
        assert failed.reason == reason
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    nobody = Client("m", url=f"http://127.0.0.1:{port}/v1", key="k").ask(messages(SITUATION), 100)
    assert isinstance(nobody, Failed)
    assert nobody.reason == "unreachable"


def test_an_endpoint_that_never_ends_is_cut_off() -> None:
    failed = ask(Says("x" * 300_000))
    assert isinstance(failed, Failed)
    assert failed.reason == "cut"


def test_after_a_rate_limit_it_asks_again_and_what_was_not_answered_costs_nothing() -> None:
    with endpoint(Says(status=429), Says(status=503), Says(GOOD)) as served, proposing(served.url) as proposer:
        asked_until(proposer, served, 3)
        until(proposer.take)
        assert proposer.budget.tokens == 120


def test_a_wrong_key_ends_the_questions() -> None:
    with endpoint(Says(status=401)) as served, proposing(served.url) as proposer:
        asked_until(proposer, served, 1)
        until(lambda: not proposer._thread.is_alive())
        proposer.offer(SITUATION)
        assert (len(served.asked), proposer.take()) == (1, [])


def test_no_call_is_made_that_could_pass_the_bound() -> None:
    prompt = len(text_of(messages(SITUATION)).encode()) + proposer_module.FRAME_TOKENS_MAX
    whole = prompt + proposer_module.ANSWER_TOKENS_MAX
    for tokens, calls in ((whole - 1, 0), (whole, 1)):
        with endpoint(Says(GOOD, usage=None)) as served, proposing(served.url, tokens=tokens) as proposer:
            proposer.offer(SITUATION)
            until(lambda: proposer._ended.is_set() or proposer.take())
            proposer.offer(SITUATION)
            if calls:  # no usage told: the reservation counts, so a second call is beyond the bound
                assert proposer.budget.tokens == whole
            until(lambda: _offered_to_the_end(proposer))
        assert len(served.asked) == calls


def _offered_to_the_end(proposer: Proposer) -> bool:
    proposer.offer(SITUATION)
    return not proposer._thread.is_alive()


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 500), st.floats(0, 1), st.floats(0, 1)), max_size=30),
    st.integers(0, 20_000),
    st.floats(0.001, 0.1),
)
def test_whatever_is_used_the_budget_is_never_passed(
    calls: list[tuple[int, int, float, float]], tokens: int, money: float
) -> None:
    budget = Budget(tokens, money, prompt_price=3.0, answer_price=15.0)
    for prompt, answer, prompt_share, answer_share in calls:
        reserved = budget.reserve(prompt, answer)
        assert budget.tokens <= tokens
        assert budget.money <= money + 1e-9
        if reserved is not None:
            budget.settle(reserved, int(prompt * prompt_share), int(answer * answer_share))
    assert 0 <= budget.tokens <= tokens


@settings(deadline=None, max_examples=200)
@given(st.text(max_size=400))
def test_any_answer_is_a_program_or_a_reason(text: str) -> None:
    for answer in (text, f"```python\n{text}\n```"):
        read = read_answer(answer, FORM)
        assert isinstance(read, Component) or read.outcome


def test_an_answer_is_read_up_to_its_bound() -> None:
    padding = "x" * (ANSWER_CHARACTERS_MAX - len(GOOD))
    assert isinstance(read_answer(padding + GOOD, FORM), Component)
    assert isinstance(read_answer("x" + padding + GOOD, FORM), Told)


def test_the_key_goes_to_the_endpoint_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    with endpoint(Says(status=401)) as served, proposing(served.url) as proposer, caplog.at_level(logging.DEBUG):
        asked_until(proposer, served, 1)
        until(lambda: not proposer._thread.is_alive())
    assert served.keys == ["Bearer s3cret"]
    assert "s3cret" not in caplog.text
