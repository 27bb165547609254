"""Token counts of Anthropic's API (`/v1/messages/count_tokens`): counted here, nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping

from ...exchange import JsonObject, Response
from ..base import AnswerWriter, Dialect, House


class CountTokens:
    """A request as of `messages`, whose answer is the number of its tokens."""

    name = "anthropic-count-tokens"
    paths: tuple[str, ...] = ("/messages/count_tokens",)
    house: House = "count"
    is_house = False

    def __init__(self, messages: Dialect) -> None:
        self._messages = messages

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """The chat request that the same messages would become. Raises `BadRequest`."""
        return self._messages.to_chat(body, headers, note)

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """The count `prompt_tokens` of `chat`'s usage, in Anthropic's form."""
        return {"input_tokens": chat["usage"]["prompt_tokens"]}

    def stream(self, note: JsonObject) -> AnswerWriter:
        """Never used: a count is no stream."""
        return self._messages.stream(note)

    def error(self, response: Response, note: JsonObject) -> Response:
        """As of `messages`."""
        return self._messages.error(response, note)
