"""Answers of Tencent Cloud's own API: the vendor's own samples, and every odd form of docs/facts/tencent-cloud.md."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import profiles
from hunyuan_fix.answers.streamed import RepairedStream
from hunyuan_fix.answers.translated import NO_STEPS, FromUpstream
from hunyuan_fix.dialects import UPSTREAM_DIALECTS
from hunyuan_fix.dialects.tencent_cloud import upstream_answers
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.wire import flaws, json_body, sse, vendor_errors
from tests.answers.streamed import cut

type Json = dict[str, Any]

SAMPLES = json.loads((Path(__file__).parent / "tccli_examples.json").read_text())["actions"]
STREAMS = {sample["title"]: sample["output"] for sample in SAMPLES["ChatCompletions"] if "data: {" in sample["output"]}
WHOLE = {
    sample["title"]: json.loads(sample["output"])
    for sample in SAMPLES["ChatCompletions"]
    if sample["output"].lstrip().startswith("{")
}
DIALECT = UPSTREAM_DIALECTS["tencent_cloud"]


def note(**more: Any) -> Json:
    return {"model": "m", **more}


def stream_of(text: str) -> bytes:
    """What goes over the wire in a sample."""
    return text[text.index("data: {") :].encode()


def read(data: bytes, noted: Json | None = None, pieces: list[bytes] | None = None) -> list[Any]:
    """The chat events for a stream that is given in `pieces`."""
    reader = FromUpstream(DIALECT, note() if noted is None else noted)
    made = b"".join(map(reader.feed, pieces or [data])) + reader.finish()
    assert reader.failure is None
    return [
        json_body.parse(event.data) for event in sse.Parser().feed(made) if event.data and not sse.is_done(event.data)
    ]


def event(delta: Json | None, reason: object = "", **more: Any) -> Json:
    choice: Json = {"FinishReason": reason}
    if delta is not None:
        choice["Delta"] = delta
    usage = {"PromptTokens": 3, "CompletionTokens": 2, "TotalTokens": 5}
    return {"Note": "n", "Choices": [choice], "Created": 7, "Id": "i", "Usage": usage, **more}


def written(*events: Json, end: bytes = b"\n\n") -> bytes:
    return b"".join(b"data: " + json_body.serialise(one) + end for one in events)


def deltas(chunks: list[Any]) -> list[Json]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"]]


def text_in(chunks: list[Any]) -> str:
    return "".join(delta.get("content") or "" for delta in deltas(chunks))


def reasons(chunks: list[Any]) -> list[str]:
    return [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]


# The vendor's samples


@pytest.mark.parametrize("title", WHOLE)
def test_each_sample_of_a_whole_answer(title: str):
    body = WHOLE[title]
    made = upstream_answers.answer(body, note())
    inside = body.get("Response", body)
    if "Error" in inside:
        assert made["error"]["native_code"] == inside["Error"]["Code"]
        assert made["error"]["request_id"] == inside["RequestId"]
        return
    given, message = inside["Choices"][0], made["choices"][0]["message"]
    assert made["object"] == "chat.completion"
    assert made["created"] == inside["Created"]
    assert message["content"] == given["Message"]["Content"]
    assert made["choices"][0]["finish_reason"] == given["FinishReason"]
    assert made["usage"]["total_tokens"] == inside["Usage"]["TotalTokens"]
    for call, original in zip(message.get("tool_calls", ()), given["Message"].get("ToolCalls", ()), strict=True):
        assert call["id"].startswith("call_"), "the sample has none"
        assert call["function"]["arguments"] == original["Function"]["Arguments"]
    assert upstream_answers.answer(body, note())["id"] == made["id"]


@pytest.mark.parametrize("title", STREAMS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_sample_of_a_stream(title: str, end: str):
    """One of them has lines with a tab between its events, none has `[DONE]`, the last has no blank line."""
    data = stream_of(STREAMS[title]).replace(b"\n", end.encode())
    events = [json.loads(line) for line in re.findall(r"^data: (.*)$", STREAMS[title], re.MULTILINE)]
    chunks = read(data, note(include_usage=True))
    choices = [one["Choices"][0] for one in events]
    assert text_in(chunks) == "".join(choice["Delta"].get("Content", "") for choice in choices)
    ends = [choice["FinishReason"] for choice in choices if choice["FinishReason"]]
    assert reasons(chunks) == ends
    assert {(chunk["id"], chunk["created"]) for chunk in chunks} == {
        (f"chatcmpl-{events[0]['Id']}", events[0]["Created"])
    }
    calls = [call for delta in deltas(chunks) for call in delta.get("tool_calls", ())]
    if calls:
        assert {call["index"] for call in calls} == {0}
        assert [call["id"] for call in calls if "id" in call] == ["call_cq154vk2c3m1v7ep3530"]
        assert "".join(call["function"]["arguments"] for call in calls) == '{"location":"北京"}'
    if ends:
        assert chunks[-1]["choices"] == []
        assert chunks[-1]["usage"]["total_tokens"] == events[-1]["Usage"]["TotalTokens"]


@pytest.mark.parametrize("title", STREAMS)
@given(st.lists(st.integers(0, 3000), max_size=6))
def test_a_stream_is_the_same_however_it_is_cut(title: str, places: list[int]):
    whole = stream_of(STREAMS[title])[:3000]
    assert read(b"", pieces=cut(whole, places)) == read(whole)


def test_events_separated_by_tabs_come_one_by_one():
    reader = FromUpstream(DIALECT, note())
    one = written(event({"Content": "a"}), end=b"\n\t\n")
    assert reader.feed(one).count(b"data:") == 2, "the role, and the text"
    assert reader.feed(one).count(b"data:") == 1


# Odd forms


@pytest.mark.parametrize("choices", [[], None, {}, "x"])
def test_an_event_without_choices_says_nothing(choices: object):
    assert read(written({**event({}), "Choices": choices}, event({"Content": "x"}, "stop")))[-1]["choices"]
    assert upstream_answers.events({"Choices": choices}, note()) == []


@pytest.mark.parametrize("delta", [None, {}, {"Content": None}, {"Content": 5}, {"ToolCalls": "x"}, "text"])
def test_a_delta_that_says_nothing(delta: Any):
    chunks = read(written(event(delta), event({"Content": "x"}, "stop")))
    assert text_in(chunks) == "x"
    assert reasons(chunks) == ["stop"]


@pytest.mark.parametrize("reason", [None, "", 0, False])
def test_a_reason_that_is_none(reason: object):
    assert reasons(read(written(event({"Content": "x"}, reason)))) == []


def test_no_usage_is_none():
    last = event({"Content": "x"}, "stop")
    del last["Usage"]
    chunks = read(written(last), note(include_usage=True))
    assert not any("usage" in chunk for chunk in chunks)
    assert "usage" not in upstream_answers.answer({"Choices": [{"Message": {"Content": "x"}}]}, note())


@pytest.mark.parametrize(
    ("cached", "count"),
    [("5", 5), (5, 5), ("", 0), (None, 0), ("x", 0), (-1, 0), ("９", 0), ("9" * 30, 0), (True, 0), (5.5, 0)],
)
def test_cached_tokens_are_a_number(cached: object, count: int):
    usage = {
        "PromptTokens": 9,
        "CompletionTokens": 1,
        "TotalTokens": 10,
        "PromptTokensDetails": {"CachedTokens": cached},
    }
    made = read(written(event({"Content": "x"}, "stop", Usage=usage)), note(include_usage=True))[-1]["usage"]
    assert made["prompt_tokens_details"] == {"cached_tokens": count}


@pytest.mark.parametrize(
    "error",
    [
        {"Response": {"Error": {"Code": "InternalError", "Message": "m"}, "RequestId": "r"}},
        {"Error": {"Code": "InternalError", "Message": "m"}, "RequestId": "r"},
        {**event({}), "ErrorMsg": {"Msg": "m", "Code": 4000}},
        {"Choices": [], "ErrorMsg": {"Msg": "m", "Code": 4000}},
    ],
)
def test_an_error_in_the_middle_ends_the_stream(error: Json):
    chunks = read(written(event({"Content": "x"}), error, event({"Content": "y"}, "stop")))
    assert [chunk["error"]["status"] for chunk in chunks if "error" in chunk] == [500]
    assert "error" in chunks[-1]
    assert text_in(chunks[:-1]) == "x"


def test_an_error_that_is_null_is_none():
    assert text_in(read(written(event({"Content": "x"}, "stop", ErrorMsg=None)))) == "x"


def test_two_calls_whose_pieces_alternate():
    def piece(id_: str, name: str, arguments: str) -> Json:
        function = {"Name": name, "Arguments": arguments}
        return event({"ToolCalls": [{"Id": id_, "Type": "function", "Function": function}]})

    chunks = read(
        written(
            piece("a", "f", ""),
            piece("b", "g", "{"),
            piece("a", "", "{}"),
            piece("b", "", "}"),
            event({"Content": "so"}),
            event({"Content": ""}, "stop"),
        )
    )
    frames = [frame for delta in deltas(chunks) for frame in delta.get("tool_calls", ())]
    assert [(frame["index"], frame.get("id"), frame["function"].get("name")) for frame in frames] == [
        (0, "a", "f"),
        (1, "b", "g"),
        (0, None, None),
        (1, None, None),
    ]
    assert [frame["function"]["arguments"] for frame in frames] == ["", "{", "{}", "}"]
    assert reasons(chunks) == ["tool_calls"]
    assert text_in(chunks) == "so"


def test_calls_without_ids():
    def piece(name: str, arguments: str, **more: Any) -> Json:
        return event({"ToolCalls": [{"Function": {"Name": name, "Arguments": arguments}, **more}]})

    frames = [
        frame
        for delta in deltas(read(written(piece("f", ""), piece("", "{}"), piece("g", "1"), piece("", "2"))))
        for frame in delta.get("tool_calls", ())
    ]
    assert [frame["index"] for frame in frames] == [0, 0, 1, 1]
    by_index = [piece("f", "", Index=0), piece("g", "", Index=1), piece("", "x", Index=0)]
    frames = [frame for delta in deltas(read(written(*by_index))) for frame in delta.get("tool_calls", ())]
    assert [frame["index"] for frame in frames] == [0, 1, 0]


def test_what_comes_after_sensitive_is_held_back():
    chunks = read(written(event({"Content": "a"}), event({"Content": ""}, "sensitive"), event({"Content": "b"})))
    assert text_in(chunks) == "a"
    assert reasons(chunks) == ["content_filter"]


@pytest.mark.parametrize(
    ("native", "chat"),
    [
        ("stop", "stop"),
        ("sensitive", "content_filter"),
        ("length", "length"),
        ("x", "stop"),
        ("", "stop"),
        (None, "stop"),
    ],
)
def test_why_a_whole_answer_ends(native: object, chat: str):
    body = {"Response": {"Choices": [{"Message": {"Content": "x"}, "FinishReason": native}]}}
    assert upstream_answers.answer(body, note())["choices"][0]["finish_reason"] == chat


def test_what_only_this_vendor_says_stays():
    found = {"SearchResults": [{"Index": 1, "Title": "t", "Url": "u", "Text": "s", "Icon": "i"}]}
    inside = {**WHOLE["非流式请求成功示例"], "SearchInfo": found, "RecommendedQuestions": ["q"], "ModerationLevel": "1"}
    made = upstream_answers.answer(inside, note())
    assert made["search_info"]["search_results"][0]["title"] == "t"
    assert (made["recommended_questions"], made["moderation_level"]) == (["q"], "1")
    assert made["note"].startswith("以上内容")
    chunks = read(written(event({"Content": "x"}, SearchInfo=found), event({"Content": ""}, "stop")))
    assert [chunk["search_info"]["search_results"][0]["url"] for chunk in chunks if "search_info" in chunk] == ["u"]
    assert [chunk["note"] for chunk in chunks if "note" in chunk] == ["n"], "at the end alone"


def test_reasoning():
    chunks = read(written(event({"ReasoningContent": "hm"}), event({"Content": "x"}, "stop")))
    assert [delta["reasoning_content"] for delta in deltas(chunks) if "reasoning_content" in delta] == ["hm"]
    body = {"Choices": [{"Message": {"Content": "x", "ReasoningContent": "hm"}}]}
    assert upstream_answers.answer(body, note())["choices"][0]["message"]["reasoning_content"] == "hm"


def test_one_unreadable_event_is_left_out_and_the_next_one_ends_the_stream():
    good, bad = written(event({"Content": "a"})), b'data: {"broken\n\n'
    assert text_in(read(good + bad + good)) == "aa"
    chunks = read(good + bad + good + bad + good)
    assert chunks[-1]["error"]["code"] == "stream_unreadable"
    assert text_in(chunks[:-1]) == "aa"


def test_an_event_of_two_hundred_kilobytes():
    text = "搜" * 70_000
    assert text_in(read(written(event({"Content": text}), event({"Content": ""}, "stop")))) == text


def test_an_embedding():
    body = {
        "Response": {
            "Data": [{"Embedding": [0.5], "Index": 0, "Object": "embedding"}],
            "Usage": {"PromptTokens": 2, "TotalTokens": 2},
        }
    }
    assert upstream_answers.answer(body, note()) == {
        "object": "list",
        "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}],
        "model": "m",
        "usage": {"prompt_tokens": 2, "total_tokens": 2},
    }
    sample = json.loads(SAMPLES["GetEmbedding"][0]["output"])
    assert upstream_answers.answer(sample, note())["data"][0]["embedding"]


@pytest.mark.parametrize("body", [{}, {"Response": {}}, {"Response": 5}, {"detail": "x"}, {"choices": []}])
def test_what_is_no_answer_stays(body: Json):
    assert upstream_answers.answer(copy.deepcopy(body), note()) == body


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *(
                        "Response",
                        "Choices",
                        "Delta",
                        "Message",
                        "Content",
                        "ToolCalls",
                        "Function",
                        "Name",
                        "Arguments",
                    ),
                    *("Id", "Index", "FinishReason", "Usage", "PromptTokens", "ErrorMsg", "Error", "Data", "Created"),
                    *("SearchInfo", "Note", "PromptTokensDetails", "CachedTokens", "Code", "Msg"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(["Choices", "Usage", "Id", "ErrorMsg", "Response", "Data"]), ANYTHING)


@given(st.lists(OBJECTS, max_size=4))
def test_whatever_comes_nothing_is_raised(bodies: list[Json]):
    noted = note()
    for body in bodies:
        json_body.serialise(upstream_answers.answer(copy.deepcopy(body), note()))
        json_body.serialise(upstream_answers.events(copy.deepcopy(body), noted))
    json_body.serialise(noted)


@given(st.lists(OBJECTS, max_size=4))
def test_what_goes_on_neither_ends_nor_fails(bodies: list[Json]):
    noted = note()
    for body in bodies:
        raw = written(body)
        chunks = upstream_answers.events(body, noted)
        if upstream_answers.goes_on(raw):
            assert not any("error" in chunk for chunk in chunks)
            assert not reasons([chunk for chunk in chunks if "choices" in chunk])


def test_most_events_go_on():
    assert upstream_answers.goes_on(written(event({"Content": "x"})))
    assert not upstream_answers.goes_on(written(event({"Content": "x"}, "stop")))
    assert not upstream_answers.goes_on(written(event({}), {"ErrorMsg": {"Code": 1}}))


def test_a_stream_for_a_chat_client_has_its_end():
    exchange = Exchange(profile="tencent-cloud", dialect="chat", streamed=True)
    exchange.notes[DIALECT.name] = note()
    stream = RepairedStream(exchange, NO_STEPS)
    data = written(event({"Content": "x"}, "stop"))
    sent = b"".join([*stream(data), *stream(b"")])
    assert sent.endswith(b"data: [DONE]\n\n")
    exchange.notes[DIALECT.name] = note()
    cut_off = RepairedStream(exchange, NO_STEPS)
    sent = b"".join([*cut_off(written(event({"Content": "x"}))), *cut_off(b"")])
    assert b"stream_incomplete" in sent


MARKS = ["a", " ", "字", "，", "🙂", '"', "\\", "\n", "\x7f", "é", '"Content":"', '"Usage":', "1", "<"]
PIECES = st.lists(st.lists(st.sampled_from(MARKS), max_size=4).map("".join), min_size=1, max_size=8)


@given(PIECES, st.booleans())
def test_events_that_are_not_read_say_the_same(texts: list[str], spaced: bool):
    """One reader gets the stream event by event, and doesn't read most of them; the other one's are spelt otherwise."""
    events = [
        event({"Role": "assistant", "Content": text}, Usage={"PromptTokens": n, "TotalTokens": 10**n})
        for n, text in enumerate(texts)
    ]
    quick = read(written(*events, event({"Content": "end"}, "stop")))
    spelt = json.dumps if spaced else lambda one: json.dumps(one, ensure_ascii=True)
    slow = read(
        b"".join(b"data: " + spelt(one).encode() + b"\n\n" for one in [*events, event({"Content": "end"}, "stop")])
    )
    assert quick == slow
    assert text_in(quick) == "".join(texts) + "end"


def test_an_event_like_the_last_one_is_not_read():
    reader = FromUpstream(DIALECT, note())
    reader.feed(written(event({"Content": "a"})))
    reader.feed(written(event({"Content": "b"})))
    assert reader._repeated is not None
    for odd in (
        event({"Content": "b"}, "stop"),
        event({"Content": "b"}, SearchInfo={"SearchResults": [{"Title": "t"}]}),
        event({"Content": "b", "ReasoningContent": "c"}),
        {**event({"Content": "b"}), "ErrorMsg": {"Code": 4000, "Msg": "m"}},
    ):
        known = reader._repeated
        assert known.chat_event(json_body.serialise(odd)) is None
    assert reader.feed(written(event({"Content": "c"}))).count(b'"content":"c"') == 1


@pytest.mark.parametrize(
    "data",
    [
        b'{"Choices":[{"Delta":{"Content":"a"}}],"Usage":{"PromptTokens":1}}',
        b'{"Usage":{"PromptTokens":1},"Choices":[{"FinishReason":"","Delta":{"Content":"a"}}]}',
        b'{"Note":{"Content":"a"},"Choices":[{"FinishReason":"","Delta":{"Content":"a"}}],"Usage":{"PromptTokens":1}}',
        b'{"Choices":[{"Delta":{"Content":"a"}}],"Usage":{"PromptTokens":1},"x":{"FinishReason":""}}',
        b'{"Choices":[{"FinishReason": "","Delta":{"Content":"a"}}],"Usage":{"PromptTokens":1}}',
    ],
)
def test_an_event_that_is_spelt_in_another_way_is_no_pattern_for_others(data: bytes):
    reader = FromUpstream(DIALECT, note())
    reader.feed(b"data: " + data + b"\n\n")
    reader.feed(b"data: " + data + b"\n\n")
    assert reader._repeated is None


@pytest.mark.parametrize(
    ("native", "status"),
    [
        ("FailedOperation.EngineRequestTimeout", 504),
        ("UnsupportedRegion", 400),
        ("ServiceUnavailable", 503),
        ("X", 502),
    ],
)
def test_an_error_under_200_has_the_status_that_it_means(native: str, status: int):
    profile = profiles.load("tencent-cloud")
    body = {"Response": {"Error": {"Code": native, "Message": "m"}, "RequestId": "r"}}
    flaw = flaws.of_answer(json_body.serialise(upstream_answers.answer(body, note())))
    assert isinstance(flaw, flaws.Flaw)
    made = vendor_errors.unusable_answer(flaw, profile, "m")
    assert made.status == status
    error = (json_body.parse_object(made.body) or {})["error"]
    assert (error["native_code"], error["request_id"]) == (native, "r")
    assert made.headers.get("x-should-retry") == ("false" if status == 400 else None)
