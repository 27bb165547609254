"""The request of a further round: the same question, with what was answered so far, to go on from there.

How an endpoint goes on is its model's data: `prefill = "partial"` completes an assistant message at the end, and
doesn't say it again. Others get a user message that asks for the rest. The text so far is one message, whatever the
number of rounds: pieces of it in several messages would look like finished answers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from ...exchange import AnswerPlan, JsonObject
from ...profiles import Model
from ...rules import apply_chat, thinking
from ...rules.base import RuleContext

LIMITS: Final = ("max_completion_tokens", "max_tokens")
"""The names of the limit of an answer; where a request has both, the first counts."""


@dataclass(frozen=True, slots=True)
class Round:
    """A request that goes on, in the house language."""

    body: JsonObject
    is_completion: bool
    """The answer begins where the text so far ends; `False`: it may repeat the end of it."""


def further(
    sent: JsonObject,
    context: RuleContext,
    said: str,
    reasoning: str,
    *,
    limit: int | None,
    checkpoint: Callable[[], None] = lambda: None,
) -> Round:
    """The request that goes on after `sent`, whose answer so far is `said`; `sent` stays as it is.

    `reasoning`: what the model thought before it began to answer. `limit`: the most tokens of this round; `None`: as
    many as `sent` says.
    """
    body, context = {**sent}, replace(context, plan=AnswerPlan(), counts=Counter(), failed=[])
    messages: list[Any] = [*sent["messages"]]
    # 1. What the client itself had begun is a part of what stands there.
    last = messages[-1]
    begun = _begun(last)
    # 2. No further thoughts: they would cost as much again, and stand in the middle of the answer.
    if context.model.thinking is not None and thinking.thinks(body, context.model):
        thinking.switch_off(body, context.model.thinking)
    # 3. The answer so far.
    message: JsonObject = {"role": "assistant", "content": said}
    if begun is not None:
        messages.pop()
        message = {**last, "content": begun + said}
    if reasoning and context.keeps_reasoning and context.model.replay != "ignored":
        message[context.reasoning_name] = reasoning
    is_completion = completes(body, context)
    if is_completion:
        message["partial"] = True
        messages.append(message)
    else:
        message.pop("partial", None)
        messages += [message, {"role": "user", "content": context.texts.go_on}]
    body["messages"] = messages
    # 4. Its limit.
    if limit is not None:
        _limit(body, context, limit)
    # 5. As its endpoint takes it.
    apply_chat(body, context, checkpoint)
    return Round(body, is_completion)


def completes(body: JsonObject, context: RuleContext) -> bool:
    """Whether the endpoint goes on from an assistant message at the end of `body`, and says nothing of it again.

    Not where JSON is asked for: the vendors exclude the two from each other (docs/facts/kimi.md#models).
    """
    model: Model = context.model
    if model.prefill != "partial" or context.profile.grammar.end_with_user:
        return False
    form = body.get("response_format")
    if isinstance(form, dict) and form.get("type") != "text":
        return False
    return model.prefill_thinks or not thinking.thinks(body, model)


def limit_of(body: JsonObject) -> int | None:
    """The most tokens that a chat request allows its answer; `None`: it says nothing that can be read."""
    for name in LIMITS:
        value = body.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None


def _begun(last: object) -> str | None:
    """The beginning of the answer that the client gave itself."""
    if not isinstance(last, dict) or last.get("role") != "assistant" or last.get("tool_calls"):
        return None
    return said if isinstance(said := last.get("content"), str) else None


def _limit(body: JsonObject, context: RuleContext, limit: int) -> None:
    """Let the answer have `limit` tokens at most."""
    named = [name for name in LIMITS if name in body]
    if not named:
        known = context.profile.parameters
        named = [next((name for name in LIMITS if name in known), LIMITS[1])]
    given = limit_of(body)
    for name in named:
        body[name] = limit if given is None else min(limit, given)
