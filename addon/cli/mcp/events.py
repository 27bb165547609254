"""What an exchange has told while it was on its way, each in a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from ...exchange import JsonObject
from . import plain, words
from .admin_api import AdminApi, Unanswered, segment


async def of(api: AdminApi, exchange: JsonObject) -> list[JsonObject]:
    """The events of an exchange in their order; none where it is forgotten by now."""
    try:
        answer = await api.get(f"/api/exchanges/{segment(plain.text(exchange.get('id'), 64))}")
    except Unanswered:
        return []
    return plain.records(answer.get("events"))


def line(event: JsonObject) -> str:
    """An event with the time since the first; `""` for one of an unknown kind."""
    said = _SAID.get(plain.text(event.get("kind"), 20))
    return f"+{words.duration(event.get('ms'))}  {said(plain.record(event.get('data')))}" if said else ""


def _text(data: JsonObject, name: str) -> str:
    return plain.text(data.get(name), 120)


def _described(data: JsonObject) -> str:
    results = plain.counts(data.get("results"))
    took = words.duration(data.get("ms"))
    return (
        f"images became text: {words.named(results) or 'none'}; {plain.whole(data.get('calls'))} vision calls, {took}"
    )


def _fallback(data: JsonObject) -> str:
    where = " at ".join(filter(None, (_text(data, "model"), _text(data, "upstream"))))
    return f"another was asked ({_text(data, 'reason')}): {where}, which {_text(data, 'outcome') or '?'}"


_SAID: Final[Mapping[str, Callable[[JsonObject], str]]] = {
    "came": lambda data: "the request came",
    "translated": lambda data: f"translated to chat from {_text(data, 'dialect') or 'another format'}",
    "described": _described,
    "repaired": lambda data: (
        f"repaired: {words.listed(plain.texts(data.get('rules'))) or 'nothing to repair'} "
        f"({words.duration(data.get('ms'))} of hunyuan-fix's own work)"
    ),
    "runaway": lambda data: (
        f"its agent goes on and on ({_text(data, 'what')}, {plain.whole(data.get('count'))}): {_text(data, 'action')}"
    ),
    "budget": lambda data: f"budget {_text(data, 'budget')}: {_text(data, 'action')}",
    "queued": lambda data: "waited for a slot of its account",
    "sent": lambda data: (
        f"sent to {_text(data, 'upstream')} as {_text(data, 'model')}, {plain.whole(data.get('bytes')):,} bytes"
    ),
    "retried": lambda data: (
        f"try {plain.whole(data.get('number'))}, since the one before failed: {_text(data, 'reason')}"
    ),
    "mended": lambda data: (
        f"refused by the endpoint ({_text(data, 'reason')}), changed for that and sent again: {_text(data, 'outcome')}"
    ),
    "fallback": _fallback,
    "first_byte": lambda data: f"the endpoint's first byte, status {plain.whole(data.get('status')) or '?'}",
    "first_token": lambda data: "the first text, thought or tool call of the stream",
    "done": lambda data: f"over: {_text(data, 'outcome')}",
}
"""Kind of event -> what it says of its data. Others are left out."""
