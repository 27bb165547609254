"""Streamed chat answers as Anthropic's events."""

from __future__ import annotations

from ...exchange import JsonObject


class Writer:
    """A streamed answer as Anthropic's events."""

    def __init__(self, note: JsonObject) -> None:
        self._note = note

    def feed(self, chunk: JsonObject) -> list[bytes]:
        """The events for one chunk."""
        raise NotImplementedError

    def finish(self) -> list[bytes]:
        """The events that end the message."""
        raise NotImplementedError

    def fail(self, error: JsonObject) -> list[bytes]:
        """The event `error`."""
        raise NotImplementedError

    def keep_alive(self) -> list[bytes]:
        """The event `ping`."""
        return [b'event: ping\ndata: {"type":"ping"}\n\n']
