"""What a request asks: all of it that has a say in its answer, and nothing else. Pure.

Two requests that ask the same get the same answer. What has no say: whether the answer is streamed, who asks, the ids
of calls (their order counts), marks for the endpoint's prompt cache, and what an agent writes into its requests by
itself and what differs from day to day (`volatile.toml`).
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

from ..dialects import NATIVE
from ..exchange import Exchange, JsonObject
from ..wire import json_body, rule_names, volatile

VERSION: Final = 1
"""Of what a key is made from: one of another version is another key."""
CHAT: Final = "chat"
DIGEST: Final = 24
"""Bytes of a key."""

_NO_SAY: Final = frozenset(
    {
        *("stream", "stream_options", "user", "metadata", "client_metadata", "safety_identifier"),
        *("prompt_cache_key", "prompt_cache_retention", "store", "service_tier", "request_id"),
    }
)
"""Fields of a request that have no say in what is answered."""
_LONGEST: Final = 300
"""Characters of something volatile: what is longer is none."""
_CACHE_MARK: Final = "cache_control"
"""A mark for the endpoint's prompt cache, at a part of a message."""
_CALL_IDS: Final = frozenset({"tool_call_id", "tool_use_id", "call_id"})
_OWN_ID: Final = "id"
_CALLS: Final = frozenset({"function", "custom", "tool_use", "server_tool_use"})
"""Types of objects whose `id` is that of a call."""
_ITEMS: Final = frozenset({"message", "reasoning", "function_call", "function_call_output", "custom_tool_call"})
"""Types of items of the Responses API; their `id` is only a name, and calls have a `call_id` beside it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks.

    `form`: `chat`, or the name of a format that the endpoint speaks itself (`dialects.NATIVE`), in which `body` is. Of
    `body` only what has a say, its call ids replaced by their numbers. `key`: its digest, without regard to who asks
    whom.
    """

    form: str
    body: JsonObject
    key: bytes

    def key_for(self, caller: bytes, base_url: str) -> bytes:
        """The key of an answer that `caller` (`Exchange.caller`) got at an endpoint."""
        return hashlib.sha256(json_body.serialise([caller.hex(), base_url, self.key.hex()])).digest()[:DIGEST]


def asked(exchange: Exchange, wishes: Mapping[str, str]) -> Asked:
    """What the request in `exchange.chat` asks, once its model is known. In linear time; large ones in a thread.

    `wishes`: what is done with its answer here, by the names of headers (`x-hunyuan-json`).
    """
    body = exchange.chat
    form = exchange.dialect if exchange.dialect in NATIVE else CHAT
    stable = _stable_text(exchange.program)
    numbers: dict[str, str] = {}
    matters: JsonObject = {**wishes}
    for name in sorted(body):
        # Where a Responses request passes the steps, what is said in it is shown as messages beside its own items.
        shown = name == "messages" and form == rule_names.RESPONSES_NATIVE
        if name not in _NO_SAY and not shown and body[name] is not None:
            matters[name] = _canonical(body[name], stable, numbers)
    written = json_body.serialise([VERSION, form, matters])
    return Asked(form, matters, hashlib.sha256(written).digest()[:DIGEST])


def _canonical(value: Any, stable: Callable[[str], str], numbers: dict[str, str]) -> Any:
    """A copy of `value` with sorted names, without what has no say."""
    if isinstance(value, str):
        return stable(value)
    if isinstance(value, list):
        return [_canonical(item, stable, numbers) for item in value]
    if not isinstance(value, dict):
        return value
    kind = given if isinstance(given := value.get("type"), str) else ""
    made: JsonObject = {}
    for name in sorted(value):
        given = value[name]
        if name == _CACHE_MARK or (name == _OWN_ID and kind in _ITEMS):
            continue
        is_id = name in _CALL_IDS or (name == _OWN_ID and kind in _CALLS)
        if is_id and isinstance(given, str):
            made[name] = numbers.setdefault(given, f"call {len(numbers) + 1}")
        else:
            made[name] = _canonical(given, stable, numbers)
    return made


def _stable_text(program: str) -> Callable[[str], str]:
    """What takes out of a text what `program` writes into it by itself and what differs from day to day."""
    spans = _volatile().get(program, ())

    def stable(text: str) -> str:
        for begins, ends in spans:
            if begins in text:
                text = volatile.emptied(text, begins, ends, _LONGEST)
        return text

    return stable if spans else str


@cache
def _volatile() -> dict[str, Sequence[tuple[str, str]]]:
    """What is volatile in the requests of a program: what stands before it and behind it."""
    text = resources.files(__package__).joinpath("volatile.toml").read_text("utf-8")
    by_program: dict[str, list[tuple[str, str]]] = {}
    for row in tomllib.loads(text)["volatile"]:
        for program in row["programs"]:
            by_program.setdefault(program, []).append((row["begins"], row["ends"]))
    return {program: tuple(spans) for program, spans in by_program.items()}
