"""mitmproxy's windows on an exchange: what was changed, and the conversation as a person reads it.

A view shows what there is, broken or not, and never raises: mitmproxy would fall back to raw bytes without a word.
"""

from __future__ import annotations

from mitmproxy import http
from mitmproxy.contentviews import Contentview, Metadata

from addon import record, texts
from addon.exchange import Change
from addon.record import Record
from addon.views import diff, transcript

_ABOVE_JSON = 2.0
"""mitmproxy's own JSON view has priority 1."""
_BEHIND = 0.5


class HunyuanChanges(Contentview):
    """The changes made in a request, and a diff of its JSON. Shown by itself for requests that were rewritten."""

    name = "Hunyuan changes"
    syntax_highlight = "yaml"

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """The page for the request that `metadata` names."""
        exchange = _exchange(metadata)
        if exchange is None:
            return "This is no request that hunyuan-fix has handled.\n"
        changes = [Change(*change) for change in exchange["changes"]]
        return diff.page(changes, exchange["original"], data)

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        """First choice for a rewritten request, never for anything else."""
        exchange = _exchange(metadata)
        if exchange is None or not _is_request(metadata):
            return -1
        return _ABOVE_JSON if exchange["changes"] else -1


class ChatTranscript(Contentview):
    """The conversation of a chat request; the whole answer, streamed or not. Shown by itself for answers."""

    name = "Chat transcript"
    syntax_highlight = "none"

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """The transcript of the message that `metadata` names."""
        exchange = _exchange(metadata)
        if not _is_request(metadata):
            streamed = (metadata.content_type or "").lower().startswith("text/event-stream")
            return transcript.answer(data, streamed=streamed) + _cut_note(exchange)
        original = exchange["original"] if exchange else None
        if original is None:
            return transcript.request(data)
        language = exchange["language"] if exchange else "zh"
        return transcript.request(original, transcript.described(data, texts.load(language)))

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        """First choice for chat answers; one of several for chat requests."""
        exchange = _exchange(metadata)
        if exchange is None or exchange["endpoint"] != "chat":
            return -1
        return _BEHIND if _is_request(metadata) else _ABOVE_JSON


VIEWS: tuple[Contentview, ...] = (HunyuanChanges(), ChatTranscript())


def _exchange(metadata: Metadata) -> Record | None:
    return record.of(metadata.flow.metadata) if metadata.flow else None


def _is_request(metadata: Metadata) -> bool:
    return isinstance(metadata.http_message, http.Request)


def _cut_note(exchange: Record | None) -> str:
    if exchange is None or not exchange["stream_cut"]:
        return ""
    return "\n! only the beginning of this stream was kept (hunyuan_keep_streams)\n"
