"""Marks: in a request that carries a mark of the addon, no other text reads like a mark.

An image, a tool's result or a person may hold `[图片描述结束]` and what follows it, and would end a description or
speak as the system. `addon/texts/marks.py` says what reads like a mark and what becomes of it.

A request that got no mark is left alone, whatever its texts hold: so a body that was repaired before leaves byte for
byte with its marks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..exchange import Change, Changes, JsonObject
from ..texts.marks import defused, defused_json, is_tracked, settled
from . import content
from .base import Rule, RuleContext
from .unchanged import Unchanged

_CONTAINERS = (dict, list)
_HARMLESS_TOOLS = Unchanged()
_NAME = "name"
"""The field of a message, beside its content and its reasoning, that holds text."""
_TEXT_TYPES = ("text", "input_text", "output_text")
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
        for field in _defuse_message(message, context.reasoning_name):
            changes.note("marks", index, _WHY, f"/{field}")
    if "tools" in body and "tools" not in context.keep_params and _defuse_descriptions(body["tools"]):
        changes.append(Change("marks", "/tools", _WHY))
    return changes


def settle(messages: list[Any]) -> Changes:
    """As `marks`, in place, for the messages of another format than chat. Only what is said is looked at.

    What a model has called or thought stays: its vendor has signed it.
    """
    if not any(is_tracked(text) for message in messages for run in _runs(message) for text in run.texts):
        return Changes()
    changes = Changes()
    for index, message in enumerate(messages):
        found = False
        for run in _runs(message):
            safe, read_like_one = settled(run.texts)
            found = found or read_like_one
            run.put(safe)
        if found:
            changes.note("marks", index, _WHY, "/content")
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


@dataclass(frozen=True, slots=True)
class _Run:
    """Texts without anything between them: the values under `key` of `holders`."""

    key: str
    holders: list[JsonObject]

    @property
    def texts(self) -> list[str]:
        return [holder[self.key] for holder in self.holders]

    def put(self, texts: list[str]) -> None:
        for holder, text in zip(self.holders, texts, strict=True):
            if text != holder[self.key]:
                holder[self.key] = text


def _runs(message: object, depth: int = 0) -> Iterator[_Run]:
    """The texts of a message, or of a result among its blocks."""
    given = message.get("content") if isinstance(message, dict) else None
    if isinstance(message, dict) and isinstance(given, str):
        yield _Run("content", [message])
    run: list[JsonObject] = []
    for block in given if isinstance(given, list) else ():
        if isinstance(block, dict) and block.get("type") in _TEXT_TYPES and isinstance(block.get("text"), str):
            run.append(block)
            continue
        yield _Run("text", run)
        run = []
        if isinstance(block, dict) and block.get("type") == "tool_result" and depth == 0:
            yield from _runs(block, depth + 1)
    yield _Run("text", run)


def _texts(given: object) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, list):
        yield from (part["text"] for part in given if content.is_text(part))


def _defuse_message(message: JsonObject, reasoning: str) -> list[str]:
    """The fields of `message` in which something read like a mark, and does no more."""
    fields: list[str] = []
    given = message.get("content")
    if isinstance(given, str):
        if is_tracked(given):
            [message["content"]], changed = settled([given])
            if changed:
                fields.append("content")
        elif (safe := defused(given)) is not given:
            message["content"] = safe
            fields.append("content")
    elif isinstance(given, list) and _settle_parts(given):
        fields.append("content")
    for field in (_NAME, reasoning):
        given = message.get(field)
        if isinstance(given, str) and (safe := defused(given)) is not given:
            message[field] = safe
            fields.append(field)
    for position, call in enumerate(message.get("tool_calls", ())):
        function = call["function"]
        arguments = defused_json(function["arguments"])
        if arguments is not function["arguments"]:
            function["arguments"] = arguments
            fields.append(f"tool_calls/{position}/function/arguments")
    return fields


def _settle_parts(parts: list[Any]) -> bool:
    """Settle the text parts, those without another part between them as one text. Whether any was defused."""
    changed = False
    run: list[int] = []
    for position in range(len(parts) + 1):
        if position < len(parts) and content.is_text(parts[position]):
            run.append(position)
            continue
        given = [parts[place]["text"] for place in run]
        safe, read_like_one = settled(given)
        changed = changed or read_like_one
        for place, before, after in zip(run, given, safe, strict=True):
            if after != before:
                parts[place] = {**parts[place], "text": after}
        run = []
    return changed


def _defuse_descriptions(tools: object) -> bool:
    """Whether a description read like a mark, and does no more."""
    key = _HARMLESS_TOOLS.key(tools)
    if key in _HARMLESS_TOOLS:
        return False
    changed = False
    waiting: list[Any] = [tools] if isinstance(tools, _CONTAINERS) else []
    while waiting:
        value = waiting.pop()
        inside = value
        if isinstance(value, dict):
            described = value.get("description")
            if isinstance(described, str) and (safe := defused(described)) is not described:
                value["description"] = safe
                changed = True
            inside = value.values()
        waiting += [inner for inner in inside if isinstance(inner, _CONTAINERS)]
    if not changed:
        _HARMLESS_TOOLS.add(key)
    return changed
