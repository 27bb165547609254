"""The formats of other vendors in the shapes of chat, for a person to read. One module for each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ..exchange import JsonObject
from ..wire import rule_names
from . import messages, responses, tencent_cloud


class Format(Protocol):
    """A format: the modules of `FORMATS`. Nothing in them raises, whatever the bodies hold."""

    def is_end(self, event: JsonObject, /) -> bool:
        """Whether an event of this format is the last one of its stream."""

    def is_request(self, body: JsonObject, /) -> bool:
        """Whether there is anything to read in a request."""

    def is_answer(self, body: JsonObject, /) -> bool:
        """Whether a whole answer is of this format."""

    def is_event(self, event: JsonObject, /) -> bool:
        """Whether an event of a stream is of this format."""

    def as_chat(self, body: JsonObject, /) -> JsonObject:
        """A request."""

    def as_completion(self, body: JsonObject, /) -> JsonObject:
        """A whole answer."""

    def as_chunk(self, event: JsonObject, /) -> JsonObject:
        """An event of a stream."""


FORMATS: Mapping[str, Format] = {
    rule_names.ANTHROPIC: messages,
    rule_names.RESPONSES: responses,
    rule_names.TENCENT_CLOUD: tencent_cloud,
}
"""By the name of the dialect."""


def as_chat(body: JsonObject, dialect: str) -> JsonObject:
    """A request in `dialect`, translated here or passed on in it; any other as it is."""
    spoken = next((name for name in FORMATS if dialect == name or dialect.startswith(f"{name}-")), None)
    return FORMATS[spoken].as_chat(body) if spoken and FORMATS[spoken].is_request(body) else body


def as_completion(body: JsonObject) -> JsonObject:
    """A whole answer, whose own fields tell the format."""
    return next((known.as_completion(body) for known in FORMATS.values() if known.is_answer(body)), body)


def as_chunk(event: JsonObject) -> JsonObject:
    """An event of a stream."""
    return next((known.as_chunk(event) for known in FORMATS.values() if known.is_event(event)), event)


def is_end(event: JsonObject) -> bool:
    """Whether an event is the last one of its stream."""
    return any(known.is_end(event) for known in FORMATS.values() if known.is_event(event))
