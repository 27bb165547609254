"""Streamed answers told to listeners, event by event. The events pass unchanged, and unread while none listens."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..exchange import JsonObject
from ..wire import json_body, sse


class Listener(NamedTuple):
    """What is told the events of a stream."""

    hear: Callable[[JsonObject], None]
    since: re.Pattern[bytes] | None = None
    """It needs no event before the first whose bytes match; `None`: it needs all."""


class Listeners:
    """Tells `listeners` the events of one stream. Nothing here raises: after an exception, the `failure`, it ends."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._awake = [listener for listener in listeners if listener.since is None]
        self._asleep = [listener for listener in listeners if listener.since is not None]
        self._parser = sse.Parser()
        self.is_over = False
        """Whether a listener was told of the end of a choice, or the end of the stream is here."""
        self.failure: Exception | None = None

    def feed(self, data: bytes) -> None:
        """Bytes of whole events: others are put together as they come."""
        for listener in self._asleep:
            if listener.since is not None and listener.since.search(data):
                self._asleep = [other for other in self._asleep if other is not listener]
                self._awake.append(listener)
        if not self._awake or self.failure is not None:
            return
        try:
            plain = sse.plain_data(data) if self._parser.is_empty and len(data) <= sse.MAX_EVENT else None
            if plain is None:
                plain = [event.data for event in self._parser.feed(data) if event.data is not None]
            for one in plain:
                self._tell(one)
        except Exception as failure:
            self.failure = failure

    def finish(self) -> None:
        """Tell what the end of the stream cut off."""
        last = self._parser.finish()
        if last is not None and last.data is not None and self.failure is None:
            self.feed(sse.complete(last.raw))

    def _tell(self, data: bytes) -> None:
        event = json_body.parse_object(data)
        if event is None:
            self.is_over = self.is_over or sse.is_done(data)
            return
        for listener in self._awake:
            listener.hear(event)
        choices = event.get("choices")
        for choice in choices if isinstance(choices, list) else ():
            self.is_over = self.is_over or (isinstance(choice, dict) and bool(choice.get("finish_reason")))
