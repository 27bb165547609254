"""The window of a model: how many tokens its input may have, and whether a request has more.

The endpoint cuts what is too long from the front, system text first, without an error (SDK
ChatCompletionsRequest.Messages: "超过则会截断最前面的内容，只保留尾部内容"). Agents compact their history when a
request is refused as too long. The request to compact has that history, too: it only fits if the one before was refused
while there was room.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from ..exchange import JsonObject
from ..profiles import Model

ROOM: Final = 13_000
"""Tokens that Claude Code itself keeps free below the window that it knows (docs/facts/anthropic.md#windows)."""
_SHARE: Final = 8
"""Of a small window the room is this part."""
_CERTAIN: Final = 1.25
"""A count that is larger than a limit by this factor is certainly past it (`text.MARGIN`)."""
_TOKENS_A_BYTE: Final = 1.3
"""More than any body without images has: a token has at least one byte, and is counted as `text.MARGIN` of one."""
_TOKENS_A_BYTE_OF_TEXT: Final = 0.5
"""More than prose and code have in any language: Chinese 0.3, code up to 0.4. Digits and random letters have more."""
_NEAR: Final = 2
"""A sample's count that is further than this factor from a limit tells on which side of it the whole is: it is at most
1.4 times too high, or a tenth too low."""
_COMPACTS: Final = re.compile(r"(?<![\w<>/-])(summar(y|i[sz])|compact)|总结|摘要|概括|压缩", re.IGNORECASE)
"""How the last message of a request says that it is the request to compact, or to sum up, what was said before. Claude
Code's reminders have tags such as `<summary>` in other messages."""
_READ: Final = 20_000
"""Characters that are looked at for it at either end of a text."""


@dataclass(frozen=True, slots=True)
class Excess:
    """A request's `tokens`, which are more than the `limit`."""

    tokens: int
    limit: int


def limit(model: Model, max_tokens: object = None, own: int | None = None) -> int | None:
    """The tokens that the input of a request to `model` may have; `None` where nothing is known of it.

    `own` is the user's number and comes first. Without a known input limit the context length counts, less what
    `max_tokens` keeps for the answer.
    """
    if own is not None:
        return own
    if model.input is not None:
        return model.input
    if model.context is None:
        return None
    kept = max_tokens if isinstance(max_tokens, int) else 0
    return max(0, model.context - max(0, kept))


def with_room(limit: int) -> int:
    """The limit below `limit` that leaves room for the request to compact."""
    return limit - min(ROOM, limit // _SHARE)


def to_compact_at(limit: int) -> int:
    """The tokens, as an endpoint with the input limit `limit` counts them, at which a client has to compact by itself.

    The count here may be larger than the endpoint's, and what it refuses has to be larger still.
    """
    return int(with_room(limit) / _CERTAIN)


def surely_fits(size: int, limit: int, *, leaves_room: bool, only_warns: bool = False) -> bool:
    """Whether a request without images, of `size` bytes of JSON, needs no count: as of most.

    What the rules add to a body is a fraction of it, and is allowed for. Where an excess `only_warns`, a body of text
    is assumed: one of digits alone passes without the warning.
    """
    most = size * (_TOKENS_A_BYTE_OF_TEXT if only_warns else _TOKENS_A_BYTE)
    return most <= (with_room(limit) if leaves_room else limit)


def is_near(tokens: int, limit: int, *, leaves_room: bool) -> bool:
    """Whether `tokens`, a sample's count, is so near to `limit` that the whole has to be counted: 3 ms for 100 KB."""
    allowed = with_room(limit) if leaves_room else limit
    return allowed / _NEAR <= tokens <= allowed * _NEAR


def excess(body: JsonObject, tokens: int, limit: int, *, leaves_room: bool) -> Excess | None:
    """What the input of the chat request `body`, of `tokens`, has, if that is more than `limit`; else `None`.

    With `leaves_room` it has to stay below that limit by the room for the request to compact. That request itself
    passes unless it is certainly too long: without it the client can't go on.
    """
    allowed = with_room(limit) if leaves_room else limit
    if leaves_room and allowed < tokens <= limit * _CERTAIN and compacts(body):
        return None
    return Excess(tokens, allowed) if tokens > allowed else None


def compacts(body: JsonObject) -> bool:
    """Whether the last message of `body` asks for a summary. A guess: where it is wrong, nothing is refused too early.

    Claude Code, opencode and Codex send the whole history once more, and this as the last message.
    """
    messages = body.get("messages")
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, dict) or last.get("role") != "user":
        return False
    return any(_COMPACTS.search(text) for text in _texts(last.get("content")))


def _texts(content: object) -> Iterator[str]:
    for part in content if isinstance(content, list) else [content]:
        text = part.get("text") if isinstance(part, dict) else part
        if isinstance(text, str):
            yield text if len(text) <= 2 * _READ else text[:_READ] + text[-_READ:]
