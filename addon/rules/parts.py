"""Content parts: only kinds that the endpoint takes, each with only its own fields, text as plain as it can be.

Sources: SDK Content.Type; compat page 1729/111007 (`image_url.url` is http(s) or `data:image/…;base64,`).
"""

from __future__ import annotations

import re

from addon.exchange import Change, JsonObject
from addon.rules import content, files
from addon.rules.context import RuleContext
from addon.texts import marks
from addon.wire import json_body

_IMAGE_URL = re.compile(r"https?://|data:image/[\w.+-]+;base64,", re.IGNORECASE)


def parts(body: JsonObject, context: RuleContext) -> list[Change]:
    """Bring every content into shape: a string, or a list of parts that the profile knows."""
    changes: list[Change] = []
    for index, message in enumerate(body["messages"]):
        given = message.get("content")
        if given is None or isinstance(given, str):
            continue
        pointer = f"/messages/{index}/content"
        if not isinstance(given, list):
            given = [given]
            changes.append(Change("parts", pointer, "content is neither text nor a list: wrapped"))
        shaped = [_shaped(part, context) for part in given]
        for position, (part, new) in enumerate(zip(given, shaped, strict=True)):
            if new != part:
                changes.append(Change("parts", f"{pointer}/{position}", _why(part, new)))
        message["content"] = shaped
        if _flattens(message, context):
            message["content"] = content.assemble(content.pieces(shaped)) or None
            changes.append(Change("parts", pointer, "a list of texts becomes a string"))
    return changes


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
    """The text of a text part and of its kin (`input_text`, `refusal`, `thinking`); a note for anything else."""
    for name in ("text", "refusal", "thinking"):
        if isinstance(part.get(name), str):
            return str(part[name])
    carried = files.text_of(part)
    if carried is not None:
        return carried
    detail = files.short(part)
    words = "" if not detail else " " + json_body.serialise(detail).decode()
    return context.texts.unsupported_part.format(type=marks.inline(str(part.get("type", "?"))), detail=words)
