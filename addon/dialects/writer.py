"""Streamed chat answers in a format whose streams are events: what its writers share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import orjson

from ..exchange import JsonObject
from ..wire import json_body, proxy_errors
from ..wire import usage as usages
from . import ending, errors, spoken
from .composer import Composer, Kind, TooMuchHeld

_KEEP_ALIVE_EVERY: Final = 512
"""Characters that may wait between two of them: something comes from the model, though nothing for the client yet."""

_FIELDS: Final[dict[Kind | None, str]] = {"text": "content", "reasoning": "reasoning_content"}
"""The field of a delta in which the text of the open block comes, where it can be written at once."""


class Events:
    """Events, as bytes. Only what differs is serialised."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def taken(self) -> list[bytes]:
        """All that was written since the last call, in one piece."""
        if not self._written:
            return []
        written, self._written = b"".join(self._written), []
        return [written]

    def write(self, name: str, data: JsonObject) -> None:
        """The event `name`."""
        self._written.append(b"event: %b\ndata: %b\n\n" % (name.encode(), json_body.serialise(data)))

    def delta(self, piece: str) -> bytes:
        """The event with the next piece of the open block."""
        raise NotImplementedError


class Writer:
    """A streamed answer as events: chat chunks in, bytes out. No method of a format's own writer raises.

    Most chunks bring one more piece of the open block's text: they are written without a look at anything else.
    """

    def __init__(self, note: JsonObject, events: Events) -> None:
        self._note = note
        self._given_events = events
        self._delta = events.delta
        self._given_out: Callable[[str], object] = len
        """The composer's, once text is written at once."""
        self._composer: Composer | None = None
        """`None` until the answer has begun."""
        self._direct = ""
        """The field of a delta whose text can be written at once, in the open block; "" if there is none."""
        self.repeats = ""
        """The field of the last chunk whose text was all that it brought: of chunks that differ in nothing else the
        text can go to `more`. "" if the next chunk has to be fed."""
        self._usage: JsonObject | None = None
        self._end: JsonObject = {}
        """The last choice that said why the answer ends."""
        self._shown = 0
        """How much had waited when something was sent last."""
        self._over = False

    # What a format says

    def _begun(self, chunk: JsonObject) -> Composer:
        """The composer. With the first chunk, or before any, the beginning of the answer is written, too."""
        raise NotImplementedError

    def _may_write_at_once(self) -> bool:
        """Whether pieces may be written before the answer is whole."""
        return True

    def fail(self, error: JsonObject) -> list[bytes]:
        """The bytes that report `error`, and end the stream."""
        raise NotImplementedError

    def _keep_alive_pieces(self) -> list[bytes]:
        """An event without content, in an answer that has begun."""
        raise NotImplementedError

    # What all do

    def feed(self, chunk: JsonObject) -> list[bytes]:
        """The events for one chunk."""
        if self._over:
            return []
        try:
            if self._direct:
                text = spoken.only_text(chunk, self._direct)
                if text is not None:
                    usage = chunk.get("usage")
                    if usage is not None and type(usage) is dict:
                        self._usage = usage or self._usage
                    self._given_out(text)
                    self.repeats = self._direct
                    return [self._delta(text)]
            self.repeats = ""
            self._take(chunk)
        except TooMuchHeld:
            return self._too_large()
        return self._taken()

    def more(self, text: str) -> bytes:
        """The event for a chunk that differs from the last one in its text alone, while `repeats` is set."""
        try:
            self._given_out(text)
        except TooMuchHeld:
            return b"".join(self._too_large())
        return self._delta(text)

    def _take(self, chunk: JsonObject) -> None:
        composer = self._begun(chunk)
        choice = spoken.choice_of(chunk)
        self._usage = usages.of_answer(chunk) or self._usage
        if choice is None:
            return
        if choice.get("finish_reason"):
            self._end = {name: choice.get(name) for name in ending.FIELDS}
        delta = choice.get("delta")
        if isinstance(delta, dict):
            composer.feed(delta)
            self._direct = _FIELDS.get(composer.direct, "") if self._may_write_at_once() else ""
            self._given_out = composer.given_out

    def _taken(self) -> list[bytes]:
        """What was written. Where that is nothing, though much waits, a keep-alive says that the stream goes on."""
        sent = self._given_events.taken()
        held = 0 if self._composer is None else self._composer.held
        if not sent and held - self._shown >= _KEEP_ALIVE_EVERY:
            sent = self._keep_alive_pieces()
        if sent:
            self._shown = held
        return sent

    def _is_over(self) -> None:
        self._over, self._direct, self.repeats = True, "", ""

    def _too_large(self) -> list[bytes]:
        return self.fail(errors.in_clients_language(proxy_errors.STREAM_ANSWER_TOO_LARGE(), self._note).fields())


def json_text(text: str) -> bytes:
    """`text` in JSON. Half a character becomes U+FFFD: strict readers refuse it."""
    try:
        return orjson.dumps(text)
    except orjson.JSONEncodeError:
        return orjson.dumps(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))
