"""The endpoint's prompt cache: which part of a request begins like one before it, by whole messages.

Automatic, by prefixes, for each key and each `prompt_cache_key` (docs/facts/kimi.md#hosts).
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .codec import encode
from .rows import Json

IMAGE_TOKENS = 1000
_CHARS_PER_TOKEN = 4
_KEPT = 100_000
_HEAD = ("model", "system", "tools")


def tokens(value: Any) -> int:
    """Tokens of every text and every name in a JSON value, a constant for an image."""
    characters, pictures, waiting = 0, 0, [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            pictures += one.startswith("data:")
            characters += 0 if one.startswith("data:") else len(one)
        elif isinstance(one, list):
            waiting.extend(one)
        elif isinstance(one, dict):
            if one.get("type") == "base64":
                pictures += 1
            else:
                characters += sum(map(len, one))
                waiting.extend(one.values())
    return -(-characters // _CHARS_PER_TOKEN) + pictures * IMAGE_TOKENS


@dataclass(slots=True)
class PromptCache:
    """The beginnings of the last requests, as digests of everything up to the end of a message."""

    _known: OrderedDict[bytes, None] = field(default_factory=OrderedDict)

    def read(self, body: Json, key: str) -> tuple[int, int]:
        """The tokens of the prompt of a chat or Messages body, and how many of them were read before; remembers it."""
        scope = f"{key}\n{body.get('prompt_cache_key') or ''}"
        total, cached = 0, 0
        for digest, size in _beginnings(body, scope):
            total += size
            cached = total if digest in self._known else cached
            self._known[digest] = None
            self._known.move_to_end(digest)
        while len(self._known) > _KEPT:
            self._known.popitem(last=False)
        return total, cached


def _beginnings(body: Json, scope: str) -> Iterator[tuple[bytes, int]]:
    """A digest and a number of tokens for the head of the prompt, then for each message.

    A digest is one of all before it, too: where one is known, so are those before it. The marks of clients
    (`cache_control`), which move on with each turn, are no part of a prompt.
    """
    head = [_unmarked(body.get(name)) for name in _HEAD]
    digest = hashlib.sha256(scope.encode("utf-8", "replace") + encode(head)).digest()
    yield digest, tokens(head[1:])
    for message in map(_unmarked, body["messages"]):
        digest = hashlib.sha256(digest + encode(sorted(message.items()))).digest()
        yield digest, tokens(message)


def _unmarked(value: Any) -> Any:
    """A JSON value without `cache_control`."""
    if isinstance(value, dict):
        return {name: _unmarked(one) for name, one in value.items() if name != "cache_control"}
    return [_unmarked(one) for one in value] if isinstance(value, list) else value
