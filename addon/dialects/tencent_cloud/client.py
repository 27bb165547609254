"""Tencent Cloud's own API as programs with the vendor's SDK speak it. One path for all: the action is in a header."""

from __future__ import annotations

from collections.abc import Mapping

from ...exchange import JsonObject, Response
from ...wire import rule_names
from ..base import AnswerWriter, House
from . import client_answer, client_errors, client_request, client_stream


class TencentCloud:
    """`ChatCompletions`: requests become chat."""

    name = rule_names.TENCENT_CLOUD
    paths: tuple[str, ...] = ()
    house: House = "chat"
    is_house = False

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """The request as a chat request. `note` gets what the answer needs of it. Raises `BadRequest`."""
        return client_request.chat_request(body, note)

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """A whole chat answer in the vendor's envelope."""
        return client_answer.completion(chat, note)

    def stream(self, note: JsonObject) -> AnswerWriter:
        """A writer of native events."""
        return client_stream.ClientWriter(note)

    def error(self, response: Response, note: JsonObject) -> Response:
        """An error with a native code; its status is 200, as the vendor's SDKs want it."""
        return client_errors.error(response, note)


class TencentEmbedding(TencentCloud):
    """`GetEmbedding`."""

    name = rule_names.TENCENT_CLOUD_EMBEDDING
    house: House = "embeddings"

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """The request as an embeddings request. Raises `BadRequest`."""
        return client_request.embedding_request(body, note)

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """The vectors in the vendor's envelope."""
        return client_answer.embeddings(chat, note)


class TencentTokenCount(TencentCloud):
    """`GetTokenCount`, which is answered here: its tokens are estimated, nothing is sent."""

    name = rule_names.TENCENT_CLOUD_TOKEN_COUNT
    house: House = "count"

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        """A request without a text: that is counted here, as it stands alone. Raises `BadRequest`."""
        return client_request.count_request(body, note)

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """What the request's text was counted to have."""
        return client_answer.token_count(note)
