"""What a model thought is kept from its answers, and put back where its client has lost it.

Thinking models refuse a history whose calls lack their reasoning, or answer worse; half of all clients drop it
(docs/facts/kimi.md#reasoning-memory). What isn't known stays missing in chat, for the rules `reasoning` and
`made-up-reasoning`; in Messages it is made up where the endpoint's data say so (`Native.made_up_thinking`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from urllib.parse import urlsplit

from ..answers.heard import Listener
from ..dialects.anthropic.ending import message_id
from ..dialects.responses.ending import response_id
from ..exchange import Changes, Exchange, JsonObject, Response
from ..kept import histories, put_back
from ..kept.heard import HeardChat, HeardMessage, HeardResponse, Hearing
from ..kept.reasoning import Thought
from ..kept.turns import Conversation, Turn
from ..profiles import Model, Native, Profile
from ..rules.thinking import thinks
from ..texts import Texts
from ..wire import rule_names
from .base import Outcome, Step
from .native_fields import native_of
from .rules import PUT_BACK, context_of

_NEEDS: Final = frozenset(["required", "wanted"])


@dataclass(slots=True)
class ToHear:
    """A request whose answer is heard."""

    conversation: Conversation
    host: str
    model: Model
    form: _Form
    hearing: Hearing
    kept: int = -1
    """How much had been heard when thoughts were kept."""


class ReasoningMemory(Step):
    """Before the rules, once the model is known."""

    name = rule_names.REASONING_MEMORY
    again = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Put reasoning back into the messages that lack theirs, and get ready to hear the answer."""
        memory, context = self.runtime.reasoning, context_of(exchange, self.settings)
        model, form = context.model, _FORMS.get(exchange.dialect, _CHAT)
        needs = model.replay in _NEEDS
        # What is thought now, a history that goes on with another model may need.
        hears = memory.is_on and (needs or model.thinking is not None)
        if not (needs or hears) or not form.is_taken(context.profile):
            exchange.to_hear = None
            return None

        # 1. The conversation. Of a body that is mended, which rules have changed, it isn't the one that comes back.
        body, host = exchange.chat, host_of(exchange)
        conversation = await self.runtime.workers.run(lambda _: form.conversation(body), exchange.cost)
        known: ToHear | None = exchange.to_hear
        if hears and (known is None or known.form is not form):
            exchange.to_hear = ToHear(conversation, host, model, form, form.hearing(memory.largest))
        context.reasoning_field = memory.field(host, model.id) or None

        # 2. What is known of the turns that lack it; where the endpoint demands it and takes that, what is made up.
        turns = [turn for turn in conversation.turns if needs and _needs(turn, model)]
        if turns:
            newest = turns[-1].parts[-1].number == conversation.last
            found = await memory.found(exchange.caller, turns, newest=newest)
            what = PutBack(turns, found, host, model, _native_of(exchange, model), context.texts)
            for source, changes in (("kept", form.put_back(body, what)), ("made_up", form.made_up(body, what))):
                exchange.note(changes)
                if changes and exchange.mode != "observe":
                    self.runtime.metrics.add(PUT_BACK, len(changes), source)
        return None

    def listener(self, exchange: Exchange) -> Listener | None:
        """What hears a streamed answer, from its first thought on: what was said before that is the less important."""
        heard: ToHear | None = exchange.to_hear
        if heard is None:
            return None
        since = heard.form.field if heard.model.replay == "required" else heard.form.thought
        return Listener(heard.hearing.event, since if heard.model.replay_in == "field" else None)

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Hear a whole answer."""
        if exchange.to_hear is not None:
            exchange.to_hear.hearing.whole(answer)
        return False

    def complete(self, exchange: Exchange) -> None:
        """Keep what was thought. Of an answer that was cut, too: clients send back what they got of it."""
        heard: ToHear | None = exchange.to_hear
        if heard is None or heard.hearing.size == heard.kept:
            return
        heard.kept = heard.hearing.size
        memory = self.runtime.reasoning
        ids = _ids_of(exchange, heard.hearing.id)
        for turn in heard.hearing.turns():
            keys = heard.conversation.answered(turn.text, turn.calls)
            if turn.thought is None or keys is None or not (turn.thought or turn.calls):
                continue
            if turn.field and turn.thought:
                memory.learn_field(heard.host, heard.model.id, turn.field)
            memory.keep(exchange.caller, keys, Thought(turn.thought, heard.host, heard.model.id, turn.blocks), ids)

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Drop the conversation."""
        exchange.to_hear = None


@dataclass(frozen=True, slots=True)
class PutBack:
    """What is put back: the thoughts `found` for `turns`, by the numbers of the messages, for `model` at `host`."""

    turns: Sequence[Turn]
    found: Mapping[int, Thought]
    host: str
    model: Model
    native: Native | None
    """What the endpoint takes of the client's own format; `None`: it gets chat."""
    texts: Texts


