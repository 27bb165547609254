"""Thinking blocks of the history, and signatures of ours."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.dialects.anthropic.thinking import carried, is_ours, is_shown, reasoning_of, signature
from hunyuan_fix.dialects.told import Told

FOREIGN = base64.b64encode(b"a signature of another vendor").decode()
texts = st.text(st.characters(exclude_categories=["Cs"]))


def reasoning(**block: Any) -> tuple[str | None, int]:
    """The reasoning of a block, and how many changes were told."""
    told = Told()
    return reasoning_of({"type": "thinking", **block}, "/p", told), len(told.lines())


@given(st.one_of(texts, texts.map(lambda text: text * 100)))
def test_an_omitted_text_comes_back(text: str) -> None:
    made = signature(text, omitted=True)
    assert is_ours(made)
    assert carried(made) == text
    assert reasoning(thinking="", signature=made) == (text, 0)


def test_half_a_character_becomes_whole() -> None:
    assert carried(signature("a\ud83d", omitted=True)) == "a\ufffd"


def test_a_long_text_is_carried_small() -> None:
    text = "".join(f"step {number}: look at file {number * 7919 % 1000}\n" for number in range(2000))
    assert len(signature(text, omitted=True)) < len(text) / 2


def test_a_signature_of_a_shown_text_carries_none() -> None:
    made = signature("seen", omitted=False)
    assert is_ours(made)
    assert is_shown(made)
    assert carried(made) is None
    assert reasoning(thinking="seen", signature=made) == ("seen", 0)


@pytest.mark.parametrize("signed", ["", None, signature("x", omitted=False)])
def test_an_empty_thought_of_ours_or_without_a_signature_stays_empty(signed: Any) -> None:
    assert reasoning(thinking="", signature=signed) == ("", 0)


def test_a_text_with_a_foreign_signature_stays_and_the_signature_is_told() -> None:
    assert reasoning(thinking="seen", signature=FOREIGN) == ("seen", 1)


def test_a_foreign_signature_without_text_stands_for_nothing() -> None:
    assert reasoning(thinking="", signature=FOREIGN) == (None, 2)


@pytest.mark.parametrize("text", [None, 5, ["a"]])
def test_what_is_no_text_stands_for_nothing(text: Any) -> None:
    assert reasoning(thinking=text)[0] is None


@given(st.text(max_size=20), st.binary(max_size=40), st.integers(0, 300))
def test_no_signature_raises(text: str, tail: bytes, cut: int) -> None:
    ours = signature("some words", omitted=True)
    for given_signature in (
        text,
        ours[:cut],
        ours + text,
        base64.b64encode(base64.b64decode(ours)[:cut] + tail).decode(),
    ):
        carried(given_signature)
        is_ours(given_signature)


@pytest.mark.parametrize("kind", [b"p", b"z"])
def test_a_damaged_signature_carries_nothing(kind: bytes) -> None:
    text = "words that repeat " * (20 if kind == b"z" else 1)
    data = bytearray(base64.b64decode(signature(text, omitted=True)))
    assert data[len(b"hunyuan-fix:thinking:1:") :].startswith(kind)
    data[-3] ^= 0xFF
    damaged = base64.b64encode(bytes(data)).decode()
    assert is_ours(damaged)
    assert carried(damaged) is None


def test_a_signature_unpacks_to_a_multiple_of_its_size_at_most() -> None:
    bomb = base64.b64encode(b"hunyuan-fix:thinking:1:z" + zlib.compress(b"a" * 10_000_000, 9)).decode()
    assert carried(bomb) is None
    assert carried(signature("a" * 100_000, omitted=True)) == "a" * 100_000
