"""A Responses request for an endpoint that speaks Responses itself, but not all of it, and the way back.

The body stays a Responses request and loses, or says in other words, only what the endpoint refuses: that is data of
its profile (`[native.responses]`). Where nothing is refused, nothing changes, neither in the request nor in its answer.

Tools that are no plain functions become functions, as in the translation into chat: `note["tools"]` has what leads
back. What the endpoint would have to keep makes a request one for the translation, which keeps it here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ...exchange import Change, Changes, JsonObject
from ...profiles import Model, Native
from ...texts import Texts
from ...wire import rule_names
from .. import refused
from ..base import House
from ..searching import WEB_SEARCH
from ..variant import Variant
from . import full_window, native_answers, native_items, parameters
from .native_answers import ResponsesReader

_KEPT: Final = ("previous_response_id", "conversation", "background", "prompt")
"""Fields that ask for what only an endpoint has that keeps answers, or makes them later."""


class NativeResponses(Variant):
    """Responses where the endpoint speaks them, too: no path of its own, routes choose it by the profile."""

    name = rule_names.RESPONSES_NATIVE
    paths: tuple[str, ...] = ()
    most_tokens = "max_output_tokens"
    house: House = "native"
    is_house = True

    def answer(self, chat: JsonObject, note: JsonObject) -> JsonObject:
        """`chat` itself: only the steps of chat make answers."""
        return chat

    def repaired(self, body: JsonObject, accepted: Native, model: Model, texts: Texts, note: JsonObject) -> Changes:
        """Change `body` in place to what `accepted` and `model` say. Returns a change for each thing it did."""
        changes = native_items.repaired(body, accepted, note)
        refused.by_model(body, model, self.name, changes)
        refused.schemas_by_model(body, "parameters", model, self.name, changes)
        return changes

    def remember(self, body: JsonObject, headers: Mapping[str, str], note: JsonObject) -> None:
        """Whether Codex can compact: it is made to do so where its request is too long."""
        note["can_compact"] = full_window.can_compact(body, headers)

    def needs_chat(self, body: JsonObject, accepted: Native, offers: Sequence[str]) -> Change | None:
        """Why `body` has to be translated: it needs what is kept, a summary in the place of an answer, or a search.

        A client that sends `store: false`, as Codex does in all its requests, stays with the endpoint's own format, so
        that a conversation doesn't change its way. OpenAI's API stores by default: SDKs that don't say it go on from
        the answer's id.
        """
        pointer, what = self._missing(body, accepted, offers)
        return Change(self.name, pointer, f"{what}: translated") if what else None

    @staticmethod
    def _missing(body: JsonObject, accepted: Native, offers: Sequence[str]) -> tuple[str, str]:
        given = body.get("input")
        for place, item in enumerate(given if isinstance(given, list) else ()):
            kind = item.get("type") if isinstance(item, dict) else None
            if kind == "compaction_trigger" and accepted.items is not None and kind not in accepted.items:
                return f"/input/{place}", "the endpoint writes no summaries in the place of an answer"
            if kind == "item_reference" and not accepted.stores:
                return f"/input/{place}", "the endpoint keeps no items, the proxy does for a chat request"
        if not accepted.stores:
            if body.get("store") is not False:
                return "/store", "the endpoint stores no answers, the proxy does for a chat request"
            for name in _KEPT:
                if body.get(name) not in (None, False):
                    return f"/{name}", "the endpoint stores no answers, the proxy does for a chat request"
        for name in parameters.CHATS:
            if body.get(name) is not None:
                return f"/{name}", "a parameter of chat, which the API doesn't have"
        listed = body.get("tools")
        for place, tool in enumerate(listed if isinstance(listed, list) else ()):
            kind = tool.get("type") if isinstance(tool, dict) else None
            if (
                WEB_SEARCH in offers
                and accepted.tools is not None
                and isinstance(kind, str)
                and kind.startswith(WEB_SEARCH)
                and kind not in accepted.tools
            ):
                return f"/tools/{place}", "the endpoint can't search the web, the proxy can for a chat request"
        return "", ""

    def shown(self, body: JsonObject) -> list[Any] | None:
        """The input as messages."""
        return native_items.shown(body)

    def take_back(self, body: JsonObject, messages: list[Any], *, changed: bool) -> None:
        """Put the input back."""
        native_items.take_back(body, messages, changed=changed)

    @property
    def reader(self) -> ResponsesReader:
        """Reads OpenAI's answers."""
        return ResponsesReader()

    def goes_on(self, raw: bytes, note: JsonObject) -> bool:
        """Whether the bytes of whole events tell that none has to be read."""
        return native_answers.goes_on(raw, calls=bool(note.get("tools")))

    def as_events(self, body: JsonObject) -> list[JsonObject]:
        """The events of a stream for a whole answer."""
        return native_answers.as_events(body)

    def repaired_answer(self, body: JsonObject, note: JsonObject) -> str:
        """Calls become those of the client's tools again, and the model has the name that was asked for."""
        return native_answers.repaired_answer(body, note)

    def repaired_event(self, event: JsonObject, note: JsonObject, state: JsonObject) -> tuple[list[JsonObject], str]:
        """The same for an event; an error gets the code by which its client does the right thing."""
        return native_answers.repaired_event(event, note, state)

    def failure(self, error: JsonObject, note: JsonObject, state: JsonObject) -> list[JsonObject]:
        """The response fails."""
        return native_answers.failure(error, note, state)

    def keep_alive(self, note: JsonObject) -> list[JsonObject]:
        """A `keepalive`, as OpenAI's API has it, for Codex alone: the timers of others start anew with any byte."""
        return [{"type": "keepalive", "sequence_number": 0}] if note.get("client") == "codex" else []

    def closing(self, note: JsonObject) -> list[JsonObject]:
        """Nothing: the event that ends the answer is the last one."""
        return []
