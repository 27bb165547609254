"""The calls that the addon made itself for an exchange: for descriptions of images, searches, answers in JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypedDict

from .. import texts
from ..events import Paid
from ..exchange import Exchange, JsonObject, printable
from ..views import transcript
from ..vision import record
from ..wire import json_body
from .content import Content
from .story_answer import put_together
from .story_messages import Message

_MOST_CALLS: Final = 100
_LARGEST_NUMBER: Final = 10**12


class OwnCall(TypedDict):
    """A call. `how` and `outcome`: of one that describes an image (`vision.record`)."""

    purpose: str
    model: str
    upstream: str
    status: int
    ms: float
    tries: int
    usage: dict[str, int]
    at: str
    how: str
    outcome: str
    prompt: str
    answer: str


class PromptCache(TypedDict):
    """How much of the prompt was read from the endpoint's cache, and what broke that."""

    input: int
    cached: int
    broken: str


def calls(exchange: Exchange | None, paid: Sequence[Paid]) -> list[OwnCall]:
    """The calls of the addon's own, those for images first."""
    found = list(_vision(exchange)) if exchange is not None else []
    has_vision = bool(found)
    for row in paid:
        if row["purpose"] in ("own", "try") or (has_vision and row["purpose"] == "vision"):
            continue
        found.append(
            {
                **_EMPTY,
                "purpose": row["purpose"],
                "model": row["model"],
                "upstream": row["upstream"],
                "status": row["status"],
                "ms": row["ms"],
                "usage": dict(row["usage"]),
            }
        )
    return found[:_MOST_CALLS]


def _vision(exchange: Exchange) -> list[OwnCall]:
    note: Any = exchange.notes.get(record.NAME)
    note = note if isinstance(note, dict) else {}
    prompts = note.get("prompts")
    prompts = prompts if isinstance(prompts, list) else []
    found: list[OwnCall] = []
    for call in listed(exchange):
        asked = call.get("prompt")
        prompt = prompts[asked] if type(asked) is int and 0 <= asked < len(prompts) else ""
        tokens = call.get("tokens")
        tokens = tokens if isinstance(tokens, dict) else {}
        found.append(
            {
                **_EMPTY,
                "purpose": "vision",
                "model": _text(note.get("model"), 200),
                "status": int(_number(call.get("status"))),
                "ms": _number(call.get("ms")),
                "tries": int(_number(call.get("tries"))),
                "usage": {key: count for key, count in tokens.items() if type(count) is int}
                if isinstance(tokens, dict)
                else {},
                "at": _text(call.get("at"), 400),
                "how": _text(call.get("how"), 40),
                "outcome": _text(call.get("outcome"), 80),
                "prompt": _text(prompt, record.MOST_PROMPT),
                "answer": _said(_text(call.get("answer"), record.MOST_ANSWER)),
            }
        )
    return found


def listed(exchange: Exchange) -> list[JsonObject]:
    """What the exchange's note says of each image; it may say anything."""
    note: Any = exchange.notes.get(record.NAME)
    given = note.get("calls") if isinstance(note, dict) else None
    return [call for call in given[: record.MOST_CALLS] if isinstance(call, dict)] if isinstance(given, list) else []


def describe(exchange: Exchange, sent: bytes, messages: Sequence[Message]) -> None:
    """Put the descriptions of a request's images, which are in the body that was `sent`, beside the images."""
    pictures = [piece for message in messages for piece in message.pieces if piece.kind == "image"]
    if not pictures or not exchange.notes.get(record.NAME):
        return
    language = exchange.language if exchange.language in texts.LANGUAGES else texts.LANGUAGES[0]
    described = iter(transcript.described(sent, texts.load(language)))
    by_place: dict[str, str] = {}
    in_order: list[str] = []
    for call in listed(exchange):
        said = next(described, "") if call.get("outcome") == "described" else _text(call.get("outcome"), 80)
        by_place[_text(call.get("at"), 400)] = said
        in_order.append(said)
    for number, picture in enumerate(pictures):
        said = by_place.get(picture.at) or (in_order[number] if number < len(in_order) else "")
        picture.description = printable(said[: record.MOST_ANSWER])


def prompt_cache(exchange: Exchange | None, usage: Mapping[str, int]) -> PromptCache | None:
    """How much was cached; `None`: the answer doesn't say."""
    given_note: Any = exchange.notes.get("prompt-cache") if exchange is not None else None
    note = given_note if isinstance(given_note, dict) else {}
    given, cached = usage.get("input"), usage.get("cached")
    if type(given) is not int or type(cached) is not int:
        given, cached = note.get("input"), note.get("cached")
    if type(given) is not int or type(cached) is not int:
        return None
    return {"input": given, "cached": cached, "broken": _text(note.get("broken"), 500)}


def _said(answer: str) -> str:
    """The text of an answer whose beginning was kept; as it is where that can't be read."""
    body = json_body.parse_object(answer.encode("utf-8", "surrogatepass"))
    if body is None:
        return answer
    whole = put_together(Content({}, None, None, json_body.serialise(body)))
    return whole.choices[0].text if whole and whole.choices and whole.choices[0].text else answer


def _text(value: Any, most: int) -> str:
    return printable(value[:most]) if isinstance(value, str) else ""


def _number(value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value < _LARGEST_NUMBER else 0.0


_EMPTY: Final[OwnCall] = {
    "purpose": "",
    "model": "",
    "upstream": "",
    "status": 0,
    "ms": 0.0,
    "tries": 0,
    "usage": {},
    "at": "",
    "how": "",
    "outcome": "",
    "prompt": "",
    "answer": "",
}
