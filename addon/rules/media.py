"""Media: images and videos stand in user messages only, unless the profile says otherwise.

The endpoint documents them for user messages; agents that know an endpoint without images in tool results do the
same by hand (docs/facts/clients.md#histories: Cline and opencode send "tool, then user with the image"). Images
that the cascade described are text by now and stay where they are.
"""

from __future__ import annotations

from ..exchange import Changes, JsonObject
from . import content
from .base import Rule, RuleContext
from .survey import Survey


def media(body: JsonObject, context: RuleContext) -> Changes:
    """Move parts that aren't text out of system, assistant and tool messages into a user message after them."""
    changes = Changes()
    placed: list[JsonObject] = []
    for index, message in enumerate(body["messages"]):
        placed.append(message)
        given = message.get("content")
        if message["role"] in context.profile.grammar.media_roles or not isinstance(given, list):
            continue
        moved = [part for part in given if not content.is_text(part)]
        if moved:
            texts = [
                part["text"] for part in given if content.is_text(part) and not content.is_blank_text(part["text"])
            ]
            message["content"] = content.assemble([*texts, context.texts.moved_media])
            placed.append({"role": "user", "content": moved})
            why = f"images of a {message['role']} message move into a user message after it"
            changes.note("media", index, why, "/content")
    body["messages"] = placed
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    return not survey.with_parts <= context.profile.grammar.media_roles


RULE = Rule(
    name="media",
    repairs="Images in system, assistant and tool messages, where no cascade ran, move into a user message after them.",
    why="Compatibility page 1729/111007 documents images in user messages.",
    apply=media,
    after=("parts",),
    needed=_needed,
)
