"""What a dialect is: a wire format, on the client's side or on the upstream's. Pure and sans-I/O, both ways.

Everything between the two speaks the house language: OpenAI Chat Completions, and OpenAI's embeddings. To add a format
that clients speak, write a `Dialect` in a file beside this one and add it to `DIALECTS`; one that an upstream speaks is
an `UpstreamDialect` in `UPSTREAM_DIALECTS`, named by a profile's `dialect`.

`note` is a dict of the exchange's own, under the dialect's name: what the answer must remember of the request. It holds
plain data (text, numbers, lists, dicts), since a saved flow keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

from ..exchange import JsonObject, Response

House = Literal["chat", "embeddings"]
"""The house languages. Each has steps of its own (`pipeline`)."""


class BadRequest(Exception):
    """A request that can't be translated: `message` says what is wrong and what to do, `param` where."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message, self.param = message, param


class AnswerWriter(Protocol):
    """A streamed answer in the client's format: chat chunks in, bytes out. Nothing here raises."""

    def feed(self, chunk: JsonObject) -> list[bytes]:
        """The bytes for one chunk of the answer; none where there is nothing to send yet."""

    def finish(self) -> list[bytes]:
        """The bytes that end an answer that is whole."""

    def fail(self, error: JsonObject) -> list[bytes]:
        """The bytes that tell of `error`, OpenAI's error object, in the middle of the answer."""

    def keep_alive(self) -> list[bytes]:
        """Bytes that say nothing and keep the connection open."""


class Dialect(Protocol):
    """A format that clients speak. The translation of what the house language can say loses nothing."""

    name: str
    paths: tuple[str, ...]
    """The ends of the paths of its requests, below a base URL: `/chat/completions`."""
    house: House
    """The house language of its requests."""
    is_house: bool
    """It is the house language itself: bodies that need no repair keep their bytes, in both directions."""

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """The request in the house language. Raises `BadRequest`."""

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """A whole answer in this format."""

    def stream(self, note: JsonObject) -> AnswerWriter:
        """A writer for a streamed answer."""

    def error(self, response: Response, note: JsonObject) -> Response:
        """An error in OpenAI's shape, in this format's. Status and headers may change."""


class UpstreamDialect(Protocol):
    """A format that an upstream speaks."""

    name: str
    is_house: bool
    """It is the house language itself."""

    def path(self, house: House) -> str:
        """The path of requests in that house language, below the base URL."""

    def request(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """The body to send for a request in the house language."""

    def answer(self, body: JsonObject, note: JsonObject) -> JsonObject:
        """A whole answer of the upstream, in the house language."""

    def events(self, event: JsonObject, note: JsonObject) -> list[JsonObject]:
        """The chat chunks for one event of a streamed answer. Errors are `{"error": …}`."""

    def error(self, status: int, body: bytes) -> bytes:
        """An error of the upstream, as the body of an OpenAI-shaped error; what can't be read stays as it is."""
