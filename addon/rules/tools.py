"""Tools: the deprecated `functions` become tools, and each tool has the documented shape.

Sources: SDK Tool.Type (only "function"), compat page 1729/111007 (`function.parameters` is an object; `schemas.py`
makes it one). `strict` is undocumented and was seen refused.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..exchange import Change, Changes, JsonObject
from ..wire import json_body
from . import mfjs, schemas
from .base import Rule, RuleContext
from .fields import escape
from .survey import Survey

_PARAMETERS = frozenset({"tools", "functions", "function_call", "tool_choice"})
"""What the rule looks at."""


BUILT_IN = "builtin_function"
"""The type of tools that the endpoint runs itself."""


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


def _needed(survey: Survey, context: RuleContext) -> bool:
    return not survey.body.keys().isdisjoint(_PARAMETERS)


RULE = Rule(
    name="tools",
    repairs=(
        "`functions` become `tools`; `strict` and unknown keys go; `parameters` become the schema of an "
        "object; an empty list goes with its `tool_choice`."
    ),
    why=(
        "Compatibility page 1729/111007, SDK Tool; `strict` was seen refused, and so were a root without a "
        "type and PHP's empty list of properties (14790897/MiqroForge-Desktop#1165, openai-php/client#262)."
    ),
    apply=tools,
    after=("tool-names",),
    needed=_needed,
)


def function_of(tool: object) -> JsonObject | None:
    """The function that an entry of `tools` describes, nested or flat; `None` for any other kind of tool."""
    if not isinstance(tool, dict) or tool.get("type", "function") != "function":
        return None
    function = tool.get("function")
    if isinstance(function, dict):
        return function
    return tool if "name" in tool else None


def is_built_in(tool: object) -> bool:
    """Whether an entry of `tools` offers a function that the endpoint runs itself, by its name."""
    if not isinstance(tool, dict) or tool.get("type") != BUILT_IN:
        return False
    function = tool.get("function")
    return isinstance(function, dict) and isinstance(function.get("name"), str)


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


def as_list(value: object) -> list[Any]:
    """`value` as a list: an object becomes a list with it alone, anything else an empty list."""
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
    for index, tool in enumerate(as_list(given)):
        pointer = f"/tools/{index}"
        if context.profile.builtin_functions and is_built_in(tool):
            yield tool
            continue
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
        if flavour := context.model.schema:
            why = "; ".join(filter(None, [why, mfjs.fit(schema, flavour)]))
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
