"""Views of an exchange in mitmproxy: the changes, and the conversation as a person reads it.

A view shows broken bodies too, and never raises: mitmproxy would then show raw bytes and not say why.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from mitmproxy import http
from mitmproxy.contentviews import Contentview, Metadata

from .. import texts
from ..dialects import DIALECTS
from ..exchange import MAX_CHANGES, Exchange
from ..observe import prompt_cache
from ..texts.terminal import say
from ..wire import content_coding, sse
from . import diff, folded, places, timings, transcript, vision_calls
from .recent import client_of
from .under_way import exchange_of

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
        exchange = exchange_of(metadata.flow)
        if exchange is None or not isinstance(metadata.http_message, http.Request):
            return say("hunyuan-fix has not handled this request.") + "\n"
        return changes_page(exchange, data, metadata.flow if isinstance(metadata.flow, http.HTTPFlow) else None)

    def render_priority(self, data: bytes, metadata: Metadata) -> float:
        """First choice for a request that was rewritten, or would have been; never for anything else."""
        exchange = exchange_of(metadata.flow)
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
        exchange = exchange_of(metadata.flow)
        message = metadata.http_message
        if not isinstance(message, http.Request):
            streamed = (metadata.content_type or "").lower().startswith("text/event-stream")
            plain, under_way = _plain(data, message), _is_under_way(metadata)
            whole = transcript.answer(plain, streamed=streamed, under_way=under_way)
            if under_way and message is not None:
                whole = f"{_progress(plain, message)}\n\n{whole}"
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
        exchange = exchange_of(metadata.flow)
        if exchange is None or not _is_chat(exchange):
            return _NEVER
        if isinstance(metadata.http_message, http.Request):
            return _BEHIND
        return _ABOVE_JSON if isinstance(metadata.http_message, http.Response) else _NEVER


class ProxyPage(Contentview):
    """The proxy itself: queue, slowest exchanges, statistics. On any flow, where a person chooses it.

    In mitmweb a command's text comes on one line with its line ends spelt out: this is its page.
    """

    name = "Hunyuan proxy"
    syntax_highlight = "none"

    def __init__(self, text: Callable[[], str]) -> None:
        self._text = text

    def prettify(self, data: bytes, metadata: Metadata) -> str:
        """The page, as it is now."""
        return diff.printable(self._text())


VIEWS: tuple[Contentview, ...] = (HunyuanChanges(), ChatTranscript())


def changes_page(exchange: Exchange, sent: bytes, flow: http.HTTPFlow | None = None) -> str:
    """The changes of a request, made or only observed, with a diff if its body was rewritten.

    `sent`: the body sent. With `flow` its timings stand above. Long things stand below short ones.
    """
    changes = exchange.changes
    known = places.original_and_final(exchange, sent)
    listed = folded.listing(changes, known)
    if len(changes) == MAX_CHANGES:
        listed = f"{say('The first {count} of more changes:', count=MAX_CHANGES)}\n{listed}"
    sections = [_cache_line(exchange).rstrip("\n")]
    # 1. What is read at a glance.
    if flow is not None:
        sections.append("\n".join(timings.lines(flow, exchange, time.time())))
    if exchange.mode == "observe":
        sections.append(say("Dry run (hunyuan_mode=observe): the request was not changed."))
    elif not exchange.rewritten:
        sections.append(say("The request's body was not changed."))
    sections.append(listed)
    originals = {change.pointer: place.original or change.pointer for change, place in zip(changes, known, strict=True)}
    sections.append("\n".join(vision_calls.calls(exchange, originals)))
    # 2. The bodies.
    if exchange.rewritten and exchange.original is not None and not _is_house(exchange):
        said = transcript.request(exchange.original, dialect=exchange.dialect)
        sections.append(diff.side_by_side(said, transcript.request(sent)))
    elif exchange.rewritten:
        sections.append(diff.compared(exchange.original, sent))
    # 3. Everything else, whole.
    if folded.has_folds(changes, known):
        sections.append(f"─── {say('each change')} ───\n{folded.each(changes, known)}")
    sections.append("\n".join(vision_calls.words(exchange)).lstrip("\n"))
    return diff.printable("\n\n".join(section.rstrip("\n") for section in sections if section) + "\n")


def story(flow: http.HTTPFlow, exchange: Exchange) -> str:
    """One exchange on one page: what came, when what happened, what was changed, how it ended."""
    request, response = flow.request, flow.response
    sent = request.get_content(strict=False) or b""
    model = f"{exchange.model} → {exchange.sent_model}" if exchange.sent_model else exchange.model
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(request.timestamp_start))
    facts = [at, f"{exchange.method} {exchange.path}", client_of(exchange, request.headers), model]
    known = places.original_and_final(exchange, sent)
    ended = [str(response.status_code)] if response else []
    ended += [flow.error.msg] if flow.error else []
    used = [f"{name} {count:,}" for name, count in exchange.usage.items()]
    if used:
        ended.append(say("tokens: {counts}", counts=", ".join(used)))
    sections = [
        "  ".join(fact for fact in facts if fact),
        "\n".join(timings.lines(flow, exchange, time.time())),
        folded.listing(exchange.changes, known),
        "\n".join(vision_calls.calls(exchange, {})),
        _cache_line(exchange).rstrip("\n"),
        exchange.warning,
        say("ended: {how}", how=", ".join(ended) or "-"),
    ]
    return diff.printable("\n\n".join(filter(None, sections)))


def _is_house(exchange: Exchange) -> bool:
    """Whether the request left in the format in which it came."""
    dialect = DIALECTS.get(exchange.dialect)
    return dialect is None or dialect.is_house or dialect.house == "native"


def _is_chat(exchange: Exchange) -> bool:
    dialect = DIALECTS.get(exchange.dialect)
    return dialect is not None and dialect.house in ("chat", "native")


def _plain(data: bytes, message: http.Message | None) -> bytes:
    """`data` without its content coding: mitmproxy can't unpack a stream that was kept in part."""
    is_packed = message is not None and message.raw_content in (data, None)
    coding = message.headers.get("content-encoding", "") if message and is_packed else ""
    try:
        return content_coding.unpacker(coding)(data)
    except (content_coding.CodingError, content_coding.TooLarge):
        return data


def _is_under_way(metadata: Metadata) -> bool:
    message = metadata.http_message
    return bool(metadata.flow and metadata.flow.live) and message is not None and message.raw_content is None


def _progress(data: bytes, message: http.Message) -> str:
    """How far a stream has come: a page that is open doesn't change by itself."""
    return say(
        "The stream is under way: {count} events, {seconds:,.0f} s. Open this view again to see more.",
        count=len(list(sse.Parser().feed(data))),
        seconds=max(0.0, time.time() - message.timestamp_start),
    )


def _cache_line(exchange: Exchange) -> str:
    """How much of the prompt was cached, and what broke its cache."""
    line = prompt_cache.told(exchange.notes.get("prompt-cache", {}))
    return f"{diff.printable(line)}\n" if line else ""


def _cut_note(exchange: Exchange | None) -> str:
    if exchange is None or not exchange.stream_cut:
        return ""
    return "\n! " + say("only the beginning of this stream was kept (hunyuan_keep_streams)") + "\n"
