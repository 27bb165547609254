"""The parameters and tools of a chat request in the words of Messages. What they have no word for is dropped and told.

What the endpoint takes of these words is data of its profile (`[native.anthropic]`), which `native` applies afterwards.
"""

from __future__ import annotations

from typing import Any, Final

from ...exchange import JsonObject
from ...profiles import Model, Native
from ...rules.fields import escape
from ...rules.tools import allowed_tools
from ...texts import Texts
from ..told import Told
from . import tools
from .native_thinking import BUDGET, LEAST_BUDGET

MOST_TOKENS: Final = 32_000
"""`max_tokens`, which Messages demand, where neither the client nor the model's data says one: Claude Code's own for
models that it doesn't know (docs/facts/anthropic.md#parameters)."""
_SHARES: Final = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.95, "max": 0.95}
"""Effort -> the share of `max_tokens` that may be thinking, as OpenRouter has it (its document "Reasoning Tokens")."""
_NO_EFFORT: Final = frozenset(["none", "no_think"])
_SAME: Final = ("temperature", "top_p", "top_k")
"""Parameters that both formats have."""
_READ: Final = frozenset(
    [
        *("model", "messages", "max_tokens", "max_completion_tokens", "stop", "stream", "stream_options", "user"),
        *("tools", "tool_choice", "parallel_tool_calls", "response_format"),
        *("thinking", "enable_thinking", "reasoning_effort", "reasoning"),
    ]
)
_CHOICES: Final = {chat: kind for kind, chat in reversed(tools.CHOICES.items())}
"""Chat's word for a choice -> Messages' type: `required` has two, of which the first counts."""
_EMPTY_SCHEMA: Final[JsonObject] = {"type": "object", "properties": {}}


def parameters(chat: JsonObject, model: Model, accepted: Native, told: Told) -> JsonObject:
    """All parameters but for those of tools and of the answer's form."""
    # 1. How much, and until when.
    body: JsonObject = {"max_tokens": _most_tokens(chat, model, told)}
    stop = chat.get("stop")
    stops = [text for text in ([stop] if isinstance(stop, str) else stop or ()) if isinstance(text, str)]
    if kept := [text for text in stops if text and not text.isspace()]:
        body["stop_sequences"] = kept
    if len(kept) < len(stops):
        told.say("/stop", "a stop text of white space alone is dropped: Messages refuse it")
    if chat.get("stream") is True:
        body["stream"] = True
    # 2. Thinking; with it the sampling is fixed.
    _think(chat, body, accepted, told)
    thinks = body.get("thinking", {}).get("type") in ("enabled", "adaptive")
    for key in _SAME:
        if chat.get(key) is None:
            continue
        if thinks and not (key == "temperature" and chat[key] == 1):
            told.say(f"/{key}", "sampling is fixed while the model thinks: dropped")
        else:
            body[key] = chat[key]
    # 3. Who asks.
    if isinstance(chat.get("user"), str) and chat["user"]:
        body["metadata"] = {"user_id": chat["user"]}
    for key, value in chat.items():
        if key not in _READ and key not in _SAME and value is not None:
            told.say(f"/{escape(key)}", "a parameter that Messages have no word for is dropped")
    return body


