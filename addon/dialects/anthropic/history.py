"""Messages: each of Anthropic's becomes chat messages of its own, so that a longer history begins with the same ones.

Where the pieces of a message go (docs/facts/anthropic.md#messages):

1. An assistant's text, thinking and calls are one message. Its text blocks are one text without anything between them:
   an answer is cut into blocks at citations and around thinking, in the middle of a sentence.
2. Results come first, as tool messages, in the order of the calls that they answer: clients send parallel ones as they
   end. The user's text and images come after them.
3. A system message inside the list is user text where it stands, marked as Claude Code itself marks it when an endpoint
   refuses the role. One that stands before everything else stays what it is. None stands between a call and its result.

What is lost, doubled or late is paired by the house rules (`rules.pairing`), neighbours are joined by `rules.merge`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ...exchange import JsonObject
from ...rules import arguments, ids
from ...wire import json_body
from .. import in_words
from ..base import BadRequest
from ..names import Names
from ..pieces import BLANK_LINE, Piece, as_content
from ..told import Told
from . import content, thinking, words

_ROLES: Final = {"user": "user", "assistant": "assistant", "system": "system", "developer": "system"}
_FAILED: Final = "Error: "
_SAYS_SO: Final = ("error", "<tool_use_error>")
"""How a result of a call that failed begins where it says so itself, in lower case."""


@dataclass(slots=True)
class History:
    """The chat messages, and what they say of tools: `tools` needs it."""

    messages: list[JsonObject] = field(default_factory=list)
    mentioned: dict[str, None] = field(default_factory=dict)
    """The client's names of the tools that were found or called, in the order of their first time."""
    added: list[JsonObject] = field(default_factory=list)
    """The tools that a `tool_addition` defined."""
    removed: set[str] = field(default_factory=set)
    """The names of the tools that a `tool_removal` named last."""


def converted(given: object, names: Names, told: Told) -> History:
    """The messages of a request. Raises `BadRequest` for an empty list, and for an entry that isn't a message."""
    if not isinstance(given, list) or not given:
        message = 'messages: must be a list with at least one message, such as {"role": "user", "content": "…"}.'
        raise BadRequest(message, "messages")
    walk = _Walk(names, told)
    for index, message in enumerate(given):
        walk.add(message, f"/messages/{index}")
    return walk.end()


