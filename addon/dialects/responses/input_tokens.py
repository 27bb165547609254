"""Token counts of the Responses API (`/v1/responses/input_tokens`): counted here, nothing is sent."""

from __future__ import annotations

from ...exchange import JsonObject
from ...wire import rule_names
from ..base import House
from ..variant import Variant


class InputTokens(Variant):
    """A request as of `responses`, whose answer is the number of its tokens."""

    name = rule_names.RESPONSES_INPUT_TOKENS
    paths: tuple[str, ...] = ("/responses/input_tokens",)
    house: House = "count"
    is_house = False

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """The count `prompt_tokens` of `chat`'s usage, in OpenAI's form."""
        return {"object": "response.input_tokens", "input_tokens": chat["usage"]["prompt_tokens"]}
