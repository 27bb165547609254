"""Hypothesis strategies for what a chat endpoint answers: whole, in chunks, and plain nonsense."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

from tests.strategies import json_values

USAGE = {
    "prompt_tokens": 50,
    "completion_tokens": 7,
    "total_tokens": 57,
    "prompt_tokens_details": {"cached_tokens": 20},
}

texts = st.one_of(
    st.sampled_from(["", " ", "\n", "word", "END", "E", "EN", "一个", "\n\nHuman:", 'quote" \\ \t', "x" * 80]),
    st.text(max_size=20),
)
long_texts = st.lists(texts, max_size=6).map("".join)
objects = st.dictionaries(st.text(max_size=4), json_values, max_size=3)
inputs = st.one_of(
    objects.map(json.dumps),
    objects.map(lambda value: json.dumps(json.dumps(value, indent=1))),
    st.text(min_size=60, max_size=200).map(lambda text: json.dumps({"long": text})),
    st.sampled_from(["", "{}", "null", " {} ", '{"a": 1', "[1]", "rm", '{"a": NaN}', "{}x"]),
)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """A chat message of an assistant, as an endpoint answers it."""
    made: dict[str, Any] = {"role": "assistant"}
    if draw(st.booleans()):
        made["reasoning_content"] = draw(long_texts)
    made["content"] = draw(st.one_of(st.none(), long_texts))
    count = draw(st.sampled_from([0, 0, 1, 2, 3]))
    if count:
        made["tool_calls"] = [
            {
                "id": f"call_{number}",
                "type": "function",
                "function": {"name": draw(st.sampled_from(["ls", "cat", "short_1a2b"])), "arguments": draw(inputs)},
            }
            for number in range(count)
        ]
    return made


finishes = st.sampled_from(["stop", "tool_calls", "length", "content_filter", "sensitive"])


def cut(draw: st.DrawFn, text: str) -> list[str]:
    """`text` in pieces."""
    places = sorted(draw(st.lists(st.integers(0, len(text)), max_size=5)))
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


@st.composite
def chunked(draw: st.DrawFn, message: dict[str, Any], finish: str) -> list[dict[str, Any]]:
    """The chunks of a stream that brings `message`: cut anywhere, calls one after the other or interleaved."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", **draw(st.sampled_from([{}, {"content": ""}]))}]
    for name in ("reasoning_content", "content"):
        if isinstance(message.get(name), str):
            deltas += [{name: piece} for piece in cut(draw, message[name])]
    lines = [list(frames(draw, index, call)) for index, call in enumerate(message.get("tool_calls", ()))]
    if draw(st.booleans()):
        deltas += [{"tool_calls": [frame]} for line in lines for frame in line]
    else:
        while any(lines):
            line = draw(st.sampled_from([line for line in lines if line]))
            # A call begins once those before it have begun.
            first = next(other for other in lines if other and "id" in other[0]) if "id" in line[0] else line
            deltas.append({"tool_calls": [first.pop(0)]})
    deltas = list(joined(draw, deltas))
    chunks: list[dict[str, Any]] = [
        {"id": "chatcmpl-1", "model": "hy3", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
        for delta in deltas
    ]
    if draw(st.booleans()):
        chunks[-1]["choices"][0]["finish_reason"] = finish
    else:
        chunks.append({"id": "chatcmpl-1", "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    if draw(st.booleans()):
        chunks[-1]["usage"] = USAGE
    else:
        chunks.append({"id": "chatcmpl-1", "choices": [], "usage": USAGE})
    return chunks


def frames(draw: st.DrawFn, index: int, call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The frames of a call."""
    function = call["function"]
    first, *others = cut(draw, function["arguments"])
    yield {"index": index, "id": call["id"], "type": "function", "function": {**function, "arguments": first}}
    yield from ({"index": index, "function": {"arguments": piece}} for piece in others)


def joined(draw: st.DrawFn, deltas: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Some neighbours as one delta, where no field would be in it twice."""
    kept = deltas[0]
    for delta in deltas[1:]:
        if not kept.keys() & delta.keys() and "tool_calls" not in kept and draw(st.booleans()):
            kept = {**kept, **delta}
        else:
            yield kept
            kept = delta
    yield kept


hostile_deltas = st.one_of(
    json_values,
    st.fixed_dictionaries(
        {},
        optional={
            "content": st.one_of(texts, json_values),
            "reasoning_content": st.one_of(texts, json_values),
            "reasoning": st.one_of(texts, json_values),
            "refusal": st.one_of(texts, json_values),
            "function_call": json_values,
            "tool_calls": st.one_of(
                json_values,
                st.lists(
                    st.one_of(
                        json_values,
                        st.fixed_dictionaries(
                            {},
                            optional={
                                "index": st.one_of(st.integers(0, 2), json_values),
                                "id": st.one_of(st.sampled_from(["a", "b"]), json_values),
                                "function": st.one_of(
                                    json_values,
                                    st.fixed_dictionaries(
                                        {}, optional={"name": json_values, "arguments": st.one_of(inputs, json_values)}
                                    ),
                                ),
                            },
                        ),
                    ),
                    max_size=3,
                ),
            ),
        },
    ),
)
hostile_chunks = st.fixed_dictionaries(
    {},
    optional={
        "id": json_values,
        "model": json_values,
        "usage": st.one_of(json_values, st.just(USAGE)),
        "choices": st.one_of(
            json_values,
            st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "index": st.one_of(st.just(0), json_values),
                        "delta": hostile_deltas,
                        "message": hostile_deltas,
                        "finish_reason": st.one_of(finishes, json_values),
                        "stop_reason": json_values,
                        "usage": json_values,
                    },
                ),
                max_size=2,
            ),
        ),
    },
)
