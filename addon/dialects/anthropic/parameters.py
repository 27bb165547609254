"""Parameters: what chat has a word for, and what the answer must know. The house rules fit them to the endpoint.

The table: docs/facts/anthropic.md#parameters.
"""

from __future__ import annotations

from typing import Final

from ...exchange import JsonObject
from ...rules.fields import escape
from ..base import BadRequest
from ..parameters import object_in, streaming
from ..told import Told

_SAME: Final = ("max_tokens", "temperature", "top_p", "top_k")
"""Parameters that chat calls the same."""
_ELSEWHERE: Final = frozenset(["model", "messages", "system", "tools", "tool_choice", "mcp_servers"])
"""What other files translate."""
_HERE: Final = frozenset(["stop_sequences", "stream", "metadata", "thinking", "output_config", "output_format"])
_THINKING: Final = {
    "enabled": "enabled",
    "adaptive": "adaptive",
    "disabled": "disabled",
    "between_tools": "enabled",
}
"""`thinking.type` -> chat's."""
_ANSWER: Final = "answer"
"""The name of a JSON schema, which chat demands and Anthropic's format lacks."""


def parameters(body: JsonObject, note: JsonObject, told: Told) -> JsonObject:
    """Chat's parameters, but for those of tools. Fills in what `note` says of them. Raises `BadRequest`."""
    # 1. Those that both formats have.
    chat: JsonObject = {key: body[key] for key in _SAME if body.get(key) is not None}
    stop = _stop_sequences(body)
    if stop:
        chat["stop"] = stop
    note["stop_sequences"] = stop
    chat |= streaming(body)
    note["stream"] = "stream" in chat
    # 2. The user. It is one for all conversations of a device, so it is no cache key.
    metadata = object_in(body, "metadata")
    if isinstance(metadata.get("user_id"), str):
        chat["user"] = metadata["user_id"]
    # 3. Thinking, and how much.
    output = object_in(body, "output_config")
    asked = _thinking(object_in(body, "thinking"), chat, note, told)
    _effort(output.get("effort"), asked, chat, told)
    # 4. The form of the answer.
    _format(body, output, chat, told)
    # 5. The rest is for the vendor.
    for key in output:
        if key not in ("effort", "format"):
            told.say(f"/output_config/{escape(key)}", "an option that chat has no word for is dropped")
    for key, value in body.items():
        if key not in _ELSEWHERE and key not in _HERE and key not in _SAME and value is not None:
            told.say(f"/{escape(key)}", "a parameter that chat has no word for is dropped")
    return chat


def _stop_sequences(body: JsonObject) -> list[str]:
    given = body.get("stop_sequences")
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(text, str) for text in given):
        raise BadRequest("stop_sequences: must be a list of texts.", "stop_sequences")
    return [text for text in given if text]


def _thinking(given: JsonObject, chat: JsonObject, note: JsonObject, told: Told) -> str:
    """The chat type of thinking that is asked for; "" where none is."""
    kind = given.get("type")
    asked = _THINKING.get(kind, "") if isinstance(kind, str) else ""
    note["thinking"] = "off"
    if asked:
        chat["thinking"] = {"type": asked}
        if asked != "disabled":
            note["thinking"] = "omitted" if given.get("display") == "omitted" else "shown"
    elif given:
        told.say("/thinking", "a kind of thinking that chat has no word for is dropped")
    if asked and asked != kind:
        told.say("/thinking/type", f"{kind} is {asked} in chat")
    if asked and given.get("budget_tokens") is not None:
        told.say("/thinking/budget_tokens", "a budget for thinking is dropped: chat has none")
    return asked


def _effort(given: object, asked: str, chat: JsonObject, told: Told) -> None:
    """`reasoning_effort`, unless thinking is off: endpoints refuse the one without the other."""
    if given is None:
        return
    if not isinstance(given, str):
        told.say("/output_config/effort", "an effort that is no word is dropped")
    elif asked == "disabled":
        told.say("/output_config/effort", "an effort without thinking is dropped: in chat it is that of thinking")
    else:
        chat["reasoning_effort"] = given


def _format(body: JsonObject, output: JsonObject, chat: JsonObject, told: Told) -> None:
    """`response_format` for a JSON schema. The rules say it in words where the endpoint doesn't take it."""
    key, given = "output_format", body.get("output_format")  # as it was called in the beta
    if output.get("format") is not None:
        key, given = "output_config.format", output["format"]
    if given is None:
        return
    pointer = "/" + key.replace(".", "/")
    if not isinstance(given, dict):
        raise BadRequest(f'{key}: must be an object, such as {{"type": "json_schema", "schema": {{…}}}}.', key)
    schema = given.get("schema")
    if given.get("type") != "json_schema" or not isinstance(schema, dict):
        told.say(pointer, "a format that chat has no word for is dropped")
        return
    chat["response_format"] = {
        "type": "json_schema",
        "json_schema": {"name": _ANSWER, "schema": schema, "strict": True},
    }
