"""Messages of an upstream as chat answers, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from hunyuan_fix.dialects.anthropic import Anthropic, upstream_answers
from hunyuan_fix.dialects.anthropic.upstream_answers import answer, events
from hunyuan_fix.dialects.composer import MAX_HELD
from tests.dialects.anthropic import event_order
from tests.dialects.anthropic.answering import NOTE
from tests.dialects.anthropic.answering import answer as chat_answer
from tests.dialects.chat_answers import chunked, messages
from tests.strategies import json_values

USED = {"input_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 2, "output_tokens": 7}
COUNTED = {
    "prompt_tokens": 10,
    "completion_tokens": 7,
    "total_tokens": 17,
    "prompt_tokens_details": {"cached_tokens": 3},
    "cache_creation_input_tokens": 2,
}
"""`USED` in OpenAI's words."""
START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "kimi-k3",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 1},
    },
}
STOP = {"type": "message_stop"}


def block(index: int, *deltas: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """The events of a block."""
    return [
        {"type": "content_block_start", "index": index, "content_block": fields},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def text(index: int, *pieces: str) -> list[dict[str, Any]]:
    return block(index, *({"type": "text_delta", "text": piece} for piece in pieces), type="text", text="")


def thinking(index: int, *pieces: str, signature: str = "") -> list[dict[str, Any]]:
    signed = [{"type": "signature_delta", "signature": signature}] if signature else []
    deltas = [*({"type": "thinking_delta", "thinking": piece} for piece in pieces), *signed]
    return block(index, *deltas, type="thinking", thinking="")


def call(index: int, *pieces: str, id: str = "toolu_1", **given: Any) -> list[dict[str, Any]]:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block(index, *deltas, type="tool_use", id=id, name="ls", input=given)


def end(reason: str | None = "end_turn", sequence: str | None = None, usage: Any = USED) -> dict[str, Any]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": sequence}, "usage": usage}


def streamed(*given: dict[str, Any] | list[dict[str, Any]], **note: Any) -> list[dict[str, Any]]:
    """The chunks of a stream, each of which OpenAI's types accept."""
    kept: dict[str, Any] = note
    made = []
    for event in (event for one in given for event in (one if isinstance(one, list) else [one])):
        kept = json.loads(json.dumps(kept))  # plain data: a saved flow keeps it
        made += events(event, kept)
    for chunk in made:
        if "error" not in chunk:
            ChatCompletionChunk.model_validate(chunk, strict=True)
    return made


def deltas(chunks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [chunk["choices"][0]["delta"] for chunk in chunks if chunk.get("choices")]


def joined(chunks: Iterable[dict[str, Any]], field: str = "content") -> str:
    return "".join(delta.get(field) or "" for delta in deltas(chunks))


def message(*content: dict[str, Any], reason: str | None = "end_turn", **fields: Any) -> dict[str, Any]:
    whole = {**START["message"], "content": list(content), "stop_reason": reason, "usage": USED, **fields}  # type: ignore[dict-item]
    made = answer(whole, {})
    ChatCompletion.model_validate(made, strict=True)
    return made


def said(*content: dict[str, Any], **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = message(*content, **fields)["choices"][0]["message"]
    return found


def test_a_stream_in_chat() -> None:
    chunks = streamed(
        START, thinking(0, "hm", "m"), text(1, "Hel", "lo"), call(2, '{"a"', ":1}"), end("tool_use"), STOP
    )
    assert {(chunk["id"], chunk["model"], chunk["object"]) for chunk in chunks} == {
        ("msg_1", "kimi-k3", "chat.completion.chunk")
    }
    assert deltas(chunks) == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "hm"},
        {"reasoning_content": "m"},
        {"content": "Hel"},
        {"content": "lo"},
        {
            "tool_calls": [
                {"index": 0, "id": "toolu_1", "type": "function", "function": {"name": "ls", "arguments": ""}}
            ]
        },
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]},
        {},
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "tool_calls"
    assert chunks[-1]["usage"] == COUNTED
    assert all("usage" not in chunk for chunk in chunks[:-1])


def test_the_usage_is_a_chunk_of_its_own_for_who_asks() -> None:
    chunks = streamed(START, text(0, "a"), end(), STOP, include_usage=True)
    assert (chunks[-1]["choices"], chunks[-1]["usage"]) == ([], COUNTED)
    assert "usage" not in chunks[-2]


@pytest.mark.parametrize(
    ("reason", "calls", "finish"),
    [
        ("end_turn", False, "stop"),
        ("max_tokens", False, "length"),
        ("max_tokens", True, "length"),
        ("stop_sequence", False, "stop"),
        ("tool_use", True, "tool_calls"),
        ("tool_use", False, "stop"),
        ("end_turn", True, "tool_calls"),
        ("pause_turn", False, "stop"),
        ("refusal", False, "content_filter"),
        ("model_context_window_exceeded", False, "length"),
        ("something_new", False, "stop"),
    ],
)
def test_why_it_ends(reason: str, calls: bool, finish: str) -> None:
    asked: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {}}
    content = [{"type": "text", "text": "a"}, *([asked] if calls else [])]
    assert message(*content, reason=reason)["choices"][0]["finish_reason"] == finish
    stream = streamed(START, text(0, "a"), call(1) if calls else [], end(reason), STOP)
    assert stream[-1]["choices"][0]["finish_reason"] == finish


