"""Tools and items of a Responses request for an endpoint that speaks Responses itself, but not all of it.

1. Tools: a plain function keeps its bytes. Of the others the translation into chat makes functions, or lines of text
   for those that a vendor runs (`tools`).
2. Items: those that the endpoint takes keep their bytes, but for the name of a tool that has another now. Any other
   item is what the translation into chat makes of it (`items`), as an item again.
3. An output without its call is user text: a thread that has one would be refused for ever (openai/codex#42088). Not
   where the request goes on from what the endpoint keeps: the call may be there.
4. Parts of contents that are refused are said in words.
"""

from __future__ import annotations

from typing import Any, Final

from ...exchange import Changes, JsonObject
from ...profiles import Native
from ...rules import files
from ...wire import rule_names
from .. import in_words, refused
from ..base import BadRequest
from ..names import Names
from ..pieces import BLANK_LINE, Piece
from ..told import Told
from . import content, earlier, items, sealing, tools
from .tool_choice import chosen

_RULE: Final = rule_names.RESPONSES_NATIVE
_CALL_OUTPUT: Final = "function_call_output"
_SHELL_OUTPUT: Final = "local_shell_call_output"
_ALONE: Final = {"call_id": None, "tool_call_id": None}
_NULLS: Final = ("status", "namespace", "caller", "logprobs")
"""Fields that may be absent, but not null, by the types of OpenAI's SDK."""
_SEALED: Final = "encrypted_content"


def repaired(body: JsonObject, accepted: Native, note: JsonObject) -> Changes:
    """Change `body`, any JSON object, in place to what `accepted` says; `note["tools"]` gets what leads back.

    What is wrong in itself stays, for the endpoint's own error.
    """
    changes, told = Changes(), Told()
    for path in accepted.refused:
        refused.without(body, path, _RULE, changes)
    if accepted.tools is None or accepted.items is None:
        return changes
    listed = body.get("tools")
    try:
        offered = tools.Offered(body, Names(tools.names_of(body)), told, ())
        kept = _Items(offered, accepted, told, may_answer_earlier=_continues(body))
        given = body.get("input")
        if isinstance(given, list):
            made = [new for place, item in enumerate(given) for new in kept.made(item, f"/input/{place}")]
            if kept.is_changed:
                body["input"] = made
        _choose(body, offered, told)
        _offer(body, accepted, offered, told)
    except BadRequest:
        return changes
    if offered.known:
        note["tools"] = offered.known
    lines = told.lines()
    if body.get("tools") is not listed and not any(pointer.startswith("/tools") for pointer, _ in lines):
        # `defer_loading` of a tool that was found already, a namespace without tools.
        lines.append(["/tools", "the endpoint gets the tools that can be called now"])
    for pointer, why in lines:
        changes.note_at(_RULE, pointer, why)
    return changes


def _continues(body: JsonObject) -> bool:
    """Whether a request goes on from items that the endpoint keeps: an answer, a conversation, or single ones."""
    given = body.get("input")
    listed = given if isinstance(given, list) else []
    kept_items = earlier.references(listed)
    return bool(body.get("previous_response_id") or body.get("conversation") or kept_items)


def shown(body: JsonObject) -> list[Any]:
    """The items of the input as messages, in their places: an output is one, what says nothing is an empty object."""
    given = body.get("input")
    if isinstance(given, str):
        return [{"role": "user", "content": given}]
    return [_shown(item) for item in given] if isinstance(given, list) else []


def _shown(item: Any) -> JsonObject:
    if not isinstance(item, dict):
        return {}
    if "content" in item and item.get("type") in (None, "message"):
        return item
    if isinstance(item.get("output"), str | list):
        return {"role": "tool", "content": item["output"]}
    return {}


def take_back(body: JsonObject, messages: list[Any], *, changed: bool) -> None:
    """Put the messages of `shown` back; with `changed`, parts that steps made get the type of their place."""
    given = body.get("input")
    if isinstance(given, str):
        body["input"] = messages[0]["content"]
        if isinstance(body["input"], list):
            body["input"] = [{"role": "user", "content": body["input"]}]
    for item, message in zip(given if isinstance(given, list) else (), messages, strict=False):
        if "content" not in message:
            continue
        if message is not item:
            item["output"] = message["content"]
        if changed and isinstance(message["content"], list):
            message["content"][:] = [_own_part(part, item) for part in message["content"]]


def _own_part(part: Any, item: JsonObject) -> Any:
    is_chats = isinstance(part, dict) and part.get("type") == "text"
    return {**part, "type": _text_type(item)} if is_chats else part


def _text_type(item: JsonObject) -> str:
    return "output_text" if item.get("role") == "assistant" else "input_text"


