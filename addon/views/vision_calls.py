"""The vision calls of a request: a line for each image, and what was asked and answered.

They are a section of the request's page, not flows of their own: mitmproxy lists what it has proxied. A flow that it
hasn't would be counted by other addons, hold each image once more, and be replayed without a key.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..columns import wrap
from ..exchange import Exchange, JsonObject
from ..texts.terminal import say
from ..vision import record
from .folded import COLUMNS

_INDENT = "    "


def calls(exchange: Exchange, original: dict[str, str]) -> list[str]:
    """A head and a line for each image; empty where there was none.

    `original`: pointers as the cascade found them -> as the client sent them.
    """
    note, listed = _note(exchange)
    if not listed:
        return []
    model = say("model {model}, {ms:,.0f} ms in all", model=_text(note, "model"), ms=_number(note, "ms"))
    lines = [f"─── {say('vision calls: {facts}', facts=model)} ───"]
    for call in listed:
        at = _text(call, "at")
        facts = [original.get(at, at), _how(_text(call, "how")), *_numbers(call)]
        outcome = _text(call, "outcome")
        lines.append("  ".join(facts) + ("" if outcome == "described" else f"  ! {outcome}"))
    if more := int(_number(note, "more")):
        lines.append(say("{count} more images", count=more))
    return lines


def words(exchange: Exchange) -> list[str]:
    """What was asked, each prompt once with the places of its images, and each answer as the endpoint gave it."""
    note, listed = _note(exchange)
    prompts = note.get("prompts")
    lines: list[str] = []
    for number, prompt in enumerate(prompts[: record.MOST_CALLS] if isinstance(prompts, list) else ()):
        places = ", ".join(_text(call, "at") for call in listed if call.get("prompt") == number)
        lines += ["", f"─── {say('vision prompt: {places}', places=places)} ───"]
        lines += _wrapped(str(prompt), record.MOST_PROMPT)
    for call in listed:
        if answer := _text(call, "answer"):
            lines += ["", f"─── {say('vision answer: {place}', place=_text(call, 'at'))} ───"]
            lines += _wrapped(answer, record.MOST_ANSWER)
    return lines


def _note(exchange: Exchange) -> tuple[JsonObject, list[JsonObject]]:
    """The note, and the calls in it; a flow from a file may have anything there, and more than a note lists."""
    note: Any = exchange.notes.get(record.NAME)
    note = note if isinstance(note, dict) else {}
    listed = note.get("calls")
    calls = listed[: record.MOST_CALLS] if isinstance(listed, list) else ()
    return note, [call for call in calls if isinstance(call, dict)]


def _how(how: str) -> str:
    said = {
        "called": say("called"),
        "shared": say("another request's call"),
        "known": say("known from before"),
        "none": say("not asked: it can't be described"),
        "unasked": say("not asked: another call failed"),
    }
    return said.get(how, how)


def _numbers(call: JsonObject) -> Iterator[str]:
    if "ms" in call:
        yield f"{_number(call, 'ms'):,.0f} ms"
    if "status" in call:
        yield f"HTTP {int(_number(call, 'status'))}"
    if _number(call, "tries") > 1:
        yield say("{count} tries", count=int(_number(call, "tries")))
    tokens = call.get("tokens")
    if isinstance(tokens, dict) and tokens:
        yield say(
            "{read} + {written} tokens", read=int(_number(tokens, "input")), written=int(_number(tokens, "output"))
        )


def _number(holder: JsonObject, key: str) -> float:
    value = holder.get(key)
    return float(value) if isinstance(value, int | float) and 0 <= value < _LARGEST else 0.0


_LARGEST = 1e15


def _text(holder: JsonObject, key: str) -> str:
    value = holder.get(key)
    return value if isinstance(value, str) else ""


def _wrapped(text: str, most: int) -> Iterator[str]:
    for line in text[:most].splitlines():
        yield from (_INDENT + piece for piece in wrap(line, COLUMNS - len(_INDENT)))
