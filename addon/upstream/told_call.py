"""What an exchange tells of the calls that the addon makes for it, try by try (`events.CALLED`, `events.ENDED`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from .. import events
from ..exchange import Exchange, JsonObject, Response
from ..wire import answer_facts, json_body, usage
from ..wire.trace_context import new_span_id

type Purpose = Literal["vision", "embeddings", "search", "json"]
"""What a call is made for."""

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


NOTHING = Told()


class ToldCall:
    """Tells of one try for `exchange`, if that is traced; else it does nothing."""

    def __init__(self, exchange: Exchange | None, what: Told) -> None:
        is_told = exchange is not None and exchange.trace is not None and what.purpose is not None
        self._exchange = exchange if is_told else None
        self._what = what
        self._span_id = ""
        self._ended: JsonObject = {"status": 0, "error": "cancelled"}  # unless it comes to another end
        self.headers: Mapping[str, str] = {}
        """By which its request names its span."""
        if self._exchange is not None:
            self._span_id = new_span_id()
            self.headers = self._exchange.trace.headers(self._span_id)
        self._is_begun = False

    def begin(self, url: str, *, waited: float) -> None:
        """It is sent to `url`, after `waited` seconds for its slot."""
        if self._exchange is not None:
            self._is_begun = True
            self._exchange.tell(
                events.CALLED,
                span_id=self._span_id,
                purpose=self._what.purpose,
                number=self._what.number,
                model=self._what.model,
                waited_ms=1000 * waited,
                **told_of(url),
            )

    def failed(self, error: str) -> None:
        """It brought no answer: one of the errors of `events.ENDED`."""
        self._ended = {"status": 0, "error": error}

    def answered(self, answer: Response) -> None:
        """It brought `answer`."""
        self._ended = {"status": answer.status, "error": ""}
        if self._exchange is None or not answer_facts.are_wanted(self._exchange):
            return
        if answer.status < 300 and self._what.is_chat and len(answer.body) <= _MOST_READ:
            body = json_body.parse_object(answer.body) or {}
            self._ended["answer"] = answer_facts.of_answer(body)
            if self._what.purpose in ("vision", "json"):  # what the others use is counted as the exchange's
                self._ended["usage"] = usage.counted(usage.of_answer(body))

    def end(self) -> None:
        """It is over, on every way out."""
        if self._exchange is not None and self._is_begun:
            self._exchange.tell(events.ENDED, span_id=self._span_id, **self._ended)


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
