"""What a dialect is: a wire format, of clients or of an upstream. Pure and sans-I/O, both ways.

Everything between the two uses the house language: OpenAI Chat Completions, and OpenAI's embeddings. To add a format
that clients speak, write a `Dialect` in a file beside this one and add it to `DIALECTS`. A format that an upstream
speaks is an `UpstreamDialect` in `UPSTREAM_DIALECTS`, named by a profile's `dialect`.

`note` is `exchange.notes[name]`: a dict in which the dialect keeps what it must know of the request when it translates
the answer. It holds plain data (text, numbers, lists, dicts), since a saved flow keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from ..exchange import Change, Changes, JsonObject, Response
from ..profiles import Model, Native, Profile
from ..texts import Texts

House = Literal["chat", "embeddings", "count", "kept", "native"]
"""The house languages. Each has steps of its own (`pipeline`).

`count` is a chat request whose tokens are counted: it is answered here, and nothing is sent. `kept` asks for what is
kept of earlier answers, and is answered here, too: with any method, a body or none. `native` is another format
where the endpoint speaks it itself (`NativeDialect`): requests and answers stay in it.
"""


class BadRequest(Exception):
    """A request that can't be translated. `message` says what is wrong and what to do, `param` names the field."""

    def __init__(self, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message, self.param = message, param


class AnswerWriter(Protocol):
    """Writes a streamed answer in the client's format: chat chunks in, bytes out. No method raises."""

    def feed(self, chunk: JsonObject) -> list[bytes]:
        """The bytes to send for one chunk of the answer, perhaps none."""

    def finish(self) -> list[bytes]:
        """The bytes that end a complete answer."""

    def fail(self, error: JsonObject) -> list[bytes]:
        """The bytes that report `error`, OpenAI's error object, in the middle of the answer."""

    def keep_alive(self) -> list[bytes]:
        """Bytes without content, which keep the connection open."""


class Dialect(Protocol):
    """A format that clients speak. A translation loses nothing that the house language can express."""

    name: str
    paths: tuple[str, ...]
    """The ends of the paths of its requests, below a base URL: `/chat/completions`."""
    house: House
    """The house language of its requests."""
    is_house: bool
    """Whether it is the house language itself: bodies that need no repair keep their bytes, in both directions."""

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """The request in the house language. Raises `BadRequest`."""

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """A whole answer in this format. Stop texts that the endpoint includes are still in it."""

    def stream(self, note: JsonObject) -> AnswerWriter:
        """A writer for a streamed answer. Stop texts that the endpoint includes are still in it."""

    def error(self, response: Response, note: JsonObject) -> Response:
        """`response`, an error in OpenAI's shape, in this format. Status and headers may change."""


class NativeDialect(Dialect, Protocol):
    """A format of clients where the endpoint speaks it itself, but not all of it. It has no path: routes choose it.

    A request loses, or says in other words, only what the endpoint refuses, and keeps its bytes where nothing is. An
    answer keeps its bytes where its client expects nothing else.
    """

    most_tokens: str
    """The field with the most tokens that an answer may have."""

    def repaired(self, body: JsonObject, accepted: Native, model: Model, texts: Texts, note: JsonObject) -> Changes:
        """Change `body`, any JSON object, in place to what `accepted` and `model` say; a change for each thing done."""

    def remember(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> None:
        """Put into `note` what the errors of a request must know of it, before it is repaired."""

    def needs_chat(self, body: JsonObject, accepted: Native, offers: Sequence[str]) -> Change | None:
        """Why this request has to be translated: it asks for what only the house language can give; else `None`.

        `offers`: the vendor's tools that steps of the house language stand in for (`searching`).
        """

    def shown(self, body: JsonObject) -> list[Any] | None:
        """What is said in `body` as messages, for steps that read messages: an item each, at the same place.

        Their lists of parts are the body's own. `None`: the body has messages.
        """

    def take_back(self, body: JsonObject, messages: list[Any], *, changed: bool) -> None:
        """Put what `shown` gave back into `body`. `changed`: steps have put text parts of chat into it."""

    @property
    def reader(self) -> AnswerReader:
        """Reads the endpoint's answers as far as the proxy has to know of them: whether it is one, its end, its usage.

        What the model says isn't in the chat answers and chunks that it gives.
        """

    def goes_on(self, raw: bytes, note: JsonObject) -> bool:
        """Whether the bytes of whole events tell that none has to be read. Quick: it is asked for every event.

        They neither end the answer nor have an error, usage, or anything that `repaired_event` may change.
        """

    def as_events(self, body: JsonObject) -> list[JsonObject]:
        """The events of a stream for a whole answer, which came where a stream was asked for."""

    def repaired_answer(self, body: JsonObject, note: JsonObject) -> str:
        """Change a whole answer, in place, into what the client expects. Returns why; `""`: nothing was changed."""

    def repaired_event(self, event: JsonObject, note: JsonObject, state: JsonObject) -> tuple[list[JsonObject], str]:
        """The events in the place of one, and why; `""`: it keeps its bytes.

        `state`: an object of the stream's own; under `last` it has the bytes before this event.
        """

    def failure(self, error: JsonObject, note: JsonObject, state: JsonObject) -> list[JsonObject]:
        """The events that report `error`, OpenAI's error object, in the middle of an answer."""

    def keep_alive(self, note: JsonObject) -> list[JsonObject]:
        """The events that tell a client of a silent stream that it goes on; none for clients that need none."""

    def closing(self, note: JsonObject) -> list[JsonObject]:
        """The events that are still missing where an answer is complete but its stream ended without them."""


class Api(Protocol):
    """What the clients of a dialect ask for beside its calls."""

    dialect: str
    """The name of the dialect."""
    base_part: str
    """The part of a base URL's path that this API has beside the chat API's, at endpoints that offer both; or `""`."""
    own_headers: tuple[str, ...]
    """What the names of headers begin with that no chat endpoint reads, in lower case."""

    def client(self, headers: Mapping[str, str]) -> str:
        """The program that sends `headers`, as the note has it under `client`; `""` where it makes no difference.

        Errors depend on it, also those of requests that are refused before they are translated.
        """

    def is_client(self, headers: Mapping[str, str]) -> bool:
        """Whether a request with `headers` comes from a client of this dialect."""

    def answer(self, method: str, path: str) -> Response | None:
        """The answer to a request that no endpoint has to see: telemetry, or whether there is a connection.

        `path`: without its query. `None` for any other request.
        """

    def models(self, listed: JsonObject, profile: Profile, *, aliases: bool, window: int | None = None) -> JsonObject:
        """OpenAI's list of models `listed` in this format, with what `profile` knows of them.

        `window`: the user's own number of tokens that their input may have. With `aliases` models have other names,
        too, where a client of this format offers only such.
        """


class AnswerReader(Protocol):
    """Reads an upstream's answers in the house language."""

    name: str
    is_house: bool
    """Whether the upstream speaks the house language itself."""

    def answer(self, body: JsonObject, note: JsonObject) -> JsonObject:
        """A whole answer of the upstream, in the house language."""

    def events(self, event: JsonObject, note: JsonObject) -> list[JsonObject]:
        """The chat chunks for one event of a streamed answer. An error is a chunk `{"error": …}`."""

    def error(self, status: int, body: bytes) -> bytes:
        """The body of an upstream's error in OpenAI's shape; unchanged if it can't be read."""


class Demands(Protocol):
    """What a request is held against: `rules.RuleContext` is one."""

    @property
    def profile(self) -> Profile:
        """The endpoint's."""

    @property
    def model(self) -> Model:
        """The model that answers, with what its errors have taught."""

    @property
    def texts(self) -> Texts:
        """The texts that may be put into a request."""


class RepeatedEvent(Protocol):
    """An event of a stream that others differ from in their text alone."""

    def chat_event(self, data: bytes) -> bytes | None:
        """The bytes of the chat event for the `data` of such another one; `None` for any other event."""


class UpstreamDialect(AnswerReader, Protocol):
    """A format that an upstream speaks."""

    lists_models: bool
    """It has a list of models at `/models`, below the base URL."""

    def headers(self, house: House) -> Mapping[str, str]:
        """Headers that its requests of the house language `house` need."""

    def path(self, house: House) -> str:
        """The path below the base URL for requests of the house language `house`."""

    def request(self, chat: JsonObject, demands: Demands, note: JsonObject) -> JsonObject:
        """The body to send for a request in the house language, which may be changed. Raises `BadRequest`.

        What is dropped or reworded is told in `note`, under `changes`: a list of `[pointer, why]`.
        """

    def goes_on(self, raw: bytes) -> bool:
        """Whether the bytes of whole events tell that none ends the answer, or is an error. `True` is certain."""

    def repeated(self, data: bytes, chunks: list[JsonObject], made: bytes) -> RepeatedEvent | None:
        """What need not be read of later events: those like this one, whose `data` became `chunks`, written as `made`.

        `None` where each has to be read.
        """
