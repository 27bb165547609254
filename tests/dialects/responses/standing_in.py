"""A small Responses dialect, texts and calls alone, for tests of what is kept."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from hunyuan_fix.dialects.base import House
from hunyuan_fix.exchange import JsonObject, Response
from hunyuan_fix.wire import json_body, sse

_numbers = itertools.count(1)


class Writer:
    def __init__(self, note: JsonObject) -> None:
        self.note = note
        self.text = ""

    def feed(self, chunk: JsonObject) -> list[bytes]:
        for choice in chunk.get("choices", ()):
            self.text += choice.get("delta", {}).get("content") or ""
        return []

    def finish(self) -> list[bytes]:
        whole = made(self.note, self.text)
        return [sse.event(json_body.serialise({"type": "response.completed", "response": whole}))]

    def fail(self, error: JsonObject) -> list[bytes]:
        return [sse.event(json_body.serialise({"type": "error", **error}))]

    def keep_alive(self) -> list[bytes]:
        return []


def made(note: JsonObject, text: str) -> JsonObject:
    note.setdefault("id", f"resp_{next(_numbers):048x}")
    if note.get("compact"):
        items: list[JsonObject] = [{"type": "compaction", "id": "cmp_1", "encrypted_content": text}]
    else:
        item = {"type": "message", "id": f"msg_{next(_numbers):048x}", "role": "assistant", "status": "completed"}
        items = [{**item, "content": [{"type": "output_text", "text": text, "annotations": []}]}]
    note["items"] = items
    return {"id": note["id"], "object": "response", "model": note["model"], "output": items, "usage": None}


class Responses:
    name = "responses"
    paths: tuple[str, ...] = ("/responses",)
    house: House = "chat"
    is_house = False

    def to_chat(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
        note["model"] = body.get("model")
        own = body["input"]
        items = [*note.pop("earlier", ()), *([{"role": "user", "content": own}] if isinstance(own, str) else own)]
        messages = []
        for item in items:
            if item.get("type") == "compaction_trigger":
                note["compact"] = True
                continue
            content = item.get("content")
            text = content if isinstance(content, str) else "".join(part["text"] for part in content)
            messages.append({"role": item["role"], "content": text})
        chat: JsonObject = {"model": body.get("model"), "messages": messages}
        return {**chat, "stream": True} if body.get("stream") else chat

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        return made(note, chat["choices"][0]["message"]["content"])

    def stream(self, note: JsonObject) -> Writer:
        return Writer(note)

    def error(self, response: Response, note: JsonObject) -> Response:
        return response
