"""How a message begins and ends: its id, why it stopped, what it used."""

from __future__ import annotations

import re
import uuid
from typing import Final

from ...exchange import JsonObject
from ...texts import load

_CUT: Final = frozenset(["length", "max_tokens", "max_output_tokens", "model_length"])
_FILTERED: Final = frozenset(["content_filter", "sensitive"])
_STOPPED_AT: Final = ("stop_reason", "matched_stop")
"""Where a choice says which text stopped the model: vLLM's field, and SGLang's. Most endpoints don't tell."""
FIELDS: Final = ("finish_reason", *_STOPPED_AT)
"""The fields of a choice that say why the answer ends."""
_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_ID: Final = 64
_CHINESE = re.compile(r"[\u3400-\u9fff]")
_CHARACTERS_A_TOKEN: Final = 3
"""Roughly, for endpoints that don't count: English has four, Chinese between one and two."""


def message_id(given: object) -> str:
    """The id of a message, made of the chat answer's; a new one where that has none.

    Claude Code joins messages of one id, and leaves thinking out of its history where there is no id
    (docs/facts/anthropic.md#streams).
    """
    text = _NOT_IN_IDS.sub("", given.removeprefix("chatcmpl-").removeprefix("msg_")) if isinstance(given, str) else ""
    return f"msg_{text[:_LONGEST_ID] or uuid.uuid4().hex}"


def model(chat: JsonObject, note: JsonObject) -> str:
    """The model as the client asked for it: it keeps its own books by that name."""
    for name in (note.get("model"), chat.get("model")):
        if isinstance(name, str) and name:
            return name
    return ""


def stop(reason: object, *, calls: bool, stopped_at: str | None) -> tuple[str, str | None]:
    """`stop_reason` and `stop_sequence` for a finish reason.

    `calls`: the message has calls, so it stopped for them whatever the endpoint says, unless it was cut: SDKs run no
    tool after `end_turn` (BerriAI/litellm#34692). Without calls it never did: an SDK's loop would wait for a result.

    An answer that a filter cut is `end_turn`: after `refusal` Claude Code pays for a second request, and shows a text
    of its own (docs/facts/anthropic.md#answers). `notice` tells of it.
    """
    if _word(reason) in _CUT:
        return "max_tokens", None
    if calls and not is_filtered(reason):
        return "tool_use", None
    if stopped_at is not None:
        return "stop_sequence", stopped_at
    return "end_turn", None


def is_filtered(reason: object) -> bool:
    """Whether a finish reason says that the endpoint's moderation ended the answer."""
    return _word(reason) in _FILTERED


def notice(sample: str) -> str:
    """What is said at the end of an answer that was filtered, in the language of a `sample` of it."""
    return load("zh" if _CHINESE.search(sample) else "en").answer_filtered


def told_stop(choice: JsonObject, stops: list[str]) -> str | None:
    """The stop sequence that a choice names as the one that ended it; `None` from endpoints that don't say."""
    for field in _STOPPED_AT:
        if choice.get(field) in stops:
            return str(choice[field])
    return None


def usage_in(chat: JsonObject, choice: JsonObject | None) -> JsonObject | None:
    """The usage that an answer or a chunk brings. Kimi sends it inside the choice."""
    for holder in (chat, choice or {}):
        usage = holder.get("usage")
        if isinstance(usage, dict) and usage:
            return usage
    return None


def usage(given: JsonObject | None, note: JsonObject, written: int) -> JsonObject:
    """Anthropic's usage: cached tokens are counted apart from the others of the input, reasoning as output.

    Claude Code's context meter is the sum of all four (vercel/ai#17326, sgl-project/sglang#25876). Without the
    endpoint's counts it gets estimates: of the input by the `note`, of the output by `written`, its characters.
    """
    given = given or {}
    prompt, completion, total = (_count(given.get(f"{kind}_tokens")) for kind in ("prompt", "completion", "total"))
    # Some endpoints leave the reasoning out of `completion_tokens`, but not out of the total.
    completion = max(completion, total - prompt) if prompt else completion
    prompt = prompt or max(0, total - completion) or _count(note.get("input_tokens"))
    completion = completion or -(-written // _CHARACTERS_A_TOKEN)
    details = given.get("prompt_tokens_details")
    details = details if isinstance(details, dict) else {}
    read = min(prompt, _first(details.get("cached_tokens"), *(given.get(name) for name in _CACHE_READ)))
    created = min(prompt - read, _first(*(given.get(name) for name in _CACHE_WRITTEN)))
    return {
        "input_tokens": prompt - read - created,
        "cache_creation_input_tokens": created,
        "cache_read_input_tokens": read,
        "output_tokens": completion,
    }


_CACHE_READ: Final = ("cached_tokens", "cache_read_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens")
"""Kimi, TokenHub (1823/135872), LiteLLM, DeepSeek."""
_CACHE_WRITTEN: Final = ("cache_creation_input_tokens", "cache_creation_tokens")


def _word(reason: object) -> str:
    return reason.lower() if isinstance(reason, str) else ""


def _first(*counts: object) -> int:
    return next(filter(None, map(_count, counts)), 0)


def _count(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
