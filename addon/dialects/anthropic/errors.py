"""Errors in Anthropic's shape."""

from __future__ import annotations

from ...exchange import JsonObject, Response


def error(response: Response, note: JsonObject) -> Response:
    """`response` in Anthropic's shape."""
    raise NotImplementedError
