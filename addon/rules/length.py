"""Length: at most 40 messages.

Source: SDK ChatCompletionsRequest.Messages ("长度最多为 40"). Older turns are folded into one user text that keeps
every word, tool call and tool result; images stay image parts. A line that would pass for the beginning of another turn
is quoted.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

from ..exchange import Change, JsonObject
from ..texts import around, marks, pieces
from . import content, folds
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
    text = folds.of(context.texts).fold(turns[:end], lambda oldest: _folded(oldest, context))
    body["messages"] = [*messages[:head], {"role": "user", "content": text}, *turns[end:]]
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


def _folded(turns: list[JsonObject], context: RuleContext) -> content.Content:
    texts = context.texts
    # 1. What the turns say: one text, as most do, or pieces.
    said: list[str | list[Any]] = [
        given
        if isinstance(given := message.get("content"), str) and given and not given.isspace()
        else content.pieces(given)
        for message in turns
    ]
    calls = [call for message in turns if "tool_calls" in message for call in message["tool_calls"]]
    arguments = [call["function"]["arguments"] for call in calls]
    # Lines are quoted only where any of them needs it: one look at all is cheaper.
    words = [spoken for spoken in said if isinstance(spoken, str)]
    if len(words) < len(said):
        words += [piece for spoken in said if isinstance(spoken, list) for piece in spoken if isinstance(piece, str)]
    if marks.any_turn(words + arguments):
        said = [_quoted(spoken) for spoken in said]
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
        else:
            lead = texts.folded_user if role == "user" else texts.folded_assistant
        if isinstance(spoken, str):
            folded.append(lead + spoken)
        elif spoken and isinstance(spoken[0], str):
            folded += (lead + spoken[0], *spoken[1:])
        else:
            folded += (lead.rstrip(), *spoken)
        if after_result and role == "tool":
            folded.append(after_result)
        if "tool_calls" in message:
            folded += islice(called, len(message["tool_calls"]))
    folded.append(after.lstrip("\n"))
    return content.assemble(folded)


def _quoted(spoken: str | list[Any]) -> str | list[Any]:
    if isinstance(spoken, str):
        return marks.quoted_turns(spoken)
    return [marks.quoted_turns(piece) if isinstance(piece, str) else piece for piece in spoken]
