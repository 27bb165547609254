from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.exchange import Exchange, JsonObject
from hunyuan_fix.wire import usage

SHAPES: list[tuple[str, JsonObject, dict[str, int]]] = [
    (
        "Moonshot",
        {"prompt_tokens": 14000, "completion_tokens": 20, "total_tokens": 14020, "cached_tokens": 12300},
        {"input": 14000, "output": 20, "cached": 12300},
    ),
    (
        "OpenAI",
        {
            "prompt_tokens": 9,
            "completion_tokens": 5,
            "total_tokens": 14,
            "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 3},
        },
        {"input": 9, "output": 5, "cached": 4, "reasoning": 3},
    ),
    (
        "DeepSeek",
        {"prompt_tokens": 9, "completion_tokens": 5, "prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 1},
        {"input": 9, "output": 5, "cached": 8},
    ),
    ("DeepSeek, cut", {"prompt_cache_hit_tokens": 8, "prompt_cache_miss_tokens": 1}, {"input": 9, "cached": 8}),
    (
        "TokenHub",
        {"prompt_tokens": 9, "completion_tokens": 5, "cache_read_tokens": 2},
        {"input": 9, "output": 5, "cached": 2},
    ),
    (
        "Anthropic",
        {"input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 7, "output_tokens": 5},
        {"input": 110, "cached": 100, "written": 7, "output": 5},
    ),
    (
        "Responses",
        {
            "input_tokens": 110,
            "input_tokens_details": {"cached_tokens": 100},
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
        },
        {"input": 110, "cached": 100, "output": 5, "reasoning": 0},
    ),
    (
        "both a 0 and a count",
        {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": 4},
        {"input": 9, "cached": 4},
    ),
    ("nothing cached", {"prompt_tokens": 9, "cached_tokens": 0}, {"input": 9, "cached": 0}),
    (
        "reasoning beside the completion",
        {"prompt_tokens": 9, "completion_tokens": 5, "total_tokens": 30},
        {"input": 9, "output": 21},
    ),
    ("embeddings", {"prompt_tokens": 9, "total_tokens": 9}, {"input": 9, "output": 0}),
    ("a total alone", {"total_tokens": 9}, {"input": 9}),
    ("more cached than there is", {"prompt_tokens": 9, "cached_tokens": 90}, {"input": 9, "cached": 9}),
    ("nothing", {}, {}),
]


@pytest.mark.parametrize(("given", "counts"), [row[1:] for row in SHAPES], ids=[row[0] for row in SHAPES])
def test_each_vendor_s_spelling_is_read(given: JsonObject, counts: dict[str, int]) -> None:
    assert usage.counted(given) == counts


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.integers(), max_size=2)
)
NAMES = sorted({name for _, shape, _ in SHAPES for name in shape})
INNER = ["cached_tokens", "reasoning_tokens", "cache_write_tokens"]


@given(st.dictionaries(st.sampled_from(NAMES), st.one_of(ODD, st.dictionaries(st.sampled_from(INNER), ODD))))
def test_whatever_stands_there_counts_are_counts(given: dict[str, Any]) -> None:
    counts = usage.counted(given)
    assert all(type(count) is int and count >= 0 for count in counts.values())
    assert counts.get("cached", 0) <= counts.get("input", counts.get("cached", 0))
    assert counts.get("reasoning", 0) <= counts.get("output", counts.get("reasoning", 0))
    exchange = Exchange()
    usage.note(exchange, given)
    assert type(exchange.tokens) is int
    assert 0 <= exchange.tokens < 2**56
    copy = json.loads(json.dumps(given))
    usage.complete(copy)
    again = json.loads(json.dumps(copy))
    assert not usage.complete(copy)
    assert json.dumps(copy) == json.dumps(again)
    assert usage.counted(copy).get("cached", 0) == counts.get("cached", 0)


@pytest.mark.parametrize("given", [None, 3, "7", [], [1]])
def test_what_is_no_usage_tells_nothing(given: object) -> None:
    exchange = Exchange(usage={"input": 3}, tokens=3)
    usage.note(exchange, given)
    assert (exchange.usage, exchange.tokens) == ({}, 0)


@pytest.mark.parametrize("total", [10**4000, 2**53, -5, True, 1.5, "9", float("nan"), float("inf")])
def test_a_total_that_is_no_count_is_none(total: object) -> None:
    exchange = Exchange()
    usage.note(exchange, {"total_tokens": total, "prompt_tokens": 3, "completion_tokens": 4})
    assert exchange.tokens == 7


def test_an_exchange_keeps_its_counts_also_in_a_saved_flow() -> None:
    exchange = Exchange()
    usage.note(exchange, SHAPES[5][1])
    assert exchange.usage == {"input": 110, "cached": 100, "written": 7, "output": 5}
    assert exchange.tokens == 115
    saved = Exchange.from_plain(exchange.to_plain())
    assert saved is not None
    assert saved.usage == exchange.usage


def test_a_saved_exchange_with_odd_counts_keeps_those_that_are_counts() -> None:
    saved = Exchange.from_plain({"usage": {"input": -1, "cached": float("nan"), "output": 7, "reasoning": True}})
    assert saved is not None
    assert saved.usage == {"output": 7}


@pytest.mark.parametrize("before", [None, {}, {"audio_tokens": 1}, {"cached_tokens": None}, "odd"])
def test_cached_tokens_are_put_where_clients_look(before: object) -> None:
    given: JsonObject = {"prompt_tokens": 9, "cached_tokens": 4, "prompt_tokens_details": before}
    assert usage.complete(given)
    assert given["prompt_tokens_details"]["cached_tokens"] == 4
    assert given["cached_tokens"] == 4
    if before == {"audio_tokens": 1}:
        assert given["prompt_tokens_details"]["audio_tokens"] == 1


@pytest.mark.parametrize(
    "given",
    [
        {"prompt_tokens": 9, "cached_tokens": 0},
        {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}, "cached_tokens": 4},
        {"prompt_tokens": 9},
    ],
)
def test_a_usage_that_lacks_nothing_stays(given: JsonObject) -> None:
    copy = json.loads(json.dumps(given))
    assert not usage.complete(given)
    assert given == copy


