"""The request half: filled in by the branch that owns it."""

from __future__ import annotations

from collections.abc import Mapping

from ...exchange import JsonObject


def to_chat(body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
    """The request as a chat request."""
    raise NotImplementedError
