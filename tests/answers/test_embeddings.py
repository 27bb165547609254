from __future__ import annotations

import base64
import struct
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answers.embeddings import join, pack
from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.wire import rule_names

FLOATS = st.lists(st.floats(width=32, allow_nan=False))


def answer(*vectors: object, tokens: int = 1, indices: Iterable[object] | None = None) -> JsonObject:
    indices = indices or range(len(vectors))
    data = [{"object": "embedding", "index": i, "embedding": v} for i, v in zip(indices, vectors, strict=True)]
    return {
        "object": "list",
        "data": data,
        "model": "hunyuan-embedding",
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


@given(st.lists(FLOATS, max_size=3))
def test_vectors_are_packed_as_little_endian_float32(vectors: list[list[float]]) -> None:
    body = answer(*vectors)
    changes = pack(body)
    assert [change.rule for change in changes] == [rule_names.EMBEDDINGS] * len(vectors)
    unpacked = [base64.b64decode(item["embedding"]) for item in body["data"]]
    assert unpacked == [struct.pack(f"<{len(vector)}f", *vector) for vector in vectors]


@pytest.mark.parametrize("vector", ["AACAPw==", None, [1.0, "x"], [None], {"a": 1}, [10**400]])
def test_what_is_no_vector_stays(vector: object) -> None:
    body = answer(vector)
    assert pack(body) == []
    assert body == answer(vector)


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": [1, None]}])
def test_another_shape_stays(body: JsonObject) -> None:
    before = dict(body)
    assert pack(body) == []
    assert body == before


def test_answers_are_joined_in_order_and_counted_together() -> None:
    joined = join([answer([0.0], [1.0], tokens=3), answer([2.0], tokens=4)])
    assert joined == answer([0.0], [1.0], [2.0], tokens=7)


def test_one_answer_s_items_go_by_their_index() -> None:
    assert join([answer([1.0], [0.0], indices=[1, 0]), answer([2.0])]) == answer([0.0], [1.0], [2.0], tokens=2)


@pytest.mark.parametrize("indices", [[0, 0], [5, 3], ["a", "b"], [None, []]])
def test_items_without_a_usable_index_keep_their_place(indices: list[object]) -> None:
    assert join([answer([0.0], [1.0], indices=indices)]) == answer([0.0], [1.0])


def test_joining_changes_no_answer() -> None:
    parts = [answer([0.0]), answer([1.0])]
    join(parts)
    assert parts == [answer([0.0]), answer([1.0])]


def test_usage_that_can_not_be_summed_is_the_first_one_s() -> None:
    parts: list[JsonObject] = [
        {"data": [], "usage": {"a": 1, "b": {"c": 1}}},
        {"data": []},
        {"data": [], "usage": {"a": 2, "b": {"c": 2}}},
    ]
    assert join(parts)["usage"] == {"a": 3, "b": {"c": 1}}


def test_there_must_be_an_answer() -> None:
    with pytest.raises(ValueError, match="no answers"):
        join([])
