"""mitmproxy's views on what was recorded: what is shown by itself, the text, and that nothing makes them raise."""

from __future__ import annotations

import copy
import gzip
import json
import time
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mitmproxy import contentviews, http
from mitmproxy.contentviews import Metadata
from mitmproxy.test import taddons, tflow

from hunyuan_fix import rules, texts
from hunyuan_fix.answers.streamed import KeptStream
from hunyuan_fix.columns import width
from hunyuan_fix.dialects.anthropic import Anthropic
from hunyuan_fix.exchange import KEY, MAX_CHANGES, Change, Exchange
from hunyuan_fix.route import Address, Route
from hunyuan_fix.rules.places import Track
from hunyuan_fix.views.contentviews import VIEWS, ChatTranscript, HunyuanChanges, changes_page
from tests.kept_flows import saved_and_read
from tests.rule_context import context
from tests.strategies import json_values

CHAT = Route("hunyuan", "chat", "https://h/v1", Address("https", "h", 443, "/v1/chat/completions"), False, False, False)
BEFORE = b'{"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}], "user": "me"}'
AFTER = b'{"model":"hunyuan-lite","messages":[{"role":"user","content":"hi"}]}'
REMOVED = Change("parameters", "/user", "user is not accepted: removed")
ANSWER = (
    b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "hello", "reasoning_content": "hm"}, '
    b'"finish_reason": "stop"}], "usage": {"total_tokens": 7}}'
)
STREAM = (
    b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"hel"}}]}\n\n'
    b'data: {"choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":"stop"}],"usage":{"total_tokens":7}}\n\n'
    b"data: [DONE]\n\n"
)

TIMINGS = """\
─── timings: 3,000 ms ───
came        1,000 ms  █████████████▍
first byte  1,000 ms               █████████████▍
answer      1,000 ms                             █████████████

"""
"""Of mitmproxy's test flow."""
CHANGES_PAGE = """\
1 change
parameters  /user  user is not accepted: removed

─── diff ───
--- as it came
+++ as it left
@@ -5,6 +5,5 @@
       "role": "user",
       "content": "hi"
     }
-  ],
-  "user": "me"
+  ]
 }
"""
ANSWER_PAGE = """\
─── assistant ───
    (reasoning) hm
hello
finish reason: stop

usage: total_tokens 7
"""
STREAM_PAGE = ANSWER_PAGE.replace("    (reasoning) hm\n", "")


@pytest.fixture(autouse=True)
def master() -> Iterator[None]:
    with taddons.context():
        for view in VIEWS:
            contentviews.add(view)
        yield


def exchange(*changes: Change, **values: Any) -> tuple[http.HTTPFlow, Exchange]:
    flow = tflow.tflow(resp=True)
    begun = Exchange(profile="hunyuan", dialect="chat", method="POST", path="/v1/chat/completions", **values)
    begun.note(changes)
    flow.metadata[KEY] = begun.to_plain()
    flow.request.content = AFTER if changes else BEFORE
    flow.request.headers["content-type"] = "application/json"
    assert flow.response
    flow.response.content = ANSWER
    flow.response.headers["content-type"] = "application/json"
    return flow, begun


def rewritten() -> http.HTTPFlow:
    return exchange(REMOVED, rewritten=True, original=BEFORE)[0]


def streamed(body: bytes, **values: Any) -> http.HTTPFlow:
    flow, _ = exchange(**values)
    assert flow.response
    flow.response.raw_content = body
    flow.response.headers["content-type"] = "text/event-stream; charset=utf-8"
    return flow


def shown(message: http.Message | None, flow: http.HTTPFlow, view: str = "auto") -> tuple[str | None, str]:
    assert message
    result = contentviews.prettify_message(message, flow, view)
    return result.view_name, result.text


# What is shown by itself


def test_a_rewritten_request_shows_its_changes():
    flow = rewritten()
    assert shown(flow.request, flow) == ("Hunyuan changes", TIMINGS + CHANGES_PAGE)


