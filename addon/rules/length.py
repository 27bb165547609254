"""Length: at most 40 messages.

Source: SDK ChatCompletionsRequest.Messages ("长度最多为 40"). Older turns are folded into one user text that keeps
every word, tool call and tool result; images stay image parts. A line that would pass for the beginning of another turn
is quoted.
"""

from __future__ import annotations

from typing import Any

from ..exchange import Change, JsonObject
from ..texts import around, marks, pieces
from . import content
from .base import Rule, RuleContext
from .calls import calls_as_text
from .survey import Survey


def length(body: JsonObject, context: RuleContext) -> list[Change]:
    """Fold the oldest whole turns into one user message where there are more messages than allowed.

    The fold ends at fixed multiples of half the limit, and only directly before an assistant message: so it is the
    same bytes over many turns of a growing history, and a group of tool answers is never split.
    """
    messages = body["messages"]
    if context.max_messages is None or len(messages) <= context.max_messages:
        return []
    head = 1 if messages[0]["role"] == "system" else 0
    turns = messages[head:]
    end = _fold_end(turns, max(1, context.max_messages - head))
    body["messages"] = [*messages[:head], _folded(turns[:end], context), *turns[end:]]
    return [Change("length", f"/messages/{head}", f"the oldest {end} messages are folded into one")]


def _needed(survey: Survey, context: RuleContext) -> bool:
    return context.max_messages is not None and len(survey.body["messages"]) > context.max_messages


RULE = Rule(
    name="length",
    repairs="Of more than 40 messages the oldest whole turns become one user text that keeps every word.",
    why='SDK ChatCompletionsRequest.Messages: "长度最多为 40".',
    apply=length,
    after=(
        "placeholders",
        "bridge",
        "edges",
    ),
    needed=_needed,
)


def _fold_end(turns: list[JsonObject], limit: int) -> int:
    """How many of `turns` to fold, so that the rest and the folded one are at most `limit`."""
    step = max(1, limit // 2)
    surplus = len(turns) + 1 - limit
    target = -(-surplus // step) * step
    boundaries = (index for index in range(target, len(turns)) if turns[index]["role"] == "assistant")
    return next(boundaries, len(turns))


def _folded(turns: list[JsonObject], context: RuleContext) -> JsonObject:
    texts = context.texts
    # 1. What the turns say. Lines are quoted only where any of them needs it: one look at all is cheaper.
    said = [content.pieces(message.get("content")) for message in turns]
    calls = [call for message in turns if "tool_calls" in message for call in message["tool_calls"]]
    arguments = [call["function"]["arguments"] for call in calls]
    if marks.any_turn([piece for spoken in said for piece in spoken if isinstance(piece, str)] + arguments):
        said = [[marks.quoted_turns(piece) if isinstance(piece, str) else piece for piece in spoken] for spoken in said]
        arguments = list(map(marks.quoted_turns, arguments))
    # 2. Each led by its speaker.
    called = iter(calls_as_text(calls, arguments, context))
    results = iter(marks.inlined([message["tool_call_id"] for message in turns if message["role"] == "tool"]))
    before_id, after_id, after_result = pieces(texts.folded_tool, "id", "text")
    before, after = around(texts.folded, count=len(turns))
    folded: list[Any] = [before.rstrip("\n")]
    for message, spoken in zip(turns, said, strict=True):
        role = message["role"]
        if role == "tool":
            lead = f"{before_id}{next(results)}{after_id}"
            if after_result:
                spoken.append(after_result)
        else:
            lead = texts.folded_user if role == "user" else texts.folded_assistant
        if spoken and isinstance(spoken[0], str):
            spoken[0] = lead + spoken[0]
        else:
            folded.append(lead.rstrip())
        folded += spoken
        for _ in message.get("tool_calls", ()):
            folded.append(next(called))
    folded.append(after.lstrip("\n"))
    return {"role": "user", "content": content.assemble(folded)}