class _Items:
    """Goes through the items once."""

    def __init__(
        self, offered: tools.Offered, accepted: Native, told: Told, *, may_answer_earlier: bool = False
    ) -> None:
        """`may_answer_earlier`: outputs may be those of calls that the endpoint keeps."""
        self._offered, self._accepted, self._told = offered, accepted, told
        self._may_answer_earlier = may_answer_earlier
        self._called: set[str] = set()
        """The ids of the calls so far."""
        self.is_changed = False

    def made(self, item: Any, pointer: str) -> list[Any]:
        """What stands in the place of an item: mostly the item itself. Raises `BadRequest`."""
        if not isinstance(item, dict):
            return [item]
        made = self._made(self._without_nulls(item, pointer), pointer)
        self._called.update(str(new["call_id"]) for new in made if new.get("type") == "function_call")
        if len(made) != 1 or made[0] is not item:
            self.is_changed = True
        return made

    def _without_nulls(self, item: JsonObject, pointer: str) -> JsonObject:
        """`item` without the nulls that `model_dump()` of OpenAI's SDK for Python writes for what an item lacks."""
        content = item.get("content")
        parts = content if isinstance(content, list) else ()
        if not any(_has_null(holder) for holder in (item, *parts)):
            return item
        self._told.count(pointer, "a field of an item that is null is dropped")
        item = _filled(item)
        return {**item, "content": [_filled(part) for part in parts]} if parts else item

    def _made(self, item: JsonObject, pointer: str) -> list[JsonObject]:
        given = item.get("type") or ("message" if "role" in item else "")
        kind = given if isinstance(given, str) else ""
        taken = self._accepted.items or frozenset()
        is_output = kind.endswith("_output") or item.get("role") in items.CHATS_OUTPUTS
        if is_output and self._answers(item, kind) not in self._called and not self._is_earlier(item):
            self._told.count(pointer, "an output without its call becomes user text")
            return self._converted({key: value for key, value in item.items() if key != "id"} | _ALONE, pointer)
        if item.get("tool_call_id") and kind == _CALL_OUTPUT:
            self._told.count(pointer, "an output names its call as chat does")
            return self._converted(item, pointer)
        if kind == "message" and (is_output or item.get("tool_calls")):
            self._told.count(pointer, "a message in the shape of chat becomes items")
            return self._converted(item, pointer)
        if kind not in taken:
            self._told.count(pointer, "an item that the endpoint refuses is said in another way")
            return self._converted(item, pointer)
        if kind == "function_call":
            return [self._named(item, pointer)]
        if kind == "reasoning":
            return self._reasoning(item, pointer)
        return [self._with_accepted_parts(item, pointer)]

    def _is_earlier(self, item: JsonObject) -> bool:
        """Whether an output may be that of a call which the endpoint keeps."""
        return self._may_answer_earlier and bool(item.get("call_id") or item.get("tool_call_id"))

    @staticmethod
    def _answers(item: JsonObject, kind: str) -> str:
        """The id of the call that an output is for."""
        own = item.get("id") if kind == _SHELL_OUTPUT else ""
        return str(item.get("call_id") or item.get("tool_call_id") or own)

    def _named(self, item: JsonObject, pointer: str) -> JsonObject:
        """A call by the name that its tool has for the endpoint."""
        name, space = item.get("name"), item.get("namespace")
        if not isinstance(name, str):
            return item
        sent = self._offered.called("function", name, space)
        if sent == name and "namespace" not in item:
            return item
        self._told.count(pointer, "a call names its tool with the namespace before its name")
        return {key: value for key, value in item.items() if key != "namespace"} | {"name": sent}

    def _reasoning(self, item: JsonObject, pointer: str) -> list[JsonObject]:
        """Reasoning of the endpoint's own as it is; what this proxy has sealed is opened."""
        sealed = item.get(_SEALED)
        if not sealing.is_ours(sealed):
            return [item]
        self._told.count(pointer, "reasoning that was sealed here is opened, or dropped where it can't be")
        rest = {key: value for key, value in item.items() if key != _SEALED}
        opened = sealing.opened("reasoning", sealed)
        if opened and not rest.get("content"):
            rest["content"] = [{"type": "reasoning_text", "text": opened}]
        return [rest] if rest.get("content") or rest.get("summary") else []

    def _converted(self, item: JsonObject, pointer: str) -> list[JsonObject]:
        """An item as the translation into chat has it, as items again."""
        walk = items.Walk(self._offered, self._told)
        walk.add(item, pointer)
        if not walk.says_anything:
            return []
        made: list[JsonObject] = []
        for message in walk.end():
            made += _as_items(message)
        return made

    def _with_accepted_parts(self, item: JsonObject, pointer: str) -> JsonObject:
        """`item` with what its contents may not hold said in words."""
        for field in ("content", "output"):
            parts = item.get(field)
            if not isinstance(parts, list) or not any(map(self._is_refused, parts)):
                continue
            reader = content.Reader(self._told)
            made = [
                part
                if not self._is_refused(part)
                else {"type": _text_type(item), "text": _words(reader.pieces_of([part], f"{pointer}/{field}/{place}"))}
                for place, part in enumerate(parts)
            ]
            item = {**item, field: made}
            self._told.count(f"{pointer}/{field}", "a part that the endpoint refuses is said in words")
        return item

    def _is_refused(self, part: Any) -> bool:
        if not isinstance(part, dict):
            return False
        kind = part.get("type")
        is_elsewhere = kind == "input_image" and not part.get("image_url")
        return is_elsewhere or (isinstance(kind, str) and self._accepted.refuses_block(kind))