def test_the_usage_of_an_answer_is_found_in_its_choices() -> None:
    own, inner = {"total_tokens": 1}, {"total_tokens": 2}
    assert usage.of_answer({"usage": own, "choices": [{"usage": inner}]}) is own
    assert usage.of_answer({"usage": {}, "choices": [{}, {"usage": inner}]}) is inner
    assert usage.of_answer({"usage": None, "choices": ["odd", None]}) is None
    assert usage.of_answer({"choices": 7}) is None


# A body's


def vectors(count: int, **fields: object) -> bytes:
    data = [{"index": place, "embedding": [0.123456789] * 1024} for place in range(count)]
    return json.dumps({"object": "list", "data": data, **fields}).encode()


@pytest.mark.parametrize("count", [1, 100])
def test_the_usage_of_a_body_is_read_whatever_its_size(count: int) -> None:
    assert usage.of_body(vectors(count, usage={"prompt_tokens": 7, "total_tokens": 7})) == {"input": 7, "output": 0}
    assert usage.of_body(vectors(count)) == {}
    assert usage.of_body(vectors(count, usage=None)) == {}
    assert usage.of_body(vectors(count, usage={"prompt_tokens": "many"})) == {}


def test_a_text_that_looks_like_a_usage_is_none() -> None:
    text = '"usage": {"prompt_tokens": 999} ' * 20_000
    body = {"choices": [{"message": {"content": text}}], "usage": {"prompt_tokens": 3, "completion_tokens": 4}}
    assert usage.of_body(json.dumps(body).encode()) == {"input": 3, "output": 4}
    assert usage.of_body(json.dumps({"choices": [{"message": {"content": text}}]}).encode()) == {}


@pytest.mark.parametrize("odd", [b"", b"null", b"[]", b"<html>", b'{"usage": ', b'{"usage":{' + b" " * 400_000])
def test_a_body_without_a_usage_has_none(odd: bytes) -> None:
    assert usage.of_body(odd) == {}


def test_what_belongs_to_others_is_taken_off() -> None:
    whole = {"input": 10, "cached": 4, "output": 5}
    assert usage.less(whole, {"input": 3, "output": 9}) == {"input": 7, "cached": 4, "output": 0}
