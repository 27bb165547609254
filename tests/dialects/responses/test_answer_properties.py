"""What the translation of an answer must keep, over generated answers, however they are cut into chunks."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from hunyuan_fix.answers import translated as translated_answers
from hunyuan_fix.answers.streams import ChatStream
from hunyuan_fix.dialects.responses import Responses
from hunyuan_fix.exchange import Exchange, Response
from hunyuan_fix.rules import arguments
from hunyuan_fix.simulator import checks
from hunyuan_fix.wire import json_body, sse
from tests.dialects.anthropic.translating import repaired
from tests.dialects.chat_answers import USAGE, chunked, finishes, hostile_chunks, messages
from tests.dialects.responses import event_order
from tests.dialects.responses.judging import CODEX, answered, translated, without_ids, written
from tests.strategies import json_values

ASKED: dict[str, Any] = {
    "model": "hy3",
    "stream": True,
    "input": "go",
    "tools": [
        {"type": "function", "name": "ls", "parameters": {"type": "object", "properties": {}}, "strict": None},
        {"type": "custom", "name": "cat", "format": {"type": "grammar", "syntax": "regex", "definition": ".+"}},
        {
            "type": "namespace",
            "name": "mcp__another_server",
            "description": "Adds, too.",
            "tools": [{"type": "function", "name": "a_tool_with_a_long_name", "parameters": {"type": "object"}}],
        },
        {
            "type": "namespace",
            "name": "mcp__a_server_with_a_long_name__and_more_of_it",
            "description": "Adds.",
            "tools": [{"type": "function", "name": "a_tool_with_a_long_name", "parameters": {"type": "object"}}],
        },
        {"type": "tool_search", "execution": "client"},
        {"type": "local_shell"},
    ],
}
GENERATED = {"ls": 0, "cat": 1, "short_1a2b": 3}
"""The names in generated answers, and the tools of `ASKED` that they stand for."""
settings = st.fixed_dictionaries(
    {},
    optional={
        "reasoning": st.sampled_from([{"summary": "auto"}, {"effort": "high", "summary": None}]),
        "include": st.just(["reasoning.encrypted_content"]),
        "instructions": st.just("Be brief."),
        "metadata": st.just({"a": "b"}),
        "text": st.just({"format": {"type": "json_object"}}),
    },
)
headers = st.sampled_from([{}, CODEX])


def asked(fields: dict[str, Any], sent_by: dict[str, str]) -> tuple[dict[str, Any], list[str]]:
    """The note of a request, and the names of its tools in chat."""
    chat, note = translated({**ASKED, **fields}, sent_by)
    note.pop("changes")
    return note, [tool["function"]["name"] for tool in chat["tools"]]


def named(said: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """A generated answer that calls the tools by their names in chat."""
    known = {name: names[place] for name, place in GENERATED.items()}
    calls = [
        {**call, "function": {**call["function"], "name": known[call["function"]["name"]]}}
        for call in said.get("tool_calls", ())
    ]
    return {**said, **({"tool_calls": calls} if calls else {})}


def chat_of(said: dict[str, Any], finish: str) -> dict[str, Any]:
    choice = {"index": 0, "message": said, "finish_reason": finish}
    return {"id": "chatcmpl-1", "created": 1, "model": "hy3", "choices": [choice], "usage": USAGE}


def test_the_tools_are_named_in_order() -> None:
    _, names = asked({}, {})
    assert names[:2] == ["ls", "cat"]
    assert len(names) == 6 and all(len(name) <= 64 for name in names)


@given(st.data(), messages(), settings, headers, finishes)
def test_a_stream_is_the_whole_answer_however_it_is_cut(
    data: st.DataObject, said: dict[str, Any], fields: dict[str, Any], sent_by: dict[str, str], finish: str
) -> None:
    # What stands behind an object that is whole is told from it only once all is there.
    assume(not any(call["function"]["arguments"] == "{}x" for call in said.get("tool_calls", ())))
    note, names = asked(fields, sent_by)
    said = named(said, names)
    chunks = data.draw(chunked(said, finish))
    whole = answered(chat_of(said, finish), copy.deepcopy(note))
    streamed = event_order.response_in(written(chunks, copy.deepcopy(note)))
    assert without_ids(streamed) == without_ids(whole)


@given(st.data(), messages(), settings, headers, finishes)
def test_so_it_is_through_the_repair_of_streams(
    data: st.DataObject, said: dict[str, Any], fields: dict[str, Any], sent_by: dict[str, str], finish: str
) -> None:
    """As bytes that are split anywhere, with everything that a stream passes on its way."""
    note, names = asked(fields, sent_by)
    chunks = data.draw(chunked(named(said, names), finish))
    events = [sse.event(json_body.serialise(chunk)) for chunk in chunks] + [sse.event(b"[DONE]")]
    text = b"".join(events)
    splits = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[start:end] for start, end in zip([0, *splits], [*splits, len(text)], strict=True)]
    cut, uncut = (event_order.read(through_the_repair(sent, copy.deepcopy(note))) for sent in (pieces, events))
    assert cut.response is not None and uncut.response is not None
    assert cut.names == uncut.names
    assert without_ids(cut.response) == without_ids(uncut.response)


def through_the_repair(pieces: list[bytes], note: dict[str, Any]) -> bytes:
    """What a client gets of chat events."""
    repair = ChatStream(Exchange().plan)
    to_client = translated_answers.WrittenEvents(Responses().stream(note))
    sent = [one for piece in pieces for event in repair.feed(piece) for one in to_client.feed(event)]
    sent += [one for event in repair.finish() for one in to_client.feed(event)]
    sent += to_client.finish()
    assert repair.failure is None and to_client.failure is None
    assert b"" not in sent
    return b"".join(sent)


@given(messages(), settings, headers, st.sampled_from(["stop", "tool_calls", "length"]), st.booleans())
def test_an_answer_that_is_sent_back_is_the_same_message(
    said: dict[str, Any], fields: dict[str, Any], sent_by: dict[str, str], finish: str, is_streamed: bool
) -> None:
    note, names = asked(fields, sent_by)
    said = named(said, names)
    # The text of a freeform call that was cut is not given out: a client would run it.
    freeform = [call["function"] for call in said.get("tool_calls", ()) if call["function"]["name"] == names[1]]
    assume(finish != "length" or all(arguments.is_object(function["arguments"]) for function in freeform))
    if is_streamed:
        calls = [{**call, "index": index} for index, call in enumerate(said.get("tool_calls", ()))]
        whole = {"id": "chatcmpl-1", "choices": [{"delta": {**said, "tool_calls": calls}, "finish_reason": finish}]}
        made = event_order.response_in(written([whole], note))
    else:
        made = answered(chat_of(said, finish), note)
    assume((said.get("content") and said["content"].strip()) or said.get("tool_calls"))
    history = [{"role": "user", "content": "go"}, *made["output"]]
    back, _ = translated({**ASKED, **fields, "input": history}, sent_by)
    start = [message["role"] for message in back["messages"]].index("user") + 1
    assert read(back["messages"][start]) == expected(said, names)
    assert [message["role"] for message in back["messages"][start:]] == ["assistant"]


def expected(said: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """The message that endpoints take for the one that was said: blank texts are none, arguments are objects."""
    content, reasoning = said.get("content"), said.get("reasoning_content")
    calls = []
    for call in said.get("tool_calls", ()):
        name, given_arguments = call["function"]["name"], call["function"]["arguments"]
        # The text of a freeform call is what the client ran, whatever was around it.
        value = None if name == names[1] else json.loads(arguments.as_object(given_arguments))
        calls.append((call["id"], name, value))
    return {
        "content": content if content and content.strip() else None,
        # Before calls endpoints tell blank reasoning from none.
        "reasoning": reasoning if reasoning and (reasoning.strip() or calls) else None,
        "calls": calls,
    }


def read(message: dict[str, Any]) -> dict[str, Any]:
    calls = []
    for call in message.get("tool_calls", ()):
        name, value = call["function"]["name"], json.loads(call["function"]["arguments"])
        if name == "cat":
            assert value.keys() == {"input"} and isinstance(value["input"], str)
            value = None
        calls.append((call["id"], name, value))
    return {
        "content": message.get("content") or None,
        "reasoning": message.get("reasoning_content") or None,
        "calls": calls,
    }


OUTPUTS = {
    "function_call": "function_call_output",
    "custom_tool_call": "custom_tool_call_output",
}
between: st.SearchStrategy[list[dict[str, Any]]] = st.one_of(
    st.just([]),
    st.just([{"role": "user", "content": [{"type": "input_text", "text": "and now?"}]}]),
    st.just([{"type": "message", "role": "developer", "content": "Mind the budget."}]),
)


@given(st.lists(st.tuples(messages(), between), min_size=1, max_size=4), settings, headers, st.booleans())
def test_each_turn_begins_with_the_bytes_of_the_one_before(
    turns: list[tuple[dict[str, Any], list[dict[str, Any]]]],
    fields: dict[str, Any],
    sent_by: dict[str, str],
    is_thinking: bool,
) -> None:
    """A whole conversation: what the client gets goes back, with the outputs of its calls and what is said between.

    But for an answer of reasoning alone, which joins the call whose output it followed.
    """
    assume(all((said.get("content") or "").strip() or said.get("tool_calls") for said, _ in turns))
    fields = {**fields, "reasoning": {"effort": "high" if is_thinking else "none", "summary": "auto"}}
    history: list[dict[str, Any]] = [{"role": "user", "content": "go"}]
    chat, note = translated({**ASKED, **fields, "input": history}, sent_by)
    names = [tool["function"]["name"] for tool in chat["tools"]]
    for number, (said, more) in enumerate(turns):
        output = answered(chat_of(renamed(named(said, names), number), "stop"), note)["output"]
        outputs = [
            {"type": OUTPUTS[item["type"]], "call_id": item["call_id"], "output": f"out of {item['call_id']}"}
            for item in output
            if item["type"] in OUTPUTS
        ]
        # Without a call the turn is the user's.
        history = [*history, *output, *outputs, *([] if outputs else [{"role": "user", "content": "go on"}]), *more]
        before, before_sent = chat["messages"], repaired(chat, "tokenhub")["messages"]
        chat, note = translated({**ASKED, **fields, "input": history}, sent_by)
        assert json_body.serialise(chat["messages"][: len(before)]) == json_body.serialise(before)
        sent = repaired(chat, "tokenhub")
        assert checks.problems(sent, "tokenhub") is None
        # The last one may have grown: neighbours of one role are joined.
        kept = len(before_sent) - 1
        assert json_body.serialise(sent["messages"][:kept]) == json_body.serialise(before_sent[:kept])


def renamed(said: dict[str, Any], turn: int) -> dict[str, Any]:
    """An answer whose calls have ids that no other turn has."""
    calls = [{**call, "id": f"{call['id']}_{turn}"} for call in said.get("tool_calls", ())]
    return {**said, **({"tool_calls": calls} if calls else {})}


patches = st.one_of(
    st.text(max_size=60),
    st.text(max_size=60).map(lambda text: f"*** Begin Patch\n{text}\n*** End Patch\n"),
    st.text(max_size=20).map(lambda text: f"```\n{text}\n```"),
    st.text(max_size=20).map(lambda text: json.dumps({"input": text})),
)


@given(patches, st.booleans())
def test_a_freeform_call_comes_back_byte_for_byte(patch: str, is_streamed: bool) -> None:
    note, names = asked({}, CODEX)
    call = {
        "id": "call_1",
        "type": "function",
        "function": {"name": names[1], "arguments": json.dumps({"input": patch})},
    }
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    if is_streamed:
        whole = {"choices": [{"delta": {**said, "tool_calls": [{**call, "index": 0}]}, "finish_reason": "tool_calls"}]}
        (item,) = event_order.response_in(written([whole], note))["output"]
    else:
        (item,) = answered(chat_of(said, "tool_calls"), note)["output"]
    assert (item["type"], item["call_id"], item["name"], item["input"]) == ("custom_tool_call", "call_1", "cat", patch)
    back, _ = translated({**ASKED, "input": [{"role": "user", "content": "go"}, item]})
    assert json.loads(back["messages"][-1]["tool_calls"][0]["function"]["arguments"]) == {"input": patch}


def test_a_call_into_a_namespace_has_both_names() -> None:
    note, names = asked({}, {})
    call = {"id": "call_1", "type": "function", "function": {"name": names[3], "arguments": "{}"}}
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    (item,) = answered(chat_of(said, "tool_calls"), note)["output"]
    space = ASKED["tools"][3]
    assert (item["type"], item["namespace"], item["name"]) == (
        "function_call",
        space["name"],
        space["tools"][0]["name"],
    )


hostile_notes = st.one_of(
    settings.map(lambda fields: asked(fields, CODEX)[0]),
    st.dictionaries(
        st.sampled_from(["client", "echo", "id", "input_tokens", "model", "reasoning", "stream", "tools", "compact"]),
        json_values,
    ),
)


@given(st.lists(hostile_chunks, max_size=6), settings, headers)
def test_no_chunk_makes_a_bad_stream(
    chunks: list[dict[str, Any]], fields: dict[str, Any], sent_by: dict[str, str]
) -> None:
    note, _ = asked(fields, sent_by)
    found = event_order.read(written(chunks, note))
    assert found.complete or found.error is not None


@given(st.lists(hostile_chunks, max_size=6), hostile_notes)
def test_no_note_makes_the_writer_raise(chunks: list[dict[str, Any]], note: dict[str, Any]) -> None:
    event_order.events(written(chunks, copy.deepcopy(note)))


@given(hostile_chunks, settings, headers)
def test_no_answer_makes_a_bad_response(chat: dict[str, Any], fields: dict[str, Any], sent_by: dict[str, str]) -> None:
    note, _ = asked(fields, sent_by)
    before = copy.deepcopy(chat)
    answered(chat, note)
    assert chat == before


@given(hostile_chunks, hostile_notes)
def test_no_note_makes_the_answer_raise(chat: dict[str, Any], note: dict[str, Any]) -> None:
    made = Responses().answer(chat, copy.deepcopy(note))
    json.dumps(made, allow_nan=False, ensure_ascii=False).encode()


@given(st.one_of(json_values.map(json_body.serialise), st.binary(max_size=50)), st.integers(400, 599), hostile_notes)
def test_no_body_makes_a_bad_error(body: bytes, status: int, note: dict[str, Any]) -> None:
    made = Responses().error(Response(status, {}, body), note)
    error = json.loads(made.body)["error"]
    assert error.keys() >= {"message", "type", "param", "code"}
    assert isinstance(error["message"], str) and error["message"]
    assert 400 <= made.status <= 599


@given(st.lists(hostile_chunks, max_size=3), json_values, settings, headers)
def test_no_error_makes_a_bad_end(
    chunks: list[dict[str, Any]], error: Any, fields: dict[str, Any], sent_by: dict[str, str]
) -> None:
    note, _ = asked(fields, sent_by)
    given_error = error if isinstance(error, dict) else {"message": error, "vendor": error, "code": error}
    writer = Responses().stream(note)
    sent = [piece for chunk in chunks for piece in writer.feed(chunk)]
    assert event_order.read(b"".join([*sent, *writer.fail(given_error)])).error is not None


@given(st.lists(st.one_of(hostile_chunks, st.none()), max_size=6), settings)
def test_what_keeps_a_client_awake_may_come_anywhere(chunks: list[Any], fields: dict[str, Any]) -> None:
    note, _ = asked(fields, CODEX)
    writer = Responses().stream(note)
    sent: list[bytes] = []
    for chunk in chunks:
        sent += writer.keep_alive() if chunk is None else writer.feed(chunk)
    found = event_order.read(b"".join([*sent, *writer.finish()]))
    assert found.names.count("response.in_progress") >= chunks.count(None)
