"""Anthropic Messages, the format of Claude Code and Anthropic's SDKs: requests become chat, chat answers messages."""

from __future__ import annotations

from collections.abc import Mapping

from ...exchange import JsonObject, Response
from ..base import House
from . import answer, errors, request, stream


class Anthropic:
    """Anthropic's Messages API, as a client speaks it."""

    name = "anthropic"
    paths: tuple[str, ...] = ("/messages",)
    house: House = "chat"
    is_house = False

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """The request as a chat request. `note` gets what the answer needs of it. Raises `BadRequest`."""
        return request.to_chat(body, headers, note)

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """A whole chat answer as a `message`."""
        return answer.message(chat, note)

    def stream(self, note: JsonObject) -> stream.Writer:
        """A writer of Anthropic's events."""
        return stream.Writer(note)

    def error(self, response: Response, note: JsonObject) -> Response:
        """An error in Anthropic's shape, with the status with which the client does the right thing."""
        return errors.error(response, note)
