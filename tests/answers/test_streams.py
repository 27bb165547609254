from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix.answers.stream_choice import StreamText
from hunyuan_fix.answers.streams import MAX_CHOICES, ChatStream
from hunyuan_fix.answers.tool_frames import Note
from hunyuan_fix.answers.tool_placing import TooMany
from hunyuan_fix.answers.whole import repair_answer
from hunyuan_fix.exchange import AnswerPlan, Change, JsonObject
from hunyuan_fix.wire import rule_names
from tests.answers.streamed import (
    DONE,
    HEAD,
    chunk,
    content,
    cut,
    deltas,
    frame,
    read_everything,
    run,
    text,
    tool_frames,
    usage,
    values,
)

CALL = "call_da0n2pk2c3mcmj6ghdb0"
A13B = [
    tool_frames({"id": CALL, "index": 0, "type": "function", "function": {"name": "datetime_now", "arguments": ""}}),
    tool_frames({"id": CALL, "index": 0, "type": "function", "function": {"name": "", "arguments": "{}"}}),
    chunk({"role": "assistant", "content": ""}, "tool_calls"),
    usage(),
    DONE,
]
"""Tool frames as captured from hunyuan-a13b (docs/facts/hunyuan.md#tool-call-frames)."""


def rules(stream: ChatStream) -> set[str]:
    return {change.rule for change in stream.changes}


# -- what needs nothing


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_good_stream_keeps_every_byte_and_every_chunk(end: bytes) -> None:
    parts = [b": ping\n\n", content("图"), b"retry: 3\n\n", content("x", "stop"), usage(), DONE]
    parts = [part.replace(b"\n", end) for part in parts]
    stream = ChatStream(AnswerPlan())
    assert [stream.feed(part) for part in parts] == [[part] for part in parts]
    assert stream.finish() == []
    assert (stream.finish_reason, stream.usage, stream.changes) == ("stop", {"total_tokens": 7}, [])


def test_nothing_to_send_is_an_empty_list() -> None:
    stream = ChatStream(AnswerPlan())
    assert stream.feed(b"") == []
    assert stream.feed(b"data: {") == []


def test_an_event_that_is_not_json_passes_and_is_counted() -> None:
    odd = b'data: {"error" torn\n\n'
    sent, stream = run(AnswerPlan(), [odd, content("", "stop"), b"data: [1]\n\n", DONE])
    assert odd in sent
    assert stream.unreadable == 1
    assert not stream.broken


# -- repairs


def test_later_tool_frames_lose_what_openai_does_not_repeat() -> None:
    sent, stream = run(AnswerPlan(), A13B)
    calls = [delta["tool_calls"][0] for delta in deltas(sent) if "tool_calls" in delta]
    assert calls == [
        {"id": CALL, "index": 0, "type": "function", "function": {"name": "datetime_now", "arguments": ""}},
        {"index": 0, "function": {"arguments": "{}"}},
    ]
    assert sent.startswith(A13B[0])
    assert sent.endswith(b"".join(A13B[2:]))
    assert values(sent)[1]["note"] == values(A13B[1])[0]["note"]
    assert rules(stream) == {rule_names.TOOL_FRAMES}


def test_changes_are_kept_once_a_rule() -> None:
    _, stream = run(AnswerPlan(), [A13B[0], *[A13B[1]] * 50])
    assert [change.rule for change in stream.changes] == [rule_names.TOOL_FRAMES, rule_names.STREAM_END]
    assert stream.changes[0].pointer == "/choices/0/delta/tool_calls/0"


def test_moderation_has_openai_s_name() -> None:
    sent, stream = run(AnswerPlan(), [content("部分"), content("", "sensitive"), DONE])
    assert values(sent)[-1]["choices"][0]["finish_reason"] == stream.finish_reason == "content_filter"


def test_tools_have_the_client_s_names() -> None:
    sent, stream = run(AnswerPlan(tool_names={"datetime_now": "datetime.now"}), A13B)
    assert deltas(sent)[0]["tool_calls"][0]["function"]["name"] == "datetime.now"
    assert rule_names.TOOL_NAMES in rules(stream)


