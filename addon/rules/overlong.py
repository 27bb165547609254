"""Overlong input: an estimate of its tokens, against the model's limit.

The endpoint cuts what is too long from the front, system text first, without an error (SDK
ChatCompletionsRequest.Messages: "超过则会截断最前面的内容，只保留尾部内容").
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import orjson

from ..exchange import JsonObject
from ..profiles import Model
from ..wire import json_body
from .base import RuleContext

TOKENS_A_WIDE_CHARACTER = 0.6
TOKENS_A_CHARACTER = 0.25
TOKENS_A_MESSAGE = 4
"""For role and separators."""


def overlong(body: JsonObject, context: RuleContext, size: int | None = None) -> tuple[int, int] | None:
    """Estimated tokens, or more, and the limit where the estimate passes the model's input limit; else `None`.

    Without a known input limit the context length counts, less what `max_tokens` keeps for the answer. `size` is the
    size in bytes of the JSON that the client sent, given where only the rules have changed it since: most bodies are
    not counted then.
    """
    limit = _limit(context.model, body.get("max_tokens"))
    # No byte counts for more than a quarter of a token, and what the rules add to a body that says anything is a
    # fraction of it: a body that had fewer bytes than the limit has tokens can't be past it.
    if limit is None or (size is not None and size <= limit):
        return None
    texts, separators = [*_texts(body)], _separators(body)
    characters = sum(map(len, texts))
    # What all of them take at least, and at most, needs no look at them.
    if (least := round(characters * TOKENS_A_CHARACTER) + separators) > limit:
        return least, limit
    if characters * TOKENS_A_WIDE_CHARACTER + separators <= limit:
        return None
    estimate = round(sum(map(_text_tokens, texts))) + separators
    return (estimate, limit) if estimate > limit else None


def estimate_tokens(body: JsonObject) -> int:
    """Tokens of the messages and tools of a chat body, images left out.

    0.6 a Chinese character and 0.25 (four characters a token) any other: within about a third for prose and
    code, worse for base64 and digits. No tokenizer is at hand; the limits themselves are round numbers.
    """
    return round(sum(map(_text_tokens, _texts(body)))) + _separators(body)


def _separators(body: JsonObject) -> int:
    messages = body.get("messages")
    return TOKENS_A_MESSAGE * len(messages) if isinstance(messages, list) else 0


def _limit(model: Model, max_tokens: object) -> int | None:
    if model.input is not None:
        return model.input
    if model.context is None:
        return None
    reserved = max_tokens if isinstance(max_tokens, int) else 0
    return max(0, model.context - max(0, reserved))


def _text_tokens(text: str) -> float:
    length = len(text)
    if text.isascii():
        return length * TOKENS_A_CHARACTER
    # In UTF-8 a Chinese character has three bytes, an ASCII one: arithmetic instead of a loop over characters.
    wide = min(length, (_size(text) - length) / 2)
    return wide * TOKENS_A_WIDE_CHARACTER + (length - wide) * TOKENS_A_CHARACTER


def _size(text: str) -> int:
    """Bytes of `text` in UTF-8."""
    with suppress(orjson.JSONEncodeError):  # half a character
        # Python keeps the UTF-8 that orjson asks for with the text: writing the body encodes nothing a second time.
        orjson.dumps(text)
    return len(text.encode("utf-8", "surrogatepass"))


def _texts(body: JsonObject) -> Iterator[str]:
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict):
            yield from _content_texts(message.get("content"))
            for key in ("tool_calls", "reasoning_content"):
                if message.get(key):
                    yield _as_text(message[key])
    if body.get("tools"):
        yield _as_text(body["tools"])


def _content_texts(content: object) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, dict) and isinstance(part.get("text"), str):
                yield part["text"]


def _as_text(value: object) -> str:
    return value if isinstance(value, str) else json_body.serialise(value).decode()
