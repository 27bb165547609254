"""What is kept of answers: in memory and in a file, bounded, with how often each is given again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.answer_cache import kept
from hunyuan_fix.answer_cache.kept import AnswerCodec, CachedAnswers, KeptAnswer
from hunyuan_fix.answer_cache.settings import Repeats, repeats

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda v: st.lists(v, max_size=3),
)


@given(st.dictionaries(st.text(), JSON, max_size=4), st.floats(0, 1e10))
def test_an_answer_comes_back_the_same(answer: dict[str, Any], at: float) -> None:
    assert AnswerCodec().load(AnswerCodec().dump(KeptAnswer(answer, at))) == KeptAnswer(answer, at)


@given(st.binary() | st.sampled_from([b"[]", b"[1]", b'["a",{}]', b"[1,[]]", b"{}", b"[1,{},2]"]))
def test_other_bytes_are_no_answer(data: bytes) -> None:
    assert AnswerCodec().load(data) is None


async def test_it_says_how_old_it_is() -> None:
    now = 100.0
    answers = CachedAnswers(now=lambda: now)
    assert answers.keep(b"k", {"a": 1}, 0)
    now = 163.9
    found = await answers.found(b"k")
    assert found is not None
    assert (found.answer, answers.age(found)) == ({"a": 1}, 63)
    now = 50.0  # the clock was set back
    assert answers.age(found) == 0
    assert await answers.found(b"l") is None


async def test_what_is_too_large_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "LARGEST", 100)
    answers = CachedAnswers()
    assert not answers.keep(b"k", {"a": "b" * 100}, 0)
    assert await answers.found(b"k") is None


def test_one_use_too_many_begins_the_count_anew() -> None:
    now = 0.0
    answers = CachedAnswers(clock=lambda: now)
    allowed = Repeats(2, 10.0)
    assert [answers.is_too_often(b"k", allowed) for _ in range(7)] == [False, False, True, False, False, True, False]
    assert not answers.is_too_often(b"l", allowed)
    slowly = []
    for _ in range(10):
        now += 6.0
        slowly.append(answers.is_too_often(b"m", allowed))
    assert not any(slowly), "two in ten seconds are allowed"
    assert not any(answers.is_too_often(b"k", Repeats(0, 0.0)) for _ in range(100))


async def test_who_fetches_says_when_it_is_there() -> None:
    answers = CachedAnswers()
    assert answers.fetching(b"k") is None
    answers.fetch(b"k", "one")
    answers.fetch(b"k", "two")
    waiting = answers.fetching(b"k")
    assert waiting is not None
    answers.fetched(b"k", "two", is_kept=True)
    assert not waiting.done(), "two doesn't fetch it"
    answers.fetched(b"k", "one", is_kept=False)
    assert await asyncio.wait_for(waiting, 1) is False
    assert answers.fetching(b"k") is None
    answers.fetched(b"k", "one", is_kept=True)


@pytest.mark.parametrize(
    ("text", "read"),
    [("20/60", Repeats(20, 60.0)), ("1/0.5s", Repeats(1, 0.5)), ("off", Repeats(0, 0.0)), ("0", Repeats(0, 0.0))],
)
def test_options(text: str, read: Repeats) -> None:
    assert repeats(text) == read


@pytest.mark.parametrize("text", ["", "20", "a/60", "20/0", "20/x", "-1/60", "²/60", "1/2/3"])
def test_options_that_can_t_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="accepted"):
        repeats(text)
