"""Intents: what `tool_choice` and `response_format` ask for, where the endpoint doesn't take them.

Legacy takes `tool_choice` none and auto, and no `response_format` (1729/111007). What can be had by cutting
`tools` is; the rest becomes an instruction in the system text. Runs after `tools` and before `system`.
"""

from __future__ import annotations

from typing import Any

from ..exchange import Change, JsonObject
from ..wire import json_body
from .base import Rule, RuleContext
from .survey import Survey
from .tools import allowed_tools, function_of, named_function

_FORMATS = ("text", "json_object", "json_schema")
_REQUIRED = ("required", "any")
_PARAMETERS = frozenset({"tool_choice", "response_format"})
"""What the rule looks at."""


def intents(body: JsonObject, context: RuleContext) -> list[Change]:
    """Say in words, or by cutting `tools`, what the endpoint takes no parameter for.

    Sets `context.plan.json_fence` where JSON is asked for by instruction.
    """
    if not isinstance(body.get("messages"), list):
        return []
    return [*_tool_choice(body, context), *_response_format(body, context)]


def _needed(survey: Survey, context: RuleContext) -> bool:
    return not survey.body.keys().isdisjoint(_PARAMETERS)


RULE = Rule(
    name="intents",
    repairs="A `tool_choice` that forces a tool, and `response_format`, become a line of the system text.",
    why="Compatibility page 1729/111007: `tool_choice` is none or auto, `response_format` isn't documented.",
    apply=intents,
    after=("tools",),
    needed=_needed,
)


def _tool_choice(body: JsonObject, context: RuleContext) -> list[Change]:
    choice = body.get("tool_choice")
    if choice is None or "tool_choice" in context.keep_params or _is_accepted_word(choice, context):
        return []
    offered = _offered(body)
    if isinstance(choice, dict):
        allowed = allowed_tools(choice)
        if allowed is not None:
            return _allow(body, context, allowed, offered)
        named = named_function(choice)
        if named is not None:
            return _name(body, context, named["name"], offered)
        choice = choice.get("type")
    if choice in _REQUIRED and offered:
        return _require(body, context)
    return _choose(body, "none" if choice == "none" else "auto", "not a choice that the endpoint knows")


def _is_accepted_word(choice: object, context: RuleContext) -> bool:
    return isinstance(choice, str) and choice in context.profile.tool_choices


def _offered(body: JsonObject) -> list[str]:
    tools = body.get("tools")
    functions = [function_of(tool) for tool in tools] if isinstance(tools, list) else []
    names = [function.get("name") for function in functions if function is not None]
    return [name for name in names if isinstance(name, str)]


def _choose(body: JsonObject, choice: str | JsonObject, why: str) -> list[Change]:
    if body["tool_choice"] == choice:
        return []
    body["tool_choice"] = choice
    told = f"{why}: tool_choice is {choice}" if isinstance(choice, str) else why
    return [Change("intents", "/tool_choice", told)]


def _require(body: JsonObject, context: RuleContext) -> list[Change]:
    if "required" in context.profile.tool_choices:
        return _choose(body, "required", "a tool must be called")
    offered = _offered(body)
    if len(offered) == 1 and context.profile.tool_choice_object:
        only = {"type": "function", "function": {"name": offered[0]}}
        return _choose(body, only, "a tool must be called, and this is the only one")
    changes = _choose(body, "auto", "a tool must be called, which the instruction says")
    return [*changes, _instruct(body, context.texts.tool_required)]


def _name(body: JsonObject, context: RuleContext, name: str, offered: list[str]) -> list[Change]:
    if name not in offered:
        return _choose(body, "auto", "the tool chosen is not among those offered")
    if context.profile.tool_choice_object:
        shaped = {"type": "function", "function": {"name": name}}
        return _choose(body, shaped, "the tool chosen is named as the endpoint expects")
    cut = _cut(body, context, [name])
    changes = _choose(body, "auto", "one tool must be called, which the instruction says")
    return [*cut, *changes, _instruct(body, context.texts.tool_named.format(name=name))]


def _allow(body: JsonObject, context: RuleContext, allowed: JsonObject, offered: list[str]) -> list[Change]:
    entries: Any = allowed.get("tools")
    holders = [named_function(entry) for entry in entries] if isinstance(entries, list) else []
    wanted = {holder["name"] for holder in holders if holder is not None}
    names = [name for name in offered if name in wanted]
    if not names:
        return _choose(body, "auto", "none of the tools allowed is offered")
    cut = _cut(body, context, names)
    if allowed.get("mode") in _REQUIRED:
        return [*cut, *_require(body, context)]
    return [*cut, *_choose(body, "auto", "only the tools allowed are offered")]


def _cut(body: JsonObject, context: RuleContext, names: list[str]) -> list[Change]:
    if "tools" in context.keep_params:
        return []
    tools = body["tools"]
    wanted = set(names)
    kept = [tool for tool in tools if (function := function_of(tool)) and function.get("name") in wanted]
    if len(kept) == len(tools):
        return []
    body["tools"] = kept
    return [Change("intents", "/tools", f"tools that tool_choice rules out: {len(tools) - len(kept)} removed")]


def _response_format(body: JsonObject, context: RuleContext) -> list[Change]:
    asked = body.get("response_format")
    if asked is None or "response_format" in context.keep_params:
        return []
    kind = asked.get("type") if isinstance(asked, dict) else None
    known = isinstance(kind, str) and kind in _FORMATS
    pointer = "/response_format"
    if kind == "json_schema" and context.profile.response_format and not context.model.json_schema:
        body["response_format"] = {"type": "json_object"}
        why = "the model takes no schema: JSON is asked for, and the schema by instruction"
        return [Change("intents", pointer, why), _instruct(body, _json_instruction(asked, context))]
    if known and context.profile.response_format:
        return []
    del body["response_format"]
    if not known:
        return [Change("intents", pointer, "no format that the endpoint knows: removed")]
    if kind == "text":
        return [Change("intents", pointer, "text is what the endpoint answers anyway: removed")]
    context.plan.json_fence = True
    instruction = _json_instruction(asked, context)
    return [
        Change("intents", pointer, "JSON is asked for by instruction instead"),
        _instruct(body, instruction),
    ]


def _json_instruction(asked: JsonObject, context: RuleContext) -> str:
    nested = asked.get("json_schema")
    described = nested if isinstance(nested, dict) else asked  # flat: the Responses API's form
    schema = described.get("schema")
    if asked["type"] != "json_schema" or not isinstance(schema, dict):
        return context.texts.json_object
    name = described.get("name")
    return context.texts.json_schema.format(
        name=name if isinstance(name, str) and name else "response",
        schema=json_body.serialise(schema).decode(),
    )


def _instruct(body: JsonObject, instruction: str) -> Change:
    """Put `instruction` after the leading system messages, so that what stands before it keeps its bytes."""
    messages = body["messages"]
    place = 0
    while place < len(messages) and _is_system(messages[place]):
        place += 1
    body["messages"] = [*messages[:place], {"role": "system", "content": instruction}, *messages[place:]]
    return Change("intents", f"/messages/{place}", "an instruction is added to the system text")


def _is_system(message: object) -> bool:
    return isinstance(message, dict) and message.get("role") in ("system", "developer")
