"""Thinking: on, off, and how hard, by the one parameter by which the model is switched, in the words that it knows.

Vendors switch it by `thinking.type`, `enable_thinking`, `reasoning.enabled`, `reasoning_effort` or a template's
arguments; clients send what the last vendor wanted. What a model can't do isn't sent: it is no longer asked to think
where it always does and calls that an error (MiniMax), nor to stop where it can't (MoonshotAI/Kimi-K2#141).
A request that says nothing of thinking says nothing afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from ..exchange import Changes, JsonObject
from ..profiles import Model, Thinking
from . import efforts
from .base import Rule, RuleContext
from .survey import Survey

_EFFORT: Final = "reasoning_effort"
_TEMPLATE: Final = "chat_template_kwargs"
SPELLINGS: Final = ("thinking", "enable_thinking", "reasoning", _EFFORT, _TEMPLATE)
"""The parameters that say something of thinking; of two that say it, the first counts."""
_ANY_SPELLING: Final = frozenset(SPELLINGS)
_OBJECTS: Final = {"thinking": "thinking", "reasoning": "reasoning"}
"""Control -> the parameter that is an object of the fields `Thinking.fields`."""
_ON_WORDS: Final = frozenset(["enabled", "enable", "on", "true", "adaptive", "auto"])
_OFF_WORDS: Final = frozenset(["disabled", "disable", "off", "false", "none"])
_TEMPLATE_SWITCHES: Final = ("thinking", "enable_thinking")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request says of thinking. `on`: whether it is to think; `effort`: a word of `efforts`. `None`: nothing."""

    on: bool | None = None
    effort: str | None = None

    def over(self, other: Wish) -> Wish:
        """This, and of the other one what this says nothing of."""
        on = other.on if self.on is None else self.on
        return Wish(on, other.effort if self.effort is None else self.effort)


def wish(body: JsonObject, spellings: Sequence[str] = SPELLINGS) -> Wish:
    """What `body` says of thinking, in any of `spellings`."""
    said = Wish()
    for key in spellings:
        if key in body:
            said = said.over(_said(key, body[key]))
    if said.on is None and said.effort is not None:
        return Wish(said.effort != efforts.OFF, said.effort)
    return said


def thinks(body: JsonObject, model: Model) -> bool:
    """Whether the model thinks in this request. Of an unknown model: unless the request forbids it."""
    known = model.thinking
    if known is None:
        return wish(body).on is not False
    on = wish(body).on
    if on is None:
        return known.default
    return on or not known.can_be_off


def thinking(body: JsonObject, context: RuleContext) -> Changes:
    """Say by the model's own parameter what the request says by any; leave out what the model can't do."""
    known = context.model.thinking
    changes = Changes()
    if known is None:
        return changes
    # What the endpoint takes for itself beside the model's own parameter stays.
    looked_at = [key for key in SPELLINGS if key != _TEMPLATE or key not in context.profile.parameters]
    said = wish(body, looked_at)
    wanted = _wanted(body, said, known, context)
    for key in looked_at:
        if key in context.keep_params or (key not in body and key not in wanted):
            continue
        if key not in wanted:
            del body[key]
            changes.note_at("thinking", f"/{key}", _why_not(key, said, known))
        elif key not in body or not _is_same(body[key], wanted[key]):
            body[key] = wanted[key]
            changes.note_at("thinking", f"/{key}", _why(key, wanted[key], said))
    return changes


def switch_off(body: JsonObject, known: Thinking) -> str:
    """Switch thinking off for this request, in place. The parameter that does it; `""` where the model can't."""
    switch = _switch(False, known) if known.can_be_off else {}
    if not switch:
        return ""
    for key in _ANY_SPELLING & body.keys():
        del body[key]
    body.update(switch)
    return next(iter(switch))


def _needed(survey: Survey, context: RuleContext) -> bool:
    return context.model.thinking is not None and not _ANY_SPELLING.isdisjoint(survey.body)


RULE = Rule(
    name="thinking",
    repairs=(
        "Whether and how hard to think is said by the model's own parameter and in words that it knows; what it can't "
        "do (to stop, to be asked, an effort, a budget) isn't sent."
    ),
    why=(
        'Kimi: 400 "invalid thinking: only type=enabled is allowed" (MoonshotAI/Kimi-K2#141); TokenHub 1823/131208; '
        "an effort that a model doesn't know is ignored or an error, by host (docs/facts/tokenhub.md#thinking)."
    ),
    apply=thinking,
    needed=_needed,
)


