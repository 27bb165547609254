"""Length: at most 40 messages.

Source: SDK ChatCompletionsRequest.Messages ("长度最多为 40"). Older turns are folded into one user text that keeps
every word, tool call and tool result; images stay image parts. A line that would pass for the beginning of another turn
is quoted.
"""

from __future__ import annotations

from typing import Any

from ..exchange import Change, JsonObject
from ..texts import around, cut, marks
from . import content
from .base import Rule, RuleContext
from .calls import call_as_text
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
    before, after = around(texts.folded, count=len(turns))
    before_result, after_result = cut(texts.folded_tool)
    pieces: list[Any] = [before.rstrip("\n")]
    for message in turns:
        role = message["role"]
        said = content.pieces(message.get("content"))
        for position, piece in enumerate(said):
            if isinstance(piece, str):
                said[position] = marks.quoted_turns(piece)
        if role == "tool":
            call_id = marks.inline(message["tool_call_id"])
            speaker = before_result.format(id=call_id)
            if after_result:
                said.append(after_result.format(id=call_id))
        else:
            speaker = texts.folded_user if role == "user" else texts.folded_assistant
        pieces += _after(speaker, said)
        if "tool_calls" in message:
            pieces += [call_as_text(call, context) for call in message["tool_calls"]]
    pieces.append(after.lstrip("\n"))
    return {"role": "user", "content": content.assemble(pieces)}


def _after(lead: str, pieces: list[Any]) -> list[Any]:
    """`pieces` with `lead` directly before them."""
    if pieces and isinstance(pieces[0], str):
        return [lead + pieces[0], *pieces[1:]]
    return [lead.rstrip(), *pieces]
