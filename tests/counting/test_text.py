"""Tokens of texts, against Qwen's tokenizer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.counting import text as module
from hunyuan_fix.counting.text import CHUNK, rough, tokens
from tests.counting import judge
from tests.counting.texts import TEXTS

PROSE = [name for name in TEXTS if name.startswith(("Chinese,", "English,"))]
CODE = [name for name in TEXTS if name not in PROSE]


@pytest.mark.parametrize("name", PROSE)
def test_prose_has_up_to_a_quarter_more_than_the_tokenizer_counts(name: str) -> None:
    assert 1.0 <= tokens(TEXTS[name]) / judge.recorded()[name] <= 1.25


@pytest.mark.parametrize("name", CODE)
def test_code_and_markup_of_some_lines_may_be_a_little_off(name: str) -> None:
    assert 0.97 <= tokens(TEXTS[name]) / judge.recorded()[name] <= 1.30


def test_all_texts_together() -> None:
    counted = sum(judge.recorded()[name] for name in TEXTS)
    assert 1.0 <= tokens("\n".join(TEXTS.values())) / counted <= 1.2


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [
        ("word " * 50, "word " * 51),
        ("12345 " * 20, "123456 " * 20),  # each digit is a token
        ("的" * 100, "槐" * 100),  # one is in many words, the other in none
        ("a" * 40, "aB" * 20),
        ("some words", "some\n\n\n\nwords; "),
        ("abc" * 30, "äbc" * 30),
        ("。" * 10, "😀" * 10),
        ("the house the house", "the hippopotamus the hippopotamus"),
    ],
)
def test_what_costs_more(shorter: str, longer: str) -> None:
    assert tokens(shorter) < tokens(longer)


def test_the_classes_of_chinese_characters_share_none() -> None:
    listed = [character for characters in module._WEIGHTS["chinese"]["parts_of_words"] for character in characters]
    assert len(listed) == len(set(listed)) > 2000


def test_a_text_costs_no_more_than_its_bytes() -> None:
    assert tokens("a1B2" * 1000) <= 4000 * module.MARGIN
    assert tokens("\x00" * 1000) <= 1000 * module.MARGIN


@given(st.text())
def test_nothing_raises(text: str) -> None:
    assert 0 <= tokens(text) <= len(text.encode("utf-8", "surrogatepass")) * module.MARGIN + 1
    assert rough([text]) == tokens(text)


def test_lone_surrogates_count() -> None:
    assert tokens("\ud800" * 10) > 0


def test_pieces_of_a_long_text_are_counted_one_by_one() -> None:
    seen: list[None] = []
    long = "some words of a long text, with 1 digit\n" * (3 * CHUNK // 40)
    whole = tokens(long, lambda: seen.append(None))
    assert len(seen) == 3
    assert whole == pytest.approx(3 * tokens(long[: len(long) // 3]), rel=0.01)


def test_a_text_that_repeats_itself_is_not_met_at_the_same_place_each_time() -> None:
    long = (("word " * 52)[:256] + "7" * 768) * 64
    assert rough([long]) == pytest.approx(tokens(long), rel=0.15)


def test_a_sample_of_a_long_text_is_enough_for_a_rough_count() -> None:
    long = "\n".join(TEXTS.values()) * 8
    for times in (1, 2, 5):
        assert rough([long * times]) == pytest.approx(tokens(long * times), rel=0.15)


@given(st.lists(st.text(st.characters(max_codepoint=0x9FFF), max_size=300), max_size=60), st.sampled_from(["", " "]))
def test_the_sample_of_many_texts_is_that_of_one(texts: list[str], between: str) -> None:
    """Of any texts that are longer than a sample."""
    many = [*texts, "word " * 1700, "字" * 100, *texts]
    assert rough(many, between) == pytest.approx(rough([between.join(many)]), rel=0.05)
