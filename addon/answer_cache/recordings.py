"""What the answer cache needs of a recording: the run of an agent in one file (`recording`)."""

from __future__ import annotations

from typing import Protocol

from ..exchange import JsonObject, Response
from .asked import Asked


class Recordings(Protocol):
    """The recording of this process, under `hunyuan_answer_cache=record` and `replay`."""

    def found(self, asked: Asked) -> JsonObject | Response:
        """The next answer, whole, that was recorded for what is asked; or the refusal that says what differs."""

    def keep(self, asked: Asked, answer: JsonObject, seconds: float) -> None:
        """Record an answer that came to its own end, after so many `seconds`."""


class NoRecording:
    """Where nothing is recorded."""

    def found(self, asked: Asked) -> JsonObject | Response:
        """See `Recordings`."""
        raise NotImplementedError

    def keep(self, asked: Asked, answer: JsonObject, seconds: float) -> None:
        """See `Recordings`."""
        raise NotImplementedError
