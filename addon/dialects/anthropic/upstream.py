"""An upstream that speaks Anthropic Messages: chat requests become Messages requests, its answers chat answers.

The translation is the reverse of the one beside it (`request`, `answer`), and writes all that Messages have a word for.
What the endpoint takes of it is data of its profile, `[native.anthropic]`, as for clients that speak Messages to it
themselves: `native` is applied to the body at last. The house rules have repaired the chat request before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...exchange import JsonObject
from ...profiles import Native
from ...wire import rule_names
from ..base import BadRequest, Demands, House
from ..told import Told
from . import native, upstream_answers, upstream_errors, upstream_history, upstream_parameters

_ALL: Final = Native(roles=frozenset(["user", "assistant"]))
"""What an endpoint takes whose profile says nothing of it."""
_MARK: Final[JsonObject] = {"type": "ephemeral"}
_MARKED_TURNS: Final = 2
"""The last turns of the user that end with a breakpoint: the older one is where the request before this one ended."""


class AnthropicUpstream:
    """An upstream that speaks Messages."""

    name = rule_names.ANTHROPIC_UPSTREAM
    is_house = False
    lists_models = True

    def headers(self, house: House) -> Mapping[str, str]:
        """The version of the API."""
        return {"anthropic-version": "2023-06-01"}

    def path(self, house: House) -> str:
        """`/messages`, below a base URL that ends with `/v1`."""
        return "/messages"

    def request(self, chat: JsonObject, demands: Demands, note: JsonObject) -> JsonObject:
        """The Messages request for a chat request. `note` gets `include_usage`, and `changes`: `[pointer, why]` each.

        Raises `BadRequest` for embeddings and for content that Messages have no block for.
        """
        messages = chat.get("messages")
        if not isinstance(messages, list):
            raise BadRequest("The endpoint speaks Anthropic Messages, which have no embeddings: use another for them.")
        told = Told()
        model, accepted = demands.model, demands.profile.native.get(rule_names.ANTHROPIC, _ALL)
        # 1. The conversation, its tools, and how the answer is to be.
        history = upstream_history.converted(messages, demands.texts, told, signed=accepted.is_signed(model.id))
        body: JsonObject = {
            "model": chat.get("model"),
            **upstream_parameters.parameters(chat, model, accepted, told),
            **upstream_parameters.offered(chat, told),
        }
        if not any(chat.get(name) for name in ("max_tokens", "max_completion_tokens")):
            chat["max_tokens"] = body["max_tokens"]  # an error may speak of it: only what a request has is mended
        if sentence := upstream_parameters.answer_format(chat, body, demands.texts, told):
            history.system.append({"type": "text", "text": sentence})
        if accepted.is_signed(model.id) and history.lacks_thought and "thinking" in body:
            body["thinking"] = {"type": "disabled"}
            told.say("/thinking", "the thought before the last calls isn't known, and the model demands it: off")
        if history.system:
            body["system"] = history.system
        body["messages"] = history.messages
        # 2. As the endpoint takes it.
        changes = native.repaired(body, accepted, demands.texts, model)
        if accepted.is_marked(model.id):
            _mark(body)
        # 3. What the answer must know.
        options = chat.get("stream_options")
        note["include_usage"] = isinstance(options, dict) and options.get("include_usage") is True
        note["changes"] = [*told.lines(), *([change.pointer, change.why] for change in changes)]
        return body

    def answer(self, body: JsonObject, note: JsonObject) -> JsonObject:
        """A message as a chat answer."""
        return upstream_answers.answer(body, note)

    def events(self, event: JsonObject, note: JsonObject) -> list[JsonObject]:
        """The chat chunks for one event."""
        return upstream_answers.events(event, note)

    def repeated(self, data: bytes, chunks: list[JsonObject], made: bytes) -> None:
        """None: each event is read."""

    def goes_on(self, raw: bytes) -> bool:
        """Unknown: each event is read."""
        return False

    def error(self, status: int, body: bytes) -> bytes:
        """An error in OpenAI's shape."""
        return upstream_errors.error(status, body)


def _mark(body: JsonObject) -> None:
    """Put in the breakpoints of a prompt cache that needs them: behind the tools, the system text, and the last turns.

    They aren't part of what is cached, so that they may move on from turn to turn.
    """
    ends: list[Any] = [body.get("tools"), body.get("system")]
    turns = [message["content"] for message in body["messages"] if message["role"] == "user"]
    for blocks in [*ends, *turns[-_MARKED_TURNS:]]:
        if isinstance(blocks, list) and blocks:
            blocks[-1] = {**blocks[-1], "cache_control": _MARK}
