"""Token counts of the Responses API (`/v1/responses/input_tokens`): counted here, nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping

from ...exchange import JsonObject, Response
from ...wire import rule_names
from ..base import AnswerWriter, Dialect, House


class InputTokens:
    """A request as of `responses`, whose answer is the number of its tokens."""

    name = rule_names.RESPONSES_INPUT_TOKENS
    paths: tuple[str, ...] = ("/responses/input_tokens",)
    house: House = "count"
    is_house = False

    def __init__(self, responses: Dialect) -> None:
        self._responses = responses

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """The chat request that the same input would become. Raises `BadRequest`."""
        return self._responses.to_chat(body, headers, note)

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """The count `prompt_tokens` of `chat`'s usage, in OpenAI's form."""
        return {"object": "response.input_tokens", "input_tokens": chat["usage"]["prompt_tokens"]}

    def stream(self, note: JsonObject) -> AnswerWriter:
        """Never used: a count is no stream."""
        return self._responses.stream(note)

    def error(self, response: Response, note: JsonObject) -> Response:
        """As of `responses`."""
        return self._responses.error(response, note)
