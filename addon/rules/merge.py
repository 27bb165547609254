"""Merge: neighbours of one role become one message.

Source: SDK ChatCompletionsRequest.Messages ("user（tool） 和 assistant 需交替出现"); seen as 400/1001 (OpenManus#894).
"""

from __future__ import annotations

from addon.exchange import Change, Changes, JsonObject
from addon.rules import content
from addon.rules.context import RuleContext
from addon.rules.fields import speak_name
from addon.rules.ids import NO_ID

_WHY = {role: f"joined to the {role} message before" for role in ("user", "assistant")}
"""By the roles that are merged."""


def merge(body: JsonObject, context: RuleContext) -> list[Change]:
    """Join neighbouring user messages and neighbouring assistant messages, parts and calls kept in order.

    An assistant message whose calls repeat an id of those before it is a later turn, and is not joined to them: ids may
    be unique within a turn alone, and the answers belong to the later one. The rule `pairing` parts the two.
    """
    if not context.profile.grammar.alternate:
        return []
    changes = Changes()
    merged: list[JsonObject] = []
    run: list[JsonObject] = []  # neighbours that become one message
    taken: set[str] = set()  # ids of their calls
    for index, message in enumerate(body["messages"]):
        ids = [call.get("id") or NO_ID for call in message["tool_calls"]] if "tool_calls" in message else []
        if run and _are_neighbours(run[0], message) and taken.isdisjoint(ids):
            changes.note("merge", index, _WHY[message["role"]])
        else:
            merged += _joined(run)
            run, taken = [], set()
        run.append(message)
        taken.update(ids)
    body["messages"] = merged + _joined(run)
    return changes


def _are_neighbours(first: JsonObject, second: JsonObject) -> bool:
    return first["role"] in _WHY and first["role"] == second["role"]


def _joined(run: list[JsonObject]) -> list[JsonObject]:
    """A run of neighbours as one message; none where there is none."""
    if len(run) < 2:
        return run
    first = run[0]
    if any(message.get("name") != first.get("name") for message in run):
        for message in run:
            name = message.pop("name", None)
            if isinstance(name, str) and name:
                speak_name(message, name)
    result = {**first, "content": content.join(*(message.get("content") for message in run))}
    calls = [call for message in run for call in message.get("tool_calls", ())]
    if calls:
        # an `index` counts within its own message, so it can't survive the join
        result["tool_calls"] = [{key: call[key] for key in call if key != "index"} for call in calls]
    if any("reasoning_content" in message for message in run):
        result["reasoning_content"] = content.join(*(message.get("reasoning_content") for message in run)) or ""
    return [result]