def test_a_client_of_functions_gets_function_call_frames() -> None:
    sent, stream = run(AnswerPlan(function_call=True), A13B)
    assert [delta["function_call"] for delta in deltas(sent) if "function_call" in delta] == [
        {"name": "datetime_now", "arguments": ""},
        {"arguments": "{}"},
    ]
    assert not any("tool_calls" in delta for delta in deltas(sent))
    assert stream.finish_reason == "function_call"


def test_a_rewritten_event_keeps_its_other_fields_and_line_ends() -> None:
    frame = b"id: 7\r\n" + A13B[1].replace(b"\n", b"\r\n")
    sent, _ = run(AnswerPlan(), [A13B[0] + frame], end=False)
    assert sent.removeprefix(A13B[0]).startswith(b"id: 7\r\ndata: {")
    assert sent.endswith(b"}\r\n\r\n")


@pytest.mark.parametrize("pieces", [["我是一个AI助手"], ["我是一个AI", "助", "手"], ["我是一个AI助", "手", ""]])
def test_the_stop_text_is_cut_off(pieces: list[str]) -> None:
    sent, stream = run(AnswerPlan(stop=["助手"]), [*map(content, pieces), chunk(finish="stop"), usage(), DONE])
    assert text(sent) == "我是一个AI"
    assert rules(stream) == {rule_names.STOP}


def test_the_fence_around_json_is_taken_off() -> None:
    pieces = ["``", "`json", '\n{"a"', ":1}\n`", "``\n"]
    sent, stream = run(AnswerPlan(json_fence=True), [*map(content, pieces), content("", "stop"), DONE])
    assert text(sent) == '{"a":1}'
    assert rules(stream) == {rule_names.JSON_FENCE}


def test_choices_do_not_mix() -> None:
    plan = AnswerPlan(stop=["END"])
    chunks = [content("aE", index=0), content("bEN", index=1), content("ND", "stop", 0), content("x", "stop", 1), DONE]
    sent, _ = run(plan, chunks)
    assert (text(sent, 0), text(sent, 1)) == ("a", "bENx")


@pytest.mark.parametrize(
    ("plain", "spelt"),
    [
        (b'"finish_reason":null', b'"finish_reason" : "sensitive"'),
        (b'"finish_reason":null', b'"finish_reason"\ndata: :"sensitive"'),
        (b'"finish_reason":null', b'"finish\\u005Freason":"sensitive"'),
        (b'"finish_reason":null', b'"finish_reason":null,"finish_reason":"sensitive"'),
    ],
)
def test_however_a_key_is_spelt_it_is_seen(plain: bytes, spelt: bytes) -> None:
    sent, stream = run(AnswerPlan(), [content("x").replace(plain, spelt), DONE])
    assert stream.finish_reason == values(sent)[0]["choices"][0]["finish_reason"] == "content_filter"


# -- text that was held back


@pytest.mark.parametrize(
    "closing",
    [
        [chunk(finish="length"), usage(), DONE],
        [chunk({"tool_calls": [{"id": "a", "index": 0, "function": {"name": "f"}}]}, "tool_calls"), DONE],
        [usage(), chunk(finish="stop"), DONE],
        [DONE],
        [b'data: {"error":{"message":"m","code":"2000"}}\n\n'],
        [],
    ],
    ids=["length", "tools", "usage", "done", "error", "end"],
)
def test_held_text_comes_before_whatever_ends_it(closing: list[bytes]) -> None:
    sent, _ = run(AnswerPlan(stop=["END"]), [content("xEN"), *closing])
    assert text(sent) == "xEN"
    last_text = max(i for i, value in enumerate(values(sent)) if "EN" in json.dumps(value.get("choices")))
    assert last_text == 1
    assert values(sent)[1]["id"] == values(sent)[0]["id"]


def test_text_that_can_not_be_a_stop_text_is_not_held() -> None:
    stream = ChatStream(AnswerPlan(stop=["END"]))
    assert stream.feed(content("xy")) == [content("xy")]


# -- ends


