"""PDFs in a request become their text. No endpoint in the profiles documents PDFs in a request.

A PDF is sent again with each turn of its conversation. Its text is kept by the digest of the PDF, so that it is read
once and each turn has the same bytes.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from .. import profiles, texts
from ..documents import pdf
from ..documents.pdf import PdfText, Unreadable
from ..exchange import Changes, Exchange, JsonObject, Response
from ..options import Settings
from ..rules import files
from ..stores.kept import Kept
from ..texts import marks
from ..workers import HEAVY, Checkpoint
from .base import Step, StepRuntime

MAX_READ: Final = 20
"""PDFs of one request that are read anew, the newest first."""
MAX_SECONDS: Final = 30.0
"""For all PDFs of one request."""

_NEVER: Final = frozenset(["text", "image_url", "input_audio"])
"""Types of parts that aren't looked into."""
_VERSION: Final = b"1:"
"""Changes where the same PDF gives another text than before."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A PDF: the number of its message, its place in the content, and the base64 of it."""

    message: int
    place: int
    data: str
    name: str


type DocumentResult = PdfText | Unreadable


class DocumentCodec:
    """The text of a PDF in a store, or why it has no text: JSON."""

    prefix = "document:"

    def dump(self, value: DocumentResult) -> bytes:
        """See `Codec`."""
        if isinstance(value, Unreadable):
            return json.dumps({"failure": value.reason}).encode()
        return json.dumps({"text": value.text, "pages": value.pages, "total": value.total}).encode()

    def load(self, data: bytes) -> DocumentResult | None:
        """See `Codec`."""
        try:
            fields = json.loads(data)
        except (ValueError, RecursionError):
            return None
        match fields:
            case {"text": str(text), "pages": int(pages), "total": int(total)}:
                return PdfText(text, pages, total)
            case {"failure": ("too_large" | "unreadable" | "encrypted" | "no_text" | "too_slow") as reason}:
                return Unreadable(reason)
        return None


class ReadDocuments(Step):
    """Reads PDFs in a thread. Before the cascade: what they say may be what the user asks of an image."""

    name = "documents"

    def __init__(self, settings: Settings, runtime: StepRuntime) -> None:
        super().__init__(settings, runtime)
        self._kept: Kept[DocumentResult] = Kept(runtime.chain, DocumentCodec())

    async def request(self, exchange: Exchange) -> Response | None:
        """Put the text of each PDF in its place, or a note that says why it has none."""
        taken = profiles.load(exchange.profile).grammar.part_types
        found = list(_pdfs(exchange.chat, taken))
        if not found:
            return None
        size = sum(len(one.data) for one in found)
        keys = await self.runtime.workers.run(lambda _: [_key(one.data) for one in found], size)
        known = await self._kept.get_many(keys)
        await self._read({key: one for key, one in zip(keys, found, strict=True) if key not in known}, known)
        exchange.note(_replaced(exchange, found, [known.get(key) for key in keys], self.settings.language))
        return None

    async def _read(self, missing: dict[bytes, _Found], known: dict[bytes, DocumentResult]) -> None:
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
            self._kept.put(key, known[key])


def _reading(data: str) -> Callable[[Checkpoint], DocumentResult]:
    def read(checkpoint: Checkpoint) -> DocumentResult:
        try:
            return pdf.text_of(base64.b64decode(data), checkpoint)
        except ValueError:
            return Unreadable("unreadable")
        except Unreadable as why:
            return why

    return read


def _pdfs(chat: JsonObject, taken: frozenset[str]) -> Iterator[_Found]:
    """The PDFs of a chat body, in order, but for those in parts of a type that the endpoint has `taken`."""
    messages = chat.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list) else ()):
        content = message.get("content") if isinstance(message, dict) else None
        if not isinstance(content, list):
            continue
        for place, part in enumerate(content):
            kind = part.get("type") if isinstance(part, dict) else "text"
            if isinstance(kind, str) and (kind in _NEVER or kind in taken):
                continue
            data = files.pdf_of(part)
            if data is not None:
                yield _Found(index, place, data, files.name_of(part))


def _key(data: str) -> bytes:
    return hashlib.sha256(_VERSION + data.encode("utf-8", "surrogatepass")).digest()


def _replaced(exchange: Exchange, found: list[_Found], results: list[DocumentResult | None], language: str) -> Changes:
    """Put text parts in the places of the PDFs. Those without a result were too many."""
    changes = Changes()
    said = marks.tracked(texts.load(language))
    for one, result in zip(found, results, strict=True):
        name = marks.inline(one.name[:200]) or "PDF"
        if isinstance(result, PdfText):
            before, after = texts.around(said.document, name=name, pages=result.pages, total=result.total)
            text, why = before + result.text + after, "the text of a PDF stands in its place"
        else:
            reason = said.document_reasons[result.reason if result is not None else "too_many"]
            text = said.document_failed.format(name=name, reason=reason)
            why = "a PDF that can't be read is a note"
        exchange.chat["messages"][one.message]["content"][one.place] = {"type": "text", "text": text}
        exchange.size += 4 * len(text)
        exchange.cost += len(text)
        changes.note("documents", one.message, why, f"/content/{one.place}")
    return changes
