"""OpenAI Chat Completions: the house language, so every translation is the identity."""

from __future__ import annotations

from collections.abc import Mapping

from ..exchange import JsonObject, Response
from ..wire import chat_events, json_body, sse
from .base import Demands, House


class ChatWriter:
    """A streamed chat answer as server-sent events."""

    def feed(self, chunk: JsonObject) -> list[bytes]:
        """One event."""
        return [sse.event(json_body.serialise(chunk))]

    def finish(self) -> list[bytes]:
        """`data: [DONE]`."""
        return [sse.event(b"[DONE]")]

    def fail(self, error: JsonObject) -> list[bytes]:
        """An event with the error alone, as OpenAI's SDKs read it."""
        return [sse.event(json_body.serialise({"error": error}))]

    def keep_alive(self) -> list[bytes]:
        """A comment."""
        return [sse.COMMENT + b"\n\n"]


class Chat:
    """Chat Completions, on either side."""

    name = "chat"
    paths: tuple[str, ...] = ("/chat/completions",)
    house: House = "chat"
    is_house = True

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """`body` itself."""
        return body

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """`chat` itself."""
        return chat

    def stream(self, note: JsonObject) -> ChatWriter:
        """A writer of server-sent events."""
        return ChatWriter()

    def error(self, response: Response, note: JsonObject) -> Response:
        """`response` itself."""
        return response


class ChatUpstream:
    """An upstream that speaks OpenAI's API."""

    name = "openai"
    is_house = True
    lists_models = True

    def headers(self, house: House) -> Mapping[str, str]:
        """None."""
        return {}

    def path(self, house: House) -> str:
        """`/chat/completions` or `/embeddings`."""
        return "/embeddings" if house == "embeddings" else "/chat/completions"

    def request(self, chat: JsonObject, demands: Demands, note: JsonObject) -> JsonObject:
        """`chat` itself."""
        return chat

    def answer(self, body: JsonObject, note: JsonObject) -> JsonObject:
        """`body` itself."""
        return body

    def events(self, event: JsonObject, note: JsonObject) -> list[JsonObject]:
        """The event itself, which is a chunk."""
        return [event]

    def error(self, status: int, body: bytes) -> bytes:
        """`body` itself."""
        return body

    def repeated(self, data: bytes, chunks: list[JsonObject], made: bytes) -> None:
        """None: each event is read."""

    def goes_on(self, raw: bytes) -> bool:
        """See `chat_events.go_on`."""
        return chat_events.go_on(raw)
