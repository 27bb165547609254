"""A streamed answer is gathered as the whole one: what is given as a stream comes back as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers import given_again
from hunyuan_fix.answers.gathered import gathering
from hunyuan_fix.dialects import NATIVE
from hunyuan_fix.exchange import JsonObject
from tests.growth import grows_linearly

LIMIT = 1 << 20
TEXT = st.text(max_size=200)
CALL = st.fixed_dictionaries(
    {
        "id": st.text("abc_:0123", min_size=1, max_size=20),
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": st.sampled_from(["read", "写"]), "arguments": TEXT}),
    }
)
MESSAGE = st.fixed_dictionaries(
    {"role": st.just("assistant"), "content": TEXT},
    optional={
        "reasoning_content": TEXT.filter(bool),
        "refusal": TEXT.filter(bool),
        "tool_calls": st.lists(CALL, min_size=1, max_size=4),
        "annotations": st.lists(st.just({"type": "url_citation"}), min_size=1, max_size=2),
    },
)
CHOICE = st.fixed_dictionaries(
    {"message": MESSAGE, "finish_reason": st.sampled_from(["stop", "tool_calls", "length"])},
    optional={"logprobs": st.just({"content": [{"token": "a", "logprob": -1.5}]})},
)
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def chat(choices: list[JsonObject]) -> JsonObject:
    return {
        "object": "chat.completion",
        "id": "chatcmpl-1",
        "created": 1,
        "model": "hy3",
        "choices": [{"index": index, **choice} for index, choice in enumerate(choices)],
        "usage": USAGE,
    }


@given(choices=st.lists(CHOICE, min_size=1, max_size=3), wants_usage=st.booleans())
def test_a_chat_answer_given_as_a_stream_is_gathered_as_it_was(choices: list[JsonObject], wants_usage: bool) -> None:
    answer = chat(choices)
    gathered = gathering("chat", LIMIT)
    for chunk in given_again.chunks(answer, wants_usage=wants_usage):
        gathered.event(json.loads(json.dumps(chunk)))
    whole = gathered.whole()
    assert whole == (answer if wants_usage else {k: v for k, v in answer.items() if k != "usage"})


BLOCK = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": TEXT}),
    st.fixed_dictionaries({"type": st.just("thinking"), "thinking": TEXT, "signature": st.text("abc", min_size=1)}),
    st.fixed_dictionaries(
        {
            "type": st.just("tool_use"),
            "id": st.just("toolu_1"),
            "name": st.just("read"),
            "input": st.dictionaries(TEXT, st.one_of(TEXT, st.integers(), st.lists(st.booleans())), max_size=3),
        }
    ),
)


@given(blocks=st.lists(BLOCK, min_size=1, max_size=5))
def test_an_anthropic_message_given_as_a_stream_is_gathered_as_it_was(blocks: list[JsonObject]) -> None:
    message: JsonObject = {"id": "msg_1", "type": "message", "role": "assistant", "model": "hy3", "content": blocks}
    message |= {"stop_reason": "end_turn", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 2}}
    gathered = gathering("anthropic-native", LIMIT)
    for event in NATIVE["anthropic-native"].as_events(json.loads(json.dumps(message))):
        gathered.event(event)
    assert gathered.whole() == message


@given(texts=st.lists(TEXT, min_size=1, max_size=4), listed=st.booleans())
def test_a_response_given_as_a_stream_is_gathered_as_it_was(texts: list[str], listed: bool) -> None:
    items = [
        {"type": "message", "id": f"msg_{n}", "content": [{"type": "output_text", "text": t}]}
        for n, t in enumerate(texts)
    ]
    response: JsonObject = {"id": "resp_1", "status": "completed", "output": items, "usage": {"input_tokens": 1}}
    gathered = gathering("responses-native", LIMIT)
    for event in NATIVE["responses-native"].as_events(json.loads(json.dumps(response))):
        if event["type"] == "response.completed" and not listed:  # some endpoints leave them out there
            event["response"] = {**event["response"], "output": []}
        gathered.event(event)
    assert gathered.whole() == response


CHUNK = {"id": "1", "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": None}]}
END = {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
FAILED: list[tuple[str, list[Any]]] = [
    ("chat", []),
    ("chat", [CHUNK]),
    ("chat", [CHUNK, {"error": {"message": "a"}}]),
    ("chat", [CHUNK, END, {"error": {"message": "a"}}]),
    ("chat", [CHUNK, {**END, "choices": [{"index": 1, "delta": {}, "finish_reason": "stop"}]}]),
    ("anthropic-native", []),
    ("anthropic-native", [{"type": "message_start", "message": {"stop_reason": "end_turn"}}]),
    ("anthropic-native", [{"type": "message_start", "message": {}}, {"type": "message_stop"}]),
    ("anthropic-native", [{"type": "error", "error": {}}]),
    (
        "anthropic-native",
        [
            {"type": "message_start", "message": {}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "input": {}}},
            {"type": "content_block_delta", "index": 0, "delta": {"partial_json": '{"a"'}},
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            {"type": "message_stop"},
        ],
    ),
    ("responses-native", [{"type": "response.in_progress", "response": {"output": [{}]}}]),
    ("responses-native", [{"type": "response.failed"}, {"type": "response.completed", "response": {}}]),
]


@pytest.mark.parametrize(("form", "events"), FAILED)
def test_what_failed_or_has_no_end_is_no_answer(form: str, events: list[JsonObject]) -> None:
    gathered = gathering(form, LIMIT)
    for event in events:
        gathered.event(event)
    assert gathered.whole() is None


FIELDS = (
    "delta",
    "index",
    "tool_calls",
    "function",
    "content",
    "type",
    "usage",
    "content_block",
    "output",
    "arguments",
)
ODD = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "a", "message_start", "message_delta"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=3),
    max_leaves=6,
)
EVENT = st.dictionaries(
    st.sampled_from(["choices", "type", "message", "index", "delta", "response", "item", "error"]), ODD, max_size=4
)


@given(events=st.lists(EVENT, max_size=4))
@pytest.mark.parametrize("form", ["chat", "anthropic-native", "responses-native"])
def test_nothing_raises(form: str, events: list[JsonObject]) -> None:
    gathered = gathering(form, LIMIT)
    for event in events:
        gathered.event(event)
    gathered.whole()


def test_what_is_too_large_is_let_go() -> None:
    for form, event in (
        ("chat", CHUNK),
        ("responses-native", {"type": "response.output_item.done", "output_index": 0, "item": {}}),
    ):
        gathered = gathering(form, 10_000)
        for number in range(200):
            gathered.event({**event, "output_index": number} if "item" in event else event)
        gathered.event(END if form == "chat" else {"type": "response.completed", "response": {"output": [{}]}})
        assert gathered.whole() is None


def test_it_costs_twice_as_much_for_twice_as_long_a_stream() -> None:
    def gather(size: int) -> None:
        gathered = gathering("chat", 1 << 30)
        frame = {"index": 0, "function": {"arguments": "x"}}
        chunk = {"id": "1", "choices": [{"index": 0, "delta": {"content": "a", "tool_calls": [frame]}}]}
        for _ in range(size):
            gathered.event(chunk)
        gathered.event(END)
        assert gathered.whole() is not None

    assert grows_linearly(gather, 4000)
