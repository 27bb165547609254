"""A forced tool and a model that thinks."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from hunyuan_fix.profiles import Thinking
from hunyuan_fix.rules.tool_choice import tool_choice
from tests.rule_context import context

OPEN = Thinking(default=True, tool_choices=frozenset({"auto", "none"}))
ALWAYS = dataclasses.replace(OPEN, can_be_off=False)
NAMED = {"type": "function", "function": {"name": "ls"}}
TEXTS = context(language="en").texts
USER = {"role": "user", "content": "hi"}


def tools(*names: str) -> list[dict[str, Any]]:
    return [{"type": "function", "function": {"name": name, "parameters": {}}} for name in names]


def fixed(known: Thinking | None, messages: list[Any] | None = None, keep: str = "", **said: Any) -> dict[str, Any]:
    body = {"messages": copy.deepcopy(messages or [USER]), "tools": tools("ls", "cat"), **said}
    held = context("tokenhub", language="en", keep_params=frozenset(filter(None, [keep])))
    held.model = dataclasses.replace(held.model, thinking=known)
    before = copy.deepcopy(body)
    assert bool(tool_choice(body, held)) == (body != before)
    assert tool_choice(copy.deepcopy(body), held) == []
    return body


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_thinking_is_off_where_the_client_did_not_ask_for_it(choice: Any) -> None:
    body = fixed(OPEN, tool_choice=choice)
    assert body["thinking"] == {"type": "disabled"}
    assert body["tool_choice"] == choice
    assert body["messages"] == [USER]


@pytest.mark.parametrize(
    ("known", "said"), [(OPEN, {"thinking": {"type": "enabled"}}), (OPEN, {"reasoning_effort": "high"}), (ALWAYS, {})]
)
@pytest.mark.parametrize(
    ("choice", "words"), [("required", TEXTS.tool_required), (NAMED, TEXTS.tool_named.format(name="ls"))]
)
def test_else_the_last_message_says_it(known: Thinking, said: dict[str, Any], choice: Any, words: str) -> None:
    body = fixed(known, tool_choice=choice, **said)
    assert body["tool_choice"] == "auto"
    assert body["messages"] == [USER, {"role": "user", "content": words}]
    assert {key: body[key] for key in said} == said


def test_the_only_tool_is_named() -> None:
    body = fixed(ALWAYS, tool_choice="required", tools=tools("cat"))
    assert body["messages"][-1]["content"] == TEXTS.tool_named.format(name="cat")


def test_an_answer_to_be_completed_stays_last() -> None:
    begun = {"role": "assistant", "content": "Sure"}
    body = fixed(ALWAYS, [USER, begun], tool_choice="required")
    assert body["messages"] == [USER, {"role": "user", "content": TEXTS.tool_required}, begun]


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (OPEN, {"tool_choice": "auto"}),
        (OPEN, {"tool_choice": "none"}),
        (OPEN, {}),
        (OPEN, {"tool_choice": "required", "thinking": {"type": "disabled"}}),
        (dataclasses.replace(OPEN, default=False), {"tool_choice": NAMED}),
        (dataclasses.replace(OPEN, tool_choices=None), {"tool_choice": NAMED}),
        (None, {"tool_choice": NAMED}),
        (OPEN, {"tool_choice": NAMED, "keep": "tool_choice"}),
    ],
)
def test_what_goes_together_stays(known: Thinking | None, said: dict[str, Any]) -> None:
    kept = {key: value for key, value in said.items() if key != "keep"}
    assert fixed(known, **said) == {"messages": [USER], "tools": tools("ls", "cat"), **kept}


def test_a_switch_that_is_kept_is_not_touched() -> None:
    body = fixed(OPEN, keep="thinking", tool_choice="required")
    assert "thinking" not in body
    assert body["tool_choice"] == "auto"


def test_by_the_models_own_switch() -> None:
    body = fixed(dataclasses.replace(OPEN, control="enable_thinking"), tool_choice="required")
    assert body["enable_thinking"] is False
