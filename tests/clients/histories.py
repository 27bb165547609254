"""The calls and results in a request's history, in whichever of the three formats the endpoint got it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call of the model."""

    id: str
    name: str
    arguments: Any


@dataclass(frozen=True, slots=True)
class History:
    """The messages of a request, its calls in order, and the text of each result by the id of its call."""

    messages: list[dict[str, Any]]
    calls: list[Call]
    results: dict[str, str]


def history_of(body: dict[str, Any]) -> History:
    """Read the body of a chat request, or of one in Anthropic's Messages, or in OpenAI's Responses."""
    messages = body["messages"] if "messages" in body else body["input"]
    calls, results = [], {}
    for message in messages:
        if message.get("type") == "function_call":
            calls.append(Call(message["call_id"], message["name"], json.loads(message["arguments"])))
        elif message.get("type") == "function_call_output":
            results[message["call_id"]] = _text(message["output"])
        for made in message.get("tool_calls") or ():
            calls.append(Call(made["id"], made["function"]["name"], json.loads(made["function"]["arguments"])))
        if message.get("role") == "tool":
            results[message["tool_call_id"]] = _text(message["content"])
        for block in message["content"] if isinstance(message.get("content"), list) else ():
            if block["type"] == "tool_use":
                calls.append(Call(block["id"], block["name"], block["input"]))
            elif block["type"] == "tool_result":
                results[block["tool_use_id"]] = _text(block.get("content", ""))
    return History(messages, calls, results)


def tool_names(body: dict[str, Any]) -> list[str]:
    """The names of the tools that a request offers."""
    return [tool.get("function", tool)["name"] for tool in body.get("tools", ())]


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block.get("text", "") for block in content)
