"""What an answer used, in tokens, read from the `usage` of any format and any vendor.

The places and spellings: docs/facts/anthropic.md#answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Final

from ..exchange import MOST_TOKENS, Exchange, JsonObject, tokens_used
from . import json_body

INPUT, CACHED, WRITTEN, OUTPUT, REASONING = "input", "cached", "written", "output", "reasoning"
_KEPT: Final = (INPUT, CACHED, WRITTEN, OUTPUT, REASONING)

_CACHED: Final = ("cached_tokens", "cache_read_tokens", "cache_read_input_tokens", "prompt_cache_hit_tokens")
"""Moonshot, TokenHub (1823/135872), Anthropic and LiteLLM, DeepSeek."""
_UNCACHED: Final = "prompt_cache_miss_tokens"
_WRITTEN: Final = ("cache_creation_input_tokens", "cache_creation_tokens")
_DETAILS: Final = "prompt_tokens_details"
_USAGE: Final = re.compile(rb'"usage"\s*:\s*\{')
"""In JSON a quotation mark inside of a text is escaped: this stands in none."""
_PARSED: Final = 1 << 18
"""Bytes of an answer that is parsed as a whole for its usage."""
_LONGEST: Final = 1 << 13
"""Bytes of a usage object."""
_PLAIN: Final = frozenset(["prompt_tokens", "completion_tokens", "total_tokens"])
"""All that many endpoints tell."""


def counted(given: object) -> dict[str, int]:
    """The counts of a `usage` object in chat's, Anthropic's or Responses' shape; what it doesn't tell is absent.

    `input` is all of the input, `cached` the part that was read from a cache and `written` the part that was written
    to one; `output` is all of the output, `reasoning` its part that was reasoning. A part isn't larger than its whole.
    """
    if not isinstance(given, dict):
        return {}
    if given.keys() <= _PLAIN:
        read, made = _input(given), _output(given)
        return ({} if read is None else {INPUT: read}) | ({} if made is None else {OUTPUT: made})
    cached = _first(_inside(given, "prompt", "input", "cached_tokens"), *(given.get(name) for name in _CACHED))
    written = _first(_inside(given, "prompt", "input", "cache_write_tokens"), *(given.get(name) for name in _WRITTEN))
    reasoning = _first(_inside(given, "completion", "output", "reasoning_tokens"), given.get("reasoning_tokens"))
    found = {INPUT: _input(given), OUTPUT: _output(given), CACHED: cached, WRITTEN: written, REASONING: reasoning}
    counts = {name: count for name, count in found.items() if count is not None}
    for part, whole in ((CACHED, INPUT), (WRITTEN, INPUT), (REASONING, OUTPUT)):
        if part in counts and whole in counts:
            counts[part] = min(counts[part], counts[whole])
    return counts


def note(exchange: Exchange, given: object) -> None:
    """Give `exchange` the counts of its answer's `usage`."""
    counts = counted(given)
    exchange.usage = {name: counts[name] for name in _KEPT if name in counts}
    exchange.tokens = tokens_used(given) or counts.get(INPUT, 0) + counts.get(OUTPUT, 0)


def note_body(exchange: Exchange, data: bytes) -> None:
    """The same of a whole answer that can't be used, and has to be paid if it says so."""
    if counts := of_body(data):
        exchange.usage, exchange.tokens = counts, counts.get(INPUT, 0) + counts.get(OUTPUT, 0)


def less(whole: Mapping[str, int], part: Mapping[str, int]) -> dict[str, int]:
    """The counts of `whole` without those of `part`, none of them below 0."""
    return {kind: max(0, count - part.get(kind, 0)) for kind, count in whole.items()}


def of_body(data: bytes) -> dict[str, int]:
    """The counts of a whole answer in any format; empty where it has none that can be read.

    Of a large one, such as that with vectors, only its `usage` is parsed: the last one in it.
    """
    if len(data) <= _PARSED:
        return counted(of_answer(json_body.parse_object(data) or {}))
    places = [found.end() - 1 for found in _USAGE.finditer(data)]
    text = data[places[-1] : places[-1] + _LONGEST].decode("utf-8", "replace") if places else ""
    try:
        return counted(json.JSONDecoder().raw_decode(text)[0])
    except (ValueError, RecursionError):
        return {}


def of_answer(answer: JsonObject) -> JsonObject | None:
    """The usage that a chat answer or a chunk brings: its own, or a choice's, where Moonshot's streams have it."""
    choices = answer.get("choices")
    for holder in (answer, *(choices if isinstance(choices, list) else ())):
        usage = holder.get("usage") if isinstance(holder, dict) else None
        if isinstance(usage, dict) and usage:
            return usage
    return None


def is_asked(body: JsonObject) -> bool:
    """Whether a chat request asks for a chunk with the usage at the end of its stream."""
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def complete(usage: JsonObject) -> bool:
    """Put the cached tokens where clients of chat look for them, in place; whether they stood elsewhere alone."""
    if usage.keys().isdisjoint(_CACHED):
        return False
    cached = counted(usage).get(CACHED, 0)
    details = usage.get(_DETAILS)
    known = details if isinstance(details, dict) else {}
    if not cached or _count(known.get("cached_tokens")):
        return False
    usage[_DETAILS] = {**known, "cached_tokens": cached}
    return True


def _input(given: JsonObject) -> int | None:
    prompt, total = _count(given.get("prompt_tokens")), _count(given.get("total_tokens"))
    if prompt:
        return prompt
    own = _count(given.get("input_tokens"))
    if own is not None:
        # Anthropic counts what its cache has apart from the rest of the input.
        apart = [_count(given.get(name)) for name in ("cache_read_input_tokens", "cache_creation_input_tokens")]
        return own + sum(count for count in apart if count is not None)
    hit, miss = _count(given.get("prompt_cache_hit_tokens")), _count(given.get(_UNCACHED))
    if hit is not None and miss is not None:
        return hit + miss
    return prompt if total is None else max(0, total - (_count(given.get("completion_tokens")) or 0))


def _output(given: JsonObject) -> int | None:
    completion = _first(given.get("completion_tokens"), given.get("output_tokens"))
    prompt, total = _count(given.get("prompt_tokens")), _count(given.get("total_tokens"))
    if not prompt or total is None:
        return completion
    # Some endpoints leave the reasoning out of `completion_tokens`, but not out of the total.
    return max(completion or 0, total - prompt)


def _inside(given: JsonObject, chat: str, responses: str, name: str) -> object:
    """A detail of the usage, as chat has it or as Responses has it."""
    for kind in (chat, responses):
        details = given.get(f"{kind}_tokens_details")
        if isinstance(details, dict) and details.get(name) is not None:
            return details[name]
    return None


def _first(*counts: object) -> int | None:
    """The first count that isn't 0, else 0 if any is there."""
    known = [count for count in map(_count, counts) if count is not None]
    return next(filter(None, known), 0) if known else None


def _count(value: object) -> int | None:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_TOKENS else None
