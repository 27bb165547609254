"""The text of a PDF, and its bounds."""

from __future__ import annotations

import logging
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix.documents import pdf
from hunyuan_fix.documents.pdf import PdfText, Unreadable
from tests.documents.pdfs import encrypted
from tests.documents.pdfs import pdf as made


def go_on() -> None:
    """A checkpoint at which work is never ended."""


def why_not(data: bytes, seconds: float = pdf.MAX_SECONDS) -> str:
    with pytest.raises(Unreadable) as raised:
        pdf.text_of(data, go_on, seconds)
    return raised.value.reason


def test_the_pages_in_order() -> None:
    assert pdf.text_of(made("first words", "", "last words"), go_on) == PdfText("first words\n\nlast words", 3, 3)


def test_no_text_is_said() -> None:
    assert why_not(made("", "")) == "no_text"


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4", b"no PDF at all", made("words")[:60], b"%PDF-1.4\n%%EOF\n"])
def test_what_is_no_pdf(data: bytes) -> None:
    assert why_not(data) == "unreadable"


def test_one_that_opens_for_everybody_is_read() -> None:
    assert pdf.text_of(encrypted(made("words"), ""), go_on).text == "words"


def test_one_with_a_password_isnt() -> None:
    assert why_not(encrypted(made("words"), "secret")) == "encrypted"


def test_the_bound_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    data = made("words")
    monkeypatch.setattr(pdf, "MAX_BYTES", len(data))
    assert pdf.text_of(data, go_on).text == "words"
    monkeypatch.setattr(pdf, "MAX_BYTES", len(data) - 1)
    assert why_not(data) == "too_large"


def test_the_bound_of_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_PAGES", 2)
    assert pdf.text_of(made("a", "b", "c"), go_on) == PdfText("a\n\nb", 2, 3)


def test_the_bound_of_characters_is_met_between_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "MAX_CHARACTERS", 10)
    assert pdf.text_of(made("12345", "67890", "x"), go_on) == PdfText("12345\n\n67890", 2, 3)
    assert why_not(made("12345678901")) == "too_large"


def test_the_bound_of_time_ends_a_page() -> None:
    endless = ") Tj (x" * 100_000
    assert why_not(made(endless), seconds=0.05) == "too_slow"


def test_what_was_read_in_time_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 0.0, *([0.0] * 20), *([99.0] * 10_000)])
    monkeypatch.setattr(time, "thread_time", lambda: next(clock))
    found = pdf.text_of(made(*["words"] * 50), go_on)
    assert 0 < found.pages < 50
    assert (found.total, found.text.count("words")) == (50, found.pages)


def test_a_checkpoint_ends_the_work() -> None:
    seen = 0

    def checkpoint() -> None:
        nonlocal seen
        seen += 1
        if seen == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pdf.text_of(made(*"abcdef"), checkpoint)
    assert seen == 3


def test_a_damaged_page_doesnt_lose_the_others() -> None:
    data = made("first", "broken", "last").replace(b"(broken) Tj", b"<<<< broken")
    assert pdf.text_of(data, go_on).text.split() == ["first", "last"]


def test_control_characters_and_halves_of_characters_go() -> None:
    found = pdf.text_of(made("a\\000b\\007c"), go_on)
    assert not any(ord(character) < 32 and character not in "\t\n" for character in found.text)


@given(st.integers(0, 700), st.binary(max_size=30))
def test_whatever_is_damaged_is_read_or_refused(place: int, data: bytes) -> None:
    whole = made("some words", "and more")
    try:
        pdf.text_of(whole[:place] + data + whole[place + len(data) :], go_on, 1.0)
    except Unreadable as error:
        assert error.reason


def test_nothing_of_a_document_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    misled = re.sub(rb"startxref\n(\d+)", lambda found: b"startxref\n%d" % (int(found[1]) + 3), made("secret words"))
    with caplog.at_level(logging.DEBUG):
        assert pdf.text_of(misled, go_on).text == "secret words"
    assert caplog.records == []
