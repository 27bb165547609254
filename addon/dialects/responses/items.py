"""The items of a conversation become chat messages, in their order, so that a longer one begins with the same ones.

Where items go (docs/facts/responses.md#items):

1. What the assistant does without an output or anything else between (reasoning, messages, calls) is one message, as it
   was one answer: chat wants all calls of a turn in one (router-for-me/CLIProxyAPI#3152).
2. An output is a tool message. One without the id of its call is user text: a thread that has one would be refused for
   ever (openai/codex#42088).
3. Developer and system messages stay where they stand; the house rules fit them to the endpoint.
4. Reasoning belongs to what the assistant says or calls next, whatever stands between that isn't the user's. Where
   nothing comes before the user's next message, it joins the turn whose outputs it followed.
5. Items that bring tools give them to `tools`. They are no messages (farion1231/cc-switch#7454).

What is lost, doubled or late is paired by the house rules (`rules.pairing`), neighbours are joined by `rules.merge`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from ...exchange import JsonObject
from ...rules import arguments, ids
from ...wire import json_body
from .. import in_words
from ..base import BadRequest
from ..pieces import BLANK_LINE, Piece, as_content
from ..told import Told
from . import calls, content, sealing, words
from .tools import Offered

CHATS_OUTPUTS: Final = ("tool", "function")
"""Roles of messages that are outputs in chat."""
_ROLES: Final = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}


@dataclass(slots=True)
class _Turn:
    """What the assistant does without anything between."""

    pieces: list[Piece] = field(default_factory=list)
    reasoning: list[str] = field(default_factory=list)
    calls: list[JsonObject] = field(default_factory=list)


class Walk:
    """Goes through the items once."""

    def __init__(self, offered: Offered, told: Told) -> None:
        self._offered, self._told = offered, told
        self._reader = content.Reader(told)
        self._messages: list[JsonObject] = []
        self._turn = _Turn()
        self._answered: JsonObject | None = None
        """The assistant's message whose outputs are the last messages."""
        self.is_compacted = False
        """The client asks for a summary in the place of an answer."""

    def add(self, item: Any, pointer: str) -> None:
        """Take the next item; `pointer` is where it stands. Raises `BadRequest`."""
        if isinstance(item, str):
            item = {"role": "user", "content": item}
        if not isinstance(item, dict):
            where = content.place(pointer)
            raise BadRequest(f'{where}: must be an item, an object such as {{"role": "user", "content": "…"}}.', where)
        kind = item.get("type") or ("message" if "role" in item else None)
        read = _READ.get(kind, Walk._other) if isinstance(kind, str) else Walk._other
        read(self, item, pointer)

    @property
    def says_anything(self) -> bool:
        """Whether an item so far has said, called or answered something."""
        turn = self._turn
        return bool(self._messages or turn.pieces or turn.calls or turn.reasoning)

    def end(self) -> list[JsonObject]:
        """All messages."""
        self._end_turn()
        self._settle()
        if not self._messages:
            self._messages.append({"role": "user", "content": ""})
        return self._messages

    # What the assistant does

    def _reasoning(self, item: JsonObject, pointer: str) -> None:
        text = self._thought(item, pointer)
        if text:
            self._turn.reasoning.append(text)

    def _thought(self, item: JsonObject, pointer: str) -> str:
        """The text of a reasoning item: in clear, sealed here, or else its summary."""
        clear = _joined(item.get("content"), "")
        if clear:
            return clear
        sealed = item.get("encrypted_content")
        opened = sealing.opened("reasoning", sealed) if sealed else None
        if opened is not None:
            return opened
        if sealed:
            self._told.count(pointer, "reasoning that only its vendor can read is dropped")
        return _joined(item.get("summary"), BLANK_LINE)

    def _function_call(self, item: JsonObject, pointer: str) -> None:
        self._call(item, "function", arguments.as_object(item.get("arguments")), pointer)

    def _custom_call(self, item: JsonObject, pointer: str) -> None:
        given = item.get("input")
        text = given if isinstance(given, str) else "" if given is None else in_words.as_json(given)
        self._call(item, "custom", json_body.serialise({calls.INPUT: text}).decode(), pointer)

    def _call(self, item: JsonObject, kind: str, written: str, pointer: str) -> None:
        name = item.get("name")
        if name is None or name == "":
            # A client that was given such a call once sends it with each request from then on.
            self._told.count(pointer, "a call that names no tool is said in words")
            self._turn.pieces.append(words.server_item(item))
            return
        if not isinstance(name, str):
            where = content.place(f"{pointer}/name")
            raise BadRequest(f"{where}: must be a text that names the tool.", where)
        # Some clients write the id of the call where the API has that of the item.
        id = item.get("call_id") or item.get("id")
        self._add_call(id, self._offered.called(kind, name, item.get("namespace")), written)

    def _built_in(self, item: JsonObject, pointer: str) -> None:
        """A call of a tool that the vendor's models know by its type alone."""
        tool, key = _BUILT_IN[item["type"]]
        id = item.get("call_id") or (item.get("id") if tool == "local_shell" else None)
        given = item.get(key)
        if tool == "tool_search" and item.get("execution") == "server" and not id:
            self._server_item(item, pointer)
            return
        if tool == "local_shell" and isinstance(given, dict):
            given = {name: value for name, value in given.items() if name != "type"}
        self._add_call(id, self._offered.called(tool, tool, None), arguments.as_object(given))

    def _add_call(self, id: object, name: str, written: str) -> None:
        call: JsonObject = {"type": "function", "function": {"name": name, "arguments": written}}
        if id is not None:
            call["id"] = ids.as_text(id)
        self._turn.calls.append(call)

    def _server_item(self, item: JsonObject, pointer: str) -> None:
        self._told.count(pointer, "what its vendor ran is said in words")
        self._turn.pieces.append(words.server_item(item))

    def _end_turn(self) -> None:
        """Make what the assistant has said and called a message. Reasoning without any of it waits for more."""
        turn = self._turn
        if not (turn.pieces or turn.calls):
            return
        self._turn = _Turn()
        message: JsonObject = {"role": "assistant", "content": as_content(turn.pieces)}
        if turn.reasoning:
            message["reasoning_content"] = "".join(turn.reasoning)
        if turn.calls:
            message["content"] = message["content"] or None
            message["tool_calls"] = turn.calls
        self._answered = message
        self._messages.append(message)

    def _settle(self) -> None:
        """Find a place for reasoning after which the assistant neither said nor called anything."""
        reasoning, self._turn.reasoning = "".join(self._turn.reasoning), []
        if not reasoning:
            return
        if self._answered is None:
            self._told.count("/input", "reasoning that no answer followed is dropped")
            return
        self._answered["reasoning_content"] = self._answered.get("reasoning_content", "") + reasoning

    # What others say

    def _message(self, item: JsonObject, pointer: str) -> None:
        role = item.get("role")
        if role in CHATS_OUTPUTS:
            self._output(item, pointer, item.get("tool_call_id"), self._said_in(item, pointer))
            return
        if not isinstance(role, str) or role not in _ROLES:
            where = content.place(f"{pointer}/role")
            raise BadRequest(f'{where}: must be "user", "assistant", "developer" or "system".', where)
        if item.get("phase"):
            self._told.count(pointer, "the phase of a message is dropped: chat has none")
        pieces = self._said_in(item, pointer)
        if role != "assistant":
            self._say(_ROLES[role], pieces)
        elif len(pieces) > 1 and all(isinstance(piece, str) for piece in pieces):
            # Parts of one answer, cut at citations, perhaps in the middle of a sentence.
            self._turn.pieces.append("".join(map(str, pieces)))
        else:
            self._turn.pieces += pieces
        if item.get("tool_calls"):
            self._chats_calls(item["tool_calls"], f"{pointer}/tool_calls")

    def _said_in(self, item: JsonObject, pointer: str) -> list[Piece]:
        return self._reader.pieces_of(item.get("content"), f"{pointer}/content")

    def _chats_calls(self, listed: object, pointer: str) -> None:
        """The calls of an assistant message in the shape of chat, as bridges between the two formats mix them."""
        for index, call in enumerate(listed if isinstance(listed, list) else ()):
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict):
                where = content.place(f"{pointer}/{index}")
                raise BadRequest(f"{where}: must be a call, an object with a function.", where)
            self._function_call({**function, "call_id": call.get("id")}, f"{pointer}/{index}")

    def _say(self, role: str, pieces: list[Piece]) -> None:
        self._end_turn()
        if role == "user":
            self._settle()
            self._answered = None
        if pieces or role != "system":
            self._messages.append({"role": role, "content": as_content(pieces)})

    def _any_output(self, item: JsonObject, pointer: str) -> None:
        id = item.get("call_id") or item.get("tool_call_id")
        if not id and item["type"] == "local_shell_call_output":
            id = item.get("id")
        self._output(item, pointer, id, self._reader.pieces_of(_said(item.get("output")), f"{pointer}/output"))

    def _shell_output(self, item: JsonObject, pointer: str) -> None:
        given = item.get("output")
        text = words.shell_output(given if isinstance(given, list) else [given])
        self._output(item, pointer, item.get("call_id"), [text] if text else [])

    def _patch_output(self, item: JsonObject, pointer: str) -> None:
        said = item.get("output") or item.get("status")
        self._output(item, pointer, item.get("call_id"), self._reader.pieces_of(_said(said), f"{pointer}/output"))

    def _screenshot(self, item: JsonObject, pointer: str) -> None:
        seen = self._reader.pieces_of(_said(item.get("output")), f"{pointer}/output")
        self._say("user", [words.uncalled("the computer"), *seen])

    def _approval(self, item: JsonObject, pointer: str) -> None:
        self._say("user", [words.approval(item)])

    def _trigger(self, item: JsonObject, pointer: str) -> None:
        self.is_compacted = True

    def _silent(self, item: JsonObject, pointer: str) -> None:
        self._told.count(pointer, "an item that no model is shown is dropped")

    def _output(self, item: JsonObject, pointer: str, id: object, pieces: list[Piece]) -> None:
        if not id:
            self._told.count(pointer, "an output without the id of its call becomes user text")
            self._say("user", [words.uncalled(item.get("name")), *pieces])
            return
        self._end_turn()
        message = {"role": "tool", "content": as_content(pieces), "tool_call_id": ids.as_text(id)}
        self._messages.append(message)

    def _found(self, item: JsonObject, pointer: str) -> None:
        """The tools that a search found are offered from here on."""
        names, missing = self._offered.add_later(item.get("tools"), f"{pointer}/tools")
        text = "\n".join([words.found(names), *missing])
        if item.get("call_id"):
            self._output(item, pointer, item["call_id"], [text])
        else:
            self._turn.pieces.append(f"[{text}]")

    def _more_tools(self, item: JsonObject, pointer: str) -> None:
        _, missing = self._offered.add_later(item.get("tools"), f"{pointer}/tools")
        if missing:
            self._say("system", [BLANK_LINE.join(missing)])

    def _summary(self, item: JsonObject, pointer: str) -> None:
        opened = sealing.opened("compaction", item.get("encrypted_content"))
        if opened is None:
            self._told.count(pointer, "a summary that only its vendor can read is dropped: the conversation says so")
        self._say("user", [words.unreadable_summary() if opened is None else words.summary(opened)])

    def _other(self, item: JsonObject, pointer: str) -> None:
        """An item that is of no use here, or of a type that isn't known."""
        id = item.get("id")
        if item.get("type") in (None, "item_reference") and isinstance(id, str):
            where = content.place(f"{pointer}/id")
            raise BadRequest(f"{where}: names an item that isn't kept here. Send the item itself.", where)
        if not item.keys() - {"type", "id", "status"}:
            self._told.count(pointer, "an item without content is dropped")
            return
        if str(item.get("type")).endswith("_call") and "role" not in item:
            self._server_item(item, pointer)
            return
        self._told.count(pointer, "an item that chat has no message for is said in words")
        said = {key: value for key, value in item.items() if key not in ("id", "status", "role")}
        pieces: list[Piece] = []
        if isinstance(said.get("content"), list):
            pieces = self._reader.pieces_of(_said(said.pop("content")), f"{pointer}/content")
        if not pieces or said.keys() - {"type"}:
            pieces.insert(0, in_words.unknown(said))
        if item.get("role") == "assistant":
            self._turn.pieces += pieces
        else:
            self._say("user", pieces)


