"""How a chat answer ends: why, and what it used, whatever format it becomes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..exchange import JsonObject
from ..texts import load
from ..wire import usage

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
    found = usage.counted(given)
    prompt, completion = found.get(usage.INPUT, 0), found.get(usage.OUTPUT, 0)
    estimated = not prompt or (not completion and written > 0)
    counted = note.get("input_tokens")
    prompt = prompt or (counted if type(counted) is int and counted > 0 else 0)
    completion = completion or -(-written // _CHARACTERS_A_TOKEN)
    read = min(prompt, found.get(usage.CACHED, 0))
    created = min(prompt - read, found.get(usage.WRITTEN, 0))
    reasoning = min(completion, found.get(usage.REASONING, 0))
    return Counts(prompt, completion, read, created, reasoning, estimated)


def _word(reason: object) -> str:
    return reason.lower() if isinstance(reason, str) else ""