def test_a_stream_without_a_finish_reason_ends_in_an_error_event() -> None:
    sent, stream = run(AnswerPlan(), [content("x")])
    assert sent.startswith(content("x"))
    assert values(sent)[1]["error"]["code"] == "stream_incomplete"
    assert b"[DONE]" not in sent
    assert rules(stream) == {rule_names.STREAM_END}


@pytest.mark.parametrize("nothing", [b"", b": ping\n\n", b"\n\n"])
def test_an_empty_stream_ends_in_an_error_event(nothing: bytes) -> None:
    sent, _ = run(AnswerPlan(), [nothing])
    assert [list(value) for value in values(sent)] == [["error"]]


def test_an_empty_finish_reason_is_none() -> None:
    sent, _ = run(AnswerPlan(), [content("x", "")])
    assert "error" in values(sent)[-1]


def test_the_error_comes_before_a_done_that_hides_it() -> None:
    torn = {"id": "a", "index": 0, "type": "function", "function": {"name": "f", "arguments": "{"}}
    for cut_off in (
        tool_frames(torn),
        content("x") + tool_frames(torn),
        chunk({"reasoning_content": "x"}),
        b": ping\n\n",
    ):
        sent, _ = run(AnswerPlan(), [cut_off, DONE])
        assert b'"stop"' not in sent
        assert sent.endswith(DONE)
        assert sent.count(DONE) == 1
        assert "error" in values(sent)[-1]


