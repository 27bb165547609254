"""Thinking and what depends on it, in a Messages request for an endpoint and a model that don't take all of it."""

from __future__ import annotations

from typing import Final

from ...exchange import Changes, JsonObject
from ...profiles import Model, Native
from ...wire import rule_names

_RULE: Final = rule_names.ANTHROPIC_NATIVE
_ON: Final = frozenset(["enabled", "adaptive", "between_tools"])
"""The types of `thinking` that switch it on."""
LEAST_BUDGET: Final = 1024
"""Tokens of thinking that Anthropic's API asks for at least."""
BUDGET: Final = 31_999
"""Claude Code's own, for models without adaptive thinking (docs/facts/anthropic.md#endpoints-that-speak-messages)."""


def fit(body: JsonObject, accepted: Native, model: Model, changes: Changes) -> None:
    """Leave in `body`, in place, only a `thinking` and a `tool_choice` that `model` takes at the endpoint."""
    thinking, known = body.get("thinking"), model.thinking
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if known is not None and kind == "disabled" and not known.can_be_off:
        _drop(body, "the model always thinks, and refuses what switches it off: dropped", changes)
    elif known is not None and kind in _ON and not known.can_be_asked:
        _drop(body, "the model always thinks, and refuses what asks for it: dropped", changes)
    elif kind == "adaptive" and not accepted.adaptive_thinking:
        _give_budget(body, changes)
    _show_what_must_return(body, accepted, model, changes)
    _fit_choice(body, accepted, model, changes)


def _drop(body: JsonObject, why: str, changes: Changes) -> None:
    del body["thinking"]
    changes.note_at(_RULE, "/thinking", why)


def _give_budget(body: JsonObject, changes: Changes) -> None:
    """Give adaptive thinking a budget, below `max_tokens`; without room for one, or for a forced tool, it goes."""
    thinking: JsonObject = body["thinking"]
    most, choice = body.get("max_tokens"), body.get("tool_choice")
    is_forced = isinstance(choice, dict) and choice.get("type") in ("any", "tool")
    if is_forced or not isinstance(most, int) or most <= LEAST_BUDGET:
        _drop(body, "the endpoint refuses adaptive thinking, and a budget has no room: dropped", changes)
        return
    rest = {key: value for key, value in thinking.items() if key not in ("type", "budget_tokens")}
    body["thinking"] = {"type": "enabled", "budget_tokens": min(BUDGET, most - 1), **rest}
    changes.note_at(_RULE, "/thinking", "the endpoint refuses adaptive thinking: it gets a budget")


def _show_what_must_return(body: JsonObject, accepted: Native, model: Model, changes: Changes) -> None:
    """Let thinking be answered with its text where that goes back, and nothing else carries it.

    A vendor that signs puts what it omits into the signature. Without one the text would be lost
    (docs/facts/kimi.md#clients). Of a model of which nothing is known it isn't known that it reads it.
    """
    thinking = body.get("thinking")
    if not isinstance(thinking, dict) or thinking.get("display") != "omitted" or accepted.is_signed(model.id):
        return
    if model.replay == "required" or (model.replay == "wanted" and model.thinking is not None):
        del thinking["display"]
        changes.note_at(_RULE, "/thinking/display", "no signature carries its text, which must be sent back: shown")


def _fit_choice(body: JsonObject, accepted: Native, model: Model, changes: Changes) -> None:
    """A choice of tools that the endpoint refuses while the model thinks.

    A client that forces a call can't go on without one, so the choice counts more than thinking that it didn't ask for,
    which is switched off. If it did ask, any tool is forced in the place of a certain one, where the endpoint takes
    that. Without both, thinking is off all the same; where it can't be, no tool is forced.
    """
    choice, taken, known = body.get("tool_choice"), accepted.tool_choices, model.thinking
    kind = choice.get("type") if isinstance(choice, dict) else None
    if taken is None or not isinstance(choice, dict) or kind in taken:
        return
    thinking = body.get("thinking")
    asked = thinking.get("type") if isinstance(thinking, dict) else None
    if asked == "disabled" or (asked is None and (known is None or not known.default)):
        return  # it doesn't think
    can_be_off, any_is_taken = known is None or known.can_be_off, "any" in taken
    if can_be_off and (asked is None or not any_is_taken):
        body["thinking"] = {"type": "disabled"}
        changes.note_at(_RULE, "/thinking", "a tool can't be forced while the model thinks: switched off")
        return
    rest = {key: value for key, value in choice.items() if key not in ("type", "name")}
    body["tool_choice"] = {"type": "any" if any_is_taken else "auto", **rest}
    changes.note_at(_RULE, "/tool_choice", "the endpoint refuses this choice while the model thinks: a weaker one")
