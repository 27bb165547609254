"""Vectors that are kept: they come back as they were, each under a key of its own."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.embeddings.vectors import KeptVectors, Vector, VectorCodec, keys_of

BODY = {"model": "m", "input": ["a"], "dimensions": 8}
numbers = st.lists(
    st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**53), 2**53)), max_size=20
)


@given(st.one_of(numbers, st.text()))
def test_a_vector_comes_back_as_it_was(vector: Vector) -> None:
    again = VectorCodec().load(VectorCodec().dump(vector))
    assert repr(again) == repr(vector), "an integer stays one, -0.0 keeps its sign"


@given(st.binary(max_size=40))
def test_nothing_that_stands_in_a_store_raises(data: bytes) -> None:
    found = VectorCodec().load(data)
    assert found is None or isinstance(found, list | str)


OTHERS: list[dict[str, Any]] = [{"model": "n"}, {"dimensions": 9}, {"encoding_format": "base64"}]


def test_a_key_is_of_a_text_a_caller_an_endpoint_a_model_and_its_parameters() -> None:
    def key(caller: bytes = b"c", base: str = "https://a/v1", text: str = "a", **more: Any) -> bytes:
        return keys_of(caller, base, {**BODY, **more}, [text])[0]

    others = [key(b"d"), key(base="https://b/v1"), key(text="b"), *(key(**other) for other in OTHERS)]
    assert len({key(), *others}) == len(others) + 1
    assert key(user="someone", input=["x"]) == key(), "they say nothing of the vector"


async def test_a_hundred_thousand_bytes_more_than_fit_push_out_the_oldest() -> None:
    kept = KeptVectors()
    keys = [number.to_bytes(16) for number in range(1000)]
    kept.keep({key: [float(number)] * 8192 for number, key in enumerate(keys)})
    found = await kept.found(keys)
    assert 0 < len(found) < 1000
    assert set(found) == set(keys[-len(found) :])


def test_the_least_limit_counts() -> None:
    kept = KeptVectors()
    assert kept.limit("u", "m") is None
    kept.learn_limit("u", "m", 500)
    kept.learn_limit("u", "m", 700)
    assert (kept.limit("u", "m"), kept.limit("u", "n")) == (500, None)


@pytest.mark.parametrize("count", [1, 249, 250, 251, 1000])
async def test_all_are_found_however_many(count: int) -> None:
    kept = KeptVectors()
    keys = [number.to_bytes(16) for number in range(count)]
    kept.keep({key: [1.5] for key in keys})
    assert (await kept.found([*keys, *keys, b"none"])).keys() == set(keys)
