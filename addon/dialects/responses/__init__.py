"""OpenAI Responses, the format of Codex and OpenAI's SDKs: requests become chat, chat answers responses."""

from __future__ import annotations

from collections.abc import Mapping

from ...exchange import JsonObject, Response
from ...wire import rule_names
from ..base import House
from . import answer, errors, request, stream


class Responses:
    """OpenAI's Responses API, as a client speaks it."""

    name = rule_names.RESPONSES
    paths: tuple[str, ...] = ("/responses",)
    house: House = "chat"
    is_house = False

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """The request as a chat request. `note` gets what the answer needs of it. Raises `BadRequest`."""
        return request.to_chat(body, headers, note)

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """A whole chat answer as a response object."""
        return answer.response(chat, note)

    def stream(self, note: JsonObject) -> stream.Writer:
        """A writer of the events of a response."""
        return stream.Writer(note)

    def error(self, response: Response, note: JsonObject) -> Response:
        """An error in OpenAI's shape, with the status with which the client does the right thing."""
        return errors.error(response, note)
