"""Embeddings: texts that are too long are cut or refused, and those whose vectors are known aren't sent again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from ..embeddings import overlong
from ..embeddings.known import Lookup
from ..embeddings.settings import TRUNCATED_HEADER
from ..embeddings.vectors import keys_of
from ..exchange import Change, Exchange, JsonObject, Response
from ..kept import cache_wish
from ..wire import json_body, proxy_errors, rule_names
from .base import Step
from .rules import context_of

_MOST_PLACES: Final = 100
"""Places that a response header names; of more it says how many."""
_EACH_LOOKED_UP: Final = 200
"""What is counted for the work of making the key of one text, beside its length."""


def texts_of(body: JsonObject) -> list[str] | None:
    """The texts that an embeddings request asks for; `None` where its input is none."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else given
    return texts if isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts) else None


def say_cut(exchange: Exchange, places: Sequence[int]) -> None:
    """Name, in a header of the answer, the places of the texts that were cut."""
    before = exchange.answer_headers.get(TRUNCATED_HEADER, "")
    listed = [*(before.split(",") if before else ()), *map(str, places)]
    more = [f"+{len(listed) - _MOST_PLACES}"] if len(listed) > _MOST_PLACES else []
    exchange.answer_headers[TRUNCATED_HEADER] = ",".join([*listed[:_MOST_PLACES], *more])


class OverlongTexts(Step):
    """By the limit in the model's data, else by what its endpoint has refused (`hunyuan_embedding_overlong`)."""

    name = rule_names.OVERLONG_TEXTS

    async def request(self, exchange: Exchange) -> Response | None:
        """Cut the texts that have more tokens, or refuse the request."""
        mode, texts = self.settings.embedding_overlong, texts_of(exchange.chat)
        if mode == "pass" or texts is None:
            return None
        model = str(exchange.chat.get("model") or "")
        limit = context_of(exchange, self.settings).model.input or self.runtime.vectors.limit(exchange.base_url, model)
        if limit is None:
            return None

        def look(checkpoint: Callable[[], None]) -> dict[int, str]:
            found = {}
            for place, text in enumerate(texts):
                checkpoint()
                # No token is shorter than a byte: most texts need no further look.
                if len(text.encode("utf-8", "replace")) > limit and overlong.tokens(text) > limit:
                    found[place] = overlong.cut(text, limit)
            return found

        cut = await self.runtime.workers.run(look, sum(map(len, texts)))
        if not cut:
            return None
        if mode == "error":
            places = list(cut)
            return proxy_errors.TEXT_TOO_LONG(
                places=", ".join(map(str, places[:_MOST_PLACES])), limit=limit, param=f"input.{places[0]}"
            ).response()
        exchange.chat["input"] = [cut.get(place, text) for place, text in enumerate(texts)]
        why = f"cut to about {limit} tokens, which is what its model takes"
        exchange.note([Change(self.name, f"/input/{place}", why) for place in cut])
        if exchange.mode != "observe":  # there it goes on whole
            say_cut(exchange, list(cut))
        return None


class KnownVectors(Step):
    """Looks the texts up, and leaves those in the request whose vectors aren't known, each once.

    A request for known ones alone is answered here: that costs nothing, under a spent budget too.
    """

    name = rule_names.KNOWN_VECTORS

    async def request(self, exchange: Exchange) -> Response | None:
        """Look them up (`hunyuan_embedding_cache`, or the header)."""
        settings = self.settings
        reads, keeps = cache_wish.access(settings.embedding_cache, exchange.cache_wish)
        is_needed = reads or keeps or settings.embedding_overlong == "truncate"
        texts = texts_of(exchange.chat) if is_needed else None
        if texts is None or exchange.mode == "observe":
            return None
        keys = await self.runtime.workers.run(
            lambda _: keys_of(exchange.caller, exchange.base_url, exchange.chat, texts),
            sum(map(len, texts)) + _EACH_LOOKED_UP * len(texts),
        )
        lookup = exchange.lookup = Lookup(keys, texts, keeps=keeps)
        if reads:
            lookup.vectors |= await self.runtime.vectors.found(keys)
        missing = lookup.missing
        if not missing:
            exchange.note_name(self.name)
            exchange.answer_headers[cache_wish.HEADER] = "hit"
            answer = lookup.answer(str(exchange.chat.get("model") or ""))
            return Response(200, {"content-type": "application/json"}, json_body.serialise(answer))
        if lookup.vectors:
            exchange.answer_headers[cache_wish.HEADER] = "part"
        if len(missing) < len(texts):
            exchange.chat["input"] = missing
            known, count = len(texts) - len(missing), len(texts)
            why = f"{known} of {count} texts are known, or stand there twice: not sent"
            exchange.note([Change(self.name, "/input", why)])
        return None
