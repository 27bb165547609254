"""A sentence is English text, and is said again in the reader's language with all that is in it."""

from __future__ import annotations

import copy

import pytest

from hunyuan_fix.texts.sentence import Sentence, in_language

INNER = Sentence("{variable} isn't set", variable="SSL_CERT_FILE")
OUTER = Sentence("doesn't trust the proxy's CA: {why}", why=INNER)


def test_it_is_english_text() -> None:
    assert OUTER == "doesn't trust the proxy's CA: SSL_CERT_FILE isn't set"
    assert in_language("en", OUTER) == OUTER
    assert str(OUTER) in {OUTER}


def test_it_is_said_in_another_language_with_what_is_in_it() -> None:
    assert in_language("zh", OUTER) == "不信任代理的 CA：没有设置 SSL_CERT_FILE"
    assert in_language("zh", copy.deepcopy(OUTER)) == in_language("zh", OUTER)


@pytest.mark.parametrize("text", ["/a/path", "problem", ""])
def test_what_is_no_sentence_stays(text: str) -> None:
    assert in_language("zh", text) == text


def test_values_may_hold_braces_and_templates_without_values_too() -> None:
    assert Sentence("{file} can't be read: {why}", file="{a}", why="{b}") == "{a} can't be read: {b}"
    assert in_language("zh", Sentence("{file} can't be read: {why}", file="{a}", why="{b}")) == "{a} 读取失败：{b}"
    assert Sentence("a {brace}") == "a {brace}"


def test_a_name_without_a_value() -> None:
    with pytest.raises(KeyError):
        Sentence("{file} can't be read: {why}", file="a")
