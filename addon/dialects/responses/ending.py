"""How a response begins and ends: its id, its fields, its status, what it used."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Mapping
from typing import Any, Final

from ...exchange import JsonObject
from .. import ending

_FIELDS: Final[Mapping[str, Any]] = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": None,
    "store": True,
    "temperature": None,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": None,
    "top_p": None,
    "truncation": "disabled",
    "user": None,
}
"""The request's fields that a response repeats, with what they are where the request has none."""
_ID: Final = re.compile(r"resp_[A-Za-z0-9_-]{1,56}")
_LARGE: Final[Mapping[str, Any]] = {"instructions": None, "tools": []}
"""The large ones, and what stands for them in the events that come before the answer is whole."""
_ESTIMATED: Final = "usage"
"""The key of `metadata` that says that the endpoint didn't count."""
_MOST_METADATA: Final = 16
"""Pairs that `metadata` may have."""


def response_id(note: JsonObject) -> str:
    """The id of the response, a new one where the note has none: endpoints may give many answers the same."""
    found = note.get("id")
    if not isinstance(found, str) or not _ID.fullmatch(found):
        found = note["id"] = f"resp_{uuid.uuid4().hex}"
    return found


def begun(chat: JsonObject, note: JsonObject) -> JsonObject:
    """The response while it is made, small. `chat`: the answer, or the first chunk of it, or nothing so far."""
    created = chat.get("created")
    is_time = isinstance(created, int | float) and not isinstance(created, bool) and created > 0
    made: JsonObject = {
        "id": response_id(note),
        "object": "response",
        "created_at": created if is_time else int(time.time()),
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "model": ending.model(chat, note),
        "output": [],
        "usage": None,
    }
    return {**_FIELDS, **_echo(note), **_LARGE, **made}


def ended(
    response: JsonObject, note: JsonObject, output: list[JsonObject], reason: object, counts: ending.Counts
) -> JsonObject:
    """A `response`, as `begun` made it, with its `output`. `reason`: why the answer ends.

    One that a filter cut is complete, since Codex asks again after any other (docs/facts/responses.md#answers); a
    notice in it says so.
    """
    cut = ending.is_cut(reason)
    made = {
        **_whole(response, note),
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
        "output": output,
        "usage": usage(counts),
    }
    return _marked(made) if counts.estimated else made


def failed(
    response: JsonObject,
    note: JsonObject,
    output: list[JsonObject],
    error: JsonObject,
    counts: ending.Counts | None = None,
) -> JsonObject:
    """A `response`, as `begun` made it, that ends with `error`: its `code` and its `message`."""
    used = None if counts is None else usage(counts)
    return {**_whole(response, note), "status": "failed", "error": error, "output": output, "usage": used}


def usage(counts: ending.Counts) -> JsonObject:
    """What an answer used. All fields are there: clients refuse a usage that lacks one (farion1231/cc-switch#6423)."""
    return {
        "input_tokens": counts.prompt,
        "input_tokens_details": {"cached_tokens": counts.cache_read, "cache_write_tokens": counts.cache_written},
        "output_tokens": counts.completion,
        "output_tokens_details": {"reasoning_tokens": counts.reasoning},
        "total_tokens": counts.prompt + counts.completion,
    }


def _echo(note: JsonObject) -> JsonObject:
    echo = note.get("echo")
    return echo if isinstance(echo, dict) else {}


def _whole(response: JsonObject, note: JsonObject) -> JsonObject:
    echo = _echo(note)
    return {**response, **{name: echo.get(name, nothing) for name, nothing in _LARGE.items()}}


def _marked(response: JsonObject) -> JsonObject:
    """`response` with a word in its metadata that its usage is estimated, unless the client's own pairs fill it."""
    metadata = response["metadata"] if isinstance(response["metadata"], dict) else {}
    if _ESTIMATED in metadata or len(metadata) >= _MOST_METADATA:
        return response
    return {**response, "metadata": {**metadata, _ESTIMATED: "estimated by hunyuan-fix: the endpoint didn't count"}}
