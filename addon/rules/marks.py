"""Marks: in a request that carries a mark of the addon, no other text reads like a mark.

An image, a tool's result or a person may hold `[图片描述结束]` and what follows it, and would end a description or
speak as the system. `addon/texts/marks.py` says what reads like a mark and what becomes of it.

A request that got no mark is left alone, whatever its texts hold: so a body that was repaired before leaves byte for
byte with its marks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..exchange import Change, Changes, JsonObject
from ..texts.marks import defused, defused_json, is_tracked, settled, without_signs
from . import content
from .base import Rule, RuleContext

_CONTAINERS = (dict, list)
_WHY = "what reads like a mark of the proxy's own gets other brackets"


def marks(body: JsonObject, context: RuleContext) -> Changes:
    """Settle the addon's marks; where there are any, defuse what reads like one in every text of the conversation.

    In a call's arguments the brackets become JSON escapes: their value is the same. Ids and names of tools stay. In
    `tools` descriptions alone are defused: all else there is for the model to give back as it is.
    """
    messages = body["messages"]
    contents = [message.get("content") for message in messages]
    if not any(
        is_tracked(given) if isinstance(given, str) else any(map(is_tracked, _texts(given))) for given in contents
    ):
        return Changes()
    changes = Changes()
    for index, message in enumerate(messages):
        for field in _defuse_message(message):
            changes.note("marks", index, _WHY, f"/{field}")
    if "tools" in body and "tools" not in context.keep_params and _defuse_descriptions(body["tools"]):
        changes.append(Change("marks", "/tools", _WHY))
    return changes


RULE = Rule(
    name="marks",
    repairs=(
        "Where the proxy put a mark into the conversation (an image's description, a system message, a tool "
        "result), text that reads like one gets the brackets 〔 〕."
    ),
    why="Text in an image, a tool's result or a message could end a description or speak as the system.",
    apply=marks,
    after=("length",),
)


def _texts(given: object) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, list):
        yield from (part["text"] for part in given if content.is_text(part))


def _defuse_message(message: JsonObject) -> Iterator[str]:
    """The fields of `message` in which something read like a mark, and does no more."""
    given = message.get("content")
    if isinstance(given, str):
        own = is_tracked(given)
        message["content"] = settled([given])[0] if own else defused(given)
        if message["content"] != (without_signs(given) if own else given):
            yield "content"
    elif isinstance(given, list) and _settle_parts(given):
        yield "content"
    for field in ("name", "reasoning_content"):
        given = message.get(field)
        if isinstance(given, str):
            message[field] = defused(given)
            if message[field] != given:
                yield field
    for position, call in enumerate(message.get("tool_calls", ())):
        function = call["function"]
        arguments = defused_json(function["arguments"])
        if arguments != function["arguments"]:
            function["arguments"] = arguments
            yield f"tool_calls/{position}/function/arguments"


def _settle_parts(parts: list[Any]) -> bool:
    """Settle the text parts, those without another part between them as one text. Whether any was defused."""
    changed = False
    run: list[int] = []
    for position in range(len(parts) + 1):
        if position < len(parts) and content.is_text(parts[position]):
            run.append(position)
            continue
        given = [parts[place]["text"] for place in run]
        for place, before, after in zip(run, given, settled(given), strict=True):
            if after != before:
                parts[place] = {**parts[place], "text": after}
                changed = changed or after != without_signs(before)
        run = []
    return changed


def _defuse_descriptions(tools: object) -> bool:
    changed = False
    waiting: list[Any] = [tools] if isinstance(tools, _CONTAINERS) else []
    while waiting:
        value = waiting.pop()
        inside = value
        if isinstance(value, dict):
            described = value.get("description")
            if isinstance(described, str) and (safe := defused(described)) != described:
                value["description"] = safe
                changed = True
            inside = value.values()
        waiting += [inner for inner in inside if isinstance(inner, _CONTAINERS)]
    return changed
