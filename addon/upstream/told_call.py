"""What an exchange tells of the calls that the addon makes for it, try by try.

Always what each of them used (`events.PAID`); with traces on its span, too (`events.CALLED`, `events.ENDED`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from .. import events
from ..counting import bodies
from ..events import Purpose
from ..exchange import Exchange, JsonObject, Response
from ..wire import answer_facts, json_body, usage
from ..wire.trace_context import new_span_id
from . import paid

_SUMMED: Final = ("embeddings", "search")
"""Purposes of calls whose usage the exchange counts as its own: its client is told the sum."""
_MOST_READ = 1 << 16
"""Bytes of an answer that is read for what it says of itself."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of one try before it is made."""

    purpose: Purpose | None = None
    """`None`: nothing is told of it."""
    model: str = ""
    number: int = 1
    is_chat: bool = True
    """Its answer is a chat answer in the house language."""
    profile: str = ""
    """Of the endpoint, which may be another than the exchange's: that has its prices."""


NOTHING = Told()


class ToldCall:
    """Tells of one try for `exchange`; without a purpose it does nothing."""

    def __init__(self, exchange: Exchange | None, what: Told) -> None:
        self._exchange = exchange if what.purpose is not None else None
        # A call that several requests wait for may outlive the one that began it.
        self._listener = exchange.listener if exchange is not None else None
        self._what = what
        self._span_id = ""
        self._status, self._error = 0, "cancelled"  # unless it comes to another end
        self._is_cut = False
        self._answer: JsonObject = {}
        self._used: dict[str, int] = {}
        self._host = ""
        self._sent = b""
        self._began = 0.0
        self.headers: Mapping[str, str] = {}
        """By which its request names its span."""
        if self._exchange is not None and self._exchange.trace is not None:
            self._span_id = new_span_id()
            self.headers = self._exchange.trace.headers(self._span_id)

    def begin(self, url: str, body: bytes, *, waited: float) -> None:
        """`body` is sent to `url`, after `waited` seconds for its slot."""
        if self._exchange is None:
            return
        address = told_of(url)
        self._host, self._sent, self._began = address["upstream"], body, time.perf_counter()
        if self._span_id:
            self._exchange.tell(
                events.CALLED,
                span_id=self._span_id,
                purpose=self._what.purpose,
                number=self._what.number,
                model=self._what.model,
                waited_ms=1000 * waited,
                **address,
            )

    def failed(self, error: str, *, begun: bool = False) -> None:
        """It brought no answer: one of the errors of `events.ENDED`. `begun`: its answer broke off."""
        self._error, self._is_cut = error, begun

    def answered(self, answer: Response) -> None:
        """It brought `answer`."""
        self._status, self._error = answer.status, ""
        if self._exchange is None or answer.status >= 300:
            return
        self._used = usage.of_body(answer.body)
        if self._what.is_chat and len(answer.body) <= _MOST_READ and answer_facts.are_wanted(self._exchange):
            self._answer["answer"] = answer_facts.of_answer(json_body.parse_object(answer.body) or {})
            if self._what.purpose not in _SUMMED:
                self._answer["usage"] = self._used

    def end(self) -> None:
        """It is over, on every way out."""
        if self._exchange is None or not self._began:
            return
        if self._span_id:
            ended = {"status": self._status, "error": self._error, **self._answer}
            self._exchange.tell(events.ENDED, span_id=self._span_id, **ended)
        is_cancelled = self._error == "cancelled"
        is_estimated = is_cancelled or self._is_cut or (200 <= self._status < 300 and not self._used)
        paid.tell(
            self._exchange,
            self._what.purpose or "own",
            {usage.INPUT: bodies.of_request(self._sent)} if is_estimated else self._used,
            status=self._status,
            ms=1000 * (time.perf_counter() - self._began),
            profile=self._what.profile,
            model=self._what.model,
            upstream=self._host,
            is_estimated=is_estimated,
            is_cancelled=is_cancelled,
            is_summed=self._what.purpose in _SUMMED and not is_estimated,
            listener=self._listener,
        )


def told_of(url: str) -> JsonObject:
    """What events tell of a POST to `url`: all but its query."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {
        "upstream": parts.hostname or "",
        "port": port,
        "scheme": parts.scheme,
        "method": "POST",
        "path": parts.path,
    }
