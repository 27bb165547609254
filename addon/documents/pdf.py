"""The text of a PDF, read with pypdf, which is loaded at the first PDF.

A PDF comes from outside, and a small one can unfold to much: bytes, pages, characters and CPU time are bounded here,
what a stream inflates to by pypdf itself (75 MB). Time is the thread's own: a busy machine changes no result.
"""

from __future__ import annotations

import io
import logging
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from pypdf import PageObject

MAX_BYTES: Final = 32 * 2**20
"""Of one PDF: Anthropic takes requests of 32 MB."""
MAX_PAGES: Final = 600
"""As many as Anthropic takes of one PDF."""
MAX_CHARACTERS: Final = 500_000
"""More than fits into the window of any model in the profiles."""
MAX_SECONDS: Final = 10.0
"""CPU time for one PDF."""

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f]+")
"""Control characters, which broken fonts give."""

type Reason = Literal["too_large", "unreadable", "encrypted", "no_text", "too_slow"]


@dataclass(frozen=True, slots=True)
class PdfText:
    """The text of the first `pages` of a PDF's `total` pages."""

    text: str
    pages: int
    total: int


class Unreadable(Exception):
    """A PDF without text to be had. `reason` is a key of `Texts.document_reasons`."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason: Reason = reason


class _TimeIsUp(BaseException):
    """Ends the reading of a page. No `Exception`: pypdf catches some of those."""


def text_of(data: bytes, checkpoint: Callable[[], None], seconds: float = MAX_SECONDS) -> PdfText:
    """The text of the PDF `data`. Where a bound is met it ends with the page before; a damaged page is left out.

    `checkpoint` is called before each page; what it raises ends the work. Else raises `Unreadable` alone.
    """
    if len(data) > MAX_BYTES:
        raise Unreadable("too_large")
    until = time.thread_time() + seconds
    pages, total = _pages(data)
    texts: list[str] = []
    room = MAX_CHARACTERS
    why: Reason = "no_text"
    for number in range(min(total, MAX_PAGES)):
        checkpoint()
        try:
            text = _page(pages, number, until)
        except _TimeIsUp:
            why = "too_slow"
            break
        room -= len(text)
        if room < 0:
            why = "too_large"
            break
        texts.append(text)
    whole = "\n\n".join(filter(None, texts))
    if not whole:
        raise Unreadable(why)
    return PdfText(whole, len(texts), total)


def _pages(data: bytes) -> tuple[Sequence[PageObject], int]:
    """The pages, each read when it is asked for, and their number. Raises `Unreadable`."""
    from pypdf import PdfReader  # noqa: PLC0415 - takes 0.2 s and more to load

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)  # its warnings quote the document
    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("encrypted")
        return reader.pages, len(reader.pages)
    except Unreadable:
        raise
    except Exception:  # pypdf meets damage in many ways, with as many exceptions
        raise Unreadable("unreadable") from None


def _page(pages: Sequence[PageObject], number: int, until: float) -> str:
    """The text of one page, "" for a damaged one. Raises `_TimeIsUp` past `until`, by the thread's time."""

    def in_time(*_: object) -> None:
        if time.thread_time() > until:
            raise _TimeIsUp

    in_time()
    try:
        text = pages[number].extract_text(visitor_operand_before=in_time)
    except Exception:
        return ""
    return _UNSEEN.sub("", text).encode("utf-8", "replace").decode().strip()
