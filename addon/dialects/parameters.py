"""Parameters of requests, read alike in all formats."""

from __future__ import annotations

from typing import Any

from ..exchange import JsonObject
from .base import BadRequest


def object_in(body: JsonObject, key: str) -> dict[str, Any]:
    """The object of a parameter, empty where it is absent or null. Raises `BadRequest` for another type."""
    given = body.get(key)
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise BadRequest(f"{key}: must be an object.", key)
    return given


def streaming(body: JsonObject) -> JsonObject:
    """Chat's parameters for a stream with its usage; none where no stream is asked for. Raises `BadRequest`."""
    given = body.get("stream")
    if not (given is None or isinstance(given, bool)):
        raise BadRequest("stream: must be true or false.", "stream")
    return {"stream": True, "stream_options": {"include_usage": True}} if given else {}
