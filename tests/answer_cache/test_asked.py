"""What a request asks: what has a say in its answer makes another key, and nothing else does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answer_cache.asked import Asked, asked
from hunyuan_fix.exchange import Exchange, JsonObject
from tests.growth import grows_linearly

BODY: JsonObject = {
    "model": "hy3",
    "messages": [
        {"role": "system", "content": "You are x."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "data:"}}],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "r"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"b": 1, "a": [1.0, 1]}}}],
    "temperature": 0.5,
}
CHAT_WORDS = ("model", "messages", "role", "content", "id", "type", "tool_calls", "tool_call_id", "text", "a", "b")
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(CHAT_WORDS), inner, max_size=4),
    max_leaves=12,
)


def ask(body: JsonObject, dialect: str = "openai", program: str = "", **wishes: str) -> Asked:
    return asked(Exchange(dialect=dialect, program=program, chat=body), wishes)


def changed(**fields: Any) -> JsonObject:
    return {**json.loads(json.dumps(BODY)), **fields}


def test_what_has_no_say_is_left_out() -> None:
    same = changed(
        **{"stream": True, "stream_options": {"include_usage": True}, "user": "a", "metadata": {"b": "c"}},
        **{"prompt_cache_key": "d", "safety_identifier": "e", "store": False, "top_p": None},
    )
    same["messages"][0]["cache_control"] = {"type": "ephemeral"}
    same = dict(reversed(same.items()))
    assert ask(same) == ask(BODY)


def test_ids_of_calls_count_by_their_order_alone() -> None:
    text = json.dumps(BODY).replace('"c1"', '"functions.f:7"')
    assert ask(json.loads(text)) == ask(BODY)
    another = changed()
    another["messages"][3]["tool_call_id"] = "c2"
    assert ask(another).key != ask(BODY).key, "the result of another call"


OTHERS: list[JsonObject] = [
    changed(model="hy4"),
    changed(temperature=0.6),
    changed(seed=1),
    changed(unknown="a"),
    changed(tools=[]),
    changed(messages=BODY["messages"][:-1]),
    changed(messages=[*BODY["messages"], {"role": "user", "content": ""}]),
    changed(messages=[*BODY["messages"][:-1], {"role": "tool", "tool_call_id": "c1", "content": "s"}]),
]


@pytest.mark.parametrize("other", OTHERS, ids=range(len(OTHERS)))
def test_what_has_a_say_makes_another_key(other: JsonObject) -> None:
    assert ask(other).key != ask(BODY).key


def test_the_form_the_caller_the_endpoint_and_what_is_done_with_it_make_another_key() -> None:
    one = ask(BODY)
    assert ask(BODY, "anthropic-native").key != one.key
    assert ask(BODY, **{"x-hunyuan-json": "repair"}).key != one.key
    assert ask(BODY, "anthropic").key == one.key, "which format the client speaks doesn't matter"
    keys = {one.key_for(caller, url) for caller in (b"", b"a", b"b") for url in ("https://a", "https://b")}
    assert len(keys) == 6
    assert one.key_for(b"a", "https://a") == ask(changed()).key_for(b"a", "https://a")


@given(one=VALUES, other=VALUES)
def test_different_messages_have_different_keys(one: Any, other: Any) -> None:
    """But for ids of calls, marks of caches, and fields that are null at the top: those have no say."""
    keys = [ask({"model": "a", "messages": [{"role": "user", "content": [value]}]}).key for value in (one, other)]
    spelt = [json.dumps(value, sort_keys=True) for value in (one, other)]
    if spelt[0] == spelt[1]:
        assert keys[0] == keys[1]
    elif not any(name in text for text in spelt for name in ('"id"', '"tool_call_id"')):
        assert keys[0] != keys[1]


@given(VALUES)
def test_it_changes_nothing_in_the_request(value: Any) -> None:
    body = {"model": "a", "messages": [value]}
    before = json.dumps(body)
    ask(body, program="claude-code")
    assert json.dumps(body) == before


DAYS: list[tuple[str, str]] = [
    ("claude-code", "<system-reminder>\nToday's date is {}.\n</system-reminder>"),
    ("claude-code", "x-anthropic-billing-header: cc_version=2.1.332.{}; cc_entrypoint=sdk-cli;\nYou are"),
    ("claude-code", "Use /tmp/claude-0/-home-user/{}/scratchpad for temporary files."),
    ("opencode", "<env>\n  Today's date: {}\n</env>"),
    ("qwen-code", "Today's date is {} (formatted according to the user's locale)."),
    ("codex", "<environment_context>\n  <cwd>/a</cwd>\n  <current_date>{}</current_date>\n</environment_context>"),
    ("copilot", "<current_datetime>{}</current_datetime>\n\nsay ok"),
]


@pytest.mark.parametrize(("program", "text"), DAYS, ids=[f"{program}-{n}" for n, (program, _) in enumerate(DAYS)])
def test_what_an_agent_writes_and_differs_from_day_to_day_has_no_say(program: str, text: str) -> None:
    def of(given: str, program: str, more: str = "") -> bytes:
        messages = [{"role": "user", "content": text.format(given) + more}]
        return ask({"model": "a", "messages": messages}, program=program).key

    assert of("2026-11-28", program) == of("Sat Nov 29 2026", program)
    assert of("2026-11-28", program) != of("2026-11-28", program, "more")
    assert of("2026-11-28", "curl") != of("2026-11-29", "curl"), "another program's date is part of the question"
    assert of("x" * 400, program) != of("y" * 400, program), "that long it is something else"


def test_a_folder_has_a_say() -> None:
    texts = [f"<environment_context>\n  <cwd>/{cwd}</cwd>\n  <current_date>1</current_date>" for cwd in "ab"]
    keys = [ask({"messages": [{"content": text}]}, program="codex").key for text in texts]
    assert keys[0] != keys[1], "the answer names files in it"


def test_items_of_responses_have_ids_that_say_nothing() -> None:
    items = [{"type": "message", "id": "msg_1", "content": "a"}, {"type": "function_call", "id": "fc", "call_id": "c"}]
    others = [{**item, "id": "x"} for item in items]
    one, other = [ask({"input": given}, "responses-native") for given in (items, others)]
    assert one.key == other.key
    reference = [ask({"input": [{"type": "item_reference", "id": id}]}, "responses-native").key for id in "ab"]
    assert reference[0] != reference[1]
    shown = ask({"input": items, "messages": [{"role": "user"}]}, "responses-native")
    assert shown.key == one.key, "what is shown beside its items isn't part of it"


def test_it_costs_twice_as_much_for_twice_as_much() -> None:
    def many(size: int) -> None:
        call = {"type": "tool_use", "id": "a", "input": {}}
        ask({"messages": [{**call, "id": str(number)} for number in range(size)]})

    def long(size: int) -> None:
        hostile = "Today's date is /tmp/claude-x-anthropic-billing-header:Today's date: " * size
        ask({"messages": [{"content": hostile}]}, program="claude-code")

    assert grows_linearly(many, 2000)
    assert grows_linearly(long, 2000)
