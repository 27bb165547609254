"""What the tests of the request half share: a translation, its repair by the house rules, and the judge."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from hunyuan_fix import profiles, texts
from hunyuan_fix.dialects.anthropic.request import to_chat
from hunyuan_fix.rules import RuleContext, apply_chat
from hunyuan_fix.simulator import checks
from hunyuan_fix.simulator.checks import Problem, ProfileName
from hunyuan_fix.wire import json_body

MODELS: dict[ProfileName, str] = {"hunyuan": "hunyuan-turbos-latest", "tokenhub": "hy3"}
VISION_MODELS: dict[ProfileName, str] = {"hunyuan": "hunyuan-vision-1.5-instruct", "tokenhub": "hy-vision-2.0-instruct"}


def translated(
    body: Mapping[str, Any], headers: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The chat body for a Messages body, and the note. `body` gets a model if it has none, and must stay as it is."""
    given = {"model": "hy3", "max_tokens": 100, **body}
    before = copy.deepcopy(given)
    note: dict[str, Any] = {}
    chat = to_chat(given, headers or {}, note)
    assert given == before
    json_body.serialise(note)  # plain data: a saved flow keeps it
    return chat, note


def messages_of(*given: Any, **fields: Any) -> list[dict[str, Any]]:
    """The chat messages for messages: texts are user messages."""
    listed = [{"role": "user", "content": one} if isinstance(one, str) else one for one in given]
    messages: list[dict[str, Any]] = translated({"messages": listed, **fields})[0]["messages"]
    return messages


def user(*blocks: Any) -> dict[str, Any]:
    """A user message of blocks."""
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: Any) -> dict[str, Any]:
    """An assistant message of blocks."""
    return {"role": "assistant", "content": list(blocks)}


def system(content: Any) -> dict[str, Any]:
    """A system message inside the list."""
    return {"role": "system", "content": content}


def text(said: str, **beside: Any) -> dict[str, Any]:
    """A text block."""
    return {"type": "text", "text": said, **beside}


def call(call_id: str = "toolu_1", name: str = "ls", **given: Any) -> dict[str, Any]:
    """A tool_use block, whose input is `given`."""
    return {"type": "tool_use", "id": call_id, "name": name, "input": given}


def result(content: Any = "done", call_id: str = "toolu_1", **beside: Any) -> dict[str, Any]:
    """A tool_result block."""
    return {"type": "tool_result", "tool_use_id": call_id, "content": content, **beside}


def tool(name: str = "ls", **beside: Any) -> dict[str, Any]:
    """A tool of the client's own."""
    return {"name": name, "description": "Lists.", "input_schema": {"type": "object", "properties": {}}, **beside}


def whys(note: Mapping[str, Any], pointer: str) -> list[str]:
    """Why what was at `pointer` of the client's body was changed."""
    return [why for place, why in note["changes"] if place == pointer]


def repaired(chat: dict[str, Any], profile_name: ProfileName) -> dict[str, Any]:
    """The chat body after the house rules, for the profile's text model, or its vision model where it has images."""
    body = copy.deepcopy(chat)
    body["model"] = MODELS[profile_name]
    if b'"image_url":{"url"' in json_body.serialise(body["messages"]):
        # Images beside tools are the cascade's business, before the rules.
        body["model"] = VISION_MODELS[profile_name]
        body.pop("tools", None)
    profile = profiles.load(profile_name)
    context = RuleContext(profile, profile.model(body["model"]), texts.load("en"), profile.grammar.max_messages)
    apply_chat(body, context)
    return body


def refusal(chat: dict[str, Any], profile_name: ProfileName) -> Problem | None:
    """What the strict endpoint refuses of a chat body once it is repaired; `None`: it accepts it."""
    return checks.problems(repaired(chat, profile_name), profile_name, strict=True)