def offered(chat: JsonObject, told: Told) -> JsonObject:
    """`tools` and `tool_choice`, as far as they are asked for."""
    made: list[JsonObject] = []
    names: set[str] = set()
    given = chat.get("tools")
    for number, tool in enumerate(given if isinstance(given, list) else ()):
        function = tool.get("function") if isinstance(tool, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or name in names:
            told.say(f"/tools/{number}", "no function, or one whose name is taken: dropped")
            continue
        names.add(name)
        made.append(_tool(function))
    if not made:
        if chat.get("tool_choice") not in (None, "none"):
            told.say("/tool_choice", "there is no tool to choose: dropped")
        return {}
    choice = _choice(chat.get("tool_choice"), names, told)
    if chat.get("parallel_tool_calls") is False and choice.get("type") != "none":
        choice = {"type": "auto", **choice, "disable_parallel_tool_use": True}
    return {"tools": made, **({"tool_choice": choice} if choice else {})}


def answer_format(chat: JsonObject, body: JsonObject, texts: Texts, told: Told) -> str:
    """Put the form of the answer that is asked for into `body`. Returns a sentence that says it where no field can."""
    given = chat.get("response_format")
    kind = given.get("type") if isinstance(given, dict) else None
    if not isinstance(given, dict) or kind not in ("json_schema", "json_object"):
        return ""
    form = given.get("json_schema")
    schema = form.get("schema") if isinstance(form, dict) else None
    if kind == "json_schema" and isinstance(schema, dict):
        body.setdefault("output_config", {})["format"] = {"type": "json_schema", "schema": schema}
        return ""
    told.say("/response_format", "JSON without a schema is asked for in the system text")
    return texts.json_object


def _most_tokens(chat: JsonObject, model: Model, told: Told) -> int:
    for key in ("max_completion_tokens", "max_tokens"):
        asked = chat.get(key)
        if isinstance(asked, int) and not isinstance(asked, bool):
            if model.output is not None and asked > model.output:
                told.say(f"/{key}", "more than the model gives in one answer")
            return min(asked, model.output or asked)
    return model.output or MOST_TOKENS


def _think(chat: JsonObject, body: JsonObject, accepted: Native, told: Told) -> None:
    """`thinking`, and `output_config.effort` where the endpoint takes adaptive thinking; else an effort is a budget."""
    thinking = chat.get("thinking")
    given: JsonObject = thinking if isinstance(thinking, dict) else {}
    kind, budget, effort = given.get("type"), given.get("budget_tokens"), _effort(chat)
    if kind == "disabled" or chat.get("enable_thinking") is False or effort in _NO_EFFORT:
        body["thinking"] = {"type": "disabled"}
        return
    if kind not in ("enabled", "adaptive") and chat.get("enable_thinking") is not True and not effort:
        return
    for key in given.keys() - {"type", "budget_tokens"}:
        told.say(f"/thinking/{escape(key)}", "a field of thinking that Messages have no word for is dropped")
    wanted = budget if isinstance(budget, int) and not isinstance(budget, bool) else None
    if accepted.adaptive_thinking and wanted is None:
        body["thinking"] = {"type": "adaptive"}
        if effort:
            body["output_config"] = {"effort": "low" if effort == "minimal" else effort}
        return
    most: int = body["max_tokens"]
    if most <= LEAST_BUDGET:
        told.say("/thinking", "max_tokens has no room for a budget of thinking: dropped")
        return
    if wanted is None:
        wanted = int(most * _SHARES[effort]) if effort in _SHARES else BUDGET
    body["thinking"] = {"type": "enabled", "budget_tokens": max(LEAST_BUDGET, min(wanted, BUDGET, most - 1))}


def _effort(chat: JsonObject) -> str:
    """The effort that is asked for: OpenAI's parameter, or OpenRouter's; "" for none."""
    reasoning = chat.get("reasoning")
    found = chat.get("reasoning_effort") or (reasoning.get("effort") if isinstance(reasoning, dict) else None)
    return found if isinstance(found, str) else ""


def _tool(function: JsonObject) -> JsonObject:
    schema = function.get("parameters")
    made: JsonObject = {"name": function["name"]}
    if isinstance(function.get("description"), str) and function["description"]:
        made["description"] = function["description"]
    made["input_schema"] = {"type": "object", **schema} if isinstance(schema, dict) else _EMPTY_SCHEMA
    if function.get("strict") is True:
        made["strict"] = True
    return made


def _choice(given: Any, names: set[str], told: Told) -> JsonObject:
    """Messages' choice for chat's; empty for none. Of an allowed set with several tools only the mode can be said."""
    if given is None:
        return {}
    if isinstance(given, str) and given in _CHOICES:
        return {"type": _CHOICES[given]}
    holder: JsonObject = given if isinstance(given, dict) else {}
    allowed = allowed_tools(holder)
    if allowed is not None:
        listed = allowed.get("tools")
        mode = _CHOICES["required" if allowed.get("mode") == "required" else "auto"]
        if mode == _CHOICES["auto"] or not isinstance(listed, list) or len(listed) != 1:
            told.say("/tool_choice", "Messages can't name the tools that are allowed: any of them is")
            return {"type": mode}
        holder = listed[0] if isinstance(listed[0], dict) else {}
    function = holder.get("function")
    name = function.get("name") if isinstance(function, dict) else holder.get("name")
    if isinstance(name, str) and name in names:
        return {"type": "tool", "name": name}
    told.say("/tool_choice", "a choice that Messages have no word for is dropped")
    return {}
