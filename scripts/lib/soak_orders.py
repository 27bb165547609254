"""What the soak sends: requests of all kinds, in an order that a seed decides."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hunyuan_fix.simulator.vision import data_url, png_with_text

CANCELLED_SHARE = 0.1
MODEL = "hunyuan-lite"

_SHARES = {
    "chat": 26,
    "stream": 25,
    "tools": 10,
    "tools, streamed": 6,
    "image": 5,
    "embeddings": 8,
    "models": 5,
    "broken body": 4,
    "fails once": 7,
    "fails": 4,
}
"""Kinds of request, in percent."""

_ONCE = ("rate_limit", "internal", "status:503", "truncate_body", "200_error", "error_event_first")
_ALWAYS = ("rate_limit", "status:500", "quota", "cut:3", "no_finish", "error_event_mid")
_STREAMED = frozenset(["error_event_first", "cut:3", "no_finish", "error_event_mid"])

_TOOL = {"type": "function", "function": {"name": "look", "strict": True, "parameters": {"type": "object"}}}
_IMAGES = [data_url(png_with_text(f"screenshot {number}")) for number in range(8)]


@dataclass(frozen=True, slots=True)
class Cancel:
    """When the client leaves: after so many seconds, or after so many pieces of the answer."""

    seconds: float = 0.0
    pieces: int = 0


@dataclass(frozen=True, slots=True)
class Order:
    """One request, and what is to become of it."""

    kind: str
    body: bytes
    path: str = "/chat/completions"
    streamed: bool = False
    fault: str = ""
    """What the endpoint does with it."""
    once: bool = False
    """Only the first time that it comes."""
    cancel: Cancel | None = None


def orders(count: int, seed: int) -> Iterator[Order]:
    """`count` requests; the same for the same seed."""
    chance = random.Random(seed)  # noqa: S311 - it only has to be the same again
    kinds = chance.choices(list(_SHARES), list(_SHARES.values()), k=count)
    for kind in kinds:
        cancel = _cancel(chance) if chance.random() < CANCELLED_SHARE else None
        yield _order(kind, chance, cancel)


def _cancel(chance: random.Random) -> Cancel:
    if chance.random() < 0.5:
        return Cancel(seconds=chance.random() * 0.05)
    return Cancel(pieces=chance.randint(1, 10))


def _order(kind: str, chance: random.Random, cancel: Cancel | None) -> Order:
    match kind:
        case "models":
            return Order(kind, b"", "/models", cancel=cancel)
        case "embeddings":
            inputs = [_words(chance, 20) for _ in range(chance.randint(1, 4))]
            return Order(kind, _dump({"model": "hunyuan-embedding", "input": inputs}), "/embeddings", cancel=cancel)
        case "broken body":
            return Order(kind, _dump(_chat(chance))[: -chance.randint(2, 40)], cancel=cancel)
        case "fails once" | "fails":
            fault = chance.choice(_ONCE if kind == "fails once" else _ALWAYS)
            streamed = fault in _STREAMED
            data = _dump(_chat(chance, stream=streamed))
            return Order(kind, data, streamed=streamed, fault=fault, once=kind == "fails once", cancel=cancel)
    streamed = "stream" in kind
    body = _chat(chance, stream=streamed)
    if kind.startswith("tools"):
        body["tools"] = [_TOOL]
        body["messages"] = _history(chance)
    if kind == "image":
        body["tools"] = [_TOOL]
        image = {"type": "image_url", "image_url": {"url": chance.choice(_IMAGES)}}
        body["messages"] = [{"role": "user", "content": [{"type": "text", "text": "What does it say?"}, image]}]
    return Order(kind, _dump(body), streamed=streamed, cancel=cancel)


def _chat(chance: random.Random, *, stream: bool = False) -> dict[str, Any]:
    """With parameters and roles that the endpoint refuses: it has to be repaired."""
    messages = [
        {"role": "developer", "content": "You are a coding agent."},
        {"role": "user", "content": _words(chance, 200)},
    ]
    streamed = {"stream": True} if stream else {}
    return {"model": MODEL, "messages": messages, "user": "soak", "parallel_tool_calls": True, **streamed}


def _history(chance: random.Random) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": "user", "content": _words(chance, 30)}]
    for number in range(chance.randint(1, 4)):
        function = {"name": "look", "arguments": "{}"}
        call = {"id": f"call_{number}", "type": "function", "function": function}
        messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
        messages.append({"role": "tool", "tool_call_id": f"call_{number}", "content": _words(chance, 100)})
    return messages


def _words(chance: random.Random, most: int) -> str:
    return " ".join(f"word{chance.randrange(1000)} 词" for _ in range(chance.randint(1, most)))


def _dump(body: dict[str, Any]) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()