class _Form(Protocol):
    """A format in which requests pass the steps."""

    thought: re.Pattern[bytes]
    """What the bytes of a stream have from the first thought on."""

    field: re.Pattern[bytes]
    """As `thought`, but an empty one counts: a model that refuses a turn without reasoning gets its own back."""

    def is_taken(self, profile: Profile) -> bool:
        """Whether a request may have reasoning in its history."""

    def conversation(self, body: JsonObject) -> Conversation:
        """The conversation in a request."""

    def hearing(self, limit: int) -> Hearing:
        """What hears an answer of at most `limit` characters."""

    def put_back(self, body: JsonObject, what: PutBack) -> Changes:
        """Put what was found into `body`, in place."""

    def made_up(self, body: JsonObject, what: PutBack) -> Changes:
        """Put something into the turns that must have it and of which nothing was found, if the endpoint takes that."""


class _Chat:
    """Chat, into which other formats may have been translated."""

    thought = re.compile(rb'"reasoning(?:_content|_details)?"[ \t]*:[ \t]*"[^"]')
    field = re.compile(rb'"reasoning(?:_content|_details)?"[ \t]*:[ \t]*"')

    def is_taken(self, profile: Profile) -> bool:
        return profile.grammar.reasoning == "keep"

    def conversation(self, body: JsonObject) -> Conversation:
        return histories.of_chat(body["messages"])

    def hearing(self, limit: int) -> Hearing:
        return HeardChat(limit)

    def put_back(self, body: JsonObject, what: PutBack) -> Changes:
        return put_back.into_chat(body["messages"], what.found, host=what.host, model=what.model)

    def made_up(self, body: JsonObject, what: PutBack) -> Changes:
        return Changes()  # by the rule `made-up-reasoning`


class _Messages:
    """Messages, where the endpoint speaks it."""

    thought = field = re.compile(rb'"(?:redacted_)?thinking"')

    def is_taken(self, profile: Profile) -> bool:
        return True

    def conversation(self, body: JsonObject) -> Conversation:
        return histories.of_messages(body.get("messages"), body.get("system"))

    def hearing(self, limit: int) -> Hearing:
        return HeardMessage(limit)

    def put_back(self, body: JsonObject, what: PutBack) -> Changes:
        signed = what.native is not None and what.native.is_signed(what.model.id)
        return put_back.into_messages(body["messages"], what.found, host=what.host, model=what.model.id, signed=signed)

    def made_up(self, body: JsonObject, what: PutBack) -> Changes:
        taken = what.native is not None and what.native.made_up_thinking and what.model.replay == "required"
        if not taken or not thinks(body, what.model):
            return Changes()
        return put_back.made_up(body["messages"], what.turns, what.found, what.texts)


class _Responses:
    """Responses, where the endpoint speaks it. `messages` is there beside the input (`native_fields.ShowMessages`)."""

    thought = field = re.compile(rb'"type"[ \t]*:[ \t]*"reasoning"')

    def is_taken(self, profile: Profile) -> bool:
        items = profile.native[rule_names.RESPONSES].items
        return items is None or "reasoning" in items

    def conversation(self, body: JsonObject) -> Conversation:
        return histories.of_items(body.get("input"), body.get("instructions"))

    def hearing(self, limit: int) -> Hearing:
        return HeardResponse(limit)

    def put_back(self, body: JsonObject, what: PutBack) -> Changes:
        items, shown = body["input"], body.get("messages")
        made, places, changes = put_back.into_items(
            items, shown or [], what.turns, what.found, host=what.host, model=what.model.id
        )
        body["input"] = made
        if shown is not None:  # it is there until the step that takes the messages back
            body["messages"] = places
        return changes

    def made_up(self, body: JsonObject, what: PutBack) -> Changes:
        return Changes()  # no endpoint is known to demand an item


_CHAT: Final[_Form] = _Chat()
_FORMS: Final[Mapping[str, _Form]] = {
    rule_names.ANTHROPIC_NATIVE: _Messages(),
    rule_names.RESPONSES_NATIVE: _Responses(),
}
"""The formats in which requests pass the steps, by dialect; all others are chat."""


def host_of(exchange: Exchange) -> str:
    """The host, with its port, that the exchange's request goes to."""
    return urlsplit(exchange.base_url).netloc.lower()


def _native_of(exchange: Exchange, model: Model) -> Native | None:
    return native_of(exchange, model.id) if exchange.dialect in _FORMS else None


def _ids_of(exchange: Exchange, given: str) -> list[str]:
    """The ids that a client may know an answer by: `given`, or what its own format made of it."""
    ids = [given] if given else []
    if exchange.dialect == rule_names.ANTHROPIC and given:
        ids.append(message_id(given))
    elif exchange.dialect == rule_names.RESPONSES:
        ids.append(response_id(exchange.note_of(exchange.dialect)))
    return ids


def _needs(turn: Turn, model: Model) -> bool:
    """Whether a turn that lacks reasoning is one of those that the model needs it in."""
    return any(part.lacks and (part.has_calls or model.replay_turns == "all") for part in turn.parts)
