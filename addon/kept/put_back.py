"""Thoughts put back into the messages that lack theirs, in the form that each format has for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ..exchange import Changes, JsonObject
from ..profiles import Model
from ..rules import made_up_reasoning
from ..texts import Texts
from ..wire import json_body, rule_names
from . import histories
from .heard import BLOCKS
from .reasoning import Thought
from .turns import Turn

FIELD: Final = "reasoning_content"
"""The field of a chat message; the rule `reasoning` gives it the endpoint's own name."""

_RULE: Final = rule_names.REASONING_MEMORY
_WHY: Final = "the model's own reasoning, which the client lost, is put back"


def into_chat(messages: list[Any], found: Mapping[int, Thought], *, host: str, model: Model) -> Changes:
    """Put thoughts into the messages of a chat request for `model` at `host`, by their numbers.

    A model that refuses a turn without reasoning gets an empty one back, too: it tells that from none.
    """
    changes = Changes()
    for number, thought in sorted(found.items()):
        message = messages[number]
        if thought.blocks and (thought.host, thought.model) == (host, model.id) and BLOCKS not in message:
            blocks = [_without(block, "at") for block in thought.blocks if histories.is_thinking(block)]
            message |= {BLOCKS: blocks} if blocks else {}
        if thought.text and model.replay_in == "content":
            message["content"] = _at_the_head(thought.text, message.get("content"))
            changes.note(_RULE, number, _WHY, "/content")
        elif thought.text or (model.replay == "required" and message.get(FIELD) != ""):
            message[FIELD] = thought.text
            changes.note(_RULE, number, _WHY, f"/{FIELD}")
    return changes


def _at_the_head(thought: str, content: Any) -> Any:
    """A content of chat with a thought before what it says."""
    head = f"<think>\n{thought}\n</think>\n\n"
    if not isinstance(content, list):
        return head + (content or "")
    first = content[0] if content else None
    if isinstance(first, dict) and isinstance(first.get("text"), str):
        return [{**first, "text": head + first["text"]}, *content[1:]]
    return [{"type": "text", "text": head}, *content]


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
            (at if isinstance(at, int) else 0, _with_signature(block))
            for at, block in blocks
            if histories.is_thinking(block)
        ]
        if not signed or all(block.get("signature") or block.get("data") for _, block in made):
            return made
    return [(0, {"type": "thinking", "thinking": thought.text, "signature": ""})] if thought.text and not signed else []


def _with_signature(block: JsonObject) -> JsonObject:
    """A block of thinking, which has a signature, be it empty."""
    return block if block["type"] != "thinking" or "signature" in block else {**block, "signature": ""}


def made_up(messages: list[Any], turns: Sequence[Turn], found: Mapping[int, Thought], texts: Texts) -> Changes:
    """Give each message with calls of an Anthropic request a block of thinking where nothing is known of its own.

    The last resort, as the rule `made-up-reasoning` for chat.
    """
    changes = Changes()
    for part in (part for turn in turns for part in turn.parts):
        if not part.lacks or not part.has_calls or part.number in found:
            continue
        message = messages[part.number]
        given = message["content"]
        if any(block.get("data") for block in given if histories.is_thinking(block)):
            continue  # the endpoint may have redacted it itself
        others = [block for block in given if not histories.is_thinking(block)]
        calls = [
            {"id": block.get("id"), "function": {"name": block["name"], "arguments": _as_json(block.get("input"))}}
            for block in others
            if isinstance(block, dict) and block.get("type") == "tool_use" and isinstance(block.get("name"), str)
        ]
        thought = made_up_reasoning.thought({"content": None, "tool_calls": calls}, texts)
        message["content"] = [{"type": "thinking", "thinking": thought, "signature": ""}, *others]
        changes.note(made_up_reasoning.RULE.name, part.number, made_up_reasoning.WHY, "/content")
    return changes


def _as_json(given: object) -> str:
    return json_body.serialise(given).decode()


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
