from __future__ import annotations

import pytest

from hunyuan_fix.wire.safe_text import MAX_WORD, line, plain, traceback_without_text


def test_a_failure_shows_types_and_places_and_no_text():
    def inner() -> None:
        raise ValueError("the user's words")

    def outer() -> None:
        try:
            inner()
        except ValueError as error:
            raise RuntimeError("more words") from error

    with pytest.raises(RuntimeError) as caught:
        outer()
    text = traceback_without_text(caught.value)
    assert "words" not in text
    assert "builtins.RuntimeError" in text
    assert "builtins.ValueError" in text
    assert "in inner" in text
    assert __file__ in text


def test_a_hidden_context_is_not_shown():
    with pytest.raises(RuntimeError) as caught:
        try:
            raise ValueError
        except ValueError:
            raise RuntimeError from None
    assert "ValueError" not in traceback_without_text(caught.value)


def test_a_client_s_text_becomes_one_printable_word():
    assert plain("a\nb c\x1b[31m\u4f60") == "a?b?c?[31m?"
    assert plain("x" * 10_000_000) == "x" * MAX_WORD


def test_a_line_has_letters_of_every_language_and_nothing_that_moves_a_cursor() -> None:
    assert line("主机 api.example: refusé", 80) == "主机 api.example: refusé"
    assert line("a\x1b[2Jb\r\nc\x9bd\u202ee\u2028f\ud800", 80) == "a?[2Jb??c?d?e?f?"
    assert line("abcdef", 3) == "abc"
