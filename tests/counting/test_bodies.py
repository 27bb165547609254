"""Tokens of bodies that went by, in every format, beside what the exact counts of their texts say."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.counting import bodies, body, text

ENGLISH = "The quick brown fox jumps over the lazy dog, and nobody is surprised by that any more. "
CHINESE = "敏捷的棕色狐狸跳过了那只懒狗，大家早就见怪不怪了。"
CODE = "def add(first: int, second: int) -> int:\n    return first + second\n"


def as_json(value: object, *, ascii: bool) -> bytes:
    return json.dumps(value, ensure_ascii=ascii).encode()


@pytest.mark.parametrize("ascii", [False, True])
@pytest.mark.parametrize("said", [ENGLISH, CHINESE, CODE])
@pytest.mark.parametrize("times", [3, 50, 3000])
def test_a_request_is_counted_as_its_texts_are(said: str, times: int, ascii: bool) -> None:
    chat = {"model": "hy3", "messages": [{"role": "user", "content": said * times}]}
    exact = body.count(chat)
    assert 0.85 * exact < bodies.of_request(as_json(chat, ascii=ascii)) < 1.15 * exact + 25


def test_other_formats_are_counted_alike() -> None:
    said = ENGLISH * 40
    exact = text.tokens(said)
    for asked in (
        {"model": "hy3", "max_tokens": 9, "messages": [{"role": "user", "content": [{"type": "text", "text": said}]}]},
        {"model": "hy3", "input": said},
        {"model": "embedding", "input": [ENGLISH] * 40},
    ):
        assert exact * 0.9 < bodies.of_request(as_json(asked, ascii=False)) < exact * 1.2


def test_a_picture_costs_what_pictures_cost_and_not_its_bytes() -> None:
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40_000).decode()
    for part in (
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{picture}"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture}},
    ):
        asked = {"model": "hy3", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}, part]}]}
        assert 100 < bodies.of_request(as_json(asked, ascii=False)) < 20_000


@pytest.mark.parametrize("given", [b"", b"\xff\xfe", b"{", b"null", b'{"a": "\\ud800"}', b"\\u", b"\\" * 5000])
def test_anything_is_some_tokens(given: bytes) -> None:
    assert bodies.of_request(given) >= 1
    assert bodies.of_answer(given, "chat", len(given), streamed=True) >= 0


def events(*values: Any) -> bytes:
    return b"".join(b"data: " + as_json(value, ascii=False) + b"\n\n" for value in values)


WORDS = ENGLISH.split(" ")
SAID: dict[str, list[Any]] = {
    "chat": [{"choices": [{"delta": {"content": f"{word} "}}]} for word in WORDS],
    "anthropic": [
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": f"{word} "}} for word in WORDS
    ],
    "tencent-cloud": [{"Choices": [{"FinishReason": "", "Delta": {"Content": f"{word} "}}]} for word in WORDS],
    "responses-native": [{"type": "response.output_text.delta", "delta": f"{word} "} for word in WORDS],
}


@pytest.mark.parametrize("spoken", SAID)
def test_a_stream_is_counted_by_what_it_says(spoken: str) -> None:
    stream = events(*SAID[spoken])
    exact = text.tokens(ENGLISH)
    counted = bodies.of_answer(stream, spoken, len(stream), streamed=True)
    assert 0.9 * exact <= counted <= 1.1 * exact
    # Of which only the first half was kept.
    half = stream[: len(stream) // 2]
    assert 0.8 * exact <= bodies.of_answer(half, spoken, len(stream), streamed=True) <= 1.2 * exact


def test_calls_and_thoughts_are_said_too() -> None:
    stream = events(
        {"choices": [{"delta": {"reasoning_content": ENGLISH}}]},
        {"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"name": "f", "arguments": '{"a": "b"}'}}]}}]},
    )
    assert bodies.of_answer(stream, "chat", len(stream), streamed=True) > text.tokens(ENGLISH)


def test_a_whole_answer_is_counted_too() -> None:
    chat = as_json({"choices": [{"message": {"content": ENGLISH}}]}, ascii=True)
    responses = as_json({"output": [{"content": [{"type": "output_text", "text": ENGLISH}]}]}, ascii=True)
    for spoken, answer in (("chat", chat), ("responses", responses)):
        counted = bodies.of_answer(answer, spoken, len(answer), streamed=False)
        assert text.tokens(ENGLISH) * 0.9 <= counted <= text.tokens(ENGLISH) * 1.1


def test_without_its_bytes_an_answer_is_counted_by_their_number() -> None:
    assert bodies.of_answer(b"", "chat", 10_000, streamed=True) == 100
    assert bodies.of_answer(b"", "chat", 10_000, streamed=False) == 2500
    assert bodies.of_answer(b"", "chat", 0, streamed=True) == 0


@given(st.binary(max_size=3000), st.sampled_from(["chat", "anthropic", "responses", "", "toy"]))
def test_nothing_raises(data: bytes, spoken: str) -> None:
    assert bodies.of_request(data) >= 1
    assert bodies.of_answer(data, spoken, len(data), streamed=False) >= 0
