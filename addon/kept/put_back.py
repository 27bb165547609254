"""Thoughts put back into the messages that lack theirs, in the form that each format has for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..exchange import Changes, JsonObject
from ..wire import rule_names
from . import histories
from .reasoning import Thought
from .turns import Turn

FIELD: Final = "reasoning_content"
"""The field of a chat message; the rule `reasoning` gives it the endpoint's own name."""

_RULE: Final = rule_names.REASONING_MEMORY
_WHY: Final = "the model's own reasoning, which the client lost, is put back"


def into_chat(messages: list[Any], found: Mapping[int, Thought], *, empty: bool) -> Changes:
    """Put thoughts into the messages of a chat request, by their numbers.

    `empty`: an empty one, too. A model that refuses a turn without reasoning tells it from none.
    """
    changes = Changes()
    for number, thought in sorted(found.items()):
        message = messages[number]
        if thought.text or (empty and message.get(FIELD) != ""):
            message[FIELD] = thought.text
            changes.note(_RULE, number, _WHY, f"/{FIELD}")
    return changes


def into_messages(messages: list[Any], found: Mapping[int, Thought], *, host: str, model: str, signed: bool) -> Changes:
    """Put thoughts into the messages of an Anthropic request for `model` at `host`.

    Its own blocks go back with their signatures, where they stood. What another model thought becomes one block
    without a signature at the beginning; nothing does where the endpoint takes `signed` blocks alone.
    """
    changes = Changes()
    for number, thought in sorted(found.items()):
        message = messages[number]
        given = message.get("content")
        listed = given if isinstance(given, list) else [{"type": "text", "text": given}] if given else []
        others = [block for block in listed if not histories.is_thinking(block)]
        blocks = _blocks(thought, own=(thought.host, thought.model) == (host, model), signed=signed)
        made: list[Any] = []
        for place, other in enumerate(others):
            made += [block for at, block in blocks if at == place]
            made.append(other)
        late = [block for at, block in blocks if at >= len(others)]
        made = [*late, *made]  # of a message that has lost some of its blocks: none stands behind all others
        if blocks and made != listed:
            message["content"] = made
            changes.note(_RULE, number, _WHY, "/content")
    return changes


def _blocks(thought: Thought, *, own: bool, signed: bool) -> list[tuple[int, JsonObject]]:
    """The blocks for a thought, each with the number of other blocks before it."""
    if own and thought.blocks:
        blocks = [(block.get("at"), _without(block, "at")) for block in thought.blocks]
        made = [
            (at if isinstance(at, int) else 0, {"signature": ""} | block if block["type"] == "thinking" else block)
            for at, block in blocks
            if histories.is_thinking(block)
        ]
        if not signed or all(block.get("signature") or block.get("data") for _, block in made):
            return made
    return [(0, {"type": "thinking", "thinking": thought.text, "signature": ""})] if thought.text and not signed else []


def into_items(
    items: list[Any], shown: list[Any], turns: Sequence[Turn], found: Mapping[int, Thought], *, host: str, model: str
) -> tuple[list[Any], list[Any], Changes]:
    """`items`, the input of a Responses request for `model` at `host`, with an item of reasoning before each turn.

    `shown`: what steps see of each item, which gets an empty place for each new one.
    """
    before: dict[int, list[JsonObject]] = {}
    changes = Changes()
    for turn in turns:
        thought = next((found[part.number] for part in turn.parts if part.number in found), None)
        made = _items(thought, host, model) if thought is not None else []
        if made:
            before[turn.parts[0].number] = made
            changes.note_at(_RULE, f"/input/{turn.parts[0].number}", _WHY)
    if not before:
        return items, shown, changes
    nothing: list[JsonObject] = []
    new = [each for number, item in enumerate(items) for each in (*before.get(number, nothing), item)]
    places = [each for number, item in enumerate(shown) for each in (*({} for _ in before.get(number, nothing)), item)]
    return new, places, changes


def _items(thought: Thought, host: str, model: str) -> list[JsonObject]:
    """The items of a thought: the endpoint's own where they are, without ids of what it doesn't keep."""
    if (thought.host, thought.model) == (host, model):
        own = [_without(item, "id", "status") for item in thought.blocks if item.get("type") == "reasoning"]
        if own:
            return own
    if not thought.text:
        return []
    return [{"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": thought.text}]}]


def _without(holder: JsonObject, *names: str) -> JsonObject:
    return {key: value for key, value in holder.items() if key not in names}