class _Walk:
    """Goes through the messages once."""

    def __init__(self, names: Names, told: Told) -> None:
        self._names, self._told = names, told
        self._reader = content.Reader(names, told)
        self._history = History()
        self._leading = True
        self._places: dict[str, int] = {}
        """Id of each call of the last turn of the assistant -> its place among them."""
        self._open = False
        """The last message has calls, and no result has come."""
        self._held: list[JsonObject] = []
        """System texts that wait for the results which must come before them."""

    def add(self, given: Any, pointer: str) -> None:
        """Take the next message. Raises `BadRequest`."""
        role, said = _role_and_content(given, pointer)
        if len(given) > 1 + ("content" in given):
            self._told.count(pointer, "fields of a message other than role and content are dropped")
        blocks = content.blocks(said, f"{pointer}/content")
        if role == "assistant":
            self._assistant(blocks, pointer)
        elif role == "system":
            self._system(*self._pieces_and_results(blocks, pointer), pointer)
        else:
            self._user(*self._pieces_and_results(blocks, pointer))

    def end(self) -> History:
        """All messages."""
        self._release()
        if not self._history.messages:  # empty system texts alone
            self._history.messages.append({"role": "user", "content": ""})
        return self._history

    def _assistant(self, blocks: list[JsonObject], pointer: str) -> None:
        self._release()
        if not self._open:
            self._places = {}
        pieces: list[Piece] = []
        reasoning: list[str] = []
        calls: list[JsonObject] = []
        results: list[JsonObject] = []
        texts: list[str] = []  # blocks of text that stand together
        for position, block in enumerate(blocks):
            kind, text = block.get("type"), block.get("text")
            if kind == "text" and isinstance(text, str) and len(block) == 2:  # as most are
                texts.append(text)
                continue
            place = f"{pointer}/content/{position}"
            if kind == "text" and isinstance(text, str):
                self._reader.pieces(block, place)
                texts.append(text)
                continue
            if kind == "thinking":
                thought = thinking.reasoning_of(block, place, self._told)
                if thought is not None:
                    reasoning.append(thought)
                continue
            if kind == "redacted_thinking":
                self._reader.pieces(block, place)
                continue
            pieces += filter(None, ["".join(texts)])
            texts = []
            if kind == "tool_use" and isinstance(block.get("name"), str):
                calls.append(self._call(block, place))
            elif kind == "tool_result":
                results.append(self._result(block, place))
            else:
                pieces += self._piece(block, place)
        pieces += filter(None, ["".join(texts)])
        message: JsonObject = {"role": "assistant", "content": as_content(pieces)}
        if reasoning:
            message["reasoning_content"] = "".join(reasoning)
        if calls:
            message["content"] = message["content"] or None
            message["tool_calls"] = calls
            self._open = True
        self._leading = False
        self._history.messages += [message, *results]

    def _user(self, pieces: list[Piece], results: list[JsonObject]) -> None:
        self._leading = False
        if results:
            self._answer(results)
        self._release()
        if pieces or not results:
            self._history.messages.append({"role": "user", "content": as_content(pieces)})
        self._open = False

    def _system(self, pieces: list[Piece], results: list[JsonObject], pointer: str) -> None:
        if results:
            self._leading = False
            self._answer(results)
        if not pieces:
            return
        if self._leading:
            self._history.messages.append({"role": "system", "content": as_content(pieces)})
            return
        self._told.count(pointer, "a system message inside the list is user text where it stands")
        reminder = {"role": "user", "content": _reminder(pieces)}
        if self._open:
            self._held.append(reminder)
        else:
            self._history.messages.append(reminder)

    def _answer(self, results: list[JsonObject]) -> None:
        """Tool messages, in the order of the calls; those of no call of the last turn come last."""
        places, last = self._places, len(self._places)
        self._history.messages += sorted(results, key=lambda result: places.get(result.get("tool_call_id", ""), last))
        self._open = False
        self._release()

    def _release(self) -> None:
        self._history.messages += self._held
        self._held = []

    def _pieces_and_results(self, blocks: list[JsonObject], pointer: str) -> tuple[list[Piece], list[JsonObject]]:
        """What a message that isn't an assistant's says, and the results in it."""
        pieces: list[Piece] = []
        results: list[JsonObject] = []
        for position, block in enumerate(blocks):
            place = f"{pointer}/content/{position}"
            if block.get("type") == "tool_result":
                results.append(self._result(block, place))
            else:
                pieces += self._piece(block, place)
        return pieces, results

    def _piece(self, block: JsonObject, pointer: str) -> list[Piece]:
        """What a block says, once it is known what it says of tools."""
        kind = content.kind_of(block)
        if kind != "text":
            self._look_for_tools(block, kind)
        return self._reader.pieces(block, pointer)

    def _call(self, block: JsonObject, pointer: str) -> JsonObject:
        self._reader.drop_cache_control(block, pointer)
        asked, given, call_id = block["name"], block.get("input"), block.get("id")
        self._history.mentioned.setdefault(asked)
        written = json_body.serialise(given).decode() if isinstance(given, dict) else arguments.as_object(given)
        call: JsonObject = {"type": "function", "function": {"name": self._names.sent(asked), "arguments": written}}
        if call_id is not None:
            call["id"] = written_id = ids.as_text(call_id)
            self._places.setdefault(written_id, len(self._places))
        return call

    def _result(self, block: JsonObject, pointer: str) -> JsonObject:
        """A tool message. Its images stay in it until the cascade or the rule `media` has seen them."""
        self._reader.drop_cache_control(block, pointer)
        given, call_id = block.get("content"), block.get("tool_use_id")
        pieces: list[Piece] = []
        if isinstance(given, str):
            pieces = [given] if given else []
        elif isinstance(given, list | dict):
            for position, inner in enumerate(content.blocks(given, f"{pointer}/content")):
                pieces += self._piece(inner, f"{pointer}/content/{position}")
        elif given is not None:
            pieces = [in_words.as_json(given)]
        if block.get("is_error") is True:
            self._told.count(pointer, "is_error becomes a word at the beginning of the result")
            pieces = _failed(pieces)
        message: JsonObject = {"role": "tool", "content": as_content(pieces)}
        if call_id is not None:
            message["tool_call_id"] = ids.as_text(call_id)
        return message

    def _look_for_tools(self, block: JsonObject, kind: str) -> None:
        """Keep what a block says of tools: found, added or removed."""
        history = self._history
        found: list[str] = []
        if kind in ("tool_reference", "tool_addition"):
            found = [content.named_tool(block)]
            tool = content.added_tool(block)
            if tool is not None and found != [""]:
                history.added.append(tool)
        elif kind == "tool_removal":
            history.removed.add(content.named_tool(block))
        elif kind == "compaction" and isinstance(block.get("tool_changes"), list):
            for change in block["tool_changes"]:
                if isinstance(change, dict) and content.kind_of(change) in ("tool_addition", "tool_removal"):
                    self._look_for_tools(change, content.kind_of(change))
        elif kind.endswith("_tool_result") and isinstance(block.get("content"), dict):
            references = block["content"].get("tool_references")
            found = [words.tool_name(item) for item in references] if isinstance(references, list) else []
        history.mentioned |= dict.fromkeys(filter(None, found))
        history.removed.difference_update(found)


def _role_and_content(given: object, pointer: str) -> tuple[str, object]:
    if not isinstance(given, dict):
        where = content.dotted(pointer)
        raise BadRequest(f"{where}: must be a message, an object with role and content.", where)
    role = given.get("role")
    if not isinstance(role, str) or role not in _ROLES:
        where = content.dotted(f"{pointer}/role")
        raise BadRequest(f'{where}: must be "user" or "assistant"; "system" is taken, too.', where)
    if "content" not in given and _ROLES[role] != "system":  # which may only set what is for its vendor
        where = content.dotted(f"{pointer}/content")
        raise BadRequest(f"{where}: is missing; a message needs a text or a list of content blocks.", where)
    return _ROLES[role], given.get("content")


def _reminder(pieces: list[Piece]) -> str | list[JsonObject]:
    text = BLANK_LINE.join(piece for piece in pieces if isinstance(piece, str))
    marked = in_words.reminder(text)
    others = [piece for piece in pieces if not isinstance(piece, str)]
    return as_content([*([marked] if marked else []), *others])


def _failed(pieces: list[Piece]) -> list[Piece]:
    first = pieces[0] if pieces else None
    if not isinstance(first, str):
        return [_FAILED.strip(), *pieces]
    if first[:40].lstrip().lower().startswith(_SAYS_SO):
        return pieces
    return [_FAILED + first, *pieces[1:]]
