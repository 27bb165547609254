"""Answers of the Responses API are kept, and what a later request refers to is put before its own input."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ..dialects.responses import earlier, objects
from ..dialects.responses.earlier import Needed
from ..exchange import Exchange, JsonObject, Response
from ..kept.answers import Conversation, KeptAnswer, NotKept, TooLong
from ..wire import json_body, proxy_errors, rule_names, safe_text
from .base import Outcome, Step

_DIALECTS = frozenset([rule_names.RESPONSES, rule_names.RESPONSES_COMPACT, rule_names.RESPONSES_INPUT_TOKENS])
"""The dialects whose requests may continue an answer. Answers of the first are kept."""
_READ_COST = 2
"""Bytes of JSON of earlier turns that are translated in the time that `Workers` counts for one."""


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
        kept, caller = self.runtime.kept, exchange.caller
        if needed and not kept.is_on:
            return _refused_by_option(needed)

        # 1. The turns before.
        conversation: Conversation | None = None
        before = needed.previous
        if needed.conversation:
            conversation = await kept.conversation(caller, needed.conversation)
            if conversation is None:
                return proxy_errors.CONVERSATION_NOT_FOUND(id=safe_text.plain(needed.conversation)).response()
            before = conversation.last
        try:
            turns = await kept.history(caller, before, self.settings.max_body)
        except NotKept as missing:
            return proxy_errors.PREVIOUS_RESPONSE_NOT_FOUND(id=safe_text.plain(missing.id)).response()
        except TooLong as error:
            return proxy_errors.HISTORY_TOO_LONG(why=error).response()

        # 2. The request's own input, as it will be kept.
        own = earlier.input_of(body)
        size = sum(turn.size for turn in turns)
        if exchange.dialect == rule_names.RESPONSES and body.get("store") is not False and kept.is_on:
            written = await self.runtime.workers.run(lambda _: json_body.serialise(own), exchange.cost // 4)
            if len(written) <= kept.largest:
                exchange.to_keep = ToKeep(written, before, needed.conversation, conversation)

        # 3. Items that are referred to, by the request and by the turns before it.
        exchange.cost += size // _READ_COST
        items = await self.runtime.workers.run(lambda _: objects.items_of_turns(turns), exchange.cost)
        wanted = earlier.references([*items, *own])
        if wanted:
            answers = await kept.answers_with(caller, wanted)
            size += sum(answer.size for answer in answers)
            if size > self.settings.max_body:
                return proxy_errors.HISTORY_TOO_LONG(why=f"more than {self.settings.max_body} bytes").response()
            found = await self.runtime.workers.run(lambda _: objects.output_by_id(answers), size)
            missing = next((id for id in wanted if id not in found), None)
            if missing is not None:
                return proxy_errors.ITEM_NOT_FOUND(id=safe_text.plain(missing)).response()
            items, own = earlier.resolved(items, found), earlier.resolved(own, found)
            body = {**body, "input": own}
        if items:
            exchange.note_of(exchange.dialect)["earlier"] = items
        return body

    def complete(self, exchange: Exchange) -> None:
        """Keep the answer of which the note has the items."""
        note = exchange.notes.get(exchange.dialect, {})
        items, asked = note.pop("items", None), exchange.to_keep
        if items is None or asked is None:
            return
        exchange.to_keep = None
        id = note.get("id")
        if not isinstance(id, str):
            return
        answer = objects.response(note, items, conversation=asked.conversation, now=time.time())
        kept = KeptAnswer(asked.before, asked.input, json_body.serialise(answer))
        ids = [item["id"] for item in items if isinstance(item.get("id"), str)]
        if asked.read is None:
            self.runtime.kept.keep(exchange.caller, id, kept, items=ids)
        else:
            to = (asked.conversation, asked.read)
            self.runtime.kept.continue_conversation(exchange.caller, id, kept, to=to, items=ids)

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Drop the request of an answer that didn't come to its end."""
        exchange.to_keep = None


def _refused_by_option(needed: Needed) -> Response:
    param = "previous_response_id" if needed.previous else "conversation" if needed.conversation else "input"
    return proxy_errors.NOTHING_KEPT(param=param).response()
