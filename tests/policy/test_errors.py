"""What the language leaves out is refused with its place and a hint; the bounds hold to the unit."""

from __future__ import annotations

import random

import pytest

from mqtt_hub.protocol.errors import MqttHubError
from trainers.arenas.page_replacement.kind import FORM
from trainers.policy import PolicyError, canonical, complete, interpret, parse
from trainers.policy.tree import DEPTH_MAX, NODES_MAX, SOURCE_BYTES_MAX, size

HIT = "def on_hit(mark):\n    "
# (source, line, column, words that the message must hold)
REFUSED = [
    ("", 1, 1, "no function"),
    ("x = 1\n", 1, 1, "top level"),
    ('"""text"""\n', 1, 1, "top level"),
    ("import os\n", 1, 1, "import"),
    ("def on_hit(mark:\n", 1, 11, "not Python"),
    ("def on_hit():\n return keep(1)\n  return keep(2)\n", 3, 1, "not Python"),
    ("def on_git(mark):\n    return keep(1)\n", 1, 1, "did you mean 'on_hit'"),
    ("def on_hit(marc):\n    return keep(1)\n", 1, 12, "did you mean 'mark'"),
    ("def on_hit(ghost_age):\n    return keep(1)\n", 1, 12, "sees no 'ghost_age'"),
    (HIT + "return keep(1)\n\n" + HIT + "return keep(1)\n", 4, 1, "twice"),
    ("async def on_hit(mark):\n    return keep(1)\n", 1, 1, "async"),
    ("@x\ndef on_hit(mark):\n    return keep(1)\n", 1, 2, "decorator"),
    ("def on_hit(mark=1):\n    return keep(1)\n", 1, 17, "plain name"),
    ("def on_hit(mark: int):\n    return keep(1)\n", 1, 18, "plain name"),
    ("def on_hit(*mark):\n    return keep(1)\n", 1, 13, "plain name"),
    ("def on_hit(mark) -> int:\n    return keep(1)\n", 1, 21, "plain name"),
    (HIT + "pass\n", 2, 5, "pass"),
    (HIT + "for i in mark: pass\n", 2, 5, "a loop"),
    (HIT + "while mark: pass\n", 2, 5, "a loop"),
    (HIT + "mark\n    return keep(1)\n", 2, 5, "not used"),
    (HIT + "return\n", 2, 5, "without a value"),
    (HIT + "x = 1\n", 1, 1, "without returning"),
    (HIT + "if mark:\n        return keep(1)\n", 1, 1, "without returning"),
    (HIT + "return keep(1)\n    return keep(2)\n", 3, 5, "never reached"),
    (HIT + "if mark:\n        x = 1\n    return keep(x)\n", 4, 17, "before it is assigned"),
    (HIT + "return keep(x)\n", 2, 17, "knows no 'x'"),
    (HIT + "return keep(age)\n", 2, 17, "not a parameter"),
    (HIT + "return 3\n", 2, 12, "cannot return an integer"),
    (HIT + "return evict()\n", 2, 12, "cannot return 'evict'"),
    (HIT + "return keep(1) if mark else 0\n", 2, 33, "cannot return an integer"),
    (HIT + "return keep()\n", 2, 12, "takes 1 argument"),
    (HIT + "return head(1, mark=2)\n", 2, 12, "takes 2 arguments"),
    (HIT + "x = keep(1)\n    return keep(x)\n", 2, 9, "an action is returned"),
    ("def adapt(register):\n    return keep(register)\n", 2, 12, "an action is returned"),
    (HIT + "return keep(print(1))\n", 2, 17, "a call of 'print'"),
    (HIT + "return keep(mark.bit_length())\n", 2, 17, "a call"),
    (HIT + "return keep(mark.real)\n", 2, 17, "an attribute"),
    (HIT + "return keep(mark[0])\n", 2, 17, "an index"),
    (HIT + "return keep([1][0])\n", 2, 17, "an index"),
    (HIT + "return keep(1.5)\n", 2, 17, "integers"),
    (HIT + "return keep('a')\n", 2, 17, "integers"),
    (HIT + "return keep(True)\n", 2, 17, "integers"),
    (HIT + "return keep(9223372036854775808)\n", 2, 17, "64 bits"),
    (HIT + "return keep(-9223372036854775809)\n", 2, 18, "64 bits"),
    (HIT + "return keep(mark / 2)\n", 2, 17, "use //"),
    (HIT + "return keep(mark ** 2)\n", 2, 17, "**"),
    (HIT + "return keep(mark & 1)\n", 2, 17, "&"),
    (HIT + "return keep(~mark)\n", 2, 17, "~"),
    (HIT + "return keep(0 < mark < 3)\n", 2, 17, "chained"),
    (HIT + "return keep(mark is 3)\n", 2, 17, "'is'"),
    (HIT + "return keep(min(mark))\n", 2, 17, "two arguments"),
    (HIT + "return keep(abs(mark, 1))\n", 2, 17, "takes 1 argument"),
    (HIT + "return keep((x := 1))\n", 2, 18, "inside an expression"),
    (HIT + "return keep(lambda: 1)\n", 2, 17, "lambda"),
    (HIT + "x, y = 1, 2\n    return keep(x)\n", 2, 12, "tuple"),
    (HIT + "x = y = 1\n    return keep(x)\n", 2, 5, "several names"),
    (HIT + "x: int = 1\n    return keep(x)\n", 2, 5, "annotated"),
    (HIT + "min = 1\n    return keep(min)\n", 2, 5, "already means"),
    (HIT + "keep = 1\n    return keep(keep)\n", 2, 5, "already means"),
    (HIT + "Hit = 1\n    return keep(Hit)\n", 2, 5, "cannot be called"),
    (HIT + "x += 1\n    return keep(x)\n", 2, 5, "before it is assigned"),
    (HIT + "x = 1\n    x **= 2\n    return keep(x)\n", 3, 5, "**"),
    (HIT + "return keep(\x00)\n", 1, 1, "not"),
]


