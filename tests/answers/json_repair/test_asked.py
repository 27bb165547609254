from __future__ import annotations

from typing import Any

import pytest

from hunyuan_fix.answers.json_repair.asked import DONE, LARGEST, Asked, Wrong
from hunyuan_fix.wire import json_body

SCHEMA = json_body.serialise({"type": "object", "required": ["n"]})
TOOLS = json_body.serialise({"add": {"properties": {"n": {"type": "integer"}}}})


def message(text: str | None, reason: str = "stop", **more: Any) -> dict[str, Any]:
    return {"message": {"content": text, **more}, "finish_reason": reason}


@pytest.mark.parametrize(
    ("text", "is_cut", "verdict", "left"),
    [
        ('{"n": 1}', False, "valid", '{"n": 1}'),
        ('{"n": 1}', True, "valid", '{"n": 1}'),
        ('x {"n": 1}', False, "repaired", '{"n": 1}'),
        ('x {"n": 1}', True, "invalid", 'x {"n": 1}'),
        ('x {"m": 1}', False, "invalid", 'x {"m": 1}'),
        ("", False, "invalid", ""),
    ],
)
def test_what_comes_of_a_text(text: str, is_cut: bool, verdict: str, left: str) -> None:
    asked = Asked(is_content=True, wanted="object", schema=SCHEMA)
    judged = asked.judge(text, 0, is_cut=is_cut)
    assert (judged.verdict, judged.text) == (verdict, left)
    assert asked.said == verdict
    assert set(judged.done) <= DONE.keys()


def test_the_worst_choice_counts() -> None:
    asked = Asked(is_content=True)
    assert asked.verdict is None
    assert asked.said == ""
    for text, verdict in (('{"n": 1}', "valid"), ('x {"n": 1}', "repaired"), ("x", "invalid"), ("{}", "invalid")):
        asked.judge(text, 0, is_cut=False)
        assert asked.verdict == verdict


def test_a_text_that_is_too_long_stays() -> None:
    text = 'x {"n": "' + "y" * LARGEST + '"}'
    assert Asked().judged(text, is_cut=False, largest=LARGEST).verdict == "invalid"
    assert Asked().judged(text, is_cut=False).verdict == "repaired"


@pytest.mark.parametrize(
    ("name", "text", "left"),
    [
        ("add", '{"n": "1"}', '{"n": 1}'),
        ("add", "{'n': 1.0}", '{"n": 1}'),
        ("add", '{"n": ', '{"n": '),
        ("add", "", ""),
        ("other", '{"n": "1",}', '{"n": "1",}'),
    ],
)
def test_what_comes_of_arguments(name: str, text: str, left: str) -> None:
    assert Asked(tools=TOOLS).arguments(name, text) == left
    assert Asked().arguments(name, text) == text


@pytest.mark.parametrize(
    ("choices", "wrong"),
    [
        ([message('{"n": 1}'), message("no")], Wrong(1, "no", "it has no JSON object")),
        ([message("no", "length")], None),
        ([message("no", tool_calls=[{}])], None),
        ([message(None)], None),
        ([message("x {}")], None),
        ("no", None),
        ([None, {"message": 5}], None),
    ],
)
def test_the_text_that_the_model_is_asked_about(choices: Any, wrong: Wrong | None) -> None:
    assert Asked(is_content=True).find_wrong({"choices": choices}) == wrong


def test_what_is_wrong_is_said_without_the_text() -> None:
    said = Asked().judged('{"secret": 5 6}', is_cut=False).error
    assert "not spelt as JSON" in said
    assert "char" in said
    assert "secret" not in said


def test_each_thing_is_told_once() -> None:
    asked = Asked()
    assert asked.unnoted("a", ["fence", "fence"]) == ["fence"]
    assert asked.unnoted("a", ["fence", "prose"]) == ["prose"]
    assert asked.unnoted("b", ["fence"]) == ["fence"]
