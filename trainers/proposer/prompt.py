"""What the model is told: the kind, what it may see, the best programs so far, and what its last ones came to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainers.policy.kind import Form, Function

__all__ = ["Situation", "Told", "messages"]

FAILURES_MAX = 4  # the latest; older ones have been answered
PARENTS_MAX = 3
_RULES = """\
You write scheduling and caching policies for an operating system's kernel, in a small subset of Python:
- 64-bit integers only. No loops, imports, attributes, strings, floats, lists, or calls but those named here.
- Statements: assignment, if/elif/else, return. Every path of a function returns.
- Operators: + - * // % << >> comparisons and/or/not, `a if test else b`, min, max, abs, ilog2. x // 0 is 0.
- A function's parameters are the features it wants: any subset of those listed for it, by their exact names.
- Define only functions named below; leave out what shall keep its default. At most 60 lines.
- Compare and add only like with like: time with time, count with count, size with size.
Answer with one complete program in one ```python block, and at most three sentences before it.
"""


@dataclass(frozen=True, slots=True)
class Told:
    """A program and what became of it."""

    source: str
    outcome: str  # "closes .412 of the gap", or why it was refused


@dataclass(frozen=True, slots=True)
class Situation:
    """Where a study stands: all that a proposal may build on."""

    form: Form
    workload: str  # its id; the trace itself is never sent
    title: str  # its name
    about: str  # counters of the workload and its baselines, in words
    parents: tuple[Told, ...]  # best first
    failures: tuple[Told, ...] = ()  # of earlier proposals, latest last


def messages(situation: Situation) -> list[dict[str, str]]:
    """Return the conversation in the form of the chat completions API."""
    return [
        {"role": "system", "content": _RULES + "\n" + _kind(situation.form)},
        {"role": "user", "content": _task(situation)},
    ]


def _kind(form: Form) -> str:
    lines = [f"Component kind {form.kind}, form {form.name}. The functions, each with what it may return and see:"]
    for function in form.functions.values():
        lines += ["", f"{function.name}: {function.meaning}. Returns {_returns(form, function)}.", "Features:"]
        lines += [f"  {f.name} ({f.unit}, {f.low}..{f.high}): {f.meaning}" for f in function.features]
        lines.append(f"Default:\n{function.default}")
    return "\n".join(lines)


def _returns(form: Form, function: Function) -> str:
    if not function.actions:
        return f"an integer, clamped to {function.low}..{function.high}"
    actions = (form.actions[name] for name in function.actions)
    return "one of " + ", ".join(
        f"{action.name}({', '.join(name for name, *_ in action.arguments)})" for action in actions
    )


def _task(situation: Situation) -> str:
    parts = [f"Workload {situation.title}. {situation.about}", "The best programs so far:"]
    parts += [_told(one) for one in situation.parents[:PARENTS_MAX]]
    if situation.failures:
        parts.append("Proposals of yours that did not do:")
        parts += [_told(one) for one in situation.failures[-FAILURES_MAX:]]
    parts.append("Propose one program that closes more of the gap. Change the idea, not only constants.")
    return "\n\n".join(parts)


def _told(one: Told) -> str:
    return f"```python\n{one.source}\n```\n{one.outcome}"


def text_of(conversation: Sequence[dict[str, str]]) -> str:
    """Return all that is sent, as one text: what a budget is reckoned from."""
    return "\n".join(message["content"] for message in conversation)