def test_so_it_does_when_read_from_a_file():
    flow = saved_and_read(rewritten())
    assert isinstance(flow, http.HTTPFlow)
    assert shown(flow.request, flow) == ("Hunyuan changes", TIMINGS + CHANGES_PAGE)


def test_an_answer_shows_its_transcript():
    flow = rewritten()
    assert shown(flow.response, flow) == ("Chat transcript", ANSWER_PAGE)


def test_a_streamed_answer_too():
    flow = streamed(STREAM)
    assert shown(flow.response, flow) == ("Chat transcript", STREAM_PAGE)


def test_an_untouched_request_shows_json_and_has_a_transcript_to_choose():
    flow, _ = exchange()
    assert shown(flow.request, flow)[0] == "JSON"
    _, text = shown(flow.request, flow, "Chat transcript")
    assert text == 'model: hunyuan-lite · user: "me"\n\n─── user ───\nhi\n'
    _, text = shown(flow.request, flow, "Hunyuan changes")
    assert text == TIMINGS + "The request's body was not changed.\n\nNothing was changed.\n"


def test_what_changed_in_the_answer_only_is_no_rewritten_request():
    flow, begun = exchange()
    begun.note([Change("stop", "/choices/0", "cut")])
    flow.metadata[KEY] = begun.to_plain()
    assert shown(flow.request, flow)[0] == "JSON"
    assert shown(flow.request, flow, "Hunyuan changes")[1].startswith(
        TIMINGS + "The request's body was not changed.\n\n1 change\n"
    )


def test_an_observed_request_shows_what_would_have_been_changed():
    flow, _ = exchange(REMOVED, mode="observe")
    assert shown(flow.request, flow) == (
        "Hunyuan changes",
        TIMINGS + "Dry run (hunyuan_mode=observe): the request was not changed.\n\n"
        "1 change\nparameters  /user  user is not accepted: removed\n",
    )


def test_what_broke_the_prompt_cache_stands_above_the_diff():
    flow, begun = exchange(REMOVED, rewritten=True, original=BEFORE)
    begun.notes["prompt-cache"] = {"input": 900, "cached": 20, "broken": "broken at /messages/0"}
    flow.metadata[KEY] = begun.to_plain()
    assert shown(flow.request, flow)[1].startswith(
        "prompt cache: 20 of 900 input tokens cached; broken at /messages/0\n\n" + TIMINGS + "1 change\n"
    )


def test_a_request_that_was_too_large_to_keep_says_so():
    flow, _ = exchange(REMOVED, rewritten=True, original=None)
    assert "was not kept (hunyuan_keep_original)" in shown(flow.request, flow)[1]


def test_of_very_many_changes_the_page_says_that_there_are_more():
    flow, _ = exchange(*[REMOVED] * (MAX_CHANGES + 5), rewritten=True, original=BEFORE)
    assert shown(flow.request, flow)[1].startswith(
        TIMINGS
        + "The first 500 of more changes:\n500 changes\nparameters  /user  user is not accepted: removed (500)\n"
    )


def test_images_are_shown_with_their_description():
    before = {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "http://a/b"}]}],
    }
    sent = texts.load("zh").image_description.format(number=1, total=1, model="m", description="a cat")
    flow, _ = exchange(REMOVED, rewritten=True, original=json.dumps(before).encode(), language="zh")
    flow.request.content = json.dumps({"messages": [{"role": "user", "content": sent}]}).encode()
    assert shown(flow.request, flow, "Chat transcript")[1].endswith("─── user ───\n[image http://a/b]\n    a cat\n")


# Streams that are not whole


def kept(data: bytes, limit: int) -> http.HTTPFlow:
    stream = KeptStream(limit)
    assert b"".join(b"".join(stream(data[at : at + 7])) for at in range(0, len(data), 7)) == data
    assert stream.kept is not None
    return streamed(stream.kept, stream_cut=stream.cut)


