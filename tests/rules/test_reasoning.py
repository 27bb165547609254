"""Reasoning in the history, in its many spellings."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from hunyuan_fix.profiles import Thinking
from hunyuan_fix.rules import RuleContext, apply_chat
from hunyuan_fix.rules.reasoning import RULE, reasoning
from hunyuan_fix.rules.survey import Survey
from tests.rule_context import answer, call, context

REDACTED = {"type": "redacted_thinking", "data": "QUJD" * 100}
PARTS: list[tuple[Any, str]] = [
    ({"type": "thinking", "thinking": "2+2", "signature": "QUJD"}, "2+2"),
    ({"type": "thinking", "thinking": [{"type": "text", "text": "2+2"}]}, "2+2"),  # Mistral
    ({"type": "reasoning", "text": "2+2"}, "2+2"),  # AI SDK
    ({"type": "reasoning", "reasoning": "2+2"}, "2+2"),  # LangChain
    ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "2+2"}]}, "2+2"),  # Responses
    ({"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "2+2"}]}, "2+2"),
    ({"type": "reasoning_content", "reasoning_content": {"type": "text", "text": "2+2"}}, "2+2"),  # LangChain, Bedrock
    ({"reasoningContent": {"reasoningText": {"text": "2+2", "signature": "QUJD"}}}, "2+2"),  # Bedrock
    ({"type": "reasoning.text", "text": "2+2"}, "2+2"),
    ({"type": "summary_text", "text": "2+2"}, "2+2"),
    ({"type": "text", "text": "2+2", "thought": True}, "2+2"),  # Gemini
    ({"text": "2+2", "thought": True}, "2+2"),
    ([[{"type": "Thinking", "thinking": "2+2"}]], "2+2"),
    (REDACTED, ""),
    ({"type": "redacted-reasoning", "data": "QUJD"}, ""),
    ({"type": "reasoning", "encrypted_content": "QUJD", "summary": []}, ""),
]
FIELDS: list[tuple[str, Any, str]] = [
    ("reasoning", "2+2", "2+2"),
    ("reasoning_text", "2+2", "2+2"),
    ("thinking", "2+2", "2+2"),
    ("thinking", {"content": "2+2", "signature": "QUJD"}, "2+2"),
    ("thinking_blocks", [{"type": "thinking", "thinking": "2+2"}, REDACTED], "2+2"),
    ("thinking_blocks", [{"type": "thinking", "thinking": "2"}, {"type": "thinking", "thinking": "+2"}], "2\n\n+2"),
    ("reasoning_details", [{"type": "reasoning.summary", "summary": "2+2"}], "2+2"),
    ("reasoning_details", [{"type": "reasoning.encrypted", "data": "QUJD"}], ""),
    ("reasoning_content", [{"type": "text", "text": "2+2"}], "2+2"),
    ("reasoning", {"effort": {}}, ""),
    ("reasoning", [None, 3, [["2+2"]]], "2+2"),
]


def assistant(content: Any = "4", **fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "content": content, **fields}]}


def reasoned(body: dict[str, Any], profile: str) -> dict[str, Any]:
    """The message after the rule, which has nothing to do the second time."""
    before = copy.deepcopy(body)
    changes = reasoning(body, context(profile))
    assert bool(changes) == (body != before)
    assert {change.rule for change in changes} <= {"reasoning"}
    assert reasoning(copy.deepcopy(body), context(profile)) == []
    [message] = body["messages"]
    return dict(message)


@pytest.mark.parametrize(("part", "text"), PARTS)
def test_parts_of_reasoning(part: Any, text: str) -> None:
    said = [{"type": "text", "text": "4"}]
    assert reasoned(assistant([part, *said]), "hunyuan") == {"role": "assistant", "content": said}
    kept = {"reasoning_content": text} if text else {}
    assert reasoned(assistant([part, *said]), "tokenhub") == {"role": "assistant", "content": said, **kept}


@pytest.mark.parametrize(("name", "value", "text"), FIELDS)
def test_fields_of_reasoning(name: str, value: Any, text: str) -> None:
    assert reasoned(assistant(**{name: value}), "hunyuan") == {"role": "assistant", "content": "4"}
    kept = {"reasoning_content": text} if text else {}
    assert reasoned(assistant(**{name: value}), "tokenhub") == {"role": "assistant", "content": "4", **kept}


def test_the_endpoints_own_name_wins() -> None:
    thought = {"type": "thinking", "thinking": "other"}
    message = assistant([thought], reasoning="other", reasoning_content="2+2")
    assert reasoned(message, "tokenhub") == {"role": "assistant", "content": None, "reasoning_content": "2+2"}
    empty = assistant(reasoning="2+2", reasoning_content="")
    assert reasoned(empty, "tokenhub") == {"role": "assistant", "content": "4", "reasoning_content": "2+2"}
    both_empty = assistant(reasoning="", reasoning_content="")
    assert reasoned(both_empty, "tokenhub") == {"role": "assistant", "content": "4", "reasoning_content": ""}


def test_reasoning_alone_leaves_no_content() -> None:
    alone = assistant({"type": "thinking", "thinking": "2+2"})
    assert reasoned(copy.deepcopy(alone), "hunyuan") == {"role": "assistant", "content": None}
    assert reasoned(alone, "tokenhub") == {"role": "assistant", "content": None, "reasoning_content": "2+2"}


@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
def test_thoughts_in_the_text_and_of_others_stay(profile: str) -> None:
    body = {
        "messages": [
            {"role": "user", "content": [{"type": "thinking", "thinking": "mine"}, {"type": "summary", "text": "s"}]},
            {"role": "assistant", "content": "<think>2+2</think>4"},
            {"role": "assistant", "content": [{"type": "text", "text": "<think>2+2</think>4", "thought": False}]},
        ]
    }
    before = copy.deepcopy(body)
    assert reasoning(body, context(profile)) == []
    assert body == before


def test_nesting_as_deep_as_a_body_can_be() -> None:
    deep: Any = "2+2"
    for _ in range(500):
        deep = [{"thinking": deep}]
    body = assistant([deep], thinking=deep)
    reasoning(body, context("tokenhub"))
    assert body["messages"][0]["reasoning_content"] == "2+2"


def test_legacy_reasoning_goes() -> None:
    body = {"messages": [{"role": "assistant", "content": "4", "reasoning_content": "2+2", "reasoning": "x"}]}
    changes = reasoning(body, context())
    assert body == {"messages": [{"role": "assistant", "content": "4"}]}
    assert {change.rule for change in changes} == {"reasoning"}


def test_tokenhub_reasoning_stays() -> None:
    body = {"messages": [{"role": "assistant", "content": "4", "reasoning_content": "2+2"}]}
    assert reasoning(body, context("tokenhub")) == []


def test_tokenhub_knows_reasoning_by_its_own_name() -> None:
    body: dict[str, Any] = {"messages": [{"role": "assistant", "content": "4", "reasoning": "2+2"}]}
    reasoning(body, context("tokenhub"))
    assert body["messages"] == [{"role": "assistant", "content": "4", "reasoning_content": "2+2"}]


def thinking_model(**given: Any) -> RuleContext:
    made = context("tokenhub")
    fields = {key: given.pop(key) for key in ("replay", "replay_turns", "replay_in", "thinking") if key in given}
    made.model = dataclasses.replace(made.model, **{"replay": "required", "thinking": Thinking(default=True), **fields})
    return dataclasses.replace(made, **given)


def turn(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, "tool_calls": [call()], **more}


@pytest.mark.parametrize("replay", ["required", "wanted"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("<think>2+2</think>4", "4"),
        ("<think>2+2</think>", None),
        ([{"type": "text", "text": "<think>2+2</think>4"}], [{"type": "text", "text": "4"}]),
        ([{"type": "text", "text": "<think>2+2"}], None),
    ],
)
def test_a_turn_with_calls_gets_back_what_its_text_holds(replay: str, given: Any, said: Any) -> None:
    body: dict[str, Any] = {"messages": [turn(given)]}
    held = thinking_model(replay=replay)
    changes = reasoning(body, held)
    assert body["messages"] == [turn(said, reasoning_content="2+2")]
    assert [change.why.split()[0] for change in changes] == ["recovered"]
    assert held.counts["recovered"] == 1
    assert reasoning(body, held) == []


def test_a_thought_in_the_midst_is_taken_only_where_it_is_needed() -> None:
    text = "Right. <thinking>2+2</thinking> Let me see."
    body: dict[str, Any] = {"messages": [turn(text)]}
    assert reasoning(body, thinking_model(replay="wanted")) == []
    reasoning(body, thinking_model())
    assert body["messages"] == [turn("Right.\n\nLet me see.", reasoning_content="2+2")]
    parts = [{"type": "text", "text": "Right."}, {"type": "text", "text": "<think>2</think>"}]
    body = {"messages": [turn(parts)]}
    reasoning(body, thinking_model())
    assert body["messages"] == [turn(parts[:1], reasoning_content="2")]


@pytest.mark.parametrize(
    ("message", "model"),
    [
        (turn("<think>2+2</think>4", reasoning_content="2"), {}),
        (turn("<think>2+2</think>4", reasoning_content=""), {}),
        ({"role": "assistant", "content": "<think>2+2</think>4"}, {}),
        (turn("<think>2+2</think>4"), {"replay": "ignored"}),
        (turn("<think>2+2</think>4"), {"replay_in": "content"}),
        (turn("<think>2+2</think>4"), {"replay": "wanted", "thinking": None}),
        (turn("4", reasoning_content=None), {}),
    ],
)
def test_a_text_stays_where_nothing_is_missing(message: dict[str, Any], model: dict[str, Any]) -> None:
    body = {"messages": [copy.deepcopy(message)]}
    assert reasoning(body, thinking_model(**model)) == []
    assert body["messages"] == [message]


def test_all_turns_where_all_are_wanted() -> None:
    body = {"messages": [{"role": "assistant", "content": "<think>2+2</think>4"}]}
    reasoning(body, thinking_model(replay_turns="all"))
    assert body["messages"] == [{"role": "assistant", "content": "4", "reasoning_content": "2+2"}]


def test_harmful_reasoning_goes() -> None:
    body = {"messages": [turn([{"type": "thinking", "thinking": "2"}], reasoning_content="2+2", reasoning="3")]}
    assert len(reasoning(body, thinking_model(replay="harmful"))) == 3
    assert body["messages"] == [turn(None)]


def test_the_field_that_answers_show_is_the_name() -> None:
    body: dict[str, Any] = {"messages": [turn("4", reasoning_content="2+2")]}
    held = thinking_model(reasoning_field="reasoning")
    reasoning(body, held)
    assert body["messages"] == [turn("4", reasoning="2+2")]
    assert reasoning(body, held) == []
    assert RULE.needed(Survey(body), held)


def test_a_model_that_said_nothing_is_told_so_by_any_name() -> None:
    body: dict[str, Any] = {"messages": [turn("4", reasoning="")]}
    reasoning(body, thinking_model())
    assert body["messages"] == [turn("4", reasoning_content="")]


def test_a_thought_that_is_hidden_is_no_empty_one() -> None:
    """A signature without a text (BerriAI/litellm#38809): the model has thought something."""
    body: dict[str, Any] = {"messages": [turn([{"type": "thinking", "thinking": "", "signature": "QUJD"}])]}
    reasoning(body, thinking_model())
    assert body["messages"] == [turn(None)]


def test_a_field_that_the_endpoint_takes_stays_beside_its_own() -> None:
    held = thinking_model()
    grammar = held.profile.grammar
    fields = {**grammar.fields, "assistant": grammar.fields["assistant"] | {"reasoning", "reasoning_details"}}
    grammar = dataclasses.replace(grammar, fields=fields, reasoning_field="reasoning")
    held.profile = dataclasses.replace(held.profile, grammar=grammar)
    sealed = [{"type": "reasoning.encrypted", "data": "QUJD"}]
    told = [{"type": "reasoning.text", "text": "2+2"}]
    for given, left in (
        (turn("4", reasoning_details=sealed), turn("4", reasoning_details=sealed)),
        (turn("4", reasoning_details=told), turn("4", reasoning_details=told, reasoning="2+2")),
        (turn("4", reasoning="2", reasoning_details=told), turn("4", reasoning="2", reasoning_details=told)),
        (turn("4", reasoning_content="2+2"), turn("4", reasoning="2+2")),
        (turn("4", reasoning_text="2", thinking_blocks=[]), turn("4", reasoning="2")),
    ):
        body = {"messages": [copy.deepcopy(given)]}
        assert bool(reasoning(body, held)) is (given != left)
        assert body["messages"] == [left]
        assert reasoning(body, held) == []


@pytest.mark.parametrize(
    ("before", "thought"),
    [
        ({"role": "assistant", "content": "b", "reasoning_content": "real"}, "real"),
        ({"role": "assistant", "content": "<think>real</think>b"}, "real"),
        ({"role": "assistant", "content": "b"}, None),
        ({"role": "assistant", "content": "b", "reasoning_content": ""}, None),
        ({"role": "user", "content": "<think>real</think>b"}, None),
        ({"role": "assistant", "content": "b", "reasoning_content": "other", "tool_calls": [call("z")]}, None),
    ],
)
def test_calls_have_the_reasoning_of_the_text_before_them(before: dict[str, Any], thought: str | None) -> None:
    calls = {"role": "assistant", "content": "", "tool_calls": [call("a")]}
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}, before, calls]}
    reasoning(body, context("moonshot", "kimi-k2.5"))
    assert body["messages"][2].get("reasoning_content") == thought
    once = copy.deepcopy(body)
    assert not reasoning(body, context("moonshot", "kimi-k2.5"))
    assert body == once


def test_an_answer_without_calls_has_no_reasoning_of_another_message() -> None:
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "a", "reasoning_content": "real"},
        {"role": "assistant", "content": "b"},
    ]
    body: dict[str, Any] = {"messages": messages}
    assert not reasoning(body, context("moonshot", "kimi-k2.7-code"))  # which wants that of every turn


def test_messages_that_are_joined_have_it_once() -> None:
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "<think>real</think>b"},
        {"role": "assistant", "content": "", "tool_calls": [call("a")]},
        answer("a"),
    ]
    body: dict[str, Any] = {"messages": messages}
    apply_chat(body, context("tokenhub", "glm-5"))
    assert body["messages"][1]["reasoning_content"] == "real"
    assert body["messages"][1]["content"] == "b"
