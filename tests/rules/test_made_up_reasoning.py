"""A thought of its own for each turn whose reasoning is lost."""

from __future__ import annotations

import copy
import dataclasses
import json
from typing import Any

import pytest

from hunyuan_fix import texts
from hunyuan_fix.profiles import Thinking
from hunyuan_fix.rules.made_up_reasoning import RULE, made_up_reasoning, thought
from hunyuan_fix.rules.survey import Survey
from tests.rule_context import call, context

ON = Thinking(default=True)


def turn(call_id: str = "a", name: str = "ls", arguments: str = "{}", **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": None, "tool_calls": [call(call_id, name, arguments)], **more}


def required(model: dict[str, Any] | None = None, language: str = "zh", **given: Any) -> Any:
    made = context("tokenhub", language=language, **given)
    made.model = dataclasses.replace(made.model, **{"replay": "required", "thinking": ON, **(model or {})})
    return made


def made(message: dict[str, Any], language: str = "zh", **model: Any) -> str | None:
    body = {"messages": [{"role": "user", "content": "hi"}, copy.deepcopy(message)]}
    held = required(model, language)
    changes = made_up_reasoning(body, held)
    text = body["messages"][1].get("reasoning_content")
    assert len(changes) == held.counts["made up"] == (text is not None and "reasoning_content" not in message)
    assert all("made up" in change.why for change in changes)
    again = copy.deepcopy(body)
    assert made_up_reasoning(again, held) == []
    assert again == body
    return text


def test_the_same_turn_has_the_same_thought_and_another_turn_another() -> None:
    turns = [turn(f"call_{number}", "Bash", '{"command": "ls"}') for number in range(1000)]
    thoughts = [thought(message, texts.load("zh")) for message in turns]
    assert thoughts == [thought(copy.deepcopy(message), texts.load("zh")) for message in turns]
    assert len(set(thoughts)) == 1000
    beginnings = {text.translate(str.maketrans("", "", "0123456789abcdef")) for text in thoughts}
    assert len(beginnings) > 200  # and not by its label alone


@pytest.mark.parametrize("language", texts.LANGUAGES)
def test_a_thought_names_tools_and_words_and_no_values(language: str) -> None:
    secret = "sk-0123456789abcdef"
    arguments = json.dumps({"file_path": secret, secret: 1, "k" * 30: 2, "limit": 3, "offset": 4})
    seen = set()
    for number in range(50):
        text = made(turn(f"c{number}", "Read", arguments), language)
        assert text is not None
        assert "Read" in text
        assert "file_path" in text
        assert secret not in text
        assert "k" * 30 not in text
        assert len(text) < 200
        assert text.isascii() is (language == "en")
        seen.add(text)
    assert len(seen) == 50


def test_many_calls_stay_short() -> None:
    names = [f"tool_{number}" + "x" * 200 for number in range(100)]
    calls = [call(f"c{number}", name, json.dumps({name: 1})) for number, name in enumerate(names)]
    text = made({"role": "assistant", "content": "x" * 10_000, "tool_calls": calls})
    assert text is not None
    assert len(text) < 400
    assert "x" * 65 not in text


def test_a_turn_of_words_alone_only_where_all_turns_need_it() -> None:
    words = {"role": "assistant", "content": "my secret answer"}
    assert made(words) is None
    text = made(words, replay_turns="all")
    assert text
    assert "secret" not in text
    assert text != made({**words, "content": "another"}, replay_turns="all")


def test_what_a_message_has_stays() -> None:
    assert made(turn(reasoning_content="2+2")) == "2+2"
    assert made(turn(reasoning_content="")) == ""  # the model thought nothing, and said so
    assert made(turn(reasoning_content=" ")) == " "


def test_null_is_no_reasoning() -> None:
    body: dict[str, Any] = {"messages": [turn(reasoning_content=None)]}
    assert len(made_up_reasoning(body, required())) == 1
    assert body["messages"][0]["reasoning_content"]


@pytest.mark.parametrize("replay", ["wanted", "ignored", "harmful"])
def test_never_where_the_model_does_without(replay: str) -> None:
    body = {"messages": [turn()]}
    held = required({"replay": replay})
    assert not RULE.needed(Survey(body), held)


@pytest.mark.parametrize(
    ("said", "default", "added"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"thinking": {"type": "enabled"}}, False, True),
        ({"thinking": {"type": "adaptive"}}, False, True),
        ({"thinking": {"type": "disabled"}}, True, False),
        ({"enable_thinking": False}, True, False),
        ({"reasoning_effort": "none"}, True, False),
        ({"reasoning_effort": "high"}, False, True),
    ],
)
def test_only_while_the_model_thinks(said: dict[str, Any], default: bool, added: bool) -> None:
    body: dict[str, Any] = {"messages": [turn()], **said}
    made_up_reasoning(body, required({"thinking": Thinking(default=default)}))
    assert ("reasoning_content" in body["messages"][0]) is added


def test_a_model_of_which_a_refusal_alone_is_known() -> None:
    body: dict[str, Any] = {"messages": [turn()]}
    made_up_reasoning(body, required({"thinking": None}))
    assert body["messages"][0]["reasoning_content"]


def test_an_answer_to_be_completed_has_none() -> None:
    assert made({"role": "assistant", "content": "Sure", "partial": True}, replay_turns="all") is None


def test_by_the_name_that_answers_have() -> None:
    body: dict[str, Any] = {"messages": [turn()]}
    made_up_reasoning(body, required(reasoning_field="reasoning"))
    assert body["messages"][0]["reasoning"]
    assert "reasoning_content" not in body["messages"][0]


def test_half_of_a_character() -> None:
    assert made(turn("\ud800", "ls", '{"a": "\ud800"}'))
