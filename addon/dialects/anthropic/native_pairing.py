"""Calls in a Messages request that stays one: every endpoint refuses a history in which a call has no result.

A client that lost one sends that history for the rest of its session (anthropics/claude-code#6836).
"""

from __future__ import annotations

from typing import Any, Final

from ...exchange import Changes, JsonObject
from ...texts import Texts
from ...wire import rule_names
from .content import as_blocks, kind_of

_RULE: Final = rule_names.ANTHROPIC_NATIVE


def pair(body: JsonObject, texts: Texts, changes: Changes) -> None:
    """Give each call that has no result one in the user's next message; calls that end the history wait for theirs.

    Neighbouring messages of one role are one turn; messages of other roles stand beside the turns.
    """
    made: list[Any] = []
    waiting: dict[str, None] = {}
    """The ids of the turn's calls that have no result yet."""
    reply: int | None = None
    """The place of the user's first message after them."""
    for message in body["messages"]:
        role = message.get("role") if isinstance(message, dict) else None
        if role == "assistant":
            if reply is not None:
                _fill(made, reply, waiting, texts, changes)
                waiting, reply = {}, None
            waiting |= dict.fromkeys(_ids(message, "tool_use", "id"))
        elif role == "user":
            reply = len(made) if reply is None else reply
            for called in _ids(message, "tool_result", "tool_use_id"):
                waiting.pop(called, None)
        made.append(message)
    _fill(made, reply, waiting, texts, changes)
    body["messages"] = made


def _ids(message: JsonObject, kind: str, name: str) -> list[str]:
    given = message.get("content")
    blocks = [block for block in given if isinstance(block, dict)] if isinstance(given, list) else []
    return [block[name] for block in blocks if block.get("type") == kind and isinstance(block.get(name), str)]


def _fill(made: list[Any], reply: int | None, waiting: dict[str, None], texts: Texts, changes: Changes) -> None:
    """Put a result for each call that waits for one behind those that the user's message at `reply` begins with."""
    if not waiting or reply is None:
        return
    results = [{"type": "tool_result", "tool_use_id": id, "content": texts.missing_answer} for id in waiting]
    made[reply] = {**made[reply], "content": _behind_results(as_blocks(made[reply].get("content")), results)}
    changes.note(_RULE, reply, "a call whose result was lost gets one that says so", "/content")


def _behind_results(blocks: list[Any], more: list[Any]) -> list[Any]:
    results = 0
    while results < len(blocks) and isinstance(blocks[results], dict) and kind_of(blocks[results]) == "tool_result":
        results += 1
    return [*blocks[:results], *more, *blocks[results:]]
