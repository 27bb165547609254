"""A request in another vendor's format, for an endpoint that speaks it itself but not all of it."""

from __future__ import annotations

from dataclasses import replace

from .. import profiles, texts
from ..dialects import NATIVE
from ..dialects.base import NativeDialect
from ..exchange import Change, Changes, Exchange, JsonObject, Response
from ..mending.learnt import Taught
from ..profiles import Model, Native
from ..rules import marks
from ..workers import Checkpoint
from .base import Step
from .rules import context_of

_MESSAGES = "messages"
_CHATS = "/messages/"


class ShowMessages(Step):
    """The first step: those that follow read messages, whatever the format has. `NativeFields` takes them back."""

    name = "native"
    again = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Show what is said as messages, where the format has none."""
        shown = NATIVE[exchange.dialect].shown(exchange.chat)
        if shown is not None:
            exchange.chat[_MESSAGES] = shown
        return None


class NativeFields(Step):
    """The request stays in its format and loses, or says in other words, what the profile says is refused.

    It settles the marks, too, that the steps before it have put into the request.
    """

    name = "native"
    again = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Change the body; in a thread where it is large."""
        model = context_of(exchange, self.settings).model
        accepted = native_of(exchange, model.id)
        spoken, note = texts.load(texts.language_of(self.settings.language)), exchange.note_of(exchange.spoken)
        note["model"] = exchange.model
        if exchange.chat.get("model") not in (None, exchange.model):
            note["answers_as"] = exchange.chat["model"]
        dialect, body = NATIVE[exchange.dialect], exchange.chat
        dialect.remember(body, exchange.headers, note)

        def repaired(_: Checkpoint) -> Changes:
            messages = body.get(_MESSAGES)
            changes = marks.settle(messages) if isinstance(messages, list) else Changes()
            if isinstance(messages, list) and dialect.shown({}) is not None:
                del body[_MESSAGES]
                dialect.take_back(body, messages, changed=_point_to_input(exchange) or bool(changes))
            changes += dialect.repaired(body, accepted, model, spoken, note)
            changes += self._limited(body, dialect, model)
            return changes

        exchange.note(await self.runtime.workers.run(repaired, exchange.cost))
        return None

    def _limited(self, body: JsonObject, dialect: NativeDialect, model: Model) -> list[Change]:
        """Ask for no longer an answer than the model gives: its client may not know the model, and has to ask."""
        key, most = dialect.most_tokens, model.output
        asked = body.get(key)
        if type(asked) is not int or most is None or asked <= most or key in self.settings.keep_params:
            return []
        body[key] = most
        return [Change(dialect.name, f"/{key}", "more than the model gives in one answer")]


def native_of(exchange: Exchange, model: str) -> Native:
    """What the endpoint takes of the client's own format from `model`, by its profile and by what it has taught."""
    known, taught = profiles.load(exchange.profile).native[exchange.spoken], exchange.taught
    return taught.native(known, model, exchange.spoken) if isinstance(taught, Taught) else known


def _point_to_input(exchange: Exchange) -> bool:
    """Let the changes that steps made in messages point to the items that these are. Whether there are any."""
    noted = list(exchange.changes)
    if not any(change.pointer.startswith(_CHATS) for change in noted):
        return False
    exchange.changes = Changes(
        replace(change, pointer=change.pointer.replace(_CHATS, "/input/", 1)) for change in noted
    )
    return True