def test_a_stream_that_was_cut_is_shown_as_far_as_it_goes_and_says_so():
    flow = kept(STREAM, 100)
    _, text = shown(flow.response, flow)
    assert text.startswith("─── assistant ───\nhel\n")
    assert "! only the beginning of this stream was kept (hunyuan_keep_streams)" in text


def test_a_stream_that_just_fits_is_not_cut():
    flow = kept(STREAM, len(STREAM))
    assert shown(flow.response, flow)[1] == STREAM_PAGE


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_stream_that_was_cut_is_shown_as_far_as_it_goes(coding: str):
    """Under `observe` a stream is kept as it came."""
    pieces = b"".join(
        b'data: {"choices":[{"index":0,"delta":{"content":"%d "}}]}\n\n' % number for number in range(5000)
    )
    data = gzip.compress(pieces) if coding == "gzip" else zlib.compress(pieces)
    flow = kept(data, len(data) // 2)
    assert flow.response
    flow.response.headers["content-encoding"] = coding
    assert shown(flow.response, flow)[1].startswith("─── assistant ───\n0 1 2 3 ")


# Nothing makes them raise

plain: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=8,
)
fields = st.sampled_from(sorted(Exchange().to_plain()))
records = st.one_of(
    plain,
    st.dictionaries(st.one_of(fields, st.text(max_size=3)), plain),
    st.fixed_dictionaries(
        {},
        optional={
            "endpoint": st.just("chat"),
            "mode": st.sampled_from(["repair", "observe", "off", "later"]),
            "rewritten": st.booleans(),
            "changes": st.lists(st.one_of(st.lists(st.text(max_size=3), min_size=3, max_size=3), plain), max_size=3),
            "original": st.one_of(st.none(), st.binary(), st.just(BEFORE), st.text()),
            "language": st.sampled_from(["zh", "en", "xx", ""]),
            "stream_cut": st.booleans(),
        },
    ),
)
deep = b"[" * 1020 + b"]" * 1020
bodies = st.one_of(
    st.binary(),
    st.sampled_from([BEFORE, ANSWER, STREAM, b'{"messages": %s}' % deep, b'{"usage": {"a": %s}}' % deep, deep]),
    json_values.map(lambda value: json.dumps(value).encode()),
    json_values.map(lambda value: json.dumps({"messages": value, "choices": value, "usage": value}).encode()),
    json_values.map(lambda value: json.dumps({"messages": [value, {"role": value, "content": [value]}]}).encode()),
    json_values.map(
        lambda value: json.dumps(
            {"choices": [value, {"index": value, "message": {"content": value, "tool_calls": [value]}}]}
        ).encode()
    ),
    json_values.map(
        lambda value: (
            b"data: "
            + json.dumps(
                {"choices": [{"delta": {"tool_calls": [value, {"index": value, "function": value}]}}]}
            ).encode()
            + b"\n\n"
        )
    ),
)
ARBITRARY = tflow.tflow(resp=True)


@given(
    records, bodies, st.sampled_from(["", "gzip", "br", "nonsense"]), st.sampled_from(["text/event-stream", "x", None])
)
@example({"endpoint": "chat", "rewritten": True, "original": b"[" * 1020 + b"]" * 1020}, deep, "", None)
def test_no_record_and_no_body_makes_a_view_raise(kept: Any, body: bytes, coding: str, content_type: str | None):
    flow = ARBITRARY
    flow.metadata[KEY] = kept
    assert flow.response
    flow.request.raw_content = flow.response.raw_content = body
    flow.response.headers["content-encoding"] = coding
    for message in (flow.request, flow.response, None):
        metadata = Metadata(flow=flow, http_message=message, content_type=content_type)
        for view in VIEWS:
            assert isinstance(view.render_priority(body, metadata), float)
            view.prettify(body, metadata).encode()


