"""Parameters: what chat has a word for, and what the answer must know. The house rules fit them to the endpoint.

The table: docs/facts/responses.md#parameters.
"""

from __future__ import annotations

from typing import Final

from ...exchange import JsonObject
from ...rules.fields import escape
from ..base import BadRequest
from ..parameters import object_in, streaming
from ..told import Told

_SAME: Final = (
    *("temperature", "top_p", "user", "prompt_cache_key"),
    *("frequency_penalty", "presence_penalty", "seed", "stop", "thinking", "enable_thinking"),
)
"""Parameters that chat calls the same: those of the Responses API, and those of chat that users put beside them.

`prompt_cache_key` keeps a session at the cache that has its history."""
CHATS: Final = ("max_completion_tokens", "max_tokens", "reasoning_effort", "response_format")
"""Parameters by the names of chat, which users put in the place of the API's own."""
_HERE: Final = frozenset(
    [
        *_SAME,
        *("model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls", "stream", "stream_options"),
        *("max_output_tokens", "reasoning", "text", "include", "previous_response_id", "conversation", "background"),
        *("store", "metadata", "prompt"),
        *CHATS,
    ]
)
"""What is translated, answered or refused."""
_MOST_TOKENS: Final = ("max_output_tokens", "max_completion_tokens", "max_tokens")
"""The names of the limit of an answer: the API's own, then those of chat."""
_SUMMARIES: Final = frozenset(["auto", "concise", "detailed"])
_ENCRYPTED: Final = "reasoning.encrypted_content"
_FORMAT: Final = "answer"
"""The name of a JSON schema that has none, which chat demands."""


def refuse(body: JsonObject) -> None:
    """Raises `BadRequest` for what needs a service that runs or keeps things for its clients."""
    if body.get("background") is True:
        message = "background: answers can't be made in the background here. Leave it out; a stream shows them early."
        raise BadRequest(message, "background")
    if body.get("prompt") is not None:
        message = "prompt: templates are kept by their vendor and can't be read here. Send their text as instructions."
        raise BadRequest(message, "prompt")


def parameters(body: JsonObject, note: JsonObject, told: Told) -> JsonObject:
    """Chat's parameters, but for those of tools. Fills in what `note` says of them. Raises `BadRequest`."""
    # 1. Those that both formats have.
    chat: JsonObject = {key: body[key] for key in _SAME if body.get(key) is not None}
    for key in _MOST_TOKENS:
        if body.get(key) is not None:
            chat.setdefault("max_tokens", body[key])
    chat |= streaming(body)
    note["stream"] = "stream" in chat
    # 2. Reasoning, and how it is answered.
    reasoning = object_in(body, "reasoning")
    _effort(_first(reasoning.get("effort"), body.get("reasoning_effort")), chat, told)
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    include = body.get("include")
    note["reasoning"] = {
        "summary": isinstance(summary, str) and summary in _SUMMARIES,
        "encrypted": isinstance(include, list) and _ENCRYPTED in include,
    }
    # 3. The form of the answer.
    text = object_in(body, "text")
    _format(_first(text.get("format"), body.get("response_format")), chat, told)
    # 4. The rest is for the vendor.
    for key, value in text.items():
        if key != "format" and value is not None:
            told.say(f"/text/{escape(key)}", "an option that chat has no word for is dropped")
    for key, value in body.items():
        if key not in _HERE and value is not None:
            told.say(f"/{escape(key)}", "a parameter that chat has no word for is dropped")
    return chat


def _effort(given: object, chat: JsonObject, told: Told) -> None:
    if given == "none":
        # Chat endpoints turn thinking off by its type, and refuse an effort beside it.
        chat.setdefault("thinking", {"type": "disabled"})
    elif isinstance(given, str):
        chat["reasoning_effort"] = given
    elif given is not None:
        told.say("/reasoning/effort", "an effort that is no word is dropped")


def _format(given: object, chat: JsonObject, told: Told) -> None:
    """`response_format`. The rules say it in words where the endpoint doesn't take it."""
    if given is None:
        return
    if not isinstance(given, dict):
        raise BadRequest('text.format: must be an object, such as {"type": "text"}.', "text.format")
    kind = given.get("type")
    nested = given.get("json_schema")  # as chat has it
    given = nested if isinstance(nested, dict) else given
    schema = given.get("schema")
    if kind == "json_schema" and isinstance(schema, dict):
        name = given.get("name")
        wanted: JsonObject = {"name": name if isinstance(name, str) and name else _FORMAT, "schema": schema}
        wanted |= {key: given[key] for key in ("description", "strict") if given.get(key) is not None}
        chat["response_format"] = {"type": "json_schema", "json_schema": wanted}
    elif kind == "json_object":
        chat["response_format"] = {"type": "json_object"}
    elif kind not in (None, "text"):
        told.say("/text/format", "a format that chat has no word for is dropped")


def _first(own: object, chats: object) -> object:
    """The API's own parameter; where it is absent, what users of chat put beside it."""
    return chats if own is None else own
