"""Keys and numbers don't leave: placeholders stand in their place, until they are put back (`hunyuan_mask`).

All that leaves is made of `exchange.chat` behind `Mask`: the request itself, the questions to a vision model and the
searches of `WebSearch`, further rounds, a second question for JSON, and a mended try. For a fallback the steps run
again. Streams are changed in `answers.placeholders`, behind all steps.
"""

from __future__ import annotations

from typing import Final

from ..dialects import DIALECTS
from ..exchange import Change, Changes, Exchange, JsonObject, Response
from ..masking import bodies
from ..masking.masked import Masking
from ..masking.put_back import WHY_PUT_BACK, PutBack
from ..observe.metrics import counter
from ..options import Settings
from ..wire import rule_names
from ..workers import Checkpoint
from .base import Outcome, Step
from .native_fields import native_of

MASKED = counter("hunyuan_masked_total", "Values that left as placeholders, by what they are.", "what")
"""`what`: `key`, `phone`, `id`, `card`."""
RETURNED = counter("hunyuan_placeholders_total", "Placeholders in answers, by what became of them.", "outcome")
"""`outcome`: `put_back`; `unknown` for what looks like one, is none of the request's, and stays; `refused` for one in a
call, whose answer is an error instead."""

_COST: Final = 2
"""Looking through a text takes twice as long as what `Workers` counts for a byte."""
_UNREAD: Final = ("previous_response_id", "conversation", "background")
"""Fields of a Responses request whose history, or answer, its endpoint keeps."""


def is_wanted(exchange: Exchange, settings: Settings) -> bool:
    """Whether anything is masked in a request; under `observe` nothing leaves in another form."""
    return bool(settings.mask) and exchange.mode == "repair"


def needs_chat(exchange: Exchange, settings: Settings, body: JsonObject) -> bool:
    """Whether a Responses request has to be translated: the values of its placeholders are in a history that it lacks.

    Translated, its history is kept here, and is in the request that leaves.
    """
    if not is_wanted(exchange, settings) or exchange.spoken != rule_names.RESPONSES:
        return False
    given = body.get("input")
    refers = any(
        isinstance(item, dict) and item.get("type", "item_reference") == "item_reference" and "id" in item
        for item in (given if isinstance(given, list) else ())
    )
    return body.get("store") is not False or refers or any(body.get(name) for name in _UNREAD)


class MaskMore(Step):
    """Behind steps that may have brought texts in: what a vision model read in an image, what a signature carried."""

    name = rule_names.MASKING
    again = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Mask the request once more, if a step has changed it since it was masked."""
        masked: PutBack | None = exchange.put_back
        if self.settings.mask and (masked is None or masked.changes != exchange.change_count):
            await self._mask(exchange)
        return None

    async def _mask(self, exchange: Exchange) -> None:
        """Mask what leaves; in a thread where it is large. Steps that bring texts in may run again: so may this."""
        put_back: PutBack = exchange.put_back or PutBack()
        caller, of = exchange.caller, self.runtime.placeholders.of
        clean = self.runtime.clean_texts
        masking = Masking(
            self.settings.mask,
            lambda kind, value: of(caller, kind, value),
            put_back.values,
            clean,
            put_back.literal,
        )
        keeps_thinking = put_back.keeps_thinking = _keeps_thinking(exchange)

        def work(checkpoint: Checkpoint) -> Changes:
            return bodies.mask(
                exchange.chat,
                masking,
                checkpoint,
                keeps_thinking=keeps_thinking,
                shows_messages=exchange.dialect == rule_names.RESPONSES_NATIVE,
            )

        exchange.note(await self.runtime.workers.run(work, _COST * exchange.cost))
        put_back.changes = exchange.change_count
        exchange.put_back = put_back
        if exchange.mode == "repair":
            for kind, count in masking.counts.items():
                self.runtime.metrics.add(MASKED, count, kind)


class Mask(MaskMore):
    """Behind all that brings texts from here (kept histories, thoughts, documents), before anything leaves."""

    async def request(self, exchange: Exchange) -> Response | None:
        """Mask the request."""
        if self.settings.mask:
            await self._mask(exchange)
        return None

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Put the values into a whole answer. Raises `UnknownPlaceholder`."""
        put_back: PutBack | None = exchange.put_back
        if put_back is None or _is_of_vectors(exchange) or not put_back.whole(answer):
            return False
        exchange.note([Change(rule_names.PUT_BACK, "", WHY_PUT_BACK)])
        return True

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Count what came back, and forget the values."""
        put_back: PutBack | None = exchange.put_back
        exchange.put_back = None
        if put_back is not None and exchange.mode == "repair":
            if put_back.count and rule_names.PUT_BACK not in exchange.rules:  # a stream
                exchange.note([Change(rule_names.PUT_BACK, "", WHY_PUT_BACK)])
            counts = {"put_back": put_back.count, "unknown": put_back.unknown, "refused": put_back.refused}
            for what, count in counts.items():
                if count:
                    self.runtime.metrics.add(RETURNED, count, what)


def _is_of_vectors(exchange: Exchange) -> bool:
    """Whether its answer has vectors: many numbers, and no text."""
    return DIALECTS[exchange.dialect].house == "embeddings"


def _keeps_thinking(exchange: Exchange) -> bool:
    """Whether its endpoint may sign what the model thinks, and would refuse it in other words."""
    if exchange.dialect == rule_names.ANTHROPIC_NATIVE:
        return native_of(exchange, str(exchange.chat.get("model"))).is_signed(str(exchange.chat.get("model")))
    return exchange.dialect == rule_names.RESPONSES_NATIVE
