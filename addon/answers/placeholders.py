"""Values put back into a stream, where the model wrote their placeholders. Sans-I/O: bytes split anywhere in and out.

A placeholder may be split anywhere over deltas, so the end of a text that may be the beginning of one waits for the
next delta of that text. The event that has it waits, and all behind it: no event is added and none changes its place,
since some formats number them. An event that has neither a placeholder nor the beginning of one keeps its bytes, and
isn't read while none waits.

A call that says an unknown one (`masking.put_back.UnknownPlaceholder`) ends the stream with an error, before any part
of that placeholder is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from ..exchange import JsonObject
from ..masking import bodies, placeholders
from ..masking.put_back import PutBack, UnknownPlaceholder
from ..wire import json_body, sse

_TEXTS: Final = ("content", "reasoning_content", "reasoning", "refusal")
"""The fields of a chat delta that bring text."""
_BLOCK_TEXTS: Final = ("text", "partial_json", "thinking")
"""The fields of a delta of Messages that do."""
_SAYS: Final = {"function": "arguments", "custom": "input"}
"""Kind of a call -> what brings a piece of what it says, in a chat delta."""
_PING: Final = frozenset(["ping", "keepalive", "keep_alive"])
"""Events that say nothing: a text goes on behind them."""

_BLOCK: Final = "block"
_MOST_WAITING: Final = 1000
"""Events that wait for one text."""


class _Delta(NamedTuple):
    """A piece of a text: `holder[key]`. `text` tells which text it is, `owner` what has several of them in a row."""

    text: tuple[Any, ...]
    owner: tuple[Any, ...]
    holder: JsonObject
    key: str
    is_call: bool = False
    """It is of what a call says."""


@dataclass(slots=True)
class _Waiting:
    """An event that waits. `value`: its data, changed or not."""

    event: sse.Event
    value: JsonObject | None
    is_changed: bool = False

    def written(self) -> bytes:
        if self.is_changed and self.value is not None:
            return self.event.with_data(json_body.serialise(self.value))
        return self.event.raw


@dataclass(slots=True)
class _Open:
    """The end of a text that may be the beginning of a placeholder, and where it stands."""

    delta: _Delta
    waiting: _Waiting
    begun: str


class PutBackEvents:
    """The events of one stream, in any format, with the values that `put_back` has in them.

    `error`: gives the events, in the format of the stream, that end it where it is refused.
    """

    def __init__(self, put_back: PutBack, error: Callable[[], bytes]) -> None:
        self._put_back = put_back
        self._error = error
        self._parser = sse.Parser()
        self._waiting: deque[_Waiting] = deque()
        self._open: dict[tuple[Any, ...], _Open] = {}
        self._left: dict[tuple[Any, ...], str] = {}
        """Ends of what calls say that may be the beginning of a placeholder, and could wait no longer."""
        self._unread = b""
        """The end of what was sent of an event that is too large to be read."""
        self.is_refused = False
        """Whether it was ended with an error: nothing comes behind that."""

    def feed(self, data: bytes) -> bytes:
        """Events -> events."""
        if self.is_refused:
            return b""
        if (
            not self._waiting
            and not self._left
            and self._parser.is_empty
            and data.endswith(b"\n\n")
            and placeholders.IN_BYTES.search(data) is None
        ):
            return data
        return self._guarded(self._parser.feed(data))

    def finish(self) -> bytes:
        """What waited, and an event that the end of the stream cut off."""
        last = self._parser.finish()
        sent = self._guarded([last] if last is not None else [])
        return sent + self._let_go()

    def _guarded(self, events: Iterable[sse.Event]) -> bytes:
        """The bytes to send for events, up to one that is refused."""
        if self.is_refused:
            return b""
        sent: list[bytes] = []
        try:
            for event in events:
                sent.append(self._sent(event))
        except UnknownPlaceholder:
            self.is_refused = True
            self._waiting.clear()  # some of it may be the beginning of that placeholder
            self._open.clear()
            sent.append((b"\n\n" if self._unread else b"") + self._error())
        return b"".join(sent)

    def _sent(self, event: sse.Event) -> bytes:
        if event.opaque:
            return self._let_go() + self._unseen(event.raw)
        self._unread = b""
        data = event.data
        value = None if data is None else json_body.parse_object(data)
        waiting = _Waiting(event, value)
        if value is None:
            if data is None:  # a comment: nothing ends with it
                self._waiting.append(waiting)
                return self._ready()
            return self._let_go() + event.raw
        deltas = list(_deltas(value, keeps_thinking=self._put_back.keeps_thinking))
        self._close(value, deltas)
        joined = sum(map(self._joined, deltas))
        waiting.is_changed = self._put_back.within(value) or joined > 0
        self._waiting.append(waiting)
        for delta in deltas:
            text = delta.holder[delta.key]
            begun = placeholders.begun(text)
            if begun:
                self._open[delta.text] = _Open(delta, waiting, text[len(text) - begun :])
        return self._let_go() if len(self._waiting) > _MOST_WAITING else self._ready()

    def _joined(self, delta: _Delta) -> bool:
        """Put the end of its text that waits before a delta, if that may make a placeholder; whether it was done."""
        opened, more = self._open.get(delta.text), delta.holder[delta.key]
        if not more:
            return False
        self._check(delta.text, more)
        if opened is None:
            return False
        del self._open[delta.text]
        begun = opened.begun
        joined = begun + more
        is_one = any(found.start() < len(begun) for found in placeholders.FORM.finditer(joined))
        if not is_one and placeholders.begun(joined) <= len(more):
            return False
        text = opened.delta.holder[opened.delta.key]
        opened.delta.holder[opened.delta.key] = text[: len(text) - len(begun)]
        opened.waiting.is_changed = True
        delta.holder[delta.key] = joined
        return True

    def _check(self, text: tuple[Any, ...], more: str) -> None:
        """Raise `UnknownPlaceholder` where a placeholder is complete now whose beginning was sent before."""
        left = self._left.pop(text, "")
        joined = left + more[: placeholders.LONGEST]
        found = placeholders.FORM.match(joined) if left else None
        if found is not None and not self._put_back.may_stay(found[0]):
            raise self._put_back.refuse()
        if left and len(joined) < placeholders.LONGEST and placeholders.begun(joined) > len(more):
            self._left[text] = joined

    def _unseen(self, piece: bytes) -> bytes:
        """A piece of an event that is too large to be read. Raises `UnknownPlaceholder`, whatever has it there."""
        joined = self._unread + piece
        for found in placeholders.FORM_IN_BYTES.finditer(joined):
            if not self._put_back.may_stay(found[0].decode()):
                raise self._put_back.refuse()
        self._unread = joined[-placeholders.LONGEST :]
        return piece

    def _close(self, value: JsonObject, deltas: list[_Delta]) -> None:
        """Let go of the ends of texts that this event says go no further."""
        if not self._open or value.get("type") in _PING:
            return
        going_on = {delta.text for delta in deltas}
        owners = {delta.owner[:1] for delta in deltas} | {delta.owner for delta in deltas}
        for text, opened in list(self._open.items()):
            owner = opened.delta.owner
            if text not in going_on and (owner in owners or _ends(value, owner, says=bool(deltas))):
                self._leave(opened)
                del self._open[text]

    def _ready(self) -> bytes:
        """The events before the first that has an open end."""
        first = {id(opened.waiting) for opened in self._open.values()}
        sent = []
        while self._waiting and id(self._waiting[0]) not in first:
            sent.append(self._waiting.popleft().written())
        return b"".join(sent)

    def _leave(self, opened: _Open) -> None:
        if opened.delta.is_call:
            self._left[opened.delta.text] = opened.begun

    def _let_go(self) -> bytes:
        for opened in self._open.values():
            self._leave(opened)
        self._open.clear()
        return self._ready()


def _ends(value: JsonObject, owner: tuple[Any, ...], *, says: bool) -> bool:
    """Whether an event says that `owner` says nothing more. `says`: it brings text."""
    choices = value.get("choices")
    if isinstance(choices, list):
        return any(
            isinstance(choice, dict) and choice.get("finish_reason") and choice.get("index") == owner[0]
            for choice in choices
        )
    place = value.get("output_index", value.get("index"))
    return not says and (owner == (_BLOCK,) or place in (None, owner[-1]))


def _deltas(value: JsonObject, *, keeps_thinking: bool) -> Iterator[_Delta]:
    """The pieces of texts in an event: of a chat chunk, of Messages, of Responses.

    `keeps_thinking`: but for what the model thought.
    """
    choices = value.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if isinstance(delta, dict):
            yield from _of_choice(choice.get("index"), delta)
    kind, delta = value.get("type"), value.get("delta")
    if keeps_thinking and (bodies.is_thinking(value) or (isinstance(delta, dict) and bodies.is_thinking(delta))):
        return
    if kind == "content_block_delta" and isinstance(delta, dict):
        # One block comes behind the other: the next one ends it.
        for key in _BLOCK_TEXTS:
            if isinstance(delta.get(key), str):
                yield _Delta((_BLOCK, value.get("index"), key), (_BLOCK,), delta, key, key == "partial_json")
    elif isinstance(delta, str) and isinstance(kind, str) and kind.endswith(".delta"):
        places = (value.get("item_id"), value.get("output_index"))
        owner = ("item", *places)
        text = (kind, *places, value.get("content_index"), value.get("summary_index"))
        yield _Delta(text, owner, value, "delta", bodies.is_of_call(value))


def _of_choice(index: Any, delta: JsonObject) -> Iterator[_Delta]:
    owner = (index,)
    for key in _TEXTS:
        if isinstance(delta.get(key), str) and delta[key]:
            yield _Delta((index, key), owner, delta, key)
    frames = delta.get("tool_calls")
    for frame in frames if isinstance(frames, list) else ():
        for kind, key in _SAYS.items() if isinstance(frame, dict) else ():
            said = frame.get(kind)
            if isinstance(said, dict) and isinstance(said.get(key), str) and said[key]:
                # Frames of several calls may come in turns: none of them ends another.
                frames_call = (index, "call", frame.get("index"))
                yield _Delta(frames_call, frames_call, said, key, is_call=True)
    call = delta.get("function_call")
    if isinstance(call, dict) and isinstance(call.get("arguments"), str) and call["arguments"]:
        yield _Delta((index, "function_call"), owner, call, "arguments", is_call=True)