def test_the_stop_sequence_is_named_as_vllm_does() -> None:
    assert message(reason="stop_sequence", stop_sequence="END")["choices"][0]["stop_reason"] == "END"
    assert streamed(START, end("stop_sequence", "END"))[-1]["choices"][0]["stop_reason"] == "END"


@pytest.mark.parametrize(
    ("sent", "arguments"),
    [
        (call(0), "{}"),
        (call(0, ""), "{}"),
        (call(0, a=1), '{"a":1}'),
        (call(0, '{"b":2}', a=1), '{"b":2}'),
        (call(0, '{"b":2}')[:-1], '{"b":2}'),
        (call(0)[:-1], "{}"),
    ],
)
def test_each_call_has_arguments_wherever_its_input_stands(sent: list[dict[str, Any]], arguments: str) -> None:
    chunks = streamed(START, sent, end("tool_use"), STOP)
    frames = [frame for delta in deltas(chunks) for frame in delta.get("tool_calls", ())]
    assert "".join(frame["function"]["arguments"] for frame in frames) == arguments


def test_parallel_calls_have_numbers_of_their_own() -> None:
    one, two = call(1, "{}", id="a"), call(2, "{}", id="b")
    chunks = streamed(START, text(0, "a"), [one[0], two[0], two[1], one[1], one[2], two[2]], end("tool_use"), STOP)
    frames = [frame for delta in deltas(chunks) for frame in delta.get("tool_calls", ())]
    assert [(frame["index"], frame.get("id")) for frame in frames] == [(0, "a"), (1, "b"), (1, None), (0, None)]


def test_signed_and_redacted_thinking_stays_as_the_vendor_wants_it_back() -> None:
    redacted = {"type": "redacted_thinking", "data": "xyz"}
    chunks = streamed(
        START, thinking(0, "h", "m", signature="sig"), block(1, **redacted), thinking(2, "plain"), end(), STOP
    )
    kept = [found for delta in deltas(chunks) for found in delta.get("thinking_blocks", ())]
    assert kept == [{"type": "thinking", "thinking": "hm", "signature": "sig"}, redacted]
    assert joined(chunks, "reasoning_content") == "hmplain"
    whole = said({"type": "thinking", "thinking": "hm", "signature": "sig"}, redacted, {"type": "text", "text": "a"})
    assert (whole["reasoning_content"], whole["thinking_blocks"]) == ("hm", kept)


def test_an_empty_thought_is_told_from_none_and_from_one_that_was_left_out() -> None:
    assert said({"type": "thinking", "thinking": "", "signature": ""})["reasoning_content"] == ""
    assert "reasoning_content" not in said({"type": "text", "text": "a"})
    hidden = said({"type": "thinking", "thinking": "", "signature": "sig"})
    assert "reasoning_content" not in hidden
    assert hidden["thinking_blocks"] == [{"type": "thinking", "thinking": "", "signature": "sig"}]


def test_calls_that_the_vendor_ran_are_said_in_words() -> None:
    ran = block(
        1, {"type": "input_json_delta", "partial_json": '{"q":"x"}'}, type="server_tool_use", id="s", name="web_search"
    )
    found = {
        "type": "web_search_tool_result",
        "tool_use_id": "s",
        "content": [{"type": "web_search_result", "title": "T"}],
    }
    chunks = streamed(START, text(0, "Wait."), ran, block(2, **found), text(3, "There."), end(), STOP)
    whole = said(
        {"type": "text", "text": "Wait."},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": "x"}},
        found,
        {"type": "text", "text": "There."},
    )
    assert joined(chunks) == whole["content"]
    assert whole["content"].startswith('Wait.\n\n[called web_search: {"q":"x"}]\n\n[web_search: ')
    assert whole["content"].endswith("]\n\nThere.")
    assert "tool_calls" not in whole


def test_texts_of_one_answer_are_one_text() -> None:
    assert said({"type": "text", "text": "a"}, {"type": "text", "text": "b", "citations": []})["content"] == "ab"
    assert message(content="plain")["choices"][0]["message"]["content"] == "plain"


def test_an_answer_of_calls_alone_has_no_text() -> None:
    assert said({"type": "tool_use", "id": "a", "name": "ls", "input": {}})["content"] is None
    assert said()["content"] == ""


def test_errors_are_openais() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    expected = {"message": "Overloaded", "type": "overloaded_error", "param": None, "code": "overloaded_error"}
    assert streamed(START, error)[-1] == {"error": expected}
    assert answer(error, {}) == {"error": expected}


def test_what_is_no_message_is_given_back() -> None:
    assert answer({"detail": "x"}, {}) == {"detail": "x"}


