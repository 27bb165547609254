from __future__ import annotations

import json
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hunyuan_fix.answers.json_repair.repair import Repaired, repair
from hunyuan_fix.answers.json_repair.scan import MAX_DEPTH, is_json
from tests.strategies import json_values

ANSWERS = tomllib.loads((Path(__file__).parent / "answers.toml").read_text("utf-8"))["answer"]
SPACES = st.sampled_from(["", " ", "\n", "\t\r\n  "])
objects = st.dictionaries(st.text(min_size=1, max_size=5), json_values, min_size=1, max_size=3)
spelt = st.builds(
    lambda value, indent, is_ascii: json.dumps(value, indent=indent, ensure_ascii=is_ascii),
    st.one_of(objects, st.lists(objects, min_size=1, max_size=3)),
    st.sampled_from([None, 2]),
    st.booleans(),
)
"""Objects and arrays with keys, as programs write them."""
before = st.sampled_from(
    [
        "",
        "\ufeff",
        '<think>{"a": 2} it\'s</think>\n',
        "Here's the {thing}:\n",
        "As in [1]: ",
        "答案如下：\n",
        "\ufeff<think>\n</think>",
    ]
)
fences = st.sampled_from(["", "```", "```json", "```JSON", "``` json5 ", "~~~", "```python title=x"])
after = st.sampled_from(["", "\n", "\nThat's it; {done}.", " // see [2]", "\n\n希望有帮助！"])


def done(repaired: Repaired) -> list[str]:
    return [*repaired.cut, *repaired.respelt]


@pytest.mark.parametrize("answer", ANSWERS, ids=[answer["name"] for answer in ANSWERS])
def test_what_comes_of_an_answer(answer: dict[str, Any]) -> None:
    repaired = repair(answer["said"], "object")
    assert repaired.why == answer.get("why")
    assert repaired.text == answer.get("json", answer["said"])
    assert done(repaired) == answer.get("done", [])


def test_the_table_has_forty_answers() -> None:
    assert len(ANSWERS) >= 40
    assert len({answer["said"] for answer in ANSWERS}) == len(ANSWERS)


@given(spelt, before, fences, after)
def test_json_in_any_wrapping_comes_out_byte_for_byte(value: str, ahead: str, fence: str, behind: str) -> None:
    mark = fence[:3]
    wrapped = f"{ahead}{fence}\n{value}\n{mark}{behind}" if fence else f"{ahead}{value}{behind}"
    repaired = repair(wrapped)
    assert repaired.text == (wrapped if is_json(wrapped) else value)
    assert repaired.why is None
    assert not repaired.respelt


@given(spelt, SPACES, SPACES)
def test_json_stays_with_the_space_around_it(value: str, ahead: str, behind: str) -> None:
    text = ahead + value + behind
    assert repair(text) == Repaired(text)


@given(st.one_of(spelt, objects.map(repr), st.lists(objects, min_size=1, max_size=2).map(repr)))
def test_what_python_prints_is_the_same_value_in_json(text: str) -> None:
    repaired = repair(text)
    assume(repaired.why is None)
    value = json.loads(repaired.text, parse_constant=pytest.fail)
    assert value == (json.loads(text) if is_json(text) else eval(text))


MARKS = [
    '{"a":',
    "1.10",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "'",
    "\\",
    "\n",
    "x",
    "True",
    "null",
    "NaN",
    "//",
    "/*",
    "*/",
    "#",
]
SOUP = st.lists(
    st.sampled_from([*MARKS, "```", "<think>", "</think>", "\ufeff", "“", "”", "，", "：", " ", "\x00"]), max_size=25
)


@given(SOUP.map("".join), st.sampled_from(["object", "array", "any"]))
def test_what_is_repaired_is_json_and_stays(text: str, wanted: Any) -> None:
    repaired = repair(text, wanted)
    if repaired.why is not None:
        assert repaired == Repaired(text, why=repaired.why)
        return
    assert is_json(repaired.text)
    json.loads(repaired.text, parse_constant=pytest.fail)
    assert repair(repaired.text, wanted) == Repaired(repaired.text)


@given(st.one_of(SOUP.map("".join), spelt, st.floats().map(str), st.text(max_size=8)))
def test_is_json_says_what_the_standard_library_says(text: str) -> None:
    def refuse(name: str) -> None:
        raise ValueError(name)

    try:
        json.loads(text, parse_constant=refuse)
    except ValueError:
        assert not is_json(text)
    else:
        assert is_json(text)


def test_half_a_character_is_json() -> None:
    assert is_json(r'{"a": "\ud83d"}')
    assert is_json(r'"\ud83d"')
    assert not is_json(r'{"a": "\ud83"}')
    assert repair(r"{'a': '\ud83d'}").text == r'{"a": "\ud83d"}'


def test_what_is_nested_too_deep_stays() -> None:
    deep = "[" * MAX_DEPTH + "1," + "]" * MAX_DEPTH
    assert repair(deep).why is None
    assert repair(f"[{deep}]").why == "deep"


@pytest.mark.parametrize(
    ("text", "wanted", "json_text"),
    [
        ('The tags are ["a", "b"].', "array", '["a", "b"]'),
        ('Sources: [1]\n[{"a": 1}]', "array", '[{"a": 1}]'),
        ('[1] and {"a": 1}', "any", '{"a": 1}'),
        ("```\n[1, 2]\n```", "any", "[1, 2]"),
        ("[1, 2,]", "any", "[1, 2]"),
        ("5", "any", "5"),
        ('"text"', "any", '"text"'),
        ('"[1]"', "array", "[1]"),
    ],
)
def test_the_kind_that_was_asked_for(text: str, wanted: Any, json_text: str) -> None:
    assert repair(text, wanted).text == json_text
    assert repair(text, wanted).why is None


@pytest.mark.parametrize("text", ["as in [1]", "see [a] and [1, 2]", "5 apples", "{done}"])
def test_brackets_of_a_sentence_are_no_json(text: str) -> None:
    assert repair(text).why is not None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{a: 1, b: oops, c: {d: 1}}", "syntax"),
        ('{"a": 1} or {"b": oops}', "two"),
        ("{x} " * 1001 + '{"a": 1}', "syntax"),
    ],
)
def test_no_part_of_something_else_is_taken_for_the_answer(text: str, why: str) -> None:
    assert repair(text) == Repaired(text, why=why)  # type: ignore[arg-type]


HOSTILE = [
    "[",
    "{",
    '"',
    '{"',
    "{'",
    "{“",
    "{/*",
    "{#",
    '{"a":',
    '[{"a":1},',
    "[]",
    "[0,",
    '{"a":1}',
    "```json\n",
    "<think>",
]
HOSTILE += ["</think>", '{"\\"', "\\", " ", "`", '{"k":"\\"', "'", '{"a":"x\n', "~~~{", "//", '["{', "{a:"]


@pytest.mark.parametrize("unit", HOSTILE)
def test_time_grows_with_the_length_alone(unit: str) -> None:
    def seconds(size: int) -> float:
        text = unit * (size // len(unit))
        times = []
        for _ in range(3):
            begun = time.process_time()
            repair(text)
            times.append(time.process_time() - begun)
        return min(times)

    assert seconds(1 << 20) < 12 * seconds(1 << 18) + 0.02