@pytest.mark.parametrize("flow", [None, tflow.ttcpflow(), tflow.tudpflow(), tflow.tdnsflow(), tflow.twebsocketflow()])
def test_other_flows_are_left_to_other_views(flow: Any):
    metadata = Metadata(flow=flow)
    assert [view.render_priority(b"{}", metadata) for view in VIEWS] == [-1, -1]
    assert HunyuanChanges().prettify(b"{}", metadata) == "hunyuan-fix has not handled this request.\n"
    assert ChatTranscript().prettify(b'{"choices": []}', metadata) == "\n"


def test_a_websocket_message_in_a_chat_exchange_is_no_chat_answer():
    flow, _ = exchange()
    assert ChatTranscript().render_priority(b"{}", Metadata(flow=flow)) < 0


def test_the_views_pages_can_be_shown_though_a_change_names_a_lone_surrogate():
    flow, _ = exchange(Change("tools", "/tools/\ud800", "why"), rewritten=True, original=b'{"\\ud800": 1}')
    assert "/tools/\\ud800" in shown(flow.request, flow)[1]
    assert flow.metadata[KEY]["changes"] == [["tools", "/tools/\\ud800", "why"]]
    assert saved_and_read(flow)


MESSAGES = {
    "model": "claude-x",
    "max_tokens": 9,
    "system": "Be brief.",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "今天天气怎么样？" * 12}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "ls", "input": {"a": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"}]},
    ],
}


def translated(messages: dict[str, Any], chat: dict[str, Any]) -> str:
    """The page of a request that came as Anthropic's."""
    exchange = Exchange(profile="hunyuan", dialect="anthropic", rewritten=True)
    exchange.original = json.dumps(messages).encode()
    exchange.note([Change("anthropic", "/max_tokens", "why it was changed")])
    return changes_page(exchange, json.dumps(chat).encode())


def test_what_was_translated_stands_beside_what_came() -> None:
    chat = Anthropic().to_chat(MESSAGES, {}, {})
    page = translated(MESSAGES, chat)
    assert "anthropic  /max_tokens  why it was changed" in page
    lines = page[page.index("─── side by side ───") :].splitlines()[1:]
    assert all(width(line) <= 160 for line in lines)
    left, right = zip(*((line.partition(" │ ")[0].rstrip(), line.partition(" │ ")[2]) for line in lines), strict=True)
    assert (left[0], right[0]) == ("AS IT CAME", "AS IT LEFT")
    for side in (left, right):
        assert "─── system ───" in side
        assert "─── tool toolu_1 ───" in side
        assert "→ ls  (toolu_1)" in side
        assert "".join(side).count("今天天气怎么样？") == 12


def test_two_conversations_that_are_too_long_are_not_compared() -> None:
    many = [{"role": "user", "content": "x"}] * 8000
    page = translated({**MESSAGES, "messages": many}, {"model": "hy3", "messages": many})
    assert page.endswith("Too long to compare: 24,004 and 24,001 lines.\n")


def test_the_time_of_a_page_grows_with_its_bodies() -> None:
    """A request of a megabyte with as many changes as are listed, and one of twice the size."""

    def seconds(messages: int) -> float:
        said = [{"role": "user", "content": f"{number} " + "x" * 400} for number in range(messages)]
        body: dict[str, Any] = {"model": "hunyuan-lite", "messages": copy.deepcopy(said), "user": "me"}
        begun = Exchange(profile="hunyuan", dialect="chat", rewritten=True)
        begun.original = json.dumps(body).encode()
        track = Track()
        for number in range(1, messages, 2):
            body["messages"][number]["role"] = "assistant"
            body["messages"][number]["annotations"] = []
        begun.original = json.dumps(body).encode()
        begun.note(rules.apply_chat(body, context(max_messages=None), track=track))
        assert len(begun.changes) == MAX_CHANGES
        sent, best = json.dumps(body).encode(), 9e9
        for _ in range(3):
            began = time.process_time()
            changes_page(begun, sent)
            best = min(best, time.process_time() - began)
        return best

    assert seconds(4000) < 4 * seconds(2000)
