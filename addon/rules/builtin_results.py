"""Results of functions that the endpoint runs itself, such as Kimi's `$web_search`: the arguments of the call.

The endpoint searches where a client sends the arguments back, as they came, in a tool message with the function's name
(openclaw/openclaw#57696). Clients that don't know of it send nothing, or no message.
"""

from __future__ import annotations

from ..exchange import Changes, JsonObject
from . import content
from .base import Rule, RuleContext
from .survey import Survey
from .tool_names import is_built_in


def builtin_results(body: JsonObject, context: RuleContext) -> Changes:
    """Put the arguments of such a call where its result is empty or was never there, and the function's name beside."""
    changes = Changes()
    if not context.profile.builtin_functions:
        return changes
    named = "name" in context.profile.grammar.fields["tool"]
    calls: dict[str, JsonObject] = {}
    for index, message in enumerate(body["messages"]):
        if message["role"] != "tool":
            calls = {call["id"]: call["function"] for call in message.get("tool_calls", ()) if _is_built_in(call)}
            continue
        function = calls.get(message["tool_call_id"])
        if function is None:
            continue
        given = message.get("content")
        if content.is_blank(given) or given == context.texts.missing_answer:
            message["content"] = function["arguments"]
            changes.note(
                "builtin-results", index, "the endpoint wants the arguments of its own function back", "/content"
            )
        if named and message.get("name") != function["name"]:
            message["name"] = function["name"]
            changes.note("builtin-results", index, "the endpoint wants the name of its own function", "/name")
    return changes


def _is_built_in(call: JsonObject) -> bool:
    return is_built_in(call["function"]["name"])


def _needed(survey: Survey, context: RuleContext) -> bool:
    if not context.profile.builtin_functions or "tool_calls" not in survey.fields.get("assistant", ()):
        return False
    return survey.calls is None or any(map(_is_built_in, survey.calls))


RULE = Rule(
    name="builtin-results",
    repairs="An empty or missing result of Kimi's `$web_search` becomes the arguments of its call, with its name.",
    why="Kimi searches where the arguments come back as they were (openclaw/openclaw#57696, #52733).",
    apply=builtin_results,
    after=(
        "calls",
        "fields",
        "pairing",
    ),
    needed=_needed,
)
