"""PDFs in a request become their text. No endpoint in the profiles documents PDFs in a request.

A PDF is sent again with each turn of its conversation. Its text is kept by the digest of the PDF, so that it is read
once and each turn has the same bytes. In memory alone: reading costs no call, and a document belongs on no other disk.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from cachetools import LRUCache

from .. import profiles, texts
from ..dialects import DIALECTS
from ..documents import pdf
from ..documents.pdf import PdfText, Unreadable
from ..exchange import Changes, Exchange, JsonObject, Response
from ..options import Settings
from ..rules import files
from ..texts import marks
from ..workers import HEAVY, Checkpoint
from .base import Step, StepRuntime

MAX_READ: Final = 20
"""PDFs of one request that are read anew, the newest first."""
MAX_SECONDS: Final = 30.0
"""For all PDFs of one request."""
KEPT: Final = 32 * 2**20
"""Bytes of texts that are kept, those of the PDFs that were sent last."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A PDF: the number of its message, the list and the place in it where its part stands, and its base64."""

    message: int
    parts: list[Any]
    place: int
    pointer: str
    """Below the message."""
    data: str
    name: str


type _Result = PdfText | Unreadable


class ReadDocuments(Step):
    """Reads PDFs in a thread. Before the cascade: what they say may be what the user asks of an image."""

    name = "documents"

    def __init__(self, settings: Settings, runtime: StepRuntime) -> None:
        super().__init__(settings, runtime)
        self._kept: LRUCache[bytes, _Result] = LRUCache(KEPT, getsizeof=_size)

    async def request(self, exchange: Exchange) -> Response | None:
        """Put the text of each PDF in its place, or a note that says why it has none."""
        found = list(_pdfs(exchange.chat, _taken(exchange)))
        if not found:
            return None
        size = sum(len(one.data) for one in found)
        keys = await self.runtime.workers.run(lambda _: [_key(one.data) for one in found], size)
        known = {key: self._kept[key] for key in keys if key in self._kept}
        await self._read({key: one for key, one in zip(keys, found, strict=True) if key not in known}, known)
        exchange.note(
            _replaced(exchange, found, [known.get(key) for key in keys], texts.language_of(self.settings.language))
        )
        return None

    async def _read(self, missing: dict[bytes, _Found], known: dict[bytes, _Result]) -> None:
        """Fill `known` with what is read of the PDFs that are `missing`, the newest first, while there is time."""
        until = asyncio.get_running_loop().time() + MAX_SECONDS
        for key, one in list(reversed(missing.items()))[:MAX_READ]:
            try:
                # A page that takes for ever keeps its thread, but not the request.
                async with asyncio.timeout_at(until):
                    known[key] = await self.runtime.workers.run(_reading(one.data), HEAVY)
            except TimeoutError:
                known[key] = Unreadable("too_slow")
                break
            if _size(known[key]) <= KEPT:
                self._kept[key] = known[key]


def _reading(data: str) -> Callable[[Checkpoint], _Result]:
    def read(checkpoint: Checkpoint) -> _Result:
        try:
            return pdf.text_of(base64.b64decode(data), checkpoint)
        except ValueError:
            return Unreadable("unreadable")
        except Unreadable as why:
            return why

    return read


def _taken(exchange: Exchange) -> frozenset[str]:
    """The types of parts that the endpoint takes, PDFs in them included."""
    profile = profiles.load(exchange.profile)
    if DIALECTS[exchange.dialect].house != "native":
        return profile.grammar.part_types
    sources = profile.native[exchange.spoken].sources
    return frozenset() if "document" in sources and "base64" not in sources["document"] else frozenset(["document"])


def _pdfs(body: JsonObject, taken: frozenset[str]) -> Iterator[_Found]:
    """The PDFs of a body, in order, but for those in parts of a type that the endpoint has `taken`.

    They stand in the messages, and in the results among an Anthropic message's blocks.
    """
    messages = body.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            yield from _in_parts(content, index, "/content", taken)


def _in_parts(parts: list[Any], message: int, pointer: str, taken: frozenset[str]) -> Iterator[_Found]:
    for place, part in enumerate(parts):
        kind = part.get("type") if isinstance(part, dict) else "text"
        if not isinstance(part, dict) or (isinstance(kind, str) and kind in taken):
            continue
        inner = part.get("content")
        if kind == "tool_result" and isinstance(inner, list):
            yield from _in_parts(inner, message, f"{pointer}/{place}/content", frozenset(["tool_result", *taken]))
            continue
        data = files.pdf_of(part)
        if data is not None:
            yield _Found(message, parts, place, f"{pointer}/{place}", data, files.name_of(part))


def _key(data: str) -> bytes:
    return hashlib.sha256(data.encode("utf-8", "surrogatepass")).digest()


def _size(result: _Result) -> int:
    """Bytes of memory, about."""
    return 1000 + (2 * len(result.text) if isinstance(result, PdfText) else 0)


def _replaced(exchange: Exchange, found: list[_Found], results: list[_Result | None], language: str) -> Changes:
    """Put text parts in the places of the PDFs. Those without a result were too many."""
    changes = Changes()
    said = marks.tracked(texts.load(language))
    for one, result in zip(found, results, strict=True):
        context = one.parts[one.place].get("context")
        name = marks.inline(one.name[:200]) or "PDF"
        if isinstance(result, PdfText):
            before, after = texts.around(said.document, name=name, pages=result.pages, total=result.total)
            text, why = before + result.text + after, "the text of a PDF stands in its place"
        else:
            reason = said.document_reasons[result.reason if result is not None else "too_many"]
            text = said.document_failed.format(name=name, reason=reason)
            why = "a PDF that can't be read is a note"
        if isinstance(context, str) and context:
            text = f"{context}\n\n{text}"
        one.parts[one.place] = {"type": "text", "text": text, **_beside(one.parts[one.place])}
        exchange.size += 4 * len(text)
        exchange.cost += len(text)
        changes.note("documents", one.message, why, one.pointer)
    return changes


def _beside(part: JsonObject) -> JsonObject:
    """What an Anthropic document has beside its file: the mark for the cache stays where it stands."""
    return (
        {"cache_control": part["cache_control"]} if part.get("type") == "document" and "cache_control" in part else {}
    )
