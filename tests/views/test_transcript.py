"""Transcripts of requests and answers."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import texts
from hunyuan_fix.simulator.vision import png_with_text
from hunyuan_fix.views import picture, transcript
from hunyuan_fix.wire import json_body, sse
from tests.rule_context import answer, call
from tests.strategies import json_values, messages

IMAGE_URL = "data:image/png;base64," + base64.b64encode(png_with_text("hi", 96, 48)).decode()
REQUEST = {
    "model": "hunyuan-lite",
    "stream": True,
    "tools": [{}],
    "messages": [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": IMAGE_URL}]},
        {"role": "assistant", "content": None, "tool_calls": [call("id-1", "read_file", '{"path":"a.txt"}')]},
        answer("id-1", "hello"),
        {"role": "assistant", "content": "done", "reasoning_content": "think"},
    ],
}
TRANSCRIPT = """\
model: hunyuan-lite · 1 tool · stream: true

─── system ───
be brief

─── user ───
look
[image 96×48 png, 1 kB]
    a terminal
    $ ls

─── assistant ───
→ read_file  (id-1)
    {
      "path": "a.txt"
    }

─── tool id-1 ───
hello

─── assistant ───
    (reasoning) think
done
"""


def chunk(**given: Any) -> bytes:
    finish_reason = given.pop("finish_reason", None)
    return sse.event(json_body.serialise({"choices": [{"index": 0, "delta": given, "finish_reason": finish_reason}]}))


STREAM = b"".join(
    [
        chunk(reasoning_content="hm"),
        chunk(role="assistant", content="I will "),
        b": keep-alive\n\n",
        chunk(content="look."),
        chunk(tool_calls=[{"index": 0, "id": "c", "function": {"name": "ls", "arguments": '{"a"'}}]),
        chunk(tool_calls=[{"index": 0, "id": "c", "function": {"name": "", "arguments": ":1}"}}]),
        chunk(finish_reason="tool_calls"),
        sse.event(json_body.serialise({"choices": [], "usage": {"prompt_tokens": 3, "details": {"cached": 1}}})),
        b"data: [DONE]\n\n",
    ]
)
STREAMED = """\
─── assistant ───
    (reasoning) hm
I will look.
→ ls  (c)
    {
      "a": 1
    }
finish reason: tool_calls

usage: prompt_tokens 3, details.cached 1
"""


def test_request() -> None:
    body = json_body.serialise(REQUEST)
    size = picture.facts(IMAGE_URL)
    expected = TRANSCRIPT.replace("[image 96×48 png, 1 kB]", size)
    assert transcript.request(body, ["a terminal\n$ ls"]) == expected


def test_streamed_answer() -> None:
    assert transcript.answer(STREAM, streamed=True) == STREAMED


def test_whole_answer() -> None:
    body = {
        "choices": [
            {
                "index": 0,
                "message": {
                    "role": "assistant",
                    "reasoning_content": "hm",
                    "content": "I will look.",
                    "tool_calls": [{"id": "c", "function": {"name": "ls", "arguments": '{"a":1}'}}],
                },
                "finish_reason": "tool_calls",
            }
        ],
        "usage": {"prompt_tokens": 3, "details": {"cached": 1}},
    }
    assert transcript.answer(json_body.serialise(body), streamed=False) == STREAMED


def test_a_cut_stream_is_shown_as_far_as_it_goes() -> None:
    shown = transcript.answer(STREAM[: STREAM.index(b"look.") + 3], streamed=True)
    assert "I will" in shown
    assert "not valid JSON" in shown
    assert "without a finish reason" in shown


def test_an_error_is_shown() -> None:
    shown = transcript.answer(b'{"error":{"message":"too many"}}', streamed=False)
    assert "error: too many" in shown


def test_descriptions_are_found_in_the_body_as_sent() -> None:
    zh = texts.load("zh")
    text = zh.image_description.format(number=1, total=2, model="m", description="first {x}\nline")
    other = zh.image_description.format(number=2, total=2, model="m", description="second")
    sent = {"messages": [{"content": text + "\n\nand\n\n" + other}]}
    assert transcript.described(json_body.serialise(sent), zh) == ["first {x}\nline", "second"]


def test_what_is_no_json_is_said_to_be_none() -> None:
    assert transcript.request(b"hello").startswith("Not a JSON object.")
    assert transcript.answer(b"hello", streamed=False).startswith("Not a JSON object.")


requests = st.one_of(
    st.binary(),
    json_values.map(json_body.serialise),
    st.lists(messages(), max_size=4).map(lambda history: json_body.serialise({"messages": history})),
)
answers = st.one_of(
    json_values,
    st.fixed_dictionaries({"choices": st.lists(json_values, max_size=2), "usage": json_values, "error": json_values}),
    st.builds(lambda delta: {"choices": [{"message": delta, "delta": delta}]}, json_values),
    st.builds(
        lambda frames: {"choices": [{"delta": {"tool_calls": frames}, "message": {"tool_calls": frames}}]}, json_values
    ),
)


@given(requests)
def test_no_request_raises(body: bytes) -> None:
    transcript.request(body).encode()
    transcript.described(body, texts.load("en"))


@given(st.one_of(st.binary(), answers.map(json_body.serialise)))
def test_no_answer_raises(body: bytes) -> None:
    transcript.answer(body, streamed=False).encode()
    transcript.answer(body, streamed=True).encode()
    transcript.answer(b"data: " + body + b"\n\n", streamed=True).encode()


def test_usage_that_stands_in_a_choice_is_shown():
    stream = (
        b'data: {"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop",'
        b'"usage":{"prompt_tokens":9,"cached_tokens":4}}]}\n\ndata: [DONE]\n\n'
    )
    assert "usage: prompt_tokens 9, cached_tokens 4" in transcript.answer(stream, streamed=True)
