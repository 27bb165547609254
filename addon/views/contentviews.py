"""Views of an exchange in mitmproxy: the changes, and the conversation as a person reads it.

A view shows broken bodies too, and never raises: mitmproxy would then show raw bytes and not say why.
"""

from __future__ import annotations

from mitmproxy import http
from mitmproxy.contentviews import Contentview, Metadata

from .. import texts
from ..dialects import DIALECTS
from ..exchange import KEY, MAX_CHANGES, Exchange
from ..observe import prompt_cache
from ..wire import content_coding
from . import diff, transcript

_ABOVE_JSON = 2.0
"""mitmproxy's own JSON view has priority 1."""
_BEHIND = 0.5
_NEVER = -1.0


class HunyuanChanges(Contentview):
    """The changes made in a request, and a diff of its JSON. Shown by itself for requests that were rewritten."""

    name = "Hunyuan changes"
    syntax_highlight = "yaml"

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """The page for the request that `metadata` names."""
        exchange = _exchange(metadata)
        if exchange is None or not isinstance(metadata.http_message, http.Request):
            return "hunyuan-fix has not handled this request.\n"
        return changes_page(exchange, data)

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        """First choice for a request that was rewritten, or would have been; never for anything else."""
        exchange = _exchange(metadata)
        if exchange is None or not isinstance(metadata.http_message, http.Request):
            return _NEVER
        observed = exchange.mode == "observe" and exchange.changes
        return _ABOVE_JSON if exchange.rewritten or observed else _NEVER


class ChatTranscript(Contentview):
    """The conversation of a chat request; the whole answer, streamed or not. Shown by itself for answers."""

    name = "Chat transcript"
    syntax_highlight = "none"

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """The transcript of the message that `metadata` names."""
        exchange = _exchange(metadata)
        message = metadata.http_message
        if not isinstance(message, http.Request):
            streamed = (metadata.content_type or "").lower().startswith("text/event-stream")
            whole = transcript.answer(_plain(data, message), streamed=streamed)
            line = "" if exchange is None else _cache_line(exchange)
            return whole + _cut_note(exchange) + (f"\n{line}" if line else "")
        original = exchange.original if exchange else None
        if exchange is None or original is None:
            return transcript.request(data, dialect=exchange.spoken if exchange and not exchange.dialect else "chat")
        language = exchange.language if exchange.language in texts.LANGUAGES else texts.LANGUAGES[0]
        descriptions = transcript.described(data, texts.load(language))
        return transcript.request(original, descriptions, exchange.dialect)

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        """First choice for chat answers; one of several for chat requests."""
        exchange = _exchange(metadata)
        if exchange is None or not _is_chat(exchange):
            return _NEVER
        if isinstance(metadata.http_message, http.Request):
            return _BEHIND
        return _ABOVE_JSON if isinstance(metadata.http_message, http.Response) else _NEVER


VIEWS: tuple[Contentview, ...] = (HunyuanChanges(), ChatTranscript())


def changes_page(exchange: Exchange, sent: bytes) -> str:
    """The changes of a request, made or only observed, with a diff if its body was rewritten. `sent`: the body sent."""
    changes = exchange.changes
    if exchange.rewritten and exchange.original is not None and not _is_house(exchange):
        said = transcript.request(exchange.original, dialect=exchange.dialect)
        page = diff.side_by_side(changes, said, transcript.request(sent))
    elif exchange.rewritten:
        page = diff.page(changes, exchange.original, sent)
    elif exchange.mode == "observe":
        page = f"Dry run (hunyuan_mode=observe): the request was not changed.\n\n{diff.listing(changes)}\n"
    else:
        page = f"The request's body was not changed.\n\n{diff.listing(changes)}\n"
    if len(changes) == MAX_CHANGES:
        page = f"The first {MAX_CHANGES} of\n{page}"
    # A diff may be long: what broke the cache stands above it.
    line = _cache_line(exchange)
    return diff.printable(f"{line}\n{page}" if line else page)


def _exchange(metadata: Metadata) -> Exchange | None:
    return Exchange.from_plain(metadata.flow.metadata.get(KEY)) if metadata.flow else None


def _is_house(exchange: Exchange) -> bool:
    """Whether the request left in the format in which it came."""
    dialect = DIALECTS.get(exchange.dialect)
    return dialect is None or dialect.is_house or dialect.house == "native"


def _is_chat(exchange: Exchange) -> bool:
    dialect = DIALECTS.get(exchange.dialect)
    return dialect is not None and dialect.house in ("chat", "native")


def _plain(data: bytes, message: http.Message | None) -> bytes:
    """`data` without its content coding: mitmproxy can't unpack a stream that was kept in part."""
    coding = message.headers.get("content-encoding", "") if message and message.raw_content == data else ""
    try:
        return content_coding.unpacker(coding)(data)
    except (content_coding.CodingError, content_coding.TooLarge):
        return data


def _cache_line(exchange: Exchange) -> str:
    """How much of the prompt was cached, and what broke its cache."""
    line = prompt_cache.told(exchange.notes.get("prompt-cache", {}))
    return f"{diff.printable(line)}\n" if line else ""


def _cut_note(exchange: Exchange | None) -> str:
    if exchange is None or not exchange.stream_cut:
        return ""
    return "\n! only the beginning of this stream was kept (hunyuan_keep_streams)\n"
