"""System messages: one, at index 0.

Source: seen as 400 "messages 中 system 角色必须位于列表的最开始" for a later one and for a second one.
"""

from __future__ import annotations

from ..exchange import Changes, JsonObject
from ..texts import around
from . import content
from .base import Rule, RuleContext
from .survey import Survey


def system(body: JsonObject, context: RuleContext) -> Changes:
    """Join leading system messages; a later one becomes user text in its place; empty ones go."""
    changes = Changes()
    leading: list[JsonObject] = []
    rest: list[JsonObject] = []
    for index, message in enumerate(body["messages"]):
        if message["role"] != "system":
            rest.append(message)
            continue
        if content.is_blank(message.get("content")):
            changes.note("system", index, "an empty system message is removed")
        elif rest:
            rest.append({"role": "user", "content": _marked(message["content"], context)})
            changes.note("system", index, "a later system message becomes marked user text")
        else:
            if leading:
                changes.note("system", index, "joined to the first system message")
            leading.append(message)
    if len(leading) > 1:
        leading[0]["content"] = content.join(*(message["content"] for message in leading))
    body["messages"] = [*leading[:1], *rest]
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    """False where only the first message may be a system message, and it has content."""
    if "S" in survey.order[1:]:
        return True
    return survey.order[:1] == "S" and content.is_blank(survey.body["messages"][0].get("content"))


RULE = Rule(
    name="system",
    repairs="Leading system messages become one; a later one becomes marked user text in its place; empty ones go.",
    why='SDK ChatCompletionsRequest.Messages; seen: 400 "messages 中 system 角色必须位于列表的最开始".',
    apply=system,
    after=(
        "roles",
        "intents",
    ),
    needed=_needed,
)


def _marked(given: object, context: RuleContext) -> content.Content:
    before, after = around(context.texts.later_system)
    pieces = content.pieces(given)
    first, last = pieces[0], pieces[-1]
    if len(pieces) == 1 and isinstance(first, str):
        return before + first + after
    head = [before + first, *pieces[1:]] if isinstance(first, str) else [before.rstrip(), *pieces]
    tail = [*head[:-1], head[-1] + after] if isinstance(last, str) else [*head, after.lstrip()]
    return content.assemble(tail)
