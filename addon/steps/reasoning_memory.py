"""What a model thought is kept from its answers, and put back where its client has lost it.

Thinking models refuse a history whose calls lack their reasoning, or answer worse; half of all clients drop it
(docs/facts/kimi.md#reasoning-memory). Nothing is made up here: what isn't known stays missing, for the rule
`reasoning`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ..answers.heard import Listener
from ..dialects.anthropic.ending import message_id
from ..dialects.responses.ending import response_id
from ..exchange import Changes, Exchange, JsonObject, Response
from ..kept import histories, put_back
from ..kept.heard import HeardChat, HeardMessage, HeardResponse, Hearing
from ..kept.reasoning import Thought
from ..kept.turns import Conversation, Turn
from ..profiles import Model, Profile
from ..rules.thinking import thinks
from ..texts import Texts
from ..wire import rule_names
from .base import Outcome, Step
from .rules import PUT_BACK, context_of

_NEEDS: Final = frozenset(["required", "wanted"])


@dataclass(slots=True)
class ToHear:
    """A request whose answer is heard."""

    conversation: Conversation
    host: str
    model: str
    hearing: Hearing
    since: re.Pattern[bytes] | None
    """What the bytes of a stream have from the first thought on; `None`: they don't tell."""
    kept: int = -1
    """How much had been heard when thoughts were kept."""


class ReasoningMemory(Step):
    """Before the rules, once the model is known."""

    name = rule_names.REASONING_MEMORY
    again = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Put reasoning back into the messages that lack theirs, and get ready to hear the answer."""
        exchange.to_hear = None
        memory = self.runtime.reasoning
        context = context_of(exchange, self.settings)
        model, profile = context.model, context.profile
        form = _FORMS.get(exchange.dialect, _CHAT)
        if not memory.is_on or model.replay not in _NEEDS or not form.is_taken(profile):
            return None
        body, host = exchange.chat, host_of(exchange)
        conversation = await self.runtime.workers.run(lambda _: form.conversation(body), exchange.cost)
        since = form.thought if model.replay_in == "field" else None
        exchange.to_hear = ToHear(conversation, host, model.id, form.hearing(memory.largest), since)
        context.reasoning_field = memory.field(host, model.id) or None

        turns = [turn for turn in conversation.turns if _needs(turn, model)]
        if turns:
            newest = turns[-1].parts[-1].number == conversation.last
            found = await memory.found(exchange.caller, turns, newest=newest)
            what = PutBack(turns, found, host, model, profile, context.texts)
            for source, changes in (("real", form.put_back(body, what)), ("made up", form.made_up(body, what))):
                if changes:
                    self.runtime.metrics.add(PUT_BACK, len(changes), source)
                    exchange.note(changes)
        return None

    def listener(self, exchange: Exchange) -> Listener | None:
        """What hears a streamed answer, from its first thought on: what was said before that is the less important."""
        heard: ToHear | None = exchange.to_hear
        return Listener(heard.hearing.event, heard.since) if heard is not None else None

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
                memory.learn_field(heard.host, heard.model, turn.field)
            memory.keep(exchange.caller, keys, Thought(turn.thought, heard.host, heard.model, turn.blocks), ids)

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
    profile: Profile
    texts: Texts


class _Chat:
    """Chat, into which other formats may have been translated."""

    thought = re.compile(rb'"reasoning(?:_content|_details)?"[ \t]*:[ \t]*"[^"]')

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

    thought = re.compile(rb'"(?:redacted_)?thinking"')

    def is_taken(self, profile: Profile) -> bool:
        return True

    def conversation(self, body: JsonObject) -> Conversation:
        return histories.of_messages(body.get("messages"), body.get("system"))

    def hearing(self, limit: int) -> Hearing:
        return HeardMessage(limit)

    def put_back(self, body: JsonObject, what: PutBack) -> Changes:
        signed = what.profile.native[rule_names.ANTHROPIC].is_signed(what.model.id)
        return put_back.into_messages(body["messages"], what.found, host=what.host, model=what.model.id, signed=signed)

    def made_up(self, body: JsonObject, what: PutBack) -> Changes:
        taken = what.profile.native[rule_names.ANTHROPIC].made_up_thinking and what.model.replay == "required"
        if not taken or not thinks(body, what.model):
            return Changes()
        return put_back.made_up(body["messages"], what.turns, what.found, what.texts)


class _Responses:
    """Responses, where the endpoint speaks it. `messages` is there beside the input (`native_fields.ShowMessages`)."""

    thought = re.compile(rb'"type"[ \t]*:[ \t]*"reasoning"')

    def is_taken(self, profile: Profile) -> bool:
        items = profile.native[rule_names.RESPONSES].items
        return items is None or "reasoning" in items

    def conversation(self, body: JsonObject) -> Conversation:
        return histories.of_items(body.get("input"), body.get("instructions"))

    def hearing(self, limit: int) -> Hearing:
        return HeardResponse(limit)

    def put_back(self, body: JsonObject, what: PutBack) -> Changes:
        body["input"], body["messages"], changes = put_back.into_items(
            body["input"], body["messages"], what.turns, what.found, host=what.host, model=what.model.id
        )
        return changes

    def made_up(self, body: JsonObject, what: PutBack) -> Changes:
        return Changes()  # no endpoint is known to demand an item


_CHAT: Final = _Chat()
_FORMS: Final[Mapping[str, _Chat | _Messages | _Responses]] = {
    rule_names.ANTHROPIC_NATIVE: _Messages(),
    rule_names.RESPONSES_NATIVE: _Responses(),
}
"""The formats in which requests pass the steps, by dialect; all others are chat."""


def host_of(exchange: Exchange) -> str:
    """The host, with its port, that the exchange's request goes to."""
    return urlsplit(exchange.base_url).netloc.lower()


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
