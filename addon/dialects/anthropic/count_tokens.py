"""Token counts of Anthropic's API (`/v1/messages/count_tokens`): counted here, nothing is sent."""

from __future__ import annotations

from ...exchange import JsonObject
from ..base import House
from ..variant import Variant


class CountTokens(Variant):
    """A Messages request, whose answer is the number of its tokens."""

    name = "anthropic-count-tokens"
    paths: tuple[str, ...] = ("/messages/count_tokens",)
    house: House = "count"
    is_house = False

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """The count `prompt_tokens` of `chat`'s usage, in Anthropic's form."""
        return {"input_tokens": chat["usage"]["prompt_tokens"]}
