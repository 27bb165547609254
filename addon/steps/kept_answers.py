"""What clients ask about kept answers and conversations is answered here: no chat endpoint knows them."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from urllib.parse import parse_qs

from ..dialects.responses import objects
from ..dialects.responses.by_id import Asked, asked
from ..dialects.responses.objects import Page
from ..exchange import Exchange, JsonObject, Response
from ..kept.answers import Conversation, KeptAnswer, NotKept, TooLong
from ..wire import json_body, proxy_errors, safe_text
from ..wire.openai_error import ProxyError
from .base import Step


class AnswerKept(Step):
    """The only step of a request about what is kept."""

    name = "kept"

    async def request(self, exchange: Exchange) -> Response | None:
        """The answer. Raises `BadRequest`."""
        call = asked(exchange.method, exchange.path)
        if call is None:
            return proxy_errors.API_NOT_OFFERED(path=safe_text.plain(exchange.path)).response()
        if not self.runtime.kept.is_on:
            return proxy_errors.NOTHING_KEPT().response()
        query = {name: values[-1] for name, values in parse_qs(exchange.query, max_num_fields=100).items()}
        answer = self._conversation if call.what == "conversations" else self._response
        given = await answer(exchange, call, query)
        if isinstance(given, ProxyError):
            return given.response()
        if call.method != "GET":
            await self.runtime.kept.settled()
        return Response(200, {"content-type": "application/json"}, json_body.serialise(given))

    async def _response(self, exchange: Exchange, call: Asked, query: dict[str, str]) -> JsonObject | ProxyError:
        kept, caller = self.runtime.kept, exchange.caller
        found = await kept.answer(caller, call.id)
        answer = json_body.parse_object(found.answer) if found else None
        if found is None or not answer:
            return proxy_errors.RESPONSE_NOT_FOUND(id=safe_text.plain(call.id))
        if call.part == "cancel":
            return _refused("Only background answers can be cancelled, and this proxy makes none.")
        if call.part == "input_items":
            try:
                before = await kept.history(caller, found.before, self.settings.max_body)
            except NotKept as missing:
                return proxy_errors.RESPONSE_NOT_FOUND(id=safe_text.plain(missing.id))
            except TooLong as error:
                return proxy_errors.HISTORY_TOO_LONG(why=error)
            return await self._page([*before, KeptAnswer("", found.input, b"{}")], call.id, query)
        if call.method == "DELETE":
            kept.delete(caller, call.id)
            return {"id": call.id, "object": "response", "deleted": True}
        if query.get("stream") == "true":
            return _refused("Only background answers can be streamed again. Ask for this one without `stream`.")
        return answer

    async def _conversation(self, exchange: Exchange, call: Asked, query: dict[str, str]) -> JsonObject | ProxyError:
        kept, caller, body = self.runtime.kept, exchange.caller, exchange.chat
        if not call.id:
            made = Conversation(int(time.time()), objects.metadata_of(body))
            id = f"conv_{secrets.token_hex(24)}"
            kept.keep_conversation(caller, id, made)
            added = self._add(exchange, id, made)
            if isinstance(added, ProxyError):
                kept.delete_conversation(caller, id)
                return added
            return objects.conversation(id, made.created_at, made.metadata)
        conversation = await kept.conversation(caller, call.id)
        if conversation is None:
            return proxy_errors.CONVERSATION_NOT_FOUND(id=safe_text.plain(call.id))
        if call.part:
            return await self._items(exchange, call, query, conversation)
        if call.method == "DELETE":
            kept.delete_conversation(caller, call.id)
            return {"id": call.id, "object": "conversation.deleted", "deleted": True}
        if call.method == "POST":
            conversation = replace(conversation, metadata=objects.metadata_of(body))
            kept.keep_conversation(caller, call.id, conversation)
        return objects.conversation(call.id, conversation.created_at, conversation.metadata)

    async def _items(
        self, exchange: Exchange, call: Asked, query: dict[str, str], conversation: Conversation
    ) -> JsonObject | ProxyError:
        """What is asked about the items of `conversation`."""
        if call.method == "POST":
            added = self._add(exchange, call.id, conversation)
            page = Page(objects.LARGEST_PAGE, ascending=True)
            return added if isinstance(added, ProxyError) else page.of_list(added)
        if call.method != "GET":
            return _refused("Items of a conversation can be read and added, not removed. Begin a new conversation.")
        try:
            turns = await self.runtime.kept.history(exchange.caller, conversation.last, self.settings.max_body)
        except NotKept as missing:
            return proxy_errors.PREVIOUS_RESPONSE_NOT_FOUND(id=safe_text.plain(missing.id))
        except TooLong as error:
            return proxy_errors.HISTORY_TOO_LONG(why=error)
        return await self._page(turns, call.id, query, call.item)

    def _add(self, exchange: Exchange, id: str, conversation: Conversation) -> list[JsonObject] | ProxyError:
        """Add the items that the request gives to a conversation. Returns them as they are listed."""
        items = objects.items_given(exchange.chat)
        if not items:
            return []
        listed = objects.listed(items, added := f"items_{secrets.token_hex(24)}")
        turn = KeptAnswer("", json_body.serialise(listed), b"{}")
        if not self.runtime.kept.continue_conversation(exchange.caller, added, turn, to=(id, conversation)):
            return _refused("These items are larger than what is kept of one answer (hunyuan_keep_bytes).")
        return listed

    async def _page(
        self, turns: list[KeptAnswer], within: str, query: dict[str, str], item: str = ""
    ) -> JsonObject | ProxyError:
        """A part of the list of all items of `turns`, or the one with the id `item`."""
        page = Page.of(query)
        size = sum(turn.size for turn in turns)
        items = await self.runtime.workers.run(lambda _: objects.listed(objects.items_of_turns(turns), within), size)
        if item:
            found = next((one for one in items if one["id"] == item), None)
            return found or proxy_errors.ITEM_NOT_FOUND(id=safe_text.plain(item))
        return page.of_list(items)


def _refused(why: str) -> ProxyError:
    return proxy_errors.KEPT_CALL_REFUSED(why=why)
