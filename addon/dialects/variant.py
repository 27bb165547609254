"""Dialects that are another one in all but a few things."""

from __future__ import annotations

from collections.abc import Mapping

from ..exchange import JsonObject, Response
from .base import AnswerWriter, Dialect


class Variant:
    """Requests and errors are those of the dialect `of`. A class below has the rest of a `Dialect`."""

    def __init__(self, of: Dialect) -> None:
        self._of = of

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """The chat request that says the same as `body`. Raises `BadRequest`."""
        return self._of.to_chat(body, headers, note)

    def stream(self, note: JsonObject) -> AnswerWriter:
        """A writer of the other dialect's events."""
        return self._of.stream(note)

    def error(self, response: Response, note: JsonObject) -> Response:
        """An error in OpenAI's shape as the other dialect has it."""
        return self._of.error(response, note)
