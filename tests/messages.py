"""Anthropic's format as small as can be: texts without tools, for tests of the way that its requests take."""

from __future__ import annotations

import json
from collections.abc import Mapping

from hunyuan_fix.dialects.base import BadRequest, House
from hunyuan_fix.exchange import JsonObject, Response
from tests.seams.toys import text_of


class Writer:
    def feed(self, chunk: JsonObject) -> list[bytes]:
        text = text_of(chunk)
        return [_event("content_block_delta", {"delta": {"type": "text_delta", "text": text}})] if text else []

    def finish(self) -> list[bytes]:
        return [_event("message_stop", {})]

    def fail(self, error: JsonObject) -> list[bytes]:
        return [_event("error", {"error": {"type": "api_error", "message": error.get("message")}})]

    def keep_alive(self) -> list[bytes]:
        return [_event("ping", {})]


class Messages:
    name = "anthropic"
    paths: tuple[str, ...] = ("/messages",)
    house: House = "chat"
    is_house = False

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        if not isinstance(body.get("messages"), list):
            raise BadRequest("messages: must be a list.", "messages")
        note["model"] = body.get("model")
        chat = {"model": body.get("model"), "messages": body["messages"]}
        return chat | ({"stream": True} if body.get("stream") else {})

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        text = {"type": "text", "text": text_of(chat)}
        return {"type": "message", "role": "assistant", "model": note["model"], "content": [text]}

    def stream(self, note: JsonObject) -> Writer:
        return Writer()

    def error(self, response: Response, note: JsonObject) -> Response:
        try:
            message = json.loads(response.body)["error"]["message"]
        except (ValueError, LookupError, TypeError):
            message = "the endpoint failed"
        body = {"type": "error", "error": {"type": "api_error", "message": message}}
        return Response(response.status, {**response.headers, "content-type": "application/json"}, _json(body))


def _event(name: str, fields: JsonObject) -> bytes:
    return f"event: {name}\ndata: ".encode() + _json({"type": name} | fields) + b"\n\n"


def _json(value: JsonObject) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()
