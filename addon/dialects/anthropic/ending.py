"""How a message begins and ends: its id, why it stopped, what it used."""

from __future__ import annotations

import re
import uuid
from typing import Final

from ...exchange import JsonObject
from ..ending import STOPPED_AT, counts, is_cut, is_filtered

_NOT_IN_IDS = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_ID: Final = 64
_FINISH_REASONS: Final = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Anthropic's `stop_reason` -> chat's; of any other chat says `stop`."""
_COUNTS: Final = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")


def message_id(given: object) -> str:
    """The id of a message, made of the chat answer's; a new one where that has none.

    Claude Code joins messages of one id, and leaves thinking out of its history where there is no id
    (docs/facts/anthropic.md#streams).
    """
    text = _NOT_IN_IDS.sub("", given.removeprefix("chatcmpl-").removeprefix("msg_")) if isinstance(given, str) else ""
    return f"msg_{text[:_LONGEST_ID] or uuid.uuid4().hex}"


def stop(reason: object, *, calls: bool, stopped_at: str | None) -> tuple[str, str | None]:
    """`stop_reason` and `stop_sequence` for a finish reason.

    `calls`: the message has calls, so it stopped for them whatever the endpoint says, unless it was cut: SDKs run no
    tool after `end_turn` (BerriAI/litellm#34692). Without calls it never did: an SDK's loop would wait for a result.

    An answer that a filter cut is `end_turn`: after `refusal` Claude Code pays for a second request, and shows a text
    of its own (docs/facts/anthropic.md#answers). `notice` tells of it.
    """
    if is_cut(reason):
        return "max_tokens", None
    if calls and not is_filtered(reason):
        return "tool_use", None
    if stopped_at is not None:
        return "stop_sequence", stopped_at
    return "end_turn", None


def told_stop(choice: JsonObject, stops: list[str]) -> str | None:
    """The stop sequence that a choice names as the one that ended it; `None` from endpoints that don't say."""
    for field in STOPPED_AT:
        if choice.get(field) in stops:
            return str(choice[field])
    return None


def usage(given: JsonObject | None, note: JsonObject, written: int) -> JsonObject:
    """Anthropic's usage: cached tokens are counted apart from the others of the input, reasoning as output.

    Claude Code's context meter is the sum of all four (vercel/ai#17326, sgl-project/sglang#25876). Without the
    endpoint's counts it gets estimates: of the input by the `note`, of the output by `written`, its characters.
    """
    found = counts(given, note, written)
    return {
        "input_tokens": found.prompt - found.cache_read - found.cache_written,
        "cache_creation_input_tokens": found.cache_written,
        "cache_read_input_tokens": found.cache_read,
        "output_tokens": found.completion,
    }


def finish_reason(reason: object) -> str | None:
    """Chat's finish reason for a `stop_reason`; `None` where the message doesn't end."""
    return _FINISH_REASONS.get(reason, "stop") if isinstance(reason, str) else None


def usage_in_chat(given: object, known: JsonObject) -> JsonObject:
    """Anthropic's usage as OpenAI's, where cached tokens are part of the prompt's. `known` gets what `given` counts.

    Counts of a stream are of all so far: the first event counts the input, the last one the output. A 0 takes back
    nothing.
    """
    if isinstance(given, dict):
        for name in _COUNTS:
            count = given.get(name)
            if type(count) is int and count >= 0:
                known[name] = count or known.get(name, 0)
    read, created = known.get("cache_read_input_tokens", 0), known.get("cache_creation_input_tokens", 0)
    prompt, written = known.get("input_tokens", 0) + created + read, known.get("output_tokens", 0)
    usage: JsonObject = {
        "prompt_tokens": prompt,
        "completion_tokens": written,
        "total_tokens": prompt + written,
    }
    if "cache_read_input_tokens" in known:
        usage["prompt_tokens_details"] = {"cached_tokens": read}
    return usage | ({"cache_creation_input_tokens": created} if created else {})
