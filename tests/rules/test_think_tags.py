"""Reasoning inside a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.rules.think_tags import parted

HEAD: list[tuple[str, tuple[str, str]]] = [
    ("<think>2+2</think>4", ("2+2", "4")),
    ("<thinking>2+2</thinking>\n\n4", ("2+2", "4")),
    ("\n <THINK>\n2+2\n</Think>\n4", ("2+2", "4")),
    ("<think>a</think>\n<think>b</think>c", ("a\n\nb", "c")),
    ("<think>2+2</think>", ("2+2", "")),
    ("<think>2+2", ("2+2", "")),  # cut
    ("2+2</think>\n\n4", ("2+2", "4")),  # the opening tag was in the prompt
    ("<think></think><think>2+2</think>4", ("2+2", "4")),
    ("<think>what is <thinking>?</think>4", ("what is <thinking>?", "4")),
    ("<think>2+2</think>4, as <think>3</think> isn't", ("2+2", "4, as <think>3</think> isn't")),
    ("<think>`<think>`</think>4", ("`<think>`", "4")),
]
NONE = [
    "",
    "4",
    "a < b",
    "<thinker>2</thinker>",
    "<think></think>4",
    "<think>\n\n</think>\n\n4",
    "`<think>` is a tag",
    "`</think>` is a tag",
    "```xml\n<think>2</think>\n```",
    "```\n2\n</think>\n```",
    "</think>4",
]
LATER = [
    ("I say <think>2+2</think>4", ("2+2", "I say\n\n4")),
    ("a\n<think>b</think>\nc\n<think>d</think>\ne", ("b\n\nd", "a\n\nc\n\ne")),
    ("```\n<think>x</think>\n```\n<think>y</think>", ("y", "```\n<think>x</think>\n```")),
]


@pytest.mark.parametrize(("text", "both"), HEAD)
def test_at_the_head(text: str, both: tuple[str, str]) -> None:
    assert parted(text, everywhere=False) == both


@pytest.mark.parametrize("text", NONE)
def test_none(text: str) -> None:
    assert parted(text, everywhere=False) is None
    assert parted(text, everywhere=True) is None


@pytest.mark.parametrize(("text", "both"), LATER)
def test_later_where_it_must_be_found(text: str, both: tuple[str, str]) -> None:
    assert parted(text, everywhere=True) == both
    assert parted(text, everywhere=False) is None


def test_an_open_tag_after_words_is_no_thought() -> None:
    assert parted("the tag <think> opens", everywhere=True) is None
    assert parted("<think>a</think>the tag <think> opens", everywhere=True) == ("a", "the tag <think> opens")


_pieces = st.lists(
    st.sampled_from(["<think>", "</think>", "<thinking>", "</thinking>", "`", "```", "a", " ", "\n", "b"])
)


@given(_pieces.map("".join), st.booleans())
def test_no_word_is_lost(text: str, everywhere: bool) -> None:
    found = parted(text, everywhere)
    if found is not None:
        both = "".join(found)
        assert (both.count("a"), both.count("b")) == (text.count("a"), text.count("b"))
        assert found[0].strip() == found[0] != ""
