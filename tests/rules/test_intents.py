"""What `tool_choice` and `response_format` become."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.rules.intents import intents
from hunyuan_fix.simulator import checks
from hunyuan_fix.simulator.checks import ProfileName
from tests.rule_context import context
from tests.strategies import json_values

PROFILES: tuple[ProfileName, ...] = ("hunyuan", "tokenhub")
SCHEMA = {"type": "object", "properties": {"b": {"type": "string"}, "a": {"type": "integer"}}}


def function(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}


def chat(**fields: Any) -> dict[str, Any]:
    return {
        "model": "hunyuan-turbos-latest",
        "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "hi"}],
        "tools": [function("a"), function("b"), function("c")],
        **fields,
    }


def names(body: dict[str, Any]) -> list[str]:
    return [tool["function"]["name"] for tool in body["tools"]]


def instructions(body: dict[str, Any]) -> list[str]:
    return [message["content"] for message in body["messages"][1:-1] if message["role"] == "system"]


@pytest.mark.parametrize(
    "choice",
    [{"type": "function", "function": {"name": "b"}}, {"type": "function", "name": "b"}, {"type": "tool", "name": "b"}],
)
def test_a_named_function_cuts_the_tools(choice: dict[str, Any]) -> None:
    body, given = chat(tool_choice=choice), context(language="en")
    assert [change.pointer for change in intents(body, given)] == ["/tools", "/tool_choice", "/messages/1"]
    assert names(body) == ["b"]
    assert body["tool_choice"] == "auto"
    assert instructions(body) == ["This answer must call the tool b."]
    assert intents(body, given) == []


def test_tokenhub_takes_a_named_function() -> None:
    body = chat(tool_choice={"type": "function", "function": {"name": "b"}})
    assert intents(body, context("tokenhub")) == []
    flat = chat(tool_choice={"type": "function", "name": "b"})
    intents(flat, context("tokenhub"))
    assert flat == body


@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
@pytest.mark.parametrize(
    "choice", [{"type": "function", "function": {"name": "x"}}, {"type": "function"}, "custom", ["a"], 5, {}]
)
def test_an_unknown_choice_becomes_auto(choice: Any, profile: str) -> None:
    body = chat(tool_choice=choice)
    intents(body, context(profile))
    assert body == chat(tool_choice="auto")


@pytest.mark.parametrize("choice", ["none", "auto"])
def test_an_accepted_choice_stays(choice: str) -> None:
    assert intents(chat(tool_choice=choice), context()) == []


def test_required_is_said_in_words() -> None:
    body, given = chat(tool_choice="required"), context()
    intents(body, given)
    assert body["tool_choice"] == "auto"
    assert instructions(body) == [given.texts.tool_required]
    assert names(body) == ["a", "b", "c"]


def test_tokenhub_takes_required() -> None:
    assert intents(chat(tool_choice="required"), context("tokenhub")) == []


@pytest.mark.parametrize("nested", [True, False])
@pytest.mark.parametrize(
    ("profile", "mode", "choice", "told"),
    [
        ("hunyuan", "auto", "auto", False),
        ("hunyuan", "required", "auto", True),
        ("tokenhub", "auto", "auto", False),
        ("tokenhub", "required", "required", False),
    ],
)
def test_allowed_tools_are_the_subset(nested: bool, profile: str, mode: str, choice: str, told: bool) -> None:
    allowed = {"mode": mode, "tools": [function("c"), {"type": "function", "name": "a"}, function("x")]}
    asked = {"type": "allowed_tools", "allowed_tools": allowed} if nested else {"type": "allowed_tools", **allowed}
    body = chat(tool_choice=asked)
    intents(body, context(profile))
    assert names(body) == ["a", "c"]
    assert body["tool_choice"] == choice
    assert bool(instructions(body)) is told


def test_kept_parameters_are_left_alone() -> None:
    body = chat(tool_choice="required", response_format={"type": "json_object"})
    assert intents(body, context(keep_params=frozenset({"tool_choice", "response_format"}))) == []


def test_a_json_object_is_asked_for_in_words() -> None:
    body, given = chat(response_format={"type": "json_object"}), context()
    intents(body, given)
    assert "response_format" not in body
    assert instructions(body) == [given.texts.json_object]
    assert given.plan.json_fence


@pytest.mark.parametrize("nested", [True, False])
def test_a_json_schema_goes_with_the_instruction(nested: bool) -> None:
    described = {"name": "x{y}", "schema": SCHEMA, "strict": True}
    asked = {"json_schema": described} if nested else described
    body, given = chat(response_format={"type": "json_schema", **asked}), context(language="en")
    intents(body, given)
    (text,) = instructions(body)
    assert "named x{y}" in text
    assert text.endswith('{"type":"object","properties":{"b":{"type":"string"},"a":{"type":"integer"}}}')
    assert given.plan.json_fence


def test_a_schema_that_is_missing_still_asks_for_json() -> None:
    body, given = chat(response_format={"type": "json_schema"}), context()
    intents(body, given)
    assert instructions(body) == [given.texts.json_object]


@pytest.mark.parametrize("asked", [{"type": "text"}, {"type": "x"}, {}, "json_object", [1]])
def test_other_formats_go_without_a_word(asked: Any) -> None:
    body, given = chat(response_format=asked), context()
    assert [change.pointer for change in intents(body, given)] == ["/response_format"]
    assert body == chat()
    assert not given.plan.json_fence


def test_tokenhub_takes_a_response_format() -> None:
    body = chat(response_format={"type": "json_object"})
    assert intents(body, context("tokenhub")) == []
    odd = chat(response_format={"type": "x"})
    intents(odd, context("tokenhub"))
    assert odd == chat()


def test_both_instructions_follow_the_leading_system_messages() -> None:
    body = chat(tool_choice="required", response_format={"type": "json_object"})
    body["messages"].insert(1, {"role": "developer", "content": "D"})
    given = context()
    intents(body, given)
    contents = [message["content"] for message in body["messages"]]
    assert contents == ["S", "D", given.texts.tool_required, given.texts.json_object, "hi"]


choices = st.one_of(
    json_values,
    st.sampled_from(["required", "auto", "any"]),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["function", "allowed_tools", "required", "none", None])},
        optional={
            "name": st.sampled_from(["a", "x"]),
            "function": st.one_of(json_values, st.just({"name": "a"})),
            "mode": st.sampled_from(["auto", "required"]),
            "tools": st.one_of(json_values, st.just([{"name": "a"}])),
            "allowed_tools": st.one_of(json_values, st.just({"tools": [{"name": "b"}], "mode": "required"})),
        },
    ),
)
formats = st.one_of(
    json_values,
    st.fixed_dictionaries(
        {"type": st.sampled_from(["json_schema", "json_object", "text", "x"])},
        optional={"json_schema": st.one_of(json_values, st.fixed_dictionaries({"schema": json_values}))},
    ),
)


@given(choices, formats, st.sampled_from(PROFILES), st.booleans())
def test_any_json_ends_accepted(choice: Any, asked: Any, profile: ProfileName, offers: bool) -> None:
    body = chat(tool_choice=choice, response_format=asked)
    if not offers:
        del body["tools"]
    intents(body, context(profile))
    before = copy.deepcopy(body)
    assert intents(body, context(profile)) == []
    assert body == before
    shown = {key: value for key, value in body.items() if value is not None}
    shown |= {"messages": body["messages"][-1:], "model": context(profile).model.id}
    assert checks.problems(shown, profile, strict=True) is None


@given(json_values, choices, formats, json_values)
def test_nothing_raises(messages: Any, choice: Any, asked: Any, tools: Any) -> None:
    intents({"messages": messages, "tool_choice": choice, "response_format": asked, "tools": tools}, context())


ASKED_FOR = {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA}}


def test_a_model_without_schemas_gets_json_and_the_schema_in_words() -> None:
    body, given = chat(model="deepseek-chat", response_format=copy.deepcopy(ASKED_FOR)), context("deepseek", "en")
    given.model = given.profile.model("deepseek-chat")
    assert [change.pointer for change in intents(body, given)] == ["/response_format", "/messages/1"]
    assert body["response_format"] == {"type": "json_object"}
    assert "place" in instructions(body)[0]
    assert '"b"' in instructions(body)[0]
    assert intents(body, given) == []


def test_other_models_keep_the_schema() -> None:
    body = chat(response_format=copy.deepcopy(ASKED_FOR))
    assert intents(body, context("tokenhub")) == []
    assert body["response_format"] == ASKED_FOR


@pytest.mark.parametrize("form", [{"type": "json_object"}, {"type": "text"}])
def test_a_model_without_schemas_takes_other_formats(form: dict[str, Any]) -> None:
    body, given = chat(model="deepseek-chat", response_format=form), context("deepseek", "en")
    given.model = given.profile.model("deepseek-chat")
    assert intents(body, given) == []
