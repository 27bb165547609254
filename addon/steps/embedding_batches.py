"""An embeddings request with more inputs than the endpoint takes is sent as several calls."""

from __future__ import annotations

from collections.abc import Sequence

from .. import profiles
from ..answers import embeddings as answers
from ..embeddings import overlong
from ..embeddings.known import Lookup
from ..exchange import Exchange, JsonObject, Response
from ..rules import embeddings
from ..upstream.embedding_batches import CONCURRENCY, Texts
from ..upstream.retry import allowed
from ..wire import json_body, usage
from .base import PATIENCE, Step, StepRuntime
from .known_vectors import say_cut
from .rules import context_of
from .target import target_of

TIMEOUT = 60.0
"""Seconds for each call."""
_SHORTER = 0.7
"""The part of its tokens that a text keeps which was refused as too long."""


class SendBatches(Step):
    """The answers to the calls are joined into one. Under `hunyuan_mode=observe` nothing is sent, and to the host of a
    plan one call at a time.

    So is a request whose texts were looked up (`KnownVectors`): only a call of the proxy's own can be put together with
    what is known, and tried again where a text of it is refused.
    """

    name = "embeddings"

    def makes_calls(self, exchange: Exchange) -> bool:
        """A request of more than one batch is answered here."""
        return exchange.lookup is not None or len(self._batches(exchange)) > 1

    async def request(self, exchange: Exchange) -> Response | None:
        """Send the batches, if there is more than one."""
        lookup: Lookup | None = exchange.lookup
        batches = self._batches(exchange)
        if len(batches) == 1 and lookup is None:
            return None
        exchange.note_name(self.name)
        if exchange.mode == "observe":
            return None
        profile = profiles.load(exchange.profile)
        with exchange.calling():
            result = await self.runtime.batches.send(
                batches,
                target_of(exchange, profile, self.settings),
                profile,
                TIMEOUT,
                1 if profile.plan else CONCURRENCY,
                tries=allowed(self.settings.own_tries, profile),
                patience=PATIENCE,
                texts=None
                if lookup is None
                else _Known(
                    exchange,
                    lookup,
                    self.runtime,
                    cuts=self.settings.embedding_overlong == "truncate",
                    tries_alone=not profile.plan,
                ),
            )
        if isinstance(result, Response):
            return result
        usage.note(exchange, result.get("usage"))
        if lookup is not None:
            result = lookup.answer("", result)
            exchange.lookup = None
        return Response(200, {"content-type": "application/json"}, json_body.serialise(result))

    def _batches(self, exchange: Exchange) -> list[JsonObject]:
        body = exchange.chat
        if exchange.lookup is not None and isinstance(body.get("input"), str):
            body = {**body, "input": [body["input"]]}
        return embeddings.batches(body, context_of(exchange, self.settings))


class _Known(Texts):
    """What becomes of the texts of one request while they are sent."""

    def __init__(
        self, exchange: Exchange, lookup: Lookup, runtime: StepRuntime, *, cuts: bool, tries_alone: bool
    ) -> None:
        self._exchange = exchange
        self._lookup = lookup
        self._vectors = runtime.vectors
        self._cuts = cuts
        self.tries_alone = tries_alone

    def answered(self, texts: Sequence[str], answer: JsonObject, sent: Sequence[str]) -> None:
        """Kept at once: they are paid for, whatever becomes of the other batches. Not those of a text that was cut."""
        new = self._lookup.take(texts, answers.in_order(answer))
        if list(texts) == list(sent):
            if self._lookup.keeps:
                self._vectors.keep(new)
            return
        (text,), (cut,) = texts, sent
        model = str(self._exchange.chat.get("model") or "")
        self._vectors.learn_limit(self._exchange.base_url, model, overlong.tokens(cut))
        say_cut(self._exchange, [place for place, one in enumerate(self._lookup.texts) if one == text])

    def shorter(self, text: str) -> str | None:
        """Less of it, where texts may be cut."""
        cut = overlong.cut(text, max(1, int(_SHORTER * overlong.tokens(text)))) if self._cuts else text
        return cut if len(cut) < len(text) else None

    def place(self, text: str) -> int:
        """Where it stands in what the client sent."""
        return self._lookup.texts.index(text)
