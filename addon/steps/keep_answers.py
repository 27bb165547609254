"""Answers of the Responses API are kept, and what a later request refers to is put before its own input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..dialects.responses import compact, earlier, objects
from ..dialects.responses.earlier import Needed
from ..exchange import Exchange, JsonObject, Response
from ..kept.answers import Conversation, KeptAnswer, NotKept, TooLong
from ..wire import json_body, proxy_errors, rule_names, safe_text
from ..wire.openai_error import ProxyError
from .base import Outcome, Step

_DIALECTS = frozenset([rule_names.RESPONSES, rule_names.RESPONSES_COMPACT, rule_names.RESPONSES_INPUT_TOKENS])
"""The dialects whose requests may continue an answer. Answers of the first are kept."""
_MOST_REFERENCES = 5000
"""Items that are looked up for one request."""
_READ_COST = 2
"""Bytes of JSON of earlier turns that are translated in the time that `Workers` counts for one."""

_SAID = ("earlier", "echo", compact.STAYS)
"""Keys of the note with what was said: a saved flow has that of its own request once, and nothing of what is kept."""


class _Unknown(Exception):
    """A request refers to what is not kept: the error that says so."""

    def __init__(self, error: ProxyError) -> None:
        super().__init__()
        self.error = error


@dataclass(frozen=True, slots=True)
class ToKeep:
    """A request whose answer is to be kept."""

    input: bytes
    before: str
    conversation: str
    read: Conversation | None
    """The conversation, as it was when the request came."""


class KeepAnswers(Step):
    """Before a request is translated, and once its answer is complete."""

    name = "keep-answers"

    async def received(self, exchange: Exchange, body: JsonObject) -> JsonObject | Response:
        """`body` with the items that it refers to; the items before its input go into the note. Or why it is refused.

        Raises `BadRequest`.
        """
        if exchange.dialect not in _DIALECTS:
            return body
        needed = earlier.needed(body)
        if needed and not self.runtime.kept.is_on:
            return _refused_by_option(needed)
        try:
            return await self._continued(exchange, body, needed)
        except NotKept as error:
            return proxy_errors.PREVIOUS_RESPONSE_NOT_FOUND(id=safe_text.plain(error.id)).response()
        except TooLong as error:
            return proxy_errors.HISTORY_TOO_LONG(why=error).response()
        except _Unknown as unknown:
            return unknown.error.response()

    async def _continued(self, exchange: Exchange, body: JsonObject, needed: Needed) -> JsonObject:
        kept, caller, workers, limit = self.runtime.kept, exchange.caller, self.runtime.workers, self.settings.max_body

        # 1. The turns before.
        conversation: Conversation | None = None
        before = needed.previous
        if needed.conversation:
            conversation = await kept.conversation(caller, needed.conversation)
            if conversation is None:
                raise _Unknown(proxy_errors.CONVERSATION_NOT_FOUND(id=safe_text.plain(needed.conversation)))
            before = conversation.last
        turns = await kept.history(caller, before, limit)
        size = sum(turn.size for turn in turns)

        # 2. The request's own input, as it will be kept.
        own = earlier.input_of(body)
        if exchange.dialect == rule_names.RESPONSES and body.get("store") is not False and kept.is_on:
            written = await workers.run(lambda _: json_body.serialise(own), exchange.cost // 4)
            if len(written) <= kept.largest:
                exchange.to_keep = ToKeep(written, before, needed.conversation, conversation)

        # 3. Items that are referred to, by the request and by the turns before it.
        _grow(exchange, size)
        items: list[object] = [*await workers.run(lambda _: objects.items_of_turns(turns), exchange.cost)]
        wanted = earlier.references([*items, *own])
        if wanted:
            found = await self._items(exchange, wanted, limit - size)
            items, own = earlier.resolved(items, found), earlier.resolved(own, found)
            body = {**body, "input": own}
        if items:
            exchange.note_of(exchange.dialect)["earlier"] = items
        return body

    async def _items(self, exchange: Exchange, ids: Sequence[str], limit: int) -> dict[str, JsonObject]:
        """The items of these ids, of answers with `limit` bytes in all. Raises `TooLong` and `_Unknown`."""
        if len(ids) > _MOST_REFERENCES:
            raise TooLong(f"more than {_MOST_REFERENCES} item references")
        answers = await self.runtime.kept.answers_with(exchange.caller, ids, limit)
        size = sum(answer.size for answer in answers)
        _grow(exchange, size)
        found = await self.runtime.workers.run(lambda _: objects.output_by_id(answers), size)
        missing = next((id for id in ids if id not in found), None)
        if missing is not None:
            raise _Unknown(proxy_errors.ITEM_NOT_FOUND(id=safe_text.plain(missing)))
        return found

    def complete(self, exchange: Exchange) -> None:
        """Keep the answer that the note has."""
        note = exchange.notes.get(exchange.dialect, {})
        items, answer, asked = note.pop("items", None), note.pop("whole", None), exchange.to_keep
        if items is None or answer is None or asked is None:
            return
        exchange.to_keep = None
        id = answer["id"]
        kept = KeptAnswer(asked.before, asked.input, json_body.serialise(answer))
        ids = [item["id"] for item in items if "id" in item]
        if asked.read is None:
            exchange.kept = self.runtime.kept.keep(exchange.caller, id, kept, items=ids)
        else:
            to = (asked.conversation, asked.read)
            exchange.kept = self.runtime.kept.continue_conversation(exchange.caller, id, kept, to=to, items=ids)

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Drop the request of an answer that didn't come to its end, and what was said from the note."""
        exchange.to_keep = None
        note = exchange.notes.get(exchange.dialect, {})
        for key in _SAID:
            note.pop(key, None)


def _grow(exchange: Exchange, size: int) -> None:
    """Note that the request has `size` bytes of JSON more than its body."""
    exchange.size += size
    exchange.cost += size // _READ_COST


def _refused_by_option(needed: Needed) -> Response:
    param = "previous_response_id" if needed.previous else "conversation" if needed.conversation else "input"
    return proxy_errors.NOTHING_KEPT(param=param).response()
