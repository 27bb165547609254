"""Tool choice while a model thinks: what it doesn't take then is had without thinking, or asked for in words.

Kimi: 400 "tool_choice 'specified' is incompatible with thinking enabled", and the same for `required`
(lobehub/lobehub#17729). A client that forces a tool and says nothing of thinking wants the call: thinking is off for
this one request. Where it asked to think, or the model always does, the choice is left to the model, and the last
message says what is wanted: there it changes no byte of what stands before.
"""

from __future__ import annotations

from typing import Any

from ..exchange import Changes, JsonObject
from .base import Rule, RuleContext
from .survey import Survey
from .thinking import SPELLINGS, switch_off, thinks, wish
from .tools import function_of, named_function

_OPEN = ("auto", "none")
"""The choices that force nothing."""


def tool_choice(body: JsonObject, context: RuleContext) -> Changes:
    """Bring a forced tool and thinking together."""
    changes = Changes()
    known, choice = context.model.thinking, body.get("tool_choice")
    if known is None or known.tool_choices is None or choice is None or "tool_choice" in context.keep_params:
        return changes
    if (isinstance(choice, str) and choice in known.tool_choices) or not thinks(body, context.model):
        return changes
    # 1. Without thinking, where the client didn't ask for it.
    if wish(body).on is None and context.keep_params.isdisjoint(SPELLINGS) and (key := switch_off(body, known)):
        changes.note_at(
            "tool-choice",
            f"/{key}",
            "the model takes a forced tool only while it doesn't think: it is off here",
        )
        return changes
    # 2. In words.
    body["tool_choice"] = "auto"
    changes.note_at("tool-choice", "/tool_choice", "the model takes no forced tool while it thinks: auto")
    if choice not in _OPEN:
        place = _say(body["messages"], _words(choice, body.get("tools"), context))
        changes.note("tool-choice", place, "the last message says which tool is wanted")
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    known = context.model.thinking
    return known is not None and known.tool_choices is not None and "tool_choice" in survey.body


RULE = Rule(
    name="tool-choice",
    repairs=(
        "A `tool_choice` that a thinking model refuses: thinking is switched off for the request where the client "
        "didn't ask for it and the model can; else the choice is `auto`, and a last message says which tool is wanted."
    ),
    why="Kimi: 400 \"tool_choice 'specified' is incompatible with thinking enabled\" (lobehub/lobehub#17729).",
    apply=tool_choice,
    after=(
        "thinking",
        "tools",
        "intents",
    ),
    needed=_needed,
)


def _words(choice: Any, tools: Any, context: RuleContext) -> str:
    """What says in words which tool is wanted: by name where it is named, or the only one."""
    named = named_function(choice)
    name = named["name"] if named is not None else None
    if name is None and isinstance(tools, list) and len(tools) == 1 and (only := function_of(tools[0])) is not None:
        name = only.get("name")
    if isinstance(name, str):
        return context.texts.tool_named.format(name=name)
    return context.texts.tool_required


def _say(messages: list[JsonObject], words: str) -> int:
    """Add a last user message, before an answer that the model is to complete. Its place."""
    place = len(messages)
    if messages[-1]["role"] == "assistant" and not messages[-1].get("tool_calls"):
        place -= 1
    messages.insert(place, {"role": "user", "content": words})
    return place
