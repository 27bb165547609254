"""Made-up reasoning: a short neutral thought for a turn whose own is lost, for models that refuse a turn without.

The last resort, after the real one (the step `reasoning-memory`, the rule `reasoning`). It is made of the turn alone:
the same turn has the same thought in every request, so that the prompt cache holds, and another turn another one. Where
every turn had the same sentence, models answered with nothing in 40 of 100 cases (Lingtai-AI/lingtai-kernel#9), or gave
the sentence for an answer (router-for-me/CLIProxyAPI#4899). An empty text counts as missing (earendil-works/pi#4178).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Final

from ..exchange import Changes, JsonObject
from ..texts import Texts
from ..wire import json_body
from .base import Rule, RuleContext
from .reasoning import every_turn, has_reasoning, is_wanted
from .survey import Survey
from .thinking import thinks

WHY: Final = "the reasoning is lost, and the model refuses a turn without: made up from the turn"
_MOST_NAMES: Final = 3
_LONGEST_NAME: Final = 64
_KEY: Final = re.compile(r"[A-Za-z][A-Za-z_]{0,23}")
"""An argument's key that may be named: a word. Anything else could be data."""


def made_up_reasoning(body: JsonObject, context: RuleContext) -> Changes:
    """Give each turn that must have its reasoning and has none a thought of its own (`context.counts["made up"]`)."""
    changes = Changes()
    if context.model.replay != "required" or not thinks(body, context.model):
        return changes
    for index, message in enumerate(body["messages"]):
        if message["role"] != "assistant" or not is_wanted(message, body, context) or has_reasoning(message, context):
            continue
        if message.get("partial") is True:
            continue  # the model is to complete it
        message[context.reasoning_name] = thought(message, context.texts)
        context.counts["made up"] += 1
        changes.note("made-up-reasoning", index, WHY, f"/{context.reasoning_name}")
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    return (
        context.model.replay == "required"
        and context.profile.grammar.reasoning == "keep"
        and "assistant" in survey.fields
        and ("tool_calls" in survey.fields["assistant"] or every_turn(survey.body, context.model))
    )


RULE = Rule(
    name="made-up-reasoning",
    repairs=(
        "Where a thinking model refuses a turn without its reasoning and nothing is left of it, the turn gets a short "
        "neutral thought, made of the names of its tools and arguments, another one for each turn."
    ),
    why=(
        'Kimi: 400 "reasoning_content is missing in assistant tool call message" (BerriAI/litellm#26156); a constant '
        "text makes models answer with nothing (Lingtai-AI/lingtai-kernel#9)."
    ),
    apply=made_up_reasoning,
    after=(
        "reasoning",
        "pairing",
        "length",
    ),
    needed=_needed,
)


def thought(message: JsonObject, texts: Texts) -> str:
    """A thought for an assistant message, made of its content and calls. No value of theirs is in it."""
    calls: list[JsonObject] = message.get("tool_calls") or []
    said = json.dumps([message.get("content"), [[call.get("id"), call["function"]] for call in calls]])
    digest = hashlib.sha256(said.encode()).digest()
    choices = iter(digest[3:])

    def one_of(templates: list[str]) -> str:
        return templates[next(choices) % len(templates)]

    pieces = [one_of(texts.made_up_beginnings).replace("{label}", digest[:3].hex())]
    if calls:
        names = _listed([call["function"]["name"][:_LONGEST_NAME] for call in calls])
        pieces.append(one_of(texts.made_up_calls).replace("{names}", names))
        if keys := _listed(key for call in calls[:_MOST_NAMES] for key in _keys(call)):
            pieces.append(one_of(texts.made_up_arguments).replace("{names}", keys))
    else:
        pieces.append(one_of(texts.made_up_words))
    return "".join([*pieces, one_of(texts.made_up_ends)])


def _listed(names: Iterable[str]) -> str:
    return ", ".join(list(dict.fromkeys(names))[:_MOST_NAMES])


def _keys(call: JsonObject) -> Iterator[str]:
    arguments = json_body.parse_object(call["function"]["arguments"].encode("utf-8", "surrogatepass")) or {}
    return (key for key in list(arguments)[:_MOST_NAMES] if _KEY.fullmatch(key))
