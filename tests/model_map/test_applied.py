"""A row in a body of each format: what the client said stays under `default`, and not under `force`."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.exchange import Change, JsonObject
from hunyuan_fix.model_map import applied
from hunyuan_fix.model_map.reading import rows
from hunyuan_fix.model_map.row import Row

type Apply = Callable[[JsonObject, Row], list[Change]]

MESSAGES: Apply = partial(applied.in_messages, takes_effort=True)
BUDGETS: Apply = partial(applied.in_messages, takes_effort=False)
FORMATS: dict[str, Apply] = {
    "chat": applied.in_chat,
    "messages": MESSAGES,
    "budgets": BUDGETS,
    "responses": applied.in_responses,
}
SAID = [{"role": "user", "content": "hi"}]


def row(**sets: Any) -> Row:
    return rows(json.dumps([{"name": "r", **sets}]))[0]


def after(apply: Apply, body: JsonObject, **sets: Any) -> tuple[JsonObject, list[tuple[str, str]]]:
    body = copy.deepcopy(body)
    changes = apply(body, row(**sets))
    return body, [(change.pointer, change.why.partition(": ")[2]) for change in changes]


def test_the_model() -> None:
    body: JsonObject = {"model": "a"}
    (change,) = applied.model(body, row(model="b"))
    assert body == {"model": "b"}
    assert (change.rule, change.pointer, change.why) == (
        "model-map",
        "/model",
        "row 1 (r) of hunyuan_model_map: b answers",
    )
    assert applied.model(body, row(model="b")) == []
    assert applied.model({}, row(system="x")) == []


NUMBERS = [
    (applied.in_chat, "temperature", "temperature", 0.5),
    (applied.in_chat, "top_p", "top_p", 0.5),
    (applied.in_chat, "max_tokens", "max_tokens", 5),
    (MESSAGES, "temperature", "temperature", 0.5),
    (MESSAGES, "top_p", "top_p", 0.5),
    (MESSAGES, "max_tokens", "max_tokens", 5),
    (applied.in_responses, "temperature", "temperature", 0.5),
    (applied.in_responses, "top_p", "top_p", 0.5),
    (applied.in_responses, "max_tokens", "max_output_tokens", 5),
]


@pytest.mark.parametrize(("apply", "key", "field", "value"), NUMBERS)
def test_a_number_by_default_and_by_force(apply: Apply, key: str, field: str, value: float) -> None:
    silent = (f"/{field}", f"{value}, where the request says nothing")
    forced = (f"/{field}", f"{value}, whatever the request says")
    assert after(apply, {}, default={key: value}) == ({field: value}, [silent])
    assert after(apply, {field: None}, default={key: value}) == ({field: value}, [silent])
    assert after(apply, {field: 1}, default={key: value}) == ({field: 1}, [])
    assert after(apply, {field: 0}, default={key: value}) == ({field: 0}, []), "0 says something"
    assert after(apply, {field: 1}, force={key: value}) == ({field: value}, [forced])
    assert after(apply, {}, force={key: value}) == ({field: value}, [forced])
    assert after(apply, {field: value}, force={key: value}) == ({field: value}, [])


def test_a_limit_by_either_of_chats_names() -> None:
    newer = {"max_completion_tokens": 7}
    assert after(applied.in_chat, newer, default={"max_tokens": 5}) == (newer, [])
    assert after(applied.in_chat, newer, force={"max_tokens": 5})[0] == {"max_completion_tokens": 5}
    both = {"max_tokens": 9, "max_completion_tokens": 7}
    assert after(applied.in_chat, both, force={"max_tokens": 5})[0] == dict.fromkeys(both, 5)


def test_one_is_not_true() -> None:
    assert after(applied.in_chat, {"top_p": True}, force={"top_p": 1})[0] == {"top_p": 1}
    assert after(applied.in_chat, {"top_p": True}, force={"top_p": 1})[1]


THINKING = [
    {"thinking": {"type": "disabled"}},
    {"thinking": {"type": "enabled", "budget_tokens": 2000}},
    {"enable_thinking": False},
    {"reasoning": {"effort": "low"}},
    {"reasoning_effort": "low"},
    {"chat_template_kwargs": {"enable_thinking": False}},
]


@pytest.mark.parametrize("said", THINKING)
def test_an_effort_in_chat_in_whatever_spelling(said: JsonObject) -> None:
    assert after(applied.in_chat, said, default={"effort": "high"}) == (said, [])
    body, changes = after(applied.in_chat, said, force={"effort": "high"})
    assert body.pop("chat_template_kwargs", {}) == {}
    assert body == {"reasoning_effort": "high"}
    assert changes == [("/reasoning_effort", "high, whatever the request says")]


def test_an_effort_in_chat_where_nothing_is_said() -> None:
    kept = {"chat_template_kwargs": {"custom": 1}, "thinking": None}
    body, changes = after(applied.in_chat, kept, default={"effort": "low"})
    assert body == {"chat_template_kwargs": {"custom": 1}, "reasoning_effort": "low"}
    assert [pointer for pointer, _ in changes] == ["/reasoning_effort"]
    again = after(applied.in_chat, {"reasoning_effort": "low"}, force={"effort": "low"})
    assert again == ({"reasoning_effort": "low"}, [])


def test_an_effort_in_messages() -> None:
    assert after(MESSAGES, {}, default={"effort": "high"})[0] == {"output_config": {"effort": "high"}}
    assert after(MESSAGES, {}, default={"effort": "minimal"})[0] == {"output_config": {"effort": "low"}}
    for said in ({"thinking": {"type": "adaptive"}}, {"output_config": {"effort": "low", "format": {}}}):
        assert after(MESSAGES, said, default={"effort": "high"}) == (said, [])
    form = {"output_config": {"effort": "low", "format": {"type": "json_schema"}}}
    assert after(MESSAGES, form, force={"effort": "max"})[0] == {
        "output_config": {"effort": "max", "format": {"type": "json_schema"}}
    }
    off = {"thinking": {"type": "disabled"}}
    assert after(MESSAGES, off, force={"effort": "max"})[0] == {"output_config": {"effort": "max"}}
    on = {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}
    assert after(MESSAGES, on, force={"effort": "none"}) == (off, [("/thinking", "none, whatever the request says")])
    assert after(MESSAGES, off, force={"effort": "none"}) == (off, [])


def test_an_effort_in_messages_is_a_budget_where_the_endpoint_takes_none() -> None:
    body, changes = after(BUDGETS, {"max_tokens": 32_000}, default={"effort": "medium"})
    assert body["thinking"] == {"type": "enabled", "budget_tokens": 10_000}
    assert changes == [("/thinking", "medium, where the request says nothing")]
    short, told = after(BUDGETS, {"max_tokens": 5000}, default={"effort": "high"})
    assert short["thinking"] == {"type": "enabled", "budget_tokens": 4999}
    assert [pointer for pointer, _ in told] == ["/thinking", "/thinking/budget_tokens"]
    assert after(BUDGETS, {"max_tokens": 900}, default={"effort": "high"})[0] == {"max_tokens": 900}
    shown = {"thinking": {"type": "adaptive", "display": "omitted"}, "output_config": {"effort": "low"}}
    assert after(BUDGETS, shown, force={"effort": "low"})[0] == {
        "thinking": {"type": "enabled", "budget_tokens": 4096, "display": "omitted"}
    }


def test_a_smaller_limit_leaves_a_budget_below_it() -> None:
    asked = {"max_tokens": 32_000, "thinking": {"type": "enabled", "budget_tokens": 31_999}}
    assert after(MESSAGES, asked, force={"max_tokens": 2000})[0]["thinking"]["budget_tokens"] == 1999
    assert "thinking" not in after(MESSAGES, asked, force={"max_tokens": 500})[0]
    odd = asked | {"max_tokens": 5}
    assert after(MESSAGES, odd, default={"max_tokens": 9}) == (odd, []), "what the row doesn't touch stays"


def test_what_does_not_go_with_thinking_gives_way() -> None:
    on = {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 9000}
    body, changes = after(MESSAGES, on | {"top_k": 3}, force={"temperature": 0.2, "top_p": 0.5})
    assert body == on
    assert changes[-1][0] == "/top_k"
    assert after(MESSAGES, on, force={"temperature": 1, "top_p": 0.95})[0] == on | {"temperature": 1, "top_p": 0.95}
    forced = {"tool_choice": {"type": "tool", "name": "a"}, "max_tokens": 9000}
    assert after(BUDGETS, forced, force={"effort": "high"})[0] == forced
    off = {"thinking": {"type": "disabled"}}
    assert after(MESSAGES, off, force={"temperature": 0.2})[0] == off | {"temperature": 0.2}


def test_an_effort_in_responses() -> None:
    assert after(applied.in_responses, {}, default={"effort": "none"})[0] == {"reasoning": {"effort": "none"}}
    said = {"reasoning": {"effort": "low", "summary": "auto"}}
    assert after(applied.in_responses, said, default={"effort": "high"}) == (said, [])
    assert after(applied.in_responses, said, force={"effort": "high"})[0] == {
        "reasoning": {"effort": "high", "summary": "auto"}
    }
    kept = {"reasoning": {"summary": "auto"}}
    assert after(applied.in_responses, kept, default={"effort": "high"})[0] == {
        "reasoning": {"effort": "high", "summary": "auto"}
    }


BEFORE = {"text": "Be brief.", "place": "before"}


def test_a_system_text_in_chat() -> None:
    ours = {"role": "system", "content": "Be brief."}
    theirs = [{"role": "system", "content": "You are a cook."}, *SAID]
    body, changes = after(applied.in_chat, {"messages": SAID}, system="Be brief.")
    assert (body["messages"], changes) == ([ours, *SAID], [("/messages", "its system text")])
    assert after(applied.in_chat, {"messages": theirs}, system="Be brief.") == ({"messages": theirs}, [])
    assert after(applied.in_chat, {"messages": theirs}, system=BEFORE)[0]["messages"] == [ours, *theirs]
    developer = {"text": "Be brief.", "role": "developer"}
    assert after(applied.in_chat, {"messages": SAID}, system=developer)[0]["messages"][0]["role"] == "developer"
    named = [{"role": "developer", "content": "x"}]
    assert after(applied.in_chat, {"messages": named}, system="Be brief.") == ({"messages": named}, [])


def test_a_system_text_in_messages() -> None:
    assert after(MESSAGES, {"messages": SAID}, system="A")[0]["system"] == "A"
    assert after(MESSAGES, {"messages": SAID, "system": ""}, system="A")[0]["system"] == "A"
    assert after(MESSAGES, {"messages": SAID, "system": "B"}, system="A")[1] == []
    assert after(MESSAGES, {"messages": SAID, "system": "B"}, system=BEFORE)[0]["system"] == "Be brief.\n\nB"
    blocks = [{"type": "text", "text": "B", "cache_control": {"type": "ephemeral"}}]
    body, changes = after(MESSAGES, {"messages": SAID, "system": blocks}, system=BEFORE)
    assert body["system"] == [{"type": "text", "text": "Be brief."}, *blocks]
    assert changes == [("/system", "its system text")]


def test_a_system_text_in_responses() -> None:
    assert after(applied.in_responses, {"input": "hi"}, system="A")[0] == {"input": "hi", "instructions": "A"}
    said = {"input": "hi", "instructions": "B"}
    assert after(applied.in_responses, said, system="A") == (said, [])
    assert after(applied.in_responses, said, system=BEFORE)[0]["instructions"] == "Be brief.\n\nB"
    item = {"type": "message", "role": "developer", "content": "A"}
    developer = {"text": "A", "role": "developer"}
    assert after(applied.in_responses, {"input": "hi"}, system=developer)[0]["input"] == [item, *SAID]
    assert after(applied.in_responses, {"input": SAID}, system=developer)[0]["input"] == [item, *SAID]
    assert after(applied.in_responses, {"input": [item]}, system="B") == ({"input": [item]}, [])
    odd = {"input": 1, "instructions": [1]}
    assert after(applied.in_responses, odd, system=BEFORE | {"role": "developer"}) == (odd, [])


# Properties

KEYS = st.sampled_from(
    [
        *("model", "messages", "system", "input", "instructions", "temperature", "top_p", "max_tokens"),
        *("max_completion_tokens", "max_output_tokens", "thinking", "reasoning", "reasoning_effort"),
        *("output_config", "chat_template_kwargs", "role", "content", "type", "effort", "budget_tokens"),
    ]
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["system", "developer", "user", "enabled", "disabled", "high", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)
BODIES = st.dictionaries(KEYS, VALUES, max_size=7)
ROWS = st.fixed_dictionaries(
    {},
    optional={
        "default": st.fixed_dictionaries({}, optional={"temperature": st.just(0.5), "effort": st.just("high")}),
        "force": st.fixed_dictionaries({}, optional={"max_tokens": st.just(2000), "top_p": st.just(0.5)}),
        "system": st.sampled_from(["A", {"text": "A", "role": "developer"}]),
    },
)


@pytest.mark.parametrize("form", FORMATS)
@given(body=BODIES, sets=ROWS)
def test_any_body_gets_the_same_bytes_each_time_and_nothing_is_done_twice(
    form: str, body: JsonObject, sets: JsonObject
) -> None:
    apply, given_row = FORMATS[form], row(model="m", **sets)
    first, second = copy.deepcopy(body), copy.deepcopy(body)
    changes = apply(first, given_row)
    assert apply(second, given_row) == changes
    assert json.dumps(first) == json.dumps(second)
    assert changes or json.dumps(first) == json.dumps(body)
    apply(second, given_row)
    assert json.dumps(first) == json.dumps(second), "once is enough"


@pytest.mark.parametrize("form", FORMATS)
@given(body=BODIES)
def test_a_row_that_only_names_a_model_leaves_the_rest(form: str, body: JsonObject) -> None:
    after_it = copy.deepcopy(body)
    assert FORMATS[form](after_it, row(model="m")) == []
    assert json.dumps(after_it) == json.dumps(body)