def _has_null(holder: Any) -> bool:
    return isinstance(holder, dict) and any(holder.get(name, "") is None for name in _NULLS)


def _filled(holder: Any) -> Any:
    if not isinstance(holder, dict):
        return holder
    return {name: value for name, value in holder.items() if value is not None or name not in _NULLS}


def _as_items(message: JsonObject) -> list[JsonObject]:
    """A chat message as items."""
    role, said = message["role"], message.get("content")
    if role == "tool":
        output = said if isinstance(said, str) else _parts(said, "input_text")
        return [{"type": _CALL_OUTPUT, "call_id": message["tool_call_id"], "output": output}]
    made: list[JsonObject] = []
    if said:
        kind = "output_text" if role == "assistant" else "input_text"
        parts = _parts([{"type": "text", "text": said}] if isinstance(said, str) else said, kind)
        made.append({"type": "message", "role": "developer" if role == "system" else role, "content": parts})
    for call in message.get("tool_calls", ()):
        function = call["function"]
        made.append({"type": "function_call", "call_id": call.get("id", "call_none"), **function})
    return made


def _parts(given: Any, text_type: str) -> list[JsonObject]:
    made: list[JsonObject] = []
    for part in given or ():
        if part.get("type") == "image_url":
            made.append({"type": "input_image", "detail": "auto", "image_url": part["image_url"]["url"]})
            made[-1] |= {key: value for key, value in part["image_url"].items() if key == "detail"}
        elif part.get("type") == "text":
            made.append({"type": text_type, "text": part["text"]})
        else:
            made.append({"type": text_type, "text": _in_words(part)})
    return made


def _words(pieces: list[Piece]) -> str:
    return BLANK_LINE.join(piece if isinstance(piece, str) else _in_words(piece) for piece in pieces)


def _in_words(part: JsonObject) -> str:
    """The text of a text file; what else a part says. PDFs were read before (`steps.read_documents`)."""
    text = files.text_of(part)
    return in_words.unknown(part) if text is None else text


# Tools


def _offer(body: JsonObject, accepted: Native, offered: tools.Offered, told: Told) -> None:
    """Put the tools that the endpoint gets into `body`, and what is said of the others behind its instructions."""
    listed = body.get("tools")
    given = listed if isinstance(listed, list) else []
    own = {tool["name"]: tool for tool in given if _is_plain(tool, accepted)}
    made: list[Any] = []
    for function in offered.functions():
        described = function["function"]
        made.append(own.get(described["name"]) or {"type": "function", "strict": False, **described})
    if made != given:
        body["tools"] = made
        told.say("/tools", "the tools are offered as functions, as far as the endpoint takes them")
    if not made and given:
        del body["tools"]
        if body.get("tool_choice") not in (None, "auto", "none"):
            del body["tool_choice"]
    if offered.missing:
        said = body.get("instructions")
        before = [said] if isinstance(said, str) and said else []
        body["instructions"] = BLANK_LINE.join([*before, *offered.missing])


def _is_plain(tool: Any, accepted: Native) -> bool:
    """Whether a tool stays as it is."""
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str) or tool.get("defer_loading"):
        return False
    return tool.get("type") in (accepted.tools or ()) and tool.keys() <= tools.SENT


def _choose(body: JsonObject, offered: tools.Offered, told: Told) -> None:
    """Let `tool_choice` name tools as the endpoint knows them."""
    given = body.get("tool_choice")
    if not isinstance(given, dict):
        return
    if given.get("type") == "allowed_tools" and isinstance(given.get("tools"), list):
        named = [sent for tool in tools.objects_in(given["tools"]) if (sent := chosen(tool, offered)) is not None]
        made: Any = {**given, "tools": [{"type": "function", "name": name} for name in named]} if named else "auto"
    else:
        sent = chosen(given, offered)
        made = "auto" if sent is None else {"type": "function", "name": sent}
    if made != given:
        body["tool_choice"] = made
        told.say("/tool_choice", "the choice names the tool as the endpoint knows it, or none that it doesn't")
