"""Every text that the addon puts into a conversation: placeholders, notes, instructions, the vision prompt.

The wording is data (`zh.toml`, `en.toml`); changing a line changes what models read, never how rules work.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

_HOLE = re.compile(r"\{(\w+)\}")

LANGUAGES = ("zh", "en")
"""The values of `hunyuan_language`; the first is that of texts in conversations where none is given."""


@dataclass(frozen=True, slots=True, eq=False)
class Texts:
    """The texts of one language. Names in braces are filled in with `str.format`."""

    language: str
    empty_system: str
    empty_user: str
    empty_assistant: str
    empty_assistant_calls: str
    """{names}: the called tools, joined by commas."""
    empty_tool: str
    bridge: str
    continue_: str
    """The user message after a trailing assistant message."""
    start: str
    """The user message before a leading assistant message."""
    image_only: str
    """The text part of a message that has images and no text."""
    moved_media: str
    """What stays behind where an image moved into a user message."""
    image_after: str
    """What stays in a text where an image was that is now a part after it."""
    missing_answer: str
    """The answer to a tool call that the client never answered."""
    later_system: str
    """{text}: a system message that stands after the first other message."""
    orphan_tool: str
    """{id}, {text}: a tool result that answers no call."""
    unsupported_part: str
    """{type}, {detail}: a content part that the endpoint doesn't take."""
    folded: str
    """{count}, {text}: old turns folded into one text; `folded_turn` lines make up the text."""
    folded_user: str
    folded_assistant: str
    folded_call: str
    """{name}, {id}, {arguments}, in this order"""
    folded_tool: str
    """{id}, {text}, in this order"""
    tool_required: str
    """Instruction in place of `tool_choice: required`."""
    tool_named: str
    """{name}: instruction in place of a `tool_choice` that names a function."""
    made_up_beginnings: list[str]
    """{label}: how a made-up thought begins. `rules/made_up_reasoning.py` puts one of each kind together."""
    made_up_calls: list[str]
    """{names}: before a turn that calls tools."""
    made_up_arguments: list[str]
    """{names}: the arguments of these calls."""
    made_up_words: list[str]
    """Before a turn that calls none."""
    made_up_ends: list[str]
    json_object: str
    """Instruction in place of `response_format: json_object`."""
    json_schema: str
    """{name}, {schema}: instruction in place of `response_format: json_schema`."""
    go_on: str
    """What a model is told whose answer was cut, after the answer so far."""
    json_again: str
    """{error}: what a model is told whose answer is not the JSON that was asked for."""
    image_description: str
    """{number}, {total}, {model}, {description}: what stands where an image was."""
    image_failed: str
    """{number}, {total}, {reason}"""
    answer_filtered: str
    """What is said at the end of an answer that the endpoint's moderation ended."""
    image_reasons: dict[str, str]
    """Reason code of a failure for good -> words for `image_failed`."""
    document: str
    """{name}, {pages}, {total}, {text}: the text of a document, of which the first pages were read."""
    document_failed: str
    """{name}, {reason}"""
    document_reasons: dict[str, str]
    """Reason code of a document that can't be read -> words for `document_failed`."""
    vision_prompt: str
    """{question}: what the vision model is told; the question is the user's text, quoted as data."""
    vision_no_question: str


def around(template: str, **filled: object) -> tuple[str, str]:
    """What stands before and after the `{text}` of `template`, the other names filled in.

    The template is cut, not the text made of it: nothing that is filled in can be taken for the place.
    """
    before, after = cut(template)
    return before.format(**filled), after.format(**filled)


def cut(template: str) -> tuple[str, str]:
    """`template` before and after its `{text}`, the other names in braces still to be filled in."""
    before, _, after = template.partition("{text}")
    return before, after


@cache
def pieces(template: str, *names: str) -> tuple[str, ...]:
    """What stands before, between and after the `names` in braces of `template`: joining is faster than `str.format`.

    Raises `ValueError` where the template has other names, or has them in another order.
    """
    split = _HOLE.split(template)
    if tuple(split[1::2]) != names:
        raise ValueError(f"the names in {template!r} are not {', '.join(names)}")
    return tuple(split[::2])


def language_of(given: str | None) -> str:
    """The language of texts in conversations, by `hunyuan_language`.

    The option alone decides: with what each client accepts the same history would not always give the same bytes.
    """
    return given or LANGUAGES[0]


@cache
def load(language: str) -> Texts:
    """The texts of `language`. Raises `KeyError` for one that is not in `LANGUAGES`."""
    if language not in LANGUAGES:
        raise KeyError(language)
    text = resources.files(__name__).joinpath(f"{language}.toml").read_text(encoding="utf-8")
    return Texts(language=language, **tomllib.loads(text))
