"""What the translation of an answer must keep, over generated answers, however they are cut into chunks."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from hunyuan_fix.answers import translated
from hunyuan_fix.answers.streams import ChatStream
from hunyuan_fix.dialects.anthropic import Anthropic
from hunyuan_fix.exchange import Exchange, Response
from hunyuan_fix.rules import arguments
from hunyuan_fix.wire import json_body, sse
from tests.dialects.anthropic import event_order
from tests.dialects.anthropic.answering import NOTE, answer, message, written
from tests.dialects.chat_answers import chunked, finishes, hostile_chunks, messages
from tests.strategies import json_values

notes = st.fixed_dictionaries(
    {
        **{name: st.just(value) for name, value in NOTE.items()},
        "thinking": st.sampled_from(["off", "omitted", "shown"]),
        "stop_sequences": st.lists(st.sampled_from(["END", "ENE", "\n\nHuman:", "word"]), max_size=2),
        "tool_names": st.sampled_from([{}, {"short_1a2b": "a much longer name of a tool"}]),
    }
)


@given(st.data(), messages(), notes, finishes)
def test_a_stream_is_the_whole_answer_however_it_is_cut(
    data: st.DataObject, said: dict[str, Any], note: dict[str, Any], finish: str
) -> None:
    # What stands behind an object that is whole is told from it only once all is there.
    assume(not any(call["function"]["arguments"] == "{}x" for call in said.get("tool_calls", ())))
    chunks = data.draw(chunked(said, finish))
    whole = message(answer(finish, **{**said, "role": "assistant"}), **note)
    assert event_order.message_in(written(chunks, **note)) == whole


@given(st.data(), messages(), notes, finishes)
def test_so_it_is_through_the_repair_of_streams(
    data: st.DataObject, said: dict[str, Any], note: dict[str, Any], finish: str
) -> None:
    """As bytes that are split anywhere, with everything that a stream passes on its way."""
    chunks = data.draw(chunked(said, finish))
    events = [sse.event(json_body.serialise(chunk)) for chunk in chunks] + [sse.event(b"[DONE]")]
    text = b"".join(events)
    splits = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[start:end] for start, end in zip([0, *splits], [*splits, len(text)], strict=True)]
    sent = through_the_repair(pieces, note)
    assert sent == through_the_repair(events, note)
    event_order.message_in(sent)


def through_the_repair(pieces: list[bytes], note: dict[str, Any]) -> bytes:
    """What a client gets of chat events."""
    repair, to_client = ChatStream(Exchange().plan), translated.WrittenEvents(Anthropic().stream(note))
    sent = [one for piece in pieces for event in repair.feed(piece) for one in to_client.feed(event)]
    sent += [one for event in repair.finish() for one in to_client.feed(event)]
    sent += to_client.finish()
    assert repair.failure is None and to_client.failure is None
    assert b"" not in sent
    return b"".join(sent)


@given(messages(), finishes, st.sampled_from(["omitted", "shown"]), st.booleans())
def test_an_answer_that_is_sent_back_is_the_same_message(
    said: dict[str, Any], finish: str, mode: str, is_streamed: bool
) -> None:
    assume(finish not in ("content_filter", "sensitive"))
    note = {**NOTE, "thinking": mode, "tool_names": {"short_1a2b": "a.long.name"}}
    chat = answer(finish, **said)
    if is_streamed:
        whole = {"id": "chatcmpl-1", "choices": [{"delta": numbered(said), "finish_reason": finish}]}
        answered = event_order.message_in(written([whole], **note))
    else:
        answered = message(chat, **note)
    history = [{"role": "user", "content": "go"}, {"role": "assistant", "content": answered["content"]}]
    tools = [{"name": "a.long.name", "input_schema": {}}]
    assume(answered["content"])
    back = Anthropic().to_chat({"model": "hy3", "max_tokens": 9, "messages": history, "tools": tools}, {}, {})
    assert without_order(back["messages"][1]) == without_order(expected(said, back["tools"][0]["function"]["name"]))


def numbered(said: dict[str, Any]) -> dict[str, Any]:
    """A message as one delta."""
    calls = [{**call, "index": index} for index, call in enumerate(said.get("tool_calls", ()))]
    return {**said, "tool_calls": calls}


def expected(said: dict[str, Any], name: str) -> dict[str, Any]:
    """The message that endpoints take for the one that was said: blank texts are none, arguments are objects."""
    content = said.get("content")
    made: dict[str, Any] = {"role": "assistant", "content": content if content and content.strip() else None}
    reasoning = said.get("reasoning_content")
    if reasoning is not None and (reasoning.strip() or said.get("tool_calls")):
        made["reasoning_content"] = reasoning
    if said.get("tool_calls"):
        made["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {
                    "name": name if call["function"]["name"] == "short_1a2b" else call["function"]["name"],
                    "arguments": arguments.as_object(call["function"]["arguments"]),
                },
            }
            for call in said["tool_calls"]
        ]
    return made


def without_order(made: dict[str, Any]) -> dict[str, Any]:
    """A message with its arguments read: their white space is no part of it. No content and an empty one are alike."""
    calls = [
        {**call, "function": {**call["function"], "arguments": json.loads(call["function"]["arguments"])}}
        for call in made.get("tool_calls", ())
    ]
    return {**made, "content": made.get("content") or None, "tool_calls": calls}


hostile_notes = st.one_of(
    notes,
    st.dictionaries(st.sampled_from(list(NOTE)), json_values),
)


@given(st.lists(hostile_chunks, max_size=6), hostile_notes)
def test_no_chunk_and_no_note_makes_a_bad_stream(chunks: list[dict[str, Any]], note: dict[str, Any]) -> None:
    writer = Anthropic().stream(copy.deepcopy(note))
    sent = [piece for chunk in chunks for piece in writer.feed(chunk)] + writer.finish()
    event_order.message_in(b"".join(sent))


@given(hostile_chunks, hostile_notes)
def test_no_answer_and_no_note_makes_a_bad_message(chat: dict[str, Any], note: dict[str, Any]) -> None:
    before = copy.deepcopy(chat)
    made = Anthropic().answer(chat, note)
    assert chat == before
    json.dumps(made, allow_nan=False, ensure_ascii=False).encode()


@given(st.one_of(json_values.map(json_body.serialise), st.binary(max_size=50)), st.integers(400, 599), hostile_notes)
def test_no_body_makes_a_bad_error(body: bytes, status: int, note: dict[str, Any]) -> None:
    made = Anthropic().error(Response(status, {}, body), note)
    found = json.loads(made.body)
    assert found["type"] == "error"
    assert found["error"]["type"] in event_order.ERROR_TYPES and found["error"]["message"]
    assert 400 <= made.status <= 599


@given(json_values, hostile_notes)
def test_no_error_makes_a_bad_event(error: Any, note: dict[str, Any]) -> None:
    given_error = error if isinstance(error, dict) else {"message": error, "vendor": error, "code": error}
    sent = Anthropic().stream(note).fail(given_error)
    assert event_order.read(b"".join(sent)).error is not None
