"""Tools: names that the endpoint takes, the deprecated `functions`, and the shape of what is offered.

Sources: SDK ToolFunction.Name (a-z A-Z 0-9 _ -; anything else is a 400), OpenAI's API reference (a name has at most 64
characters), SDK Tool.Type (only "function"), compat page 1729/111007 (`function.parameters` is an object; `schemas.py`
sees to that). `strict` is undocumented and was seen refused.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any, TypeGuard

from ..exchange import Change, Changes, JsonObject
from ..wire import json_body
from . import schemas
from .context import RuleContext
from .fields import escape
from .roles import role_of

_LONGEST_NAME = 64
_ACCEPTED_NAME = re.compile(rf"[A-Za-z0-9_-]{{1,{_LONGEST_NAME}}}")
_REFUSED_CHARACTERS = re.compile(r"[^A-Za-z0-9_-]+")
_HASH_LENGTH = 8
_NAMING_FIELDS = frozenset(["tool_calls", "function_call", "name"])
"""The fields of a message that name a tool or hold what does."""

type _Path = tuple[str | int, ...]
"""Where an object is in the body, as the steps of a JSON Pointer: few places are ever written of."""
type _Place = tuple[JsonObject, _Path, bool]
"""An object with a `name`, where it is, and whether it must have one."""


def tool_names(body: JsonObject, context: RuleContext) -> Changes:
    """Rename tools whose name the endpoint refuses, everywhere in the body alike; runs before every other rule.

    A new name is made of the old one alone (what is readable of it and a hash), so that a history keeps its
    bytes whatever else is offered; only a collision lengthens the hash. `context.plan.tool_names` says how the
    answer is named back.
    """
    changes = Changes()
    if not context.keep_params.isdisjoint({"tools", "functions"}):
        return changes
    owners: dict[str, str] = {}
    refused: list[_Place] = []
    for place in _places(body):
        name = place[0].get("name")
        if _is_accepted(name):
            owners[name] = name
        else:
            refused.append(place)
    for holder, path, required in refused:
        given = holder.get("name")
        if not (required or (isinstance(given, str) and given)):
            continue
        old = given if isinstance(given, str) else ""
        new = _new_name(old, owners)
        holder["name"] = new
        if isinstance(given, str):
            context.plan.tool_names[new] = old
        pointer = "".join(f"/{step}" for step in (*path, "name"))
        changes.note_at("tool-names", pointer, f"{_why_refused(old)}: {new} until the answer")
    return changes


def tools(body: JsonObject, context: RuleContext) -> Changes:
    """Keep only functions, in the documented shape, each name once; no tools, no `tools` and no `tool_choice`.

    The deprecated `functions` and `function_call` become `tools` and `tool_choice`;
    `context.plan.function_call` then says that the client wants to be answered that way.
    """
    changes = Changes([*_from_functions(body, context), *_from_function_call(body, context)])
    if "tools" in context.keep_params:
        return changes
    if "tools" in body:
        shaped = list(_shaped_tools(body["tools"], context, changes))
        if shaped:
            body["tools"] = shaped
        else:
            del body["tools"]
            changes.note_at("tools", "/tools", "there is no tool to offer: removed")
    if "tools" not in body and "tool_choice" in body and "tool_choice" not in context.keep_params:
        del body["tool_choice"]
        changes.note_at("tools", "/tool_choice", "there is no tool to choose: removed")
    return changes


def function_of(tool: object) -> JsonObject | None:
    """The function that an entry of `tools` describes, nested or flat; `None` for any other kind of tool."""
    if not isinstance(tool, dict) or tool.get("type", "function") != "function":
        return None
    function = tool.get("function")
    if isinstance(function, dict):
        return function
    return tool if "name" in tool else None


def named_function(choice: object) -> JsonObject | None:
    """The object that carries the name in a `tool_choice` for one tool, nested or flat; `None` if it is none."""
    if not isinstance(choice, dict) or choice.get("type", "function") not in ("function", "tool"):
        return None
    function = choice.get("function")
    holder = function if isinstance(function, dict) else choice
    return holder if isinstance(holder.get("name"), str) else None


def allowed_tools(choice: JsonObject) -> JsonObject | None:
    """The `{mode, tools}` of a `tool_choice` of type `allowed_tools`, nested (Chat) or flat (Responses)."""
    if choice.get("type") != "allowed_tools":
        return None
    nested = choice.get("allowed_tools")
    return nested if isinstance(nested, dict) else choice


def _is_accepted(name: object) -> TypeGuard[str]:
    return isinstance(name, str) and _ACCEPTED_NAME.fullmatch(name) is not None


def _why_refused(name: str) -> str:
    if not name:
        return "a tool needs a name"
    if _REFUSED_CHARACTERS.search(name):
        return "the name has characters that the endpoint refuses"
    return f"the name has more than {_LONGEST_NAME} characters"


def _new_name(old: str, owners: dict[str, str]) -> str:
    """A name that belongs to `old` and to no other; `owners` (new name -> old name) is filled in."""
    readable = _REFUSED_CHARACTERS.sub("_", old).strip("_") or "tool"
    digest = hashlib.sha256(old.encode("utf-8", "surrogatepass")).hexdigest()
    candidates = (
        f"{readable[: _LONGEST_NAME - 1 - length]}_{digest[:length]}"
        for length in range(_HASH_LENGTH, _LONGEST_NAME - 1)
    )
    return next((name for name in candidates if owners.setdefault(name, old) == old), digest)


def _places(body: JsonObject) -> Iterator[_Place]:
    for index, tool in enumerate(_list(body.get("tools"))):
        function = function_of(tool)
        if function is not None:
            yield function, ("tools", index) if function is tool else ("tools", index, "function"), True
    for index, function in enumerate(_list(body.get("functions"))):
        if isinstance(function, dict):
            yield function, ("functions", index), True
    if isinstance(body.get("function_call"), dict):
        yield body["function_call"], ("function_call",), False
    yield from _chosen_places(body.get("tool_choice"))
    for index, message in enumerate(_list(body.get("messages"))):
        if isinstance(message, dict) and not _NAMING_FIELDS.isdisjoint(message):
            yield from _message_places(message, index)


def _chosen_places(choice: object) -> Iterator[_Place]:
    if not isinstance(choice, dict):
        return
    chosen: list[tuple[Any, _Path]] = [(choice, ("tool_choice",))]
    allowed = allowed_tools(choice)
    if allowed is not None:
        under = ("tool_choice",) if allowed is choice else ("tool_choice", "allowed_tools")
        chosen = [(item, (*under, "tools", i)) for i, item in enumerate(_list(allowed.get("tools")))]
    for item, path in chosen:
        holder = named_function(item)
        if holder is not None:
            yield holder, path if holder is item else (*path, "function"), False


def _message_places(message: JsonObject, index: int) -> Iterator[_Place]:
    if "tool_calls" in message:
        for position, call in enumerate(_list(message["tool_calls"])):
            if isinstance(call, dict):
                yield from _call_places(call, ("messages", index, "tool_calls", position))
    if isinstance(message.get("function_call"), dict):
        yield message["function_call"], ("messages", index, "function_call"), True
    if "name" in message and role_of(message) == "tool":
        yield message, ("messages", index), False


def _call_places(call: JsonObject, path: _Path) -> Iterator[_Place]:
    for kind in ("function", "custom"):
        if isinstance(call.get(kind), dict):
            yield call[kind], (*path, kind), True
            return
    if "name" in call or "arguments" in call:
        yield call, path, True


def _list(value: object) -> list[Any]:
    """A list; an object alone is taken for a list of one."""
    if isinstance(value, dict):
        return [value]
    return value if isinstance(value, list) else []


def _tool_choice(function_call: object) -> str | JsonObject | None:
    if isinstance(function_call, str):
        return function_call
    if isinstance(function_call, dict) and isinstance(function_call.get("name"), str):
        return {"type": "function", "function": {"name": function_call["name"]}}
    return None


def _from_functions(body: JsonObject, context: RuleContext) -> list[Change]:
    if not isinstance(body.get("functions"), list) or "functions" in context.keep_params:
        return []
    offered = [{"type": "function", "function": function} for function in body.pop("functions")]
    tools_too = isinstance(body.get("tools"), list) and bool(body["tools"])
    body["tools"] = [*body["tools"], *offered] if tools_too else offered
    if offered and not tools_too:
        context.plan.function_call = True
    return [Change("tools", "/functions", "functions become tools")]


def _from_function_call(body: JsonObject, context: RuleContext) -> list[Change]:
    if body.get("function_call") is None or "function_call" in context.keep_params:
        return []
    choice = _tool_choice(body.pop("function_call"))
    if choice is None:
        why = "function_call is neither a choice nor a name: removed"
    elif body.get("tool_choice") is not None:
        why = "tool_choice is there too: function_call removed"
    else:
        body["tool_choice"] = choice
        why = "function_call becomes tool_choice"
    return [Change("tools", "/function_call", why)]


def _shaped_tools(given: object, context: RuleContext, changes: Changes) -> Iterator[JsonObject]:
    seen: dict[str, JsonObject] = {}
    for index, tool in enumerate(_list(given)):
        pointer = f"/tools/{index}"
        function = function_of(tool)
        name = function.get("name") if function is not None else None
        if function is None or not isinstance(name, str) or not name:
            changes.note_at("tools", pointer, "the endpoint only takes named functions: removed")
            continue
        if function is tool or set(tool) != {"type", "function"}:
            changes.note_at("tools", pointer, "the tool is brought into shape: type and function only")
        flat = function is tool
        described = {key: value for key, value in function.items() if not (flat and key == "type")}
        inside = pointer if flat else f"{pointer}/function"
        shaped = {"type": "function", "function": _shaped_function(described, inside, context, changes)}
        if name in seen:
            same = "the same tool" if seen[name] == shaped else "another tool of the same name"
            changes.note_at("tools", pointer, f"{same} is offered before: removed")
            continue
        seen[name] = shaped
        yield shaped


def _shaped_function(function: JsonObject, pointer: str, context: RuleContext, changes: Changes) -> JsonObject:
    shaped: JsonObject = {}
    for key, value in function.items():
        kept, why = _function_field(key, value, context)
        if kept is not None:
            shaped[key] = kept
        if why is not None:
            changes.note_at("tools", f"{pointer}/{escape(key)}", why)
    if "parameters" not in shaped:
        shaped["parameters"] = {"type": "object", "properties": {}}
        changes.note_at("tools", f"{pointer}/parameters", "a function needs parameters: none described")
    return shaped


def _function_field(key: str, value: object, context: RuleContext) -> tuple[object, str | None]:
    """What is sent of one field of a function (`None`: nothing), and why that differs from what came."""
    if key == "name":
        return value, None
    if key == "description":
        return _description(value)
    if key == "parameters":
        schema, why = schemas.object_schema(value)
        return schema, why or None
    if key == "strict" and context.profile.strict_tools and isinstance(value, bool):
        return value, None
    return None, f"{key} is not accepted in a function: removed"


def _description(value: object) -> tuple[object, str | None]:
    if isinstance(value, str):
        return value, None
    if value is None:
        return None, "null: removed"
    return json_body.serialise(value).decode(), "a description is text"