_BUILT_IN: Final = {
    "tool_search_call": ("tool_search", "arguments"),
    "local_shell_call": ("local_shell", "action"),
    "shell_call": ("shell", "action"),
    "apply_patch_call": ("apply_patch", "operation"),
}
"""Type of an item that calls a built-in tool -> the tool's kind, and the field with what it gets."""

_READ: Final[dict[str, Callable[[Walk, JsonObject, str], None]]] = {
    "message": Walk._message,
    "reasoning": Walk._reasoning,
    "function_call": Walk._function_call,
    "custom_tool_call": Walk._custom_call,
    **dict.fromkeys(_BUILT_IN, Walk._built_in),
    "function_call_output": Walk._any_output,
    "custom_tool_call_output": Walk._any_output,
    "local_shell_call_output": Walk._any_output,
    "mcp_tool_call_output": Walk._any_output,
    "shell_call_output": Walk._shell_output,
    "apply_patch_call_output": Walk._patch_output,
    "computer_call_output": Walk._screenshot,
    "tool_search_output": Walk._found,
    "additional_tools": Walk._more_tools,
    "compaction": Walk._summary,
    "compaction_summary": Walk._summary,
    "context_compaction": Walk._summary,
    "compaction_trigger": Walk._trigger,
    "mcp_approval_response": Walk._approval,
    # What a vendor did, or would have asked its client to: the assistant says so in words.
    "web_search_call": Walk._server_item,
    "file_search_call": Walk._server_item,
    "code_interpreter_call": Walk._server_item,
    "image_generation_call": Walk._server_item,
    "computer_call": Walk._server_item,
    "mcp_call": Walk._server_item,
    "mcp_approval_request": Walk._server_item,
    "program": Walk._server_item,
    "program_output": Walk._server_item,
    "mcp_list_tools": Walk._silent,
    "configuration_update": Walk._silent,
    "ghost_snapshot": Walk._silent,
}
"""Type of an item -> how it is read."""


def _said(given: object) -> object:
    """An output as content; one that is no content as JSON."""
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, list) and all(isinstance(part, dict | str) for part in given):
        return given
    if isinstance(given, dict) and isinstance(given.get("type"), str):
        return given
    return in_words.as_json(given)


def _joined(parts: object, between: str) -> str:
    """The texts of a list of parts; of a text, that."""
    if isinstance(parts, str):
        return parts
    listed = parts if isinstance(parts, list) else []
    texts = (part.get("text") if isinstance(part, dict) else part for part in listed)
    return between.join(text for text in texts if isinstance(text, str) and text)
