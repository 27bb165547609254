"""The prompt-cache ledger's two steps: the prompt as the client sent it, and as it left with what its answer used."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from ..dialects import DIALECTS
from ..exchange import Exchange, JsonObject, Response
from ..observe import prompt_cache
from ..observe.metrics import counter
from ..observe.prompt_cache import Break, Prompt, Turn
from ..session import session_of
from ..wire import safe_text
from ..wire.usage import CACHED, INPUT
from .base import Outcome, Step

INPUT_TOKENS = counter("hunyuan_prompt_tokens_total", "Input tokens, by whether they were cached.", "cache")
"""`read`: from the endpoint's cache; `missed`: not; `unknown`: the answer doesn't tell."""
BREAKS = counter("hunyuan_prompt_cache_breaks_total", "Turns whose cache was broken, by whose doing it was.", "by")

NAME: Final = "prompt-cache"
"""Of the note."""
_CONTINUES: Final = ("previous_response_id", "conversation")
"""Fields of requests that have only what is new."""

logger = logging.getLogger("hunyuan_fix")


@dataclass(slots=True)
class Seen:
    """What is known of a prompt until its answer is there."""

    session: bytes
    is_named: bool
    came: Prompt | None
    changes: int
    """Changes that had been made when it was looked at."""
    sent: Prompt | None = None


class PromptCame(Step):
    """Before every other step."""

    name = NAME

    async def received(self, exchange: Exchange, body: JsonObject) -> JsonObject | Response:
        """Look at a request in another format than the house language."""
        await self._look(exchange, body)
        return body

    async def request(self, exchange: Exchange) -> Response | None:
        """Look at one that is in it, or stays in its own."""
        if exchange.prompt is None:
            await self._look(exchange, exchange.chat)
        return None

    async def _look(self, exchange: Exchange, body: JsonObject) -> None:
        session = session_of(exchange.headers, body)
        came: Prompt | None = None
        if not any(body.get(field) for field in _CONTINUES):
            came = await self.runtime.workers.run(lambda _: prompt_cache.prompt_of(body), exchange.cost)
        key = blake2b(exchange.caller + exchange.base_url.encode() + session.encode(), digest_size=16).digest()
        exchange.prompt = Seen(key, bool(session), came, exchange.change_count)


class PromptCache(Step):
    """After all steps that change the request."""

    name = NAME

    async def request(self, exchange: Exchange) -> Response | None:
        """Look at what leaves."""
        seen: Seen | None = exchange.prompt
        if seen is None:
            return None
        dialect = DIALECTS[exchange.dialect]
        is_translated = dialect.house == "chat" and not dialect.is_house
        if seen.came is not None and not is_translated and exchange.change_count == seen.changes:
            seen.sent = seen.came  # as of most requests
        else:
            body = exchange.chat
            seen.sent = await self.runtime.workers.run(lambda _: prompt_cache.prompt_of(body), exchange.cost)
        return None

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Count what was cached, and tell what broke the cache."""
        seen: Seen | None = exchange.prompt
        exchange.prompt = None
        used = exchange.usage
        if seen is None or outcome.how != "answered" or INPUT not in used:
            return
        metrics, tokens = self.runtime.metrics, used[INPUT]
        if CACHED not in used:
            metrics.add(INPUT_TOKENS, tokens, "unknown")
            return
        cached = used[CACHED]
        metrics.add(INPUT_TOKENS, cached, "read")
        metrics.add(INPUT_TOKENS, tokens - cached, "missed")
        note = exchange.note_of(NAME)
        note["input"], note["cached"] = tokens, cached
        if seen.sent is None:
            return
        rules = tuple(dict.fromkeys((change.rule, _message(change.pointer)) for change in exchange.changes))
        turn = Turn(seen.session, seen.is_named, seen.sent, seen.came, tokens, cached, rules)
        broken = self.runtime.prompt_cache.add(turn)
        if broken is not None:
            self._tell(exchange, note, broken)

    def _tell(self, exchange: Exchange, note: JsonObject, broken: Break) -> None:
        self.runtime.metrics.add(BREAKS, 1, broken.by)
        note |= {"broken": broken.text(), "pointer": broken.pointer, "by": broken.by, "missed": broken.missed}
        line = f"model={safe_text.plain(exchange.model) or '-'} {prompt_cache.told(note)}"
        self.runtime.prompt_cache.remember(line)
        logger.info("%s %s: %s", exchange.method, safe_text.plain(exchange.path), line)


def _message(pointer: str) -> str:
    """The pointer of the message that something is in, or of the field."""
    return "/".join(pointer.split("/")[:3])
