"""The answer of an exchange put together: reasoning, text, calls, how it ended, what it used, what is wrong with it."""

from __future__ import annotations

from typing import Final, TypedDict

from ..exchange import JsonObject, printable
from ..texts.sentence import in_language
from ..views import assembled, shorten
from ..views.assembled import Answer, Choice
from . import story_messages
from .content import Content
from .story_messages import Room, Span

_MOST_CHOICES: Final = 20
_MOST_CALLS: Final = 100
_MOST_PROBLEMS: Final = 20
LONGEST: Final = 30_000
"""Characters of one text that are shown at once."""


class ShownCall(TypedDict):
    """A tool that the answer calls."""

    name: str
    id: str
    at: str
    spans: list[Span]


class ShownChoice(TypedDict):
    """One choice."""

    reasoning: list[Span]
    text: list[Span]
    calls: list[ShownCall]
    finish_reason: str


class ShownAnswer(TypedDict):
    """An answer. `bytes`: how much of it there is; `raw`: what is no answer that can be read."""

    bytes: int
    under_way: bool
    streamed: bool
    choices: list[ShownChoice]
    usage: dict[str, int]
    problems: list[str]
    raw: list[Span]


def answer(content: Content, language: str, room: Room | None = None) -> ShownAnswer | None:
    """The answer as far as it has come; `None`: there is none, or it isn't kept."""
    if content.answer is None:
        return None
    room = room or Room()
    whole = put_together(content)
    problems = whole.problems[:_MOST_PROBLEMS] if whole else []
    return {
        "bytes": len(content.answer),
        "under_way": content.under_way,
        "streamed": content.streamed,
        "choices": [_choice(choice, room) for choice in whole.choices[:_MOST_CHOICES]] if whole else [],
        "usage": _counts(whole.usage or {}) if whole else {},
        "problems": [printable(in_language(language, problem)[:1000]) for problem in problems],
        "raw": room.spans(content.answer.decode("utf-8", "replace")) if whole is None else [],
    }


def put_together(content: Content) -> Answer | None:
    """The answer; `None` where it is no JSON object."""
    data = content.answer or b""
    if content.streamed:
        return assembled.from_stream(data, under_way=content.under_way)
    body = shorten.parse_object(data)
    return None if body is None else assembled.from_body(body)


def rest(content: Content, pointer: str) -> str:
    """The whole of a text of the answer. `pointer`: `/0/text`, `/0/reasoning`, `/0/calls/1`; `""`: all, unread."""
    whole = put_together(content)
    if whole is None or not pointer:
        return (content.answer or b"").decode("utf-8", "replace")
    _, *way = pointer.split("/")
    if not way or not way[0].isdecimal() or len(way[0]) > 3 or int(way[0]) >= len(whole.choices):
        return ""
    choice = whole.choices[int(way[0])]
    match way[1:]:
        case ["text"]:
            return choice.text
        case ["reasoning"]:
            return choice.reasoning
        case ["calls", number] if number.isdecimal() and len(number) < 6 and int(number) < len(choice.calls):
            return story_messages.arguments_of(choice.calls[int(number)]["function"].get("arguments"))
    return ""


def _choice(choice: Choice, room: Room) -> ShownChoice:
    return {
        "reasoning": room.spans(choice.reasoning, most=LONGEST),
        "text": room.spans(choice.text, most=LONGEST),
        "calls": [_call(number, call, room) for number, call in enumerate(choice.calls[:_MOST_CALLS])],
        "finish_reason": printable(choice.finish_reason[:100]),
    }


def _call(number: int, call: JsonObject, room: Room) -> ShownCall:
    function = call["function"]
    name, id = function.get("name"), call.get("id")
    return {
        "name": printable(name[:200]) if isinstance(name, str) else "?",
        "id": printable(id[:200]) if isinstance(id, str) else "",
        "at": f"/calls/{number}",
        "spans": room.spans(story_messages.arguments_of(function.get("arguments")), most=LONGEST),
    }


def _counts(usage: JsonObject, before: str = "") -> dict[str, int]:
    """The numbers of a usage object, with their ways as names."""
    found: dict[str, int] = {}
    for key, value in list(usage.items())[:30]:
        if type(value) is int:
            found[printable(f"{before}{key}"[:100])] = value
        elif isinstance(value, dict) and before.count(".") < 2:
            found |= _counts(value, f"{before}{key}.")
    return found
