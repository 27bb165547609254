"""What a model thought is kept from its answers, and put back where its client has lost it.

Thinking models refuse a history whose calls lack their reasoning, or answer worse; half of all clients drop it
(docs/facts/kimi.md#reasoning-memory). Nothing is made up here: what isn't known stays missing, for the rule
`reasoning`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from ..answers.heard import Listener
from ..exchange import Changes, Exchange, JsonObject, Response
from ..kept import histories
from ..kept.heard import HeardChat, Hearing
from ..kept.reasoning import Thought
from ..kept.turns import Conversation, Turn
from ..observe.metrics import counter
from ..profiles import Model
from ..wire import rule_names
from .base import Outcome, Step
from .rules import context_of

PUT_BACK = counter("hunyuan_reasoning_total", "Messages that got reasoning, by where it is from.", "source")
"""`real`: kept from the answer; `recovered`: found elsewhere in the message; `made up`: nothing was known."""

_FIELD: Final = "reasoning_content"
_THOUGHT: Final = re.compile(rb'"reasoning\w*"[ \t]*:[ \t]*"[^"]')
"""Reasoning in a chat chunk that says anything."""
_WHY: Final = "the model's own reasoning, which the client lost, is put back"
_NEEDS: Final = frozenset(["required", "wanted"])
_RULE: Final = "reasoning"
_SOURCES: Final = ("recovered", "made up")
"""How the reasons of the rule `reasoning` begin, by what it did."""


@dataclass(slots=True)
class ToHear:
    """A request whose answer is heard."""

    conversation: Conversation
    host: str
    model: Model
    hearing: Hearing
    kept: int = -1
    """How much had been heard when thoughts were kept."""


class ReasoningMemory(Step):
    """Before the rules, once the model is known."""

    name = rule_names.REASONING_MEMORY

    async def request(self, exchange: Exchange) -> Response | None:
        """Put reasoning back into the messages that lack theirs, and get ready to hear the answer."""
        exchange.to_hear = None
        memory = self.runtime.reasoning
        context = context_of(exchange, self.settings)
        model, grammar = context.model, context.profile.grammar
        if not memory.is_on or grammar.reasoning != "keep" or model.replay not in _NEEDS:
            return None
        messages = exchange.chat.get("messages")
        if not isinstance(messages, list):
            return None
        host = host_of(exchange)
        context.reasoning_field = memory.field(host, model.id) or grammar.reasoning_field
        conversation = await self.runtime.workers.run(lambda _: histories.of_chat(messages), exchange.cost)
        exchange.to_hear = ToHear(conversation, host, model, HeardChat(memory.largest))
        lost = [turn for turn in conversation.turns if _needs(turn, model)]
        if not lost:
            return None
        newest = lost[-1].parts[-1].number == conversation.last
        found = await memory.found(exchange.caller, lost, newest=newest)
        exchange.note(self._put_back(messages, found, model))
        return None

    def _put_back(self, messages: list[JsonObject], found: Mapping[int, Thought], model: Model) -> Changes:
        changes = Changes()
        for number, thought in sorted(found.items()):
            message = messages[number]
            # An empty text is what the model said, but only endpoints that want one tell it from none.
            if thought.text or (model.replay == "required" and message.get(_FIELD) != thought.text):
                message[_FIELD] = thought.text
                changes.note(self.name, number, _WHY, f"/{_FIELD}")
        self.runtime.metrics.add(PUT_BACK, len(changes), "real")
        return changes

    def listener(self, exchange: Exchange) -> Listener | None:
        """What hears a streamed answer, from its first thought on: what was said before that is the less important."""
        heard: ToHear | None = exchange.to_hear
        return Listener(heard.hearing.event, _THOUGHT) if heard is not None else None

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
        for turn in heard.hearing.turns():
            keys = heard.conversation.answered(turn.text, turn.calls)
            if turn.thought is None or keys is None or not (turn.thought or turn.calls):
                continue
            if turn.field and turn.thought:
                memory.learn_field(heard.host, heard.model.id, turn.field)
            memory.keep(exchange.caller, keys, Thought(turn.thought, heard.host, heard.model.id, turn.blocks))

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Count what the rule `reasoning` found or made, and drop the conversation."""
        exchange.to_hear = None
        for change in exchange.changes:
            if change.rule == _RULE:
                for source in _SOURCES:
                    if change.why.startswith(source):
                        self.runtime.metrics.add(PUT_BACK, 1, source)


def host_of(exchange: Exchange) -> str:
    """The host, with its port, that the exchange's request goes to."""
    return urlsplit(exchange.base_url).netloc.lower()


def _needs(turn: Turn, model: Model) -> bool:
    """Whether a turn that lacks reasoning is one of those that the model needs it in."""
    return any(part.lacks and (part.has_calls or model.replay_turns == "all") for part in turn.parts)