@pytest.mark.parametrize("plan", [AnswerPlan(), AnswerPlan(stop=["END"])])
def test_text_whose_end_is_told_by_done_alone_gets_a_finish_reason(plan: AnswerPlan) -> None:
    """openclaw/openclaw#98575"""
    sent, stream = run(plan, [content("x"), content("yE"), DONE])
    assert text(sent) == "xyE"
    assert sent.endswith(DONE)
    last = values(sent)[-1]
    assert last == {**HEAD, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    assert stream.finish_reason == "stop"
    assert rules(stream) == {rule_names.STREAM_END}


def test_a_chunk_made_here_has_the_head_of_the_last_chunk_with_an_id() -> None:
    other = b'data: {"model":"other","choices":[],"usage":{"total_tokens":7}}\n\n'
    sent, _ = run(AnswerPlan(), [content("x"), other, DONE])
    assert {key: value for key, value in values(sent)[-1].items() if key != "choices"} == HEAD


def test_an_empty_finish_reason_takes_back_none() -> None:
    sent, stream = run(AnswerPlan(), [content("x", "stop"), chunk(finish="")])
    assert stream.finish_reason == "stop"
    assert sent.endswith(DONE)


def test_a_stream_with_too_many_choices_passes_unchanged() -> None:
    chunks = [content("x", "sensitive", number) for number in range(MAX_CHOICES + 1)]
    sent, stream = run(AnswerPlan(), chunks)
    assert isinstance(stream.failure, TooMany)
    assert sent.endswith(chunks[-1])
    assert [choice["finish_reason"] for value in values(sent)[:-1] for choice in value["choices"]] == [
        "content_filter"
    ] * MAX_CHOICES


def test_one_done_is_enough() -> None:
    sent, stream = run(AnswerPlan(), [content("x", "stop"), DONE, b": bye\n\n", DONE, DONE])
    assert sent == content("x", "stop") + DONE + b": bye\n\n"
    assert rules(stream) == {rule_names.STREAM_END}


def test_a_missing_done_is_added() -> None:
    sent, stream = run(AnswerPlan(), [content("x", "stop"), usage()])
    assert sent == content("x", "stop") + usage() + DONE
    assert rules(stream) == {rule_names.STREAM_END}


def test_after_the_endpoint_s_own_error_nothing_is_added() -> None:
    error = b'data: {"error": {"message": "m", "code": "2000"}}\n\n'
    sent, stream = run(AnswerPlan(), [content("x"), error, b'data: {"error": {"message": "n"}}\n\n'])
    assert sent.count(b"data:") == 3
    assert error in sent
    assert stream.first_error == {"message": "m", "code": "2000"}
    assert stream.changes == []


def test_a_null_error_is_none() -> None:
    sent, _ = run(AnswerPlan(), [chunk({"content": "x"}, "stop", error=None)])
    assert sent == chunk({"content": "x"}, "stop", error=None) + DONE


@pytest.mark.parametrize("cut_off", [b"\n", b"\n\n"])
def test_a_last_event_without_blank_line_gets_one_before_anything_is_added(cut_off: bytes) -> None:
    whole = content("x", "stop")
    sent, _ = run(AnswerPlan(), [whole.removesuffix(cut_off)])
    assert sent == whole + DONE


def test_a_final_done_without_blank_line_is_ended() -> None:
    parts = [content("x", "stop"), b"data: [DONE]"]
    assert run(AnswerPlan(), parts)[0] == b"".join(parts) + b"\n\n"


@pytest.mark.parametrize(("finish", "ending"), [("stop", DONE), (None, b'data: {"error"')])
def test_a_torn_last_event_does_not_hide_what_is_added(finish: str | None, ending: bytes) -> None:
    sent, _ = run(AnswerPlan(), [content("x", finish), b'data: {"choi'])
    assert sent.removeprefix(content("x", finish)).startswith(ending)


# -- failures


class Boom(Exception):
    pass


def broken_at(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    """Let the repair of a chunk with `bad` in it fail, after its text was taken in."""
    repair = StreamText.repair

    def fail(self: StreamText, choice: JsonObject, at: str, note: Note) -> bool:
        changed = repair(self, choice, at, note)
        if bad in json.dumps(choice):
            raise Boom
        return changed

    monkeypatch.setattr(StreamText, "repair", fail)


def test_after_an_exception_everything_passes_as_it_comes_and_nothing_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    broken_at(monkeypatch, "boom")
    parts = [content("xE"), content("N"), content("boom"), A13B[0], A13B[1], b"data: torn"]
    stream = ChatStream(AnswerPlan(stop=["END"]))
    sent = b"".join(stream.feed(b"".join(parts[:4]) + parts[4][:9]))
    assert sent.endswith(b"".join(parts[2:4]) + parts[4][:9])
    assert text(sent) == "xENboom"
    assert stream.feed(parts[4][9:]) == [parts[4][9:]]
    assert stream.feed(b"") == []
    assert stream.finish() == []
    assert stream.broken
    assert isinstance(stream.failure, Boom)


def test_an_exception_at_the_end_loses_nothing_either(monkeypatch: pytest.MonkeyPatch) -> None:
    broken_at(monkeypatch, "boom")
    last = content("boom").rstrip()
    sent, stream = run(AnswerPlan(stop=["END"]), [content("xE"), last])
    assert sent.endswith(last)
    assert text(sent + b"\n\n") == "xEboom"
    assert stream.broken


def test_an_exception_while_the_end_is_made_keeps_the_last_event(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ChatStream, "_incomplete", lambda *_: 1 / 0)
    last = content("x").rstrip()
    assert run(AnswerPlan(), [last])[0] == last


# -- properties

PIECES = st.sampled_from(["E", "N", "D", "END", "x", "图", "😀", "```", "json", "\n", "```json\n", "\\", '"', ""])
REASONS = st.sampled_from(["stop", "length", "tool_calls", "sensitive"])
FUNCTION = {"name": "f_1", "arguments": "{}"}
DELTAS = st.one_of(
    PIECES.map(content),
    st.tuples(PIECES, REASONS).map(lambda both: content(*both)),
    st.sampled_from(
        [
            *A13B,
            tool_frames({"id": "b", "function": FUNCTION}, {"function": {"name": "", "arguments": "1"}}),
            chunk({"content": None}, index=1),
            chunk({"content": "E"}, "stop", index=1),
            chunk({"content": '"finish_reason":"stop"'}),
            content("x").replace(b'"finish_reason":null', b'"finish_reason" : "stop"'),
            content("x").replace(b'"finish_reason"', b'"finish\\u005freason"').replace(b":null", b':"stop"'),
            content("x").replace(b"\n\n", b"\r\n\r\n"),
            b": ping\n\n",
            b"data: {\ndata: }\n\n",
            b'data: {"choices":[{"delta":{"content":"\\ud83d"},"finish_reason":null}]}\n\n',
            b'data: {"choices":null,"usage":null}\n\n',
            b'data: {"choices":[null,{"index":"0","delta":[]}]}\n\n',
            b'data: {"error":{"message":"m"}}\n\n',
            b"data: nonsense\n\n",
            b"data: [DONE]",
        ]
    ),
)
STREAMS = st.lists(DELTAS, max_size=10).map(b"".join)
PLANS = st.builds(
    AnswerPlan,
    tool_names=st.sampled_from([{}, {"f_1": "f.1", "datetime_now": "datetime:now"}]),
    function_call=st.booleans(),
    json_fence=st.booleans(),
    stop=st.sampled_from([[], ["END"], ["ND", "D"]]),
)


def outcome(stream: ChatStream) -> tuple[str | None, JsonObject | None, object, list[Change]]:
    return stream.finish_reason, stream.usage, stream.first_error, stream.changes


@given(STREAMS, PLANS, st.lists(st.integers(0, 2000)))
def test_where_the_bytes_are_cut_changes_nothing(data: bytes, plan: AnswerPlan, cuts: list[int]) -> None:
    whole, at_once = run(plan, [data])
    pieces, in_pieces = run(plan, cut(data, cuts))
    assert pieces == whole
    assert outcome(in_pieces) == outcome(at_once)
    assert not at_once.broken


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize(
    "plan", [AnswerPlan(), AnswerPlan(tool_names={"datetime_now": "时钟"}, stop=["助手"], json_fence=True)]
)
def test_every_single_cut_of_a_real_stream_changes_nothing(plan: AnswerPlan, end: bytes) -> None:
    texts = [content("```json\n{}\n"), content("```我是助")]
    parts = [*texts, *A13B[:2], content("手", "stop"), usage(), ": 完\n\n".encode(), DONE]
    data = b"".join(parts).replace(b"\n", end)
    whole = run(plan, [data])[0]
    for place in range(len(data)):
        assert run(plan, [data[:place], data[place:]])[0] == whole
    assert run(plan, [data[i : i + 1] for i in range(len(data))])[0] == whole


@given(STREAMS, PLANS)
def test_bytes_alone_tell_rightly_that_an_event_needs_nothing(data: bytes, plan: AnswerPlan) -> None:
    fast, quick = run(plan, [data])
    with pytest.MonkeyPatch.context() as patch:
        read_everything(patch)
        slow, thorough = run(plan, [data])
    assert fast == slow
    assert outcome(quick) == outcome(thorough)


@given(STREAMS, PLANS)
def test_what_was_repaired_needs_no_repair(data: bytes, plan: AnswerPlan) -> None:
    once, _ = run(plan, [data])
    again, stream = run(AnswerPlan(function_call=plan.function_call), [once])
    assert again == once
    assert stream.changes == []


@settings(max_examples=60)
@given(st.lists(PIECES, max_size=8), REASONS, PLANS)
def test_a_streamed_answer_is_repaired_like_a_whole_one(
    pieces: list[str], reason: str | None, plan: AnswerPlan
) -> None:
    plan.json_fence = False  # where a fence isn't the whole text, a stream can't know in time: test_json_fence.py
    choice: JsonObject = {"index": 0, "message": {"content": "".join(pieces)}, "finish_reason": reason}
    repair_answer({"choices": [choice]}, plan)
    sent, stream = run(plan, [*map(content, pieces), chunk(finish=reason), DONE])
    assert text(sent) == choice["message"]["content"]
    assert stream.finish_reason == choice["finish_reason"]


# -- usage


def in_choice(counts: object, finish: str = "stop") -> bytes:
    """Moonshot's last chunk: the usage stands in the choice."""
    choice = {"index": 0, "delta": {}, "finish_reason": finish, "usage": counts}
    return b"data: " + json.dumps({**HEAD, "choices": [choice]}).encode() + b"\n\n"


COUNTED = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11, "cached_tokens": 4}


def test_usage_in_a_choice_is_given_where_a_client_that_asked_looks() -> None:
    given = [content("x"), in_choice(COUNTED)]
    for end in (True, False):
        sent, stream = run(AnswerPlan(usage_chunk=True), [*given, DONE] if end else given)
        last = values(sent)[-1]
        assert (last["choices"], last["id"]) == ([], HEAD["id"])
        assert last["usage"] == {**COUNTED, "prompt_tokens_details": {"cached_tokens": 4}}
        assert sent.startswith(b"".join(given))
        assert sent.endswith(DONE)
        assert sent.count(b"[DONE]") == 1
        assert stream.usage == COUNTED
        assert rule_names.USAGE in rules(stream)


def test_a_client_that_did_not_ask_gets_the_same_bytes() -> None:
    given = [content("x"), in_choice(COUNTED), DONE]
    sent, stream = run(AnswerPlan(), given)
    assert sent == b"".join(given)
    assert (stream.usage, stream.changes) == (COUNTED, [])


@pytest.mark.parametrize("first", [True, False])
def test_usage_that_stands_in_both_places_is_not_repeated(first: bool) -> None:
    usual = usage(usage=COUNTED | {"prompt_tokens_details": {"cached_tokens": 4}})
    given = [content("x"), *((usual, in_choice(COUNTED)) if first else (in_choice(COUNTED), usual)), DONE]
    sent, _ = run(AnswerPlan(usage_chunk=True), given)
    assert sent == b"".join(given)


def test_a_stream_that_breaks_off_gets_no_usage_of_ours() -> None:
    broken = b'data: {"error":{"message":"x"}}\n\n'
    sent, _ = run(AnswerPlan(usage_chunk=True), [content("x"), in_choice(COUNTED, ""), broken])
    assert sent.endswith(broken)
    sent, _ = run(AnswerPlan(usage_chunk=True), [content("x"), in_choice(COUNTED, "")])
    assert values(sent)[-1].keys() == {"error"}


def test_cached_tokens_of_a_vendor_s_spelling_are_given_in_openai_s_place() -> None:
    sent, stream = run(AnswerPlan(), [content("x", "stop"), usage(usage=COUNTED), DONE])
    assert values(sent)[-1]["usage"] == {**COUNTED, "prompt_tokens_details": {"cached_tokens": 4}}
    assert rules(stream) == {rule_names.USAGE}


# -- usage that was asked for here: its client gets what it would have got without

NULL: JsonObject = {"usage": None}
HIDDEN = AnswerPlan(usage_hidden=True)


def without_usage(part: bytes) -> bytes:
    return part.replace(b',"usage":null', b"")


ASKED = [
    chunk({"role": "assistant", "content": ""}, **NULL),
    chunk({"content": "a"}, **NULL),
    chunk({"content": 'say ,"usage":null'}, **NULL),
    tool_frames(frame(0, "call_1", "f", "{")).replace(b',"note"', b',"usage":null,"note"'),
    tool_frames(frame(0, None, None, '"a"')).replace(b',"note"', b',"usage":null,"note"'),
    tool_frames(frame(0, None, None, ":1}")).replace(b',"note"', b',"usage":null,"note"'),
    chunk(finish="tool_calls", **NULL),
    usage(usage=COUNTED),
    DONE,
]
GOT = b"".join(without_usage(part) for part in ASKED if b"total_tokens" not in part)


def test_what_was_asked_for_here_is_taken_out_again() -> None:
    sent, stream = run(HIDDEN, ASKED)
    assert sent == GOT
    assert sent.count(b"usage") == 1  # the model's own word
    assert (stream.usage, stream.finish_reason, stream.changes) == (COUNTED, "tool_calls", [])


@given(st.lists(st.integers(0, 2500), max_size=20), st.sampled_from([b"\n", b"\r\n"]))
def test_it_is_taken_out_wherever_bytes_are_cut(places: list[int], end: bytes) -> None:
    given = b"".join(ASKED).replace(b"\n", end)
    sent, stream = run(HIDDEN, cut(given, places))
    assert sent == GOT.replace(b"\n", end)
    assert stream.usage == COUNTED


@pytest.mark.parametrize(
    "last",
    [
        {"choices": []},
        {"choices": None},
        {},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": None}]},
        {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]},
    ],
)
def test_a_chunk_that_has_nothing_but_the_usage_is_left_out_in_every_shape(last: JsonObject) -> None:
    event = b"data: " + json.dumps({**HEAD, **last, "usage": COUNTED}).encode() + b"\n\n"
    sent, stream = run(HIDDEN, [content("x", "stop"), event, DONE])
    assert sent == content("x", "stop") + DONE
    assert stream.usage == COUNTED


