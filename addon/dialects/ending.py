"""How a chat answer ends: why, and what it used, whatever format it becomes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..exchange import JsonObject
from ..texts import load

_CUT: Final = frozenset(["length", "max_tokens", "max_output_tokens", "model_length"])
_FILTERED: Final = frozenset(["content_filter", "sensitive"])
STOPPED_AT: Final = ("stop_reason", "matched_stop")
"""Where a choice says which text stopped the model: vLLM's field, and SGLang's. Most endpoints don't tell."""
FIELDS: Final = ("finish_reason", *STOPPED_AT)
"""The fields of a choice that say why the answer ends."""
_CHINESE = re.compile(r"[\u3400-\u9fff]")
GOES_ON: Final[JsonObject] = {"choices": [{"index": 0, "delta": {}, "finish_reason": None}]}
"""The chat chunk for an event that says no more than that the answer isn't over."""
_CHARACTERS_A_TOKEN: Final = 3
"""Roughly, for endpoints that don't count: English has four, Chinese between one and two."""
_CACHE_READ: Final = ("cached_tokens", "cache_read_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens")
"""Kimi, TokenHub (1823/135872), LiteLLM, DeepSeek."""
_CACHE_WRITTEN: Final = ("cache_creation_input_tokens", "cache_creation_tokens")


def model(chat: JsonObject, note: JsonObject) -> str:
    """The model as the client asked for it: it keeps its own books by that name."""
    for name in (note.get("model"), chat.get("model")):
        if isinstance(name, str) and name:
            return name
    return ""


def name_model(answer: JsonObject, note: JsonObject) -> bool:
    """Give an answer of the endpoint's, in place, the model's name that the client asked for. Whether it had another.

    Only the name is replaced that the request left with: another one tells the client what it got.
    """
    asked = note.get("model")
    if "answers_as" not in note or answer.get("model") != note["answers_as"] or not isinstance(asked, str):
        return False
    answer["model"] = asked
    return True


def is_cut(reason: object) -> bool:
    """Whether a finish reason says that the answer reached the most tokens that it may have."""
    return _word(reason) in _CUT


def is_filtered(reason: object) -> bool:
    """Whether a finish reason says that the endpoint's moderation ended the answer."""
    return _word(reason) in _FILTERED


def notice(sample: str) -> str:
    """What is said at the end of an answer that was filtered, in the language of a `sample` of it."""
    return load("zh" if _CHINESE.search(sample) else "en").answer_filtered


def usage_in(chat: JsonObject, choice: JsonObject | None) -> JsonObject | None:
    """The usage that an answer or a chunk brings. Kimi sends it inside the choice."""
    for holder in (chat, choice or {}):
        usage = holder.get("usage")
        if isinstance(usage, dict) and usage:
            return usage
    return None


@dataclass(frozen=True, slots=True)
class Counts:
    """What an answer used, in tokens."""

    prompt: int
    """All of the input, with what was read from a cache or written to one."""
    completion: int
    """All of the output, with the reasoning."""
    cache_read: int
    cache_written: int
    reasoning: int
    estimated: bool
    """Whether the endpoint left out `prompt` or `completion`."""


def counts(given: JsonObject | None, note: JsonObject, written: int) -> Counts:
    """The counts in the usage that an endpoint gave.

    What it left out is estimated: the input by the `note`, the output by `written`, its characters.
    """
    given = given or {}
    prompt, completion, total = (_count(given.get(f"{kind}_tokens")) for kind in ("prompt", "completion", "total"))
    # Some endpoints leave the reasoning out of `completion_tokens`, but not out of the total.
    completion = max(completion, total - prompt) if prompt else completion
    prompt = prompt or max(0, total - completion)
    estimated = not prompt or (not completion and written > 0)
    prompt = prompt or _count(note.get("input_tokens"))
    completion = completion or -(-written // _CHARACTERS_A_TOKEN)
    read = min(prompt, _first(_in(given, "prompt", "cached_tokens"), *(given.get(name) for name in _CACHE_READ)))
    created = min(prompt - read, _first(*(given.get(name) for name in _CACHE_WRITTEN)))
    reasoning = min(completion, _first(_in(given, "completion", "reasoning_tokens"), given.get("reasoning_tokens")))
    return Counts(prompt, completion, read, created, reasoning, estimated)


def _in(given: JsonObject, kind: str, name: str) -> object:
    details = given.get(f"{kind}_tokens_details")
    return details.get(name) if isinstance(details, dict) else None


def _word(reason: object) -> str:
    return reason.lower() if isinstance(reason, str) else ""


def _first(*counts: object) -> int:
    return next(filter(None, map(_count, counts)), 0)


def _count(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else 0
