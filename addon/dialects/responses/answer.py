"""Whole chat answers as responses. Streams of the same answers are `stream`; `composer` makes the items of both."""

from __future__ import annotations

import math

from ...exchange import JsonObject
from ...wire import usage as usages
from .. import spoken
from ..ending import counts
from ..errors import in_clients_language
from ..searching import searches_in
from . import compaction, ending, errors, searched
from .composer import Composer, Items, Sink


def response(chat: JsonObject, note: JsonObject) -> JsonObject:
    """The whole chat answer `chat` as a response, for the client whose request left `note`. Raises nothing.

    `note` gets the response's `id`, and its output as `items` unless it failed.
    """
    choice = spoken.choice_of(chat) or {}
    given = choice.get("message")
    said: JsonObject = given if isinstance(given, dict) else {}
    calls = [{**call, "index": index} for index, call in enumerate(spoken.calls_of(said))]

    made, items = ending.begun(chat, note), Items()
    composer = composer_for(note, items)
    composer.feed({**said, "tool_calls": calls})
    composer.finish(choice.get("finish_reason"))
    output = searched.with_searches(items.items, searches_in(note), made["id"])
    return finished(made, note, composer, output, reason=choice.get("finish_reason"), usage=usages.of_answer(chat))


def composer_for(note: JsonObject, sink: Sink, limit: float = math.inf) -> Composer | compaction.Composer:
    """What makes the items of the answer to the request that left `note`."""
    origin = ending.response_id(note)
    if note.get("compact") is True:
        return compaction.Composer(sink, origin, limit)
    return Composer(note, sink, origin, limit)


def finished(
    made: JsonObject,
    note: JsonObject,
    composer: Composer | compaction.Composer,
    output: list[JsonObject],
    *,
    reason: object,
    usage: JsonObject | None,
) -> JsonObject:
    """The response `made` at its end: complete, incomplete or failed. `reason` and `usage` are the endpoint's."""
    used = counts(usage, note, composer.written)
    if composer.failure is not None:
        failure = in_clients_language(composer.failure, note).fields()
        return ending.failed(made, note, output, errors.failure(failure, note), used)
    note["items"] = output
    is_summary = note.get("compact") is True
    note["whole"] = whole = ending.ended(made, note, output, None if is_summary else reason, used)
    return whole