@pytest.mark.parametrize(
    "plan", [AnswerPlan(usage_hidden=True, stop=["END"]), AnswerPlan(usage_hidden=True, leaks=["xml"])]
)
def test_text_that_was_held_back_is_sent_before_the_end(plan: AnswerPlan) -> None:
    sent, _ = run(plan, [content("x E"), chunk(finish="stop"), usage(usage=COUNTED), DONE])
    assert text(sent) == "x E"
    assert b"usage" not in sent
    assert sent.endswith(DONE)


def test_what_stands_beside_something_else_stays() -> None:
    given = [content("x"), in_choice(COUNTED), DONE]
    sent, stream = run(HIDDEN, given)
    assert sent == b"".join(given)
    assert stream.usage == COUNTED


def test_a_client_that_asked_gets_all_of_it() -> None:
    sent, _ = run(AnswerPlan(usage_chunk=True), [content("x", "stop"), usage(), DONE])
    assert sent == content("x", "stop") + usage() + DONE


def test_an_error_beside_a_usage_passes() -> None:
    error = b'data: {"error":{"message":"x"},"choices":[],"usage":{"total_tokens":1}}\n\n'
    sent, stream = run(HIDDEN, [content("x"), error, DONE])
    assert error in sent
    assert stream.first_error == {"message": "x"}