def _said(key: str, value: object) -> Wish:
    """What one parameter says."""
    if key == _EFFORT:
        return Wish(None, efforts.word(value) or None)
    if key == _TEMPLATE:
        return _said_by_template(value) if isinstance(value, dict) else Wish()
    if not isinstance(value, dict):
        return Wish(_switched(value))
    on = _switched(value.get("type"))
    if on is None:
        on = _switched(value.get("enabled"))
    effort = efforts.word(value.get("effort")) or None
    budget = value.get("budget_tokens", value.get("max_tokens"))
    if on is None and effort is None and isinstance(budget, int) and not isinstance(budget, bool):
        on = budget != 0
    return Wish(on, effort)


def _said_by_template(arguments: JsonObject) -> Wish:
    on = next((on for key in _TEMPLATE_SWITCHES if (on := _switched(arguments.get(key))) is not None), None)
    return Wish(on, efforts.word(arguments.get(_EFFORT)) or None)


def _switched(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    return True if word in _ON_WORDS else False if word in _OFF_WORDS else None


def _wanted(body: JsonObject, said: Wish, known: Thinking, context: RuleContext) -> JsonObject:
    """The parameters by which the request says what it wants, as the model takes them."""
    on = None if said.on is False and not known.can_be_off else said.on
    # 1. How hard.
    effort = efforts.nearest(said.effort, known.efforts) if said.effort else ""
    if on is not None and on == (effort == efforts.OFF):
        effort = ""  # it contradicts the switch
    if known.control == "effort" and not effort and on and not known.default:
        effort = efforts.nearest("high", known.efforts)
    # 2. The switch: as it is where it is right; where there is none, only if it makes a difference.
    key = _OBJECTS.get(known.control, known.control)
    given = body.get(key)
    wanted: JsonObject = {}
    if known.control in _OBJECTS and isinstance(given, dict):
        fields = _fitted(known.control, given, on, effort, known)
        wanted = {key: fields} if fields else {}
    elif isinstance(given, bool) or (on is not None and on != known.default and not effort):
        wanted = _switch(on, known)
    # 3. The effort beside it, unless it is in there.
    switch = wanted.get(key)
    if effort and not (isinstance(switch, dict) and "effort" in switch):
        if known.control == "reasoning" and _EFFORT not in context.profile.parameters:
            wanted[key] = {**wanted.get(key, {}), "effort": effort}
        else:
            wanted[_EFFORT] = effort
    return wanted


def _switch(on: bool | None, known: Thinking) -> JsonObject:
    """The parameter that switches thinking; empty where there is none, or none that is taken."""
    if on is None or (on and not known.can_be_asked):
        return {}
    match known.control:
        case "thinking":
            return {"thinking": {"type": "enabled" if on else "disabled"}}
        case "enable_thinking":
            return {"enable_thinking": on}
        case "reasoning":
            return {"reasoning": {"enabled": on}}
        case "effort":
            return {_EFFORT: efforts.OFF} if not on and efforts.OFF in known.efforts else {}
        case _:
            return {}


def _fitted(control: str, given: JsonObject, on: bool | None, effort: str, known: Thinking) -> JsonObject:
    """The fields of the object that switches thinking which the model knows; empty where they say nothing."""
    fields = {name: value for name, value in given.items() if name in known.fields}
    if "effort" in fields:
        fields["effort"] = effort
        if not effort:
            del fields["effort"]
    if on and not known.can_be_asked:
        return {}
    if control == "reasoning":
        if "enabled" in fields or (on is False and not effort):
            fields["enabled"] = on
            if on is None:
                del fields["enabled"]
        return fields
    kind = fields.pop("type", None)
    if on is None and not fields:
        return {}
    if on is not False and not (kind == "adaptive" and known.adaptive):
        kind = "enabled"
    return {"type": "disabled" if on is False else kind, **fields}


def _is_same(one: object, other: object) -> bool:
    return one == other and type(one) is type(other)


def _why(key: str, value: object, said: Wish) -> str:
    if key == _EFFORT and said.effort:
        return f"the effort {value} is the nearest to {said.effort} that the model tells apart"
    return "thinking is switched by the model's own parameter"


def _why_not(key: str, said: Wish, known: Thinking) -> str:
    if said.on is False and not known.can_be_off:
        return "the model always thinks: removed"
    if said.on and not known.can_be_asked:
        return "it always thinks, and can't be asked to: removed" if known.default else "it doesn't think: removed"
    if said.on and said.effort == efforts.OFF:
        return "the switch beside it says otherwise: removed"
    if key == _EFFORT and said.effort:
        return "the model has no levels of effort: removed" if said.on else "no thinking, so no effort: removed"
    return "no parameter of this model, or without effect: removed"
