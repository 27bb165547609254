"""A Responses request becomes a chat request: nothing that a client says is lost, and what is reworded is told.

What goes where: docs/facts/responses.md, and the files beside this one. The translation knows no profile: it writes
plain chat, and the house rules make of it what the endpoint accepts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ...counting.body import rough
from ...exchange import JsonObject
from ...wire import json_body
from ..base import BadRequest
from ..names import Names
from ..pieces import BLANK_LINE, as_content
from ..searching import WANTED
from ..told import Told
from . import content, full_window, items, parameters, tool_choice, tools, words
from .api import ResponsesApi

_ECHOED: Final = (
    "instructions",
    "metadata",
    "parallel_tool_calls",
    "temperature",
    "top_p",
    "tool_choice",
    "text",
    "reasoning",
    "truncation",
    "max_output_tokens",
    "previous_response_id",
    "store",
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "service_tier",
    "background",
    "top_logprobs",
    "max_tool_calls",
)
"""Fields of a request that its response repeats."""


def to_chat(body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> JsonObject:
    """The chat request for a Responses request. `body` stays as it is, and its large texts are shared, not copied.

    `note["earlier"]`, the items of earlier turns where the request continues some, is taken out. `note` gets what the
    answer must know: `model` (as the client asked), `client` ("codex" or ""), `stream`, `tools` (name in chat -> the
    client's tool, for all but plain functions of the same name), `echo` (fields that the response repeats), `reasoning`
    (how it is answered), `compact` (the answer is a summary), `can_compact` (the client can, where its history is too
    long), `input_tokens` (an estimate), and `changes` ([pointer, why] for each thing dropped or reworded).

    Raises `BadRequest` where a part has the wrong type, and for what needs a service that keeps or runs it.
    """
    told = Told()
    # 1. The model, and what can't be done here.
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise BadRequest('model: must be a text that names a model, such as "hy3".', "model")
    parameters.refuse(body)
    # 2. The conversation, which may bring tools of its own.
    listed = tools.Offered(body, Names(tools.names_of(body)), told, note.pop("offers", ()))
    walk = items.Walk(listed, told)
    before = "/previous_response_id" if body.get("previous_response_id") else "/conversation"
    earlier: list[Any] = note.pop("earlier", [])
    for item in earlier:
        walk.add(item, before)
    for index, item in enumerate(_input(body, continues=bool(earlier))):
        walk.add(item, f"/input/{index}")
    conversation = walk.end()
    # 3. System text before it: the client's own, then the tools that can't be had.
    system: list[JsonObject] = []
    instructions = body.get("instructions")
    if instructions:
        pieces = content.Reader(told).pieces_of(instructions, "/instructions")
        system.append({"role": "system", "content": as_content(pieces)})
    if listed.missing:
        system.append({"role": "system", "content": BLANK_LINE.join(listed.missing)})
    # 4. Tools and parameters.
    chat: JsonObject = {"model": model, "messages": [*system, *conversation]}
    chat |= parameters.parameters(body, note, told)
    chosen = tool_choice.choice(body, listed, told)
    if chosen.functions:
        chat["tools"] = chosen.functions
    chat |= chosen.parameters
    if walk.is_compacted:
        note["compact"] = True
        chat["messages"].append({"role": "user", "content": words.SUMMARISE})
        chat.pop("response_format", None)
        if chosen.functions:
            chat["tool_choice"] = "none"
    # 5. What the answer must know.
    note["model"] = model
    note["client"] = ResponsesApi().client(headers)
    note["can_compact"] = full_window.can_compact(body, headers)
    note["tools"] = listed.known
    if listed.search is not None:
        note[WANTED] = listed.search
    note["echo"] = _echo(body, note["client"])
    note["input_tokens"] = rough(chat)
    note["changes"] = told.lines()
    return chat


def _input(body: JsonObject, *, continues: bool) -> list[Any]:
    """The items of the request itself: there may be none where it `continues` others. Raises `BadRequest`."""
    given = body.get("input")
    if given is None and continues:
        return []
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    if isinstance(given, dict):
        return [given]
    if not isinstance(given, list):
        message = "input: must be a text or a list of items."
        if "messages" in body:
            message = (
                "input: must be a text or a list of items. A body with `messages` belongs to /v1/chat/completions."
            )
        raise BadRequest(message, "input")
    if not given and not continues:
        message = 'input: must have at least one item, such as {"role": "user", "content": "…"}.'
        raise BadRequest(message, "input")
    return given


def _echo(body: JsonObject, client: str) -> JsonObject:
    echo = {name: body[name] for name in _ECHOED if body.get(name) is not None}
    if conversation := body.get("conversation"):
        echo["conversation"] = {"id": conversation} if isinstance(conversation, str) else conversation
    # Not for Codex, which reads none of it: its tools are most of each request. The rules work on schemas in place.
    listed = body.get("tools")
    echo["tools"] = json_body.parse(json_body.serialise(listed)) if listed and client != "codex" else []
    return echo