# -- keep-alive


def events_of(sent: bytes) -> list[str]:
    """The data of each event, as openai-python reads it."""
    from openai._streaming import SSEDecoder

    return [event.data for event in SSEDecoder().iter_bytes(iter([sent]))]


@given(
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    st.booleans(),
    st.lists(st.integers(0, 1500), max_size=12),
    st.sampled_from([AnswerPlan(), AnswerPlan(stop=["STOP"]), AnswerPlan(json_fence=True), AnswerPlan(leaks=["xml"])]),
)
def test_comments_fall_between_events_wherever_bytes_are_cut(
    end: bytes, has_ids: bool, places: list[int], plan: AnswerPlan
) -> None:
    parts = [content("图"), content("ab"), b": their own\n\n", *A13B[:3], usage(), DONE]
    if has_ids:
        parts = [b"id: %d\n%b" % (number, part) for number, part in enumerate(parts)]
    whole = b"".join(parts).replace(b"\n", end)
    kept, plainly = ChatStream(plan), ChatStream(plan)
    sent, alone = b"", b""
    for piece in cut(whole, places):
        sent += b"".join([*kept.keep_alive(), *kept.feed(piece)])
        alone += b"".join(plainly.feed(piece))
    sent += b"".join(kept.finish())
    alone += b"".join(plainly.finish())
    assert events_of(sent) == events_of(alone)
    assert sent.replace(b": keep-alive\n\n", b"").replace(b": keep-alive\n", b"") == alone
    assert sent.startswith(b": keep-alive\n\n")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_within_an_event_too_large_to_be_read_there_is_no_comment(end: bytes) -> None:
    stream = ChatStream(AnswerPlan())
    large = b'data: {"x": "' + b"y" * (1 << 20)
    assert stream.feed(large)
    assert stream.keep_alive() == []
    stream.feed(b'"}' + end)
    assert stream.keep_alive() == []
    stream.feed(end)
    assert stream.keep_alive() == [b": keep-alive\n\n"]


def test_after_the_end_there_is_no_comment() -> None:
    stream = ChatStream(AnswerPlan())
    stream.feed(content("x", "stop"))
    assert stream.keep_alive()
    stream.feed(DONE)
    assert stream.keep_alive() == []


def test_a_stream_that_can_no_longer_be_read_gets_no_comment(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = ChatStream(AnswerPlan())
    monkeypatch.setattr(ChatStream, "_repaired", lambda *_: 1 / 0)
    stream.feed(content("x", "stop"))
    assert stream.broken
    assert stream.keep_alive() == []
