"""What an answer says and thinks: the same whether it is whole or streamed, and bounded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.dialects.anthropic import native_answers as messages
from hunyuan_fix.dialects.responses import native_answers as responses
from hunyuan_fix.kept.heard import _A_PLACE, HeardChat, HeardMessage, HeardResponse, HeardTurn
from tests.remembering import Json, call, events, said, whole

LIMIT = 1 << 20
TEXT = st.text(max_size=20)
CALLS = st.lists(
    st.builds(
        call,
        st.sampled_from(["a", "b"]),
        st.dictionaries(st.text(max_size=3), TEXT, max_size=2).map(json.dumps),
        st.sampled_from(["x:0", "y"]),
    ),
    max_size=3,
)


def of_stream(message: Json) -> list[HeardTurn]:
    heard = HeardChat(LIMIT)
    for event in events(message):
        if event != b"data: [DONE]\n\n":
            heard.event(json.loads(event[6:]))
    return heard.turns()


def of_whole(message: Json) -> list[HeardTurn]:
    heard = HeardChat(LIMIT)
    heard.whole(json.loads(whole(message)))
    return heard.turns()


@given(TEXT, CALLS, st.text(min_size=1, max_size=30))
def test_a_chat_answer_is_the_same_in_pieces(text: str, calls: list[Json], thought: str) -> None:
    message = said(text, *calls, reasoning_content=thought)
    assert of_stream(message) == of_whole(message)
    assert of_whole(message)[0].thought == thought


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"reasoning_content": "a", "reasoning_details": "b", "reasoning": "c"}, ("reasoning_content", "a")),
        ({"reasoning_details": "b", "reasoning": "c"}, ("reasoning_details", "b")),
        ({"reasoning_content": "", "reasoning": "c"}, ("reasoning", "c")),
        ({"reasoning_content": None, "reasoning": "c"}, ("reasoning", "c")),
        ({"reasoning_details": [{"text": "b"}], "reasoning": "c"}, ("reasoning", "c")),
        ({"reasoning_content": ""}, ("reasoning_content", "")),
        ({"reasoning_details": [{"text": "b"}]}, ("", None)),
        ({}, ("", None)),
    ],
)
def test_the_field_of_a_thought(fields: Json, expected: tuple[str, str | None]) -> None:
    (turn,) = of_whole({"role": "assistant", "content": "x", **fields})
    assert (turn.field, turn.thought) == expected


def test_each_choice_is_a_turn() -> None:
    heard = HeardChat(LIMIT)
    for index, text in ((1, "b"), (0, "a"), (1, "c")):
        heard.event({"choices": [{"index": index, "delta": {"reasoning_content": text}}]})
    assert [turn.thought for turn in heard.turns()] == ["bc", "a"]


@pytest.mark.parametrize("piece", ["reasoning_content", "content"])
def test_too_much_is_nothing(piece: str) -> None:
    heard = HeardChat(_A_PLACE + 10)
    heard.event({"choices": [{"delta": {"reasoning_content": "x"}}]})
    assert heard.turns()
    heard.event({"choices": [{"delta": {piece: "x" * 10}}]})
    assert not heard.turns()
    for _ in range(1000):
        heard.event({"choices": [{"delta": {piece: "x" * 10}}]})
    choice = heard._choices[0]
    assert len(choice.text.getvalue() + choice.thoughts["reasoning_content"].getvalue()) <= 10


@pytest.mark.parametrize("kind", ["choices", "calls", "blocks", "items"])
def test_many_small_ones_are_too_much(kind: str) -> None:
    heard: Any = {"blocks": HeardMessage, "items": HeardResponse}.get(kind, HeardChat)(100 * _A_PLACE)
    for number in range(1000):
        item = {"type": "reasoning"}
        frame = {"index": number, "function": {"name": "f"}}
        heard.event(
            {
                "choices": {"choices": [{"index": number, "delta": {"reasoning": "x"}}]},
                "calls": {"choices": [{"index": 0, "delta": {"tool_calls": [frame]}}]},
                "blocks": {"type": "content_block_start", "index": number, "content_block": {"type": "thinking"}},
                "items": {"type": "response.output_item.done", "output_index": number, "item": item},
            }[kind]
        )
    assert heard.turns() == []
    held = {"choices": "_choices", "blocks": "_blocks", "items": "_items"}.get(kind)
    assert len(getattr(heard, held) if held else heard._choices[0].calls) <= 100


BLOCKS: list[Json] = [
    {"type": "thinking", "thinking": "first I think", "signature": "c2ln"},
    {"type": "text", "text": "I look."},
    {"type": "redacted_thinking", "data": "aGlkZGVu"},
    {"type": "thinking", "thinking": "then again", "signature": ""},
    {"type": "tool_use", "id": "toolu_1", "name": "Bash", "input": {"command": "ls"}},
]
MESSAGE: Json = {"id": "msg_1", "type": "message", "role": "assistant", "content": BLOCKS, "stop_reason": "tool_use"}


def test_a_message_is_the_same_in_pieces() -> None:
    one, two = HeardMessage(LIMIT), HeardMessage(LIMIT)
    one.whole(MESSAGE)
    for event in messages.as_events(MESSAGE):
        two.event(event)
    assert one.turns() == two.turns()
    assert one.id == two.id == "msg_1"
    (turn,) = one.turns()
    assert turn.thought == "first I thinkthen again"
    assert [block["at"] for block in turn.blocks] == [0, 1, 1]
    assert [{key: block[key] for key in block if key != "at"} for block in turn.blocks] == [
        BLOCKS[0],
        BLOCKS[2],
        BLOCKS[3],
    ]
    assert [found.name for found in turn.calls] == [b"Bash"]


ITEMS: list[Json] = [
    {"id": "rs_1", "type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "I think"}]},
    {"id": "msg_1", "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I look."}]},
    {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "ls", "arguments": "{}"},
]
RESPONSE: Json = {"id": "resp_1", "object": "response", "status": "completed", "output": ITEMS}


def test_a_response_is_the_same_in_pieces() -> None:
    one, two, three = HeardResponse(LIMIT), HeardResponse(LIMIT), HeardResponse(LIMIT)
    one.whole(RESPONSE)
    for event in responses.as_events(RESPONSE):
        two.event(event)
        if event["type"] != "response.completed":
            three.event(event)
    assert one.turns() == two.turns() == three.turns()
    (turn,) = one.turns()
    assert (turn.thought, list(turn.blocks)) == ("I think", ITEMS[:1])


NONSENSE: list[Any] = [
    {},
    {"choices": None},
    {"choices": [None, {"delta": 7}, {"index": [], "delta": {"content": "x"}}]},
    {"choices": [{"delta": {"tool_calls": [7, {}, {"function": {"arguments": {"a": 1}}}]}}]},
    {"type": "content_block_start", "index": 0, "content_block": {"thinking": 7, "text": None, "type": "thinking"}},
    {"type": "content_block_delta", "index": 0, "delta": {"thinking": "x"}},
    {"type": "content_block_delta", "index": "a", "delta": []},
    {"type": "response.output_item.done", "output_index": 0, "item": 7},
    {
        "type": "response.output_item.done",
        "output_index": 0,
        "item": {"type": "reasoning", "content": [7, {"text": 7}]},
    },
    {"type": "response.completed", "response": {"output": [None, {"type": ["x"]}]}},
    {"message": [], "id": 7, "content": [None], "output": 7},
]


def test_nonsense_raises_nothing() -> None:
    for kind in (HeardChat, HeardMessage, HeardResponse):
        heard = kind(LIMIT)
        for event in NONSENSE:
            heard.event(event)
            heard.whole(event)
        heard.turns()


def test_an_item_that_comes_twice_counts_once() -> None:
    heard = HeardResponse(1000)
    for event in responses.as_events(RESPONSE):
        heard.event(event)
    assert 600 < heard.size <= 1000
    assert heard.turns()
