"""The shape of tool calls inside assistant messages: `{id, type: function, function: {name, arguments}}`.

Source: compat page 1729/111007 (second-turn example); `index` is accepted there, other keys aren't documented.
Ids are the pairing rule's business, `arguments.py` makes every arguments the JSON of an object.
"""

from __future__ import annotations

from typing import Any

from ..exchange import Changes, JsonObject
from ..profiles import Profile
from ..texts import marks, pieces
from ..wire import json_body
from . import arguments, content, ids
from .base import Rule, RuleContext
from .survey import Survey
from .tools import BUILT_IN

_FIELD = frozenset(["tool_calls"])


def calls(body: JsonObject, context: RuleContext) -> Changes:
    """Bring every tool call into shape; what can't be a call stays as text in its message."""
    changes = Changes()
    for index, message in enumerate(body["messages"]):
        if "tool_calls" not in message:
            continue
        if message["role"] == "assistant":
            _shape(message, index, changes, context)
        else:
            _keep_as_text(message, message.pop("tool_calls"), context)
            changes.note("calls", index, f"tool calls of a {message['role']} message become text", "/tool_calls")
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    """False where assistant messages alone have calls, in shape already, with the JSON of objects for arguments."""
    if not survey.has_field(_FIELD):
        return False
    if survey.calls is None or any(fields >= _FIELD for role, fields in survey.fields.items() if role != "assistant"):
        return True
    return not all(arguments.is_object(call["function"]["arguments"]) for call in survey.calls)


RULE = Rule(
    name="calls",
    repairs=(
        "Tool calls are brought into shape: `id`, `type`, `function.name`, and `function.arguments` as the "
        "JSON text of an object that keeps what was said."
    ),
    why=(
        "Compatibility page 1729/111007, second-turn example; one call that was cut is a 400 for the rest of "
        "a session (esengine/DeepSeek-Reasonix#3953, itmisx/deepx-code#200)."
    ),
    apply=calls,
    after=("roles",),
    needed=_needed,
)


def _shape(message: JsonObject, index: int, changes: Changes, context: RuleContext) -> None:
    given = message["tool_calls"]
    if isinstance(given, dict):
        given = [given]
    if not isinstance(given, list) or not given:
        del message["tool_calls"]
        changes.note("calls", index, "an empty list of tool calls is removed", "/tool_calls")
        return
    shaped: list[JsonObject] = []
    texts: list[str] = []
    for position, call in enumerate(given):
        if _is_shaped(call):
            shaped.append(call)
            continue
        function_call = _function_call(call, context.profile)
        if function_call is None:
            texts.append(_plain_text(call))
            changes.note("calls", index, "not a tool call: kept as text", f"/tool_calls/{position}")
            continue
        if function_call == call:
            shaped.append(call)  # with its keys in their own order
        else:
            shaped.append(function_call)
            changes.note("calls", index, "the tool call is brought into shape", f"/tool_calls/{position}")
    if texts:
        context.may_hold_images = True
        message["content"] = content.join(message.get("content"), *texts)
    if shaped:
        message["tool_calls"] = shaped
    else:
        del message["tool_calls"]


def _is_shaped(call: object) -> bool:
    """Whether `call` is as most are: with an id, a function's name and arguments, each in shape, and no other field."""
    if not isinstance(call, dict) or len(call) != 3 or call.get("type") != "function":
        return False
    function = call.get("function")
    return (
        isinstance(call.get("id"), str)
        and isinstance(function, dict)
        and len(function) == 2
        and isinstance(function.get("name"), str)
        and bool(function["name"])
        and isinstance(function.get("arguments"), str)
        and arguments.is_object(function["arguments"])
    )


def _function_call(call: object, profile: Profile) -> JsonObject | None:
    """The call in OpenAI's shape, from itself, from a `custom` call, or from a flat one; `None` if it is none."""
    if not isinstance(call, dict):
        return None
    function = call.get("function")
    custom = call.get("custom")
    if isinstance(custom, dict) and not isinstance(function, dict):
        function = {"name": custom.get("name"), "arguments": {"input": custom.get("input", "")}}
    elif not isinstance(function, dict):
        function = call
    name = function.get("name")
    if not isinstance(name, str) or not name:
        return None
    shaped: JsonObject = {}
    call_id = call.get("id")
    if call_id is None:
        call_id = call.get("call_id")
    if call_id is not None:
        shaped["id"] = ids.as_text(call_id)
    is_built_in = profile.builtin_functions and call.get("type") == BUILT_IN
    shaped["type"] = BUILT_IN if is_built_in else "function"
    shaped["function"] = {"name": name, "arguments": arguments.as_object(function.get("arguments"))}
    index = call.get("index")
    if isinstance(index, int) and not isinstance(index, bool):
        shaped["index"] = index
    return shaped


def _plain_text(value: object) -> str:
    return value if isinstance(value, str) else json_body.serialise(value).decode()


def _keep_as_text(message: JsonObject, given: Any, context: RuleContext) -> None:
    """Keep tool calls of a message that can't have any as text."""
    lines: list[str] = []
    for call in given if isinstance(given, list) else [given]:
        shaped = _function_call(call, context.profile)
        if shaped is not None:
            lines += calls_as_text([shaped], [marks.quoted_turns(shaped["function"]["arguments"])], context)
        elif call is not None:
            lines.append(_plain_text(call))
    if lines:
        context.may_hold_images = True
        message["content"] = content.join(message.get("content"), *lines)


def calls_as_text(calls: list[JsonObject], arguments: list[str], context: RuleContext) -> list[str]:
    """Shaped tool calls as a line of text each that keeps its id, name and `arguments`, which are quoted already."""
    before, after_name, after_id, after = pieces(context.texts.folded_call, "name", "id", "arguments")
    ids = marks.inlined([call.get("id", "") for call in calls])
    return [
        f"{before}{call['function']['name']}{after_name}{call_id}{after_id}{quoted}{after}"
        for call, call_id, quoted in zip(calls, ids, arguments, strict=True)
    ]
