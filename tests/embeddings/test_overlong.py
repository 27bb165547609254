"""Texts that are too long: where they are cut, and how endpoints say so."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.counting import text as counted
from hunyuan_fix.embeddings import overlong
from hunyuan_fix.exchange import Response

PIECES = st.sampled_from(["hello ", "世界", "🙂", "0123456789", "\n\n", "naïve ", "{}[]", "한국어", "a" * 50])


@given(st.lists(PIECES, max_size=200).map("".join), st.integers(1, 300))
def test_what_is_left_is_a_beginning_that_fits(text: str, limit: int) -> None:
    cut = overlong.cut(text, limit)
    assert text.startswith(cut)
    assert counted.tokens(cut) <= limit or len(cut) <= 1
    if counted.tokens(text) <= limit:
        assert cut == text
    elif limit > 50:
        assert counted.tokens(cut) > limit / 3, "not far more than has to"


def error(message: str = "", status: int = 400, **more: object) -> Response:
    return Response(status, {}, json.dumps({"error": {"message": message, **more}}).encode())


@pytest.mark.parametrize(
    "answer",
    [
        error("This model's maximum context length is 8192 tokens, however you requested 9000"),
        error("inputs must have less than 512 tokens. Given: 700", 413),
        error("length of prompt_tokens (9) must be less than max_seq_len", code=20015),
        error("input token length too long", code=20059),
        error("Input token length too long"),
        error("no", code="20059"),
        error("<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 2048]"),
        error("the input length exceeds the context length", 422),
        error("no", vendor={"code": 20015, "message": "x"}),
    ],
)
def test_an_endpoint_says_that_a_text_is_too_long(answer: Response) -> None:
    assert overlong.is_refusal(answer)


@pytest.mark.parametrize(
    "answer",
    [
        error("Invalid API key", 401),
        error("maximum context length", 429),
        error("model 120015x not found"),
        error("input is required"),
        Response(400, {}, b"too long? <html>"),
        Response(400, {}, b'{"error": "input text too short"}'),
    ],
)
def test_another_error_does_not(answer: Response) -> None:
    assert not overlong.is_refusal(answer)


def seconds(text: str) -> float:
    best = float("inf")
    for _ in range(3):
        began = time.thread_time()
        overlong.cut(text, 100)
        best = min(best, time.thread_time() - began)
    return best


def test_it_takes_time_by_the_length_of_the_text() -> None:
    short, long = "word 世界 " * 60_000, "word 世界 " * 240_000
    assert seconds(long) < 8 * seconds(short), "linear is 4, quadratic 16"
