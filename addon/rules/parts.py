"""Content parts: only kinds that the endpoint takes, each with only its own fields, text as plain as it can be.

Sources: SDK Content.Type; compat page 1729/111007 (`image_url.url` is http(s) or `data:image/…;base64,`).
"""

from __future__ import annotations

import re

from ..exchange import Changes, JsonObject
from ..texts import marks
from ..wire import json_body
from . import content, files
from .base import Rule, RuleContext
from .survey import Survey

_IMAGE_URL = re.compile(r"https?://|data:image/[\w.+-]+;base64,", re.IGNORECASE)
_TEXT_PART_FIELDS = frozenset(["type", "text", "refusal", "thinking", "annotations", "cache_control"])


def parts(body: JsonObject, context: RuleContext) -> Changes:
    """Bring every content into shape: a string, or a list of parts that the profile knows."""
    changes = Changes()
    for index, message in enumerate(body["messages"]):
        given = message.get("content")
        if given is None or isinstance(given, str):
            continue
        if not isinstance(given, list):
            given = [_alone(given, context)]
            changes.note("parts", index, "content is neither text nor a list: wrapped", "/content")
        flat = content.flattened(given)
        if flat is not given:
            changes.note("parts", index, "lists inside the list of parts are opened", "/content")
        shaped = [_shaped(part, context) for part in flat]
        for position, (part, new) in enumerate(zip(flat, shaped, strict=True)):
            if new != part:
                changes.note("parts", index, _why(part, new), f"/content/{position}")
        message["content"] = shaped
        if _flattens(message, context):
            message["content"] = content.assemble(content.pieces(shaped)) or None
            changes.note("parts", index, "a list of texts becomes a string", "/content")
    return changes


def _needed(survey: Survey, context: RuleContext) -> bool:
    return bool(survey.with_parts)


RULE = Rule(
    name="parts",
    repairs=(
        "Content parts that the endpoint doesn't take become text or a visible note without their data; text "
        "files in base64 and objects without a type become text; lists inside the list are opened; extra "
        "fields of a part go; a list of texts becomes a string outside user messages."
    ),
    why="SDK Content.Type.",
    apply=parts,
    after=(
        "reasoning",
        "image-parts",
    ),
    needed=_needed,
)


def _alone(value: object, context: RuleContext) -> object:
    """Content that is one value, as a part: an object of no known type is a result, whose JSON says what it says."""
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        return value
    known = {"image_url", *context.profile.grammar.part_types}
    if value["type"] in known or _own_text(value) is not None or files.holds_data(value):
        return value
    return json_body.serialise(value).decode()


def _flattens(message: JsonObject, context: RuleContext) -> bool:
    outside_user = message["role"] != "user"
    return context.profile.grammar.flatten_text and outside_user and all(map(content.is_text, message["content"]))


def _why(part: object, shaped: JsonObject) -> str:
    if content.is_text(shaped) and not content.is_text(part):
        return "a part that the endpoint does not take becomes text"
    return "fields that do not belong to the part are removed"


def _shaped(part: object, context: RuleContext) -> JsonObject:
    if isinstance(part, str):
        return content.text_part(part)
    if not isinstance(part, dict):
        return content.text_part("" if part is None else json_body.serialise(part).decode())
    kind = part.get("type")
    if kind == "image_url" or (kind is None and "image_url" in part):
        return _image(part, context)
    if kind != "text" and isinstance(kind, str) and kind in context.profile.grammar.part_types:
        return part
    return content.text_part(_as_text(part, context))


def _image(part: JsonObject, context: RuleContext) -> JsonObject:
    image = part.get("image_url")
    if isinstance(image, str):
        image = {"url": image}
    url = image.get("url") if isinstance(image, dict) else None
    if not isinstance(image, dict) or not isinstance(url, str) or not _IMAGE_URL.match(url):
        note = context.texts.unsupported_part.format(type="image_url", detail="")
        return content.text_part(note)
    accepted = context.profile.grammar.image_fields
    return {"type": "image_url", "image_url": {name: image[name] for name in image if name in accepted}}


def _as_text(part: JsonObject, context: RuleContext) -> str:
    """The text of a text part and of its kin (`input_text`, `refusal`), or of a text file; the JSON of an object
    without a type; a note for anything else."""
    text = _own_text(part)
    if text is None:
        text = files.text_of(part)
    if text is not None:
        return text
    if not isinstance(part.get("type"), str) and not files.holds_data(part):
        return json_body.serialise(part).decode()
    detail = files.short(part)
    words = "" if not detail else " " + json_body.serialise(detail).decode()
    return context.texts.unsupported_part.format(type=marks.inline(str(part.get("type", "?"))), detail=words)


def _own_text(part: JsonObject) -> str | None:
    """What a part of text says; `None` if it isn't one. An object without a type is one if it holds little else."""
    if not isinstance(part.get("type"), str) and not _TEXT_PART_FIELDS.issuperset(part):
        return None
    for name in ("text", "refusal", "thinking"):
        value = part.get(name)
        if isinstance(value, dict):
            value = value.get("value")  # OpenAI's Assistants API
        if isinstance(value, str):
            return value
    if part.get("type") == "text" and not isinstance(part.get("text"), dict | list):
        return "" if part.get("text") is None else json_body.serialise(part["text"]).decode()
    return None