@pytest.mark.parametrize(("source", "line", "column", "words"), REFUSED)
def test_what_the_language_leaves_out_is_refused_with_its_place(
    source: str, line: int, column: int, words: str
) -> None:
    with pytest.raises(PolicyError) as caught:
        parse(source, FORM)
    error = caught.value
    assert (error.line, words in str(error)) == (line, True), str(error)
    assert error.column == column or "not Python" in str(error), str(error)
    assert error.hint
    assert isinstance(error, MqttHubError)
    assert "\n" not in str(error)


def test_source_of_exactly_the_limit_is_read_and_one_byte_more_is_refused() -> None:
    source = HIT + "return keep(1)\n"
    full = source + "#" * (SOURCE_BYTES_MAX - len(source))
    assert canonical(parse(full, FORM)) == "def on_hit():\n    return keep(1)\n"
    with pytest.raises(PolicyError, match="8193 bytes"):
        parse(full + "#", FORM)


def test_exactly_a_thousand_nodes_are_read_and_one_more_is_refused() -> None:
    def source(assignments: int, tail: str) -> str:
        return "def adapt():\n" + "    x = 1\n" * assignments + f"    return {tail}\n"

    assert size(parse(source(499, "1"), FORM)) == NODES_MAX
    with pytest.raises(PolicyError, match="more than 1000 nodes"):
        parse(source(499, "-x"), FORM)


def test_forty_levels_are_read_and_one_more_is_refused() -> None:
    def source(levels: int) -> str:
        return f"def adapt(register):\n    return {'abs(' * levels}register{')' * levels}\n"

    assert parse(source(DEPTH_MAX - 2), FORM)
    with pytest.raises(PolicyError, match="40 levels"):
        parse(source(DEPTH_MAX - 1), FORM)


@pytest.mark.parametrize(
    "source", ["(" * 4000, "-" * 8000 + "1", "def adapt():\n return " + "-" * 8000 + "1", "if 1:\n" * 90]
)
def test_hopeless_nesting_is_an_error_and_not_a_crash(source: str) -> None:
    with pytest.raises(PolicyError):
        parse(source, FORM)


def test_random_damage_to_a_program_is_read_or_refused_and_nothing_else() -> None:
    good = HIT + "x = min(mark + 1, 3)\n    if x > 2 and not mark:\n        return head(0, x)\n    return keep(x)\n"
    rng = random.Random(7)
    refused = 0
    for _ in range(1500):
        text = list(good)
        for _ in range(rng.randint(1, 4)):
            text[rng.randrange(len(text))] = rng.choice("()=:+-*/ \n\t\"'x1,.[]{}\\#%&@é\x00")
        try:
            parse("".join(text), FORM)
        except PolicyError:
            refused += 1
    assert refused > 500


def test_a_feature_that_is_assigned_becomes_a_local_that_starts_as_the_feature() -> None:
    component = parse(
        "def on_hit(mark):\n    if mark > 3:\n        mark = 0\n    mark += 1\n    return keep(mark)\n", FORM
    )
    assert "    mark_ = mark\n" in canonical(component)
    assert parse(canonical(component), FORM) == component
    hit, slot = interpret(component)["on_hit"], 18
    assert [hit([mark] * (slot + 5)) & 255 for mark in (0, 3, 4)] == [1, 4, 1]


def test_a_local_may_hide_a_feature_that_is_no_parameter() -> None:
    component = parse("def on_hit():\n    age = 2\n    return keep(age)\n", FORM)
    assert canonical(component) == "def on_hit():\n    age_ = 2\n    return keep(age_)\n"


def test_parameters_are_the_features_that_are_read_in_slot_order() -> None:
    component = parse("def on_hit(age, mark, queue, chance):\n    return keep(mark + queue)\n", FORM)
    assert canonical(component).startswith("def on_hit(queue, mark):")


def test_functions_stand_in_the_forms_order_whatever_the_order_given() -> None:
    one, other = "def on_hit():\n    return keep(1)\n", "def on_insert():\n    return head(0, 0)\n"
    assert canonical(parse(one + other, FORM)) == canonical(parse(other + one, FORM)) == other + "\n" + one


def test_every_default_of_the_form_is_read() -> None:
    whole = complete(parse("def on_hit(mark):\n    return keep(mark)\n", FORM))
    assert list(whole.functions) == list(FORM.functions)


def test_and_or_give_one_of_their_operands_as_in_python() -> None:
    component = parse("def adapt(register, capacity):\n    return (register or 7) + (capacity and 5)\n", FORM)
    adapt = interpret(component)["adapt"]
    assert [adapt([capacity, register]) for capacity, register in ((0, 0), (1, 3))] == [7, 8]
