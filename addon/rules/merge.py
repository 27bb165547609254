"""Merge: neighbours of one role become one message.

Source: SDK ChatCompletionsRequest.Messages ("user（tool） 和 assistant 需交替出现"); seen as 400/1001 (OpenManus#894).
"""

from __future__ import annotations

from ..exchange import Changes, JsonObject
from . import content
from .base import Rule, RuleContext
from .fields import prefix_with_speaker
from .ids import NO_ID
from .survey import Survey

_WHY = {role: f"joined to the {role} message before" for role in ("user", "assistant")}
"""By the roles that are merged."""


def merge(body: JsonObject, context: RuleContext) -> Changes:
    """Join neighbouring user messages and neighbouring assistant messages, parts and calls kept in order.

    An assistant message whose calls repeat an id of those before it is a later turn, and is not joined to them: ids may
    be unique within a turn alone, and the answers belong to the later one. The rule `pairing` parts the two.
    """
    if not context.profile.grammar.alternate:
        return Changes()
    changes = Changes()
    merged: list[JsonObject] = []
    run: list[JsonObject] = []  # neighbours that become one message
    taken: set[str] | None = None  # ids of their calls, once they matter
    role = None
    for index, message in enumerate(body["messages"]):
        joins = message["role"] == role and role in _WHY
        if joins and "tool_calls" in message:
            ids = _ids(message)
            if taken is None:
                taken = {call_id for earlier in run if "tool_calls" in earlier for call_id in _ids(earlier)}
            joins = taken.isdisjoint(ids)
            taken.update(ids)
        if joins:
            run.append(message)
            changes.note("merge", index, _WHY[message["role"]])
        else:
            merged += _joined(run, context.reasoning_name)
            run, taken, role = [message], None, message["role"]
    body["messages"] = merged + _joined(run, context.reasoning_name)
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    return context.profile.grammar.alternate and ("UU" in survey.order or "AA" in survey.order)


RULE = Rule(
    name="merge",
    repairs=(
        "Neighbouring user messages, and neighbouring assistant messages, become one, but for calls that repeat an id."
    ),
    why='SDK ChatCompletionsRequest.Messages: user (tool) and assistant alternate ("需交替出现"); seen: 400 code 1001.',
    apply=merge,
    after=(
        "calls",
        "system",
    ),
    needed=_needed,
)


def _ids(message: JsonObject) -> list[str]:
    return [call.get("id") or NO_ID for call in message["tool_calls"]]


def _joined(run: list[JsonObject], reasoning: str) -> list[JsonObject]:
    """A run of neighbours as one message; none where there is none. `reasoning`: the field that holds theirs."""
    if len(run) < 2:
        return run
    first = run[0]
    if any(message.get("name") != first.get("name") for message in run):
        for message in run:
            name = message.pop("name", None)
            if isinstance(name, str) and name:
                prefix_with_speaker(message, name)
    result = {**first, "content": content.join(*(message.get("content") for message in run))}
    calls = [call for message in run for call in message.get("tool_calls", ())]
    if calls:
        # an `index` counts within its own message, so it can't survive the join
        result["tool_calls"] = [{key: call[key] for key in call if key != "index"} for call in calls]
    if any(message.get(reasoning) is not None for message in run):
        result[reasoning] = content.join(*(message.get(reasoning) for message in run)) or ""
    return [result]