def test_usage_that_is_missing_is_not_made_up() -> None:
    assert "usage" not in message(usage=None)
    bare = {**START, "message": {"id": "msg_1", "model": "m"}}
    assert all(
        "usage" not in chunk for chunk in streamed(bare, text(0, "a"), end(usage=None), STOP, include_usage=True)
    )


def test_a_count_of_zero_at_the_end_takes_nothing_back() -> None:
    chunks = streamed(START, text(0, "a"), end(usage={"input_tokens": 0, "output_tokens": 7}))
    assert (chunks[-1]["usage"]["prompt_tokens"], chunks[-1]["usage"]["completion_tokens"]) == (8, 7)


def test_a_ping_keeps_the_connection_open_and_says_nothing() -> None:
    ping = {"type": "ping"}
    assert streamed(ping) == []
    assert deltas(streamed(START, ping))[1:] == [{}]
    assert streamed(START, end(), ping) == streamed(START, end())


def test_a_stream_that_says_no_more_than_that_it_is_over_has_ended() -> None:
    chunks = streamed(START, text(0, "a"), STOP)
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert (
        streamed(START, text(0, "a"), end(None), end("max_tokens"), STOP)[-1]["choices"][0]["finish_reason"] == "length"
    )


def test_nothing_follows_the_end() -> None:
    whole = streamed(START, text(0, "a"), end(), STOP)
    assert streamed(START, text(0, "a"), end(), end(), STOP, text(1, "b"), STOP) == whole


def test_a_stream_without_its_beginning_is_read() -> None:
    chunks = streamed(text(0, "a"), end(), STOP)
    assert deltas(chunks)[0]["role"] == "assistant"
    assert joined(chunks) == "a"
    assert deltas(streamed(START, START, text(0, "a"))).count({"role": "assistant", "content": ""}) == 1


def test_of_a_thought_that_is_too_long_to_be_kept_only_the_text_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upstream_answers, "MAX_HELD", 8)
    assert MAX_HELD > 8
    chunks = streamed(START, thinking(0, "12345", "6789", signature="sig"), end())
    assert joined(chunks, "reasoning_content") == "123456789"
    assert not any("thinking_blocks" in delta for delta in deltas(chunks))


@given(st.data(), messages(), st.sampled_from(["stop", "tool_calls", "length"]))
def test_what_an_anthropic_client_is_told_is_read_back(data: st.DataObject, told: dict[str, Any], finish: str) -> None:
    """A chat answer in Anthropic's events, as this addon writes them, keeps its text, its thought and its calls."""
    writer = Anthropic().stream(NOTE)
    chunks = data.draw(chunked(told, finish))
    written = b"".join([piece for chunk in chunks for piece in writer.feed(chunk)] + writer.finish())
    read = [event for _, event in event_order.events(written)]
    whole = Anthropic().answer(chat_answer(finish, **{**told, "role": "assistant"}), NOTE)
    back = answer(whole, {})["choices"][0]
    kept = streamed(read)
    assert joined(kept) == (back["message"]["content"] or "")
    assert joined(kept, "reasoning_content") == back["message"].get("reasoning_content", "")
    assert kept[-1]["choices"][0]["finish_reason"] == back["finish_reason"]
    frames = [frame for delta in deltas(kept) for frame in delta.get("tool_calls", ())]
    for number, one in enumerate(back["message"].get("tool_calls", ())):
        pieces = [frame["function"]["arguments"] for frame in frames if frame["index"] == number]
        assert json.loads("".join(pieces)) == json.loads(one["function"]["arguments"])
        assert one["function"]["name"] == told["tool_calls"][number]["function"]["name"]
        assert one["id"] == told["tool_calls"][number]["id"]


hostile_events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [START["type"], "content_block_start", "content_block_delta", "content_block_stop", "ping"]
        )
    },
    optional={
        "index": st.one_of(st.integers(0, 2), json_values),
        "message": json_values,
        "usage": json_values,
        "content_block": st.one_of(
            json_values,
            st.fixed_dictionaries(
                {"type": st.sampled_from(["text", "tool_use", "thinking", "server_tool_use", "x", "image"])},
                optional=dict.fromkeys(("text", "id", "name", "input", "thinking", "signature"), json_values),
            ),
        ),
        "delta": st.one_of(
            json_values,
            st.fixed_dictionaries(
                {"type": st.sampled_from(["text_delta", "thinking_delta", "input_json_delta", "signature_delta"])},
                optional=dict.fromkeys(("text", "thinking", "partial_json", "signature"), json_values),
            ),
        ),
    },
)


@given(st.lists(hostile_events, max_size=12))
def test_nothing_that_an_upstream_sends_raises(given: list[dict[str, Any]]) -> None:
    note: dict[str, Any] = {}
    for event in given:
        events(event, note)
    ended = events(end(), note)
    assert ended[-1]["choices"][0]["finish_reason"] in ("stop", "tool_calls")
    json.dumps(note)


@given(st.dictionaries(st.sampled_from(["content", "usage", "id", "model", "stop_reason", "error"]), json_values))
def test_no_whole_answer_raises(body: dict[str, Any]) -> None:
    answer({"type": "message", **body}, {})
