"""The prompt-cache ledger's two steps: the prompt as the client sent it, and as it left with what its answer used."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final

from .. import profiles
from .. import session as conversations
from ..dialects import DIALECTS
from ..exchange import Exchange, JsonObject, Response
from ..observe import prompt_cache, prompts
from ..observe.metrics import counter
from ..observe.prompt_cache import LEAST_MISSED, NAME, Break, PromptCacheLedger, Turn
from ..observe.prompts import Prompt
from ..wire import safe_text
from ..wire.usage import CACHED, INPUT
from .base import Outcome, Step

INPUT_TOKENS = counter("hunyuan_prompt_tokens_total", "Input tokens, by whether they were cached.", "cache")
"""`read`: from the endpoint's cache; `missed`: not; `unknown`: the answer doesn't tell."""
BREAKS = counter("hunyuan_prompt_cache_breaks_total", "Turns whose cache was broken, by whose doing it was.", "by")

_CONTINUES: Final = ("previous_response_id", "conversation")
"""Fields of requests that have only what is new."""
_SMALLEST: Final = 2 * LEAST_MISSED
"""Bytes of a request that may have a break worth telling: in any language a token has two or more, on average."""

logger = logging.getLogger("hunyuan_fix")


@dataclass(slots=True)
class Seen:
    """What is known of a prompt until its answer is there."""

    session: Hashable
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
        if not _is_looked_at(exchange, self.runtime.prompt_cache):
            return
        seen = exchange.prompt = _seen(exchange)
        if not any(body.get(field) for field in _CONTINUES):
            seen.came = await self.runtime.workers.run(lambda _: prompts.prompt_of(body), exchange.cost)


class PromptCache(Step):
    """After all steps that change the request."""

    name = NAME
    again = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Look at what leaves, which may be larger than what came."""
        if not _is_looked_at(exchange, self.runtime.prompt_cache):
            return None
        body, seen = exchange.chat, exchange.prompt
        if seen is None:
            seen = exchange.prompt = _seen(exchange)
        dialect = DIALECTS[exchange.dialect]
        is_translated = dialect.house == "chat" and not dialect.is_house
        is_unchanged = exchange.mode == "observe" or (not is_translated and exchange.change_count == seen.changes)
        if seen.came is not None and is_unchanged:
            seen.sent = seen.came  # as of most requests
        else:
            seen.sent = await self.runtime.workers.run(lambda _: prompts.prompt_of(body), exchange.cost)
        return None

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Count what was cached, and tell what broke the cache."""
        seen: Seen | None = exchange.prompt
        exchange.prompt = None
        used = exchange.usage
        if outcome.how != "answered" or INPUT not in used:
            return
        metrics, tokens = self.runtime.metrics, used[INPUT]
        if CACHED not in used:
            metrics.add(INPUT_TOKENS, tokens, "unknown")
            return
        cached = used[CACHED]
        self.runtime.prompt_cache.reports(exchange.base_url)
        metrics.add(INPUT_TOKENS, cached, "read")
        metrics.add(INPUT_TOKENS, tokens - cached, "missed")
        note = exchange.note_of(NAME)
        note["input"], note["cached"] = tokens, cached
        if seen is None or seen.sent is None:
            return
        rules = tuple(dict.fromkeys((change.rule, _message(change.pointer)) for change in exchange.changes))
        turn = Turn(seen.session, seen.is_named, seen.sent, seen.came, tokens, cached, rules, exchange.id)
        found = self.runtime.prompt_cache.add(turn)
        if found.before:
            note["before"] = found.before
        if found.is_compacted:
            note["compacted"] = True
        if found.broken is not None:
            self._tell(exchange, note, found.broken)

    def _tell(self, exchange: Exchange, note: JsonObject, broken: Break) -> None:
        self.runtime.metrics.add(BREAKS, 1, broken.by)
        note |= {"broken": broken.text(), "pointer": broken.pointer, "by": broken.by, "missed": broken.missed}
        note |= {"what": broken.what, "rules": list(broken.rules)}
        line = f"model={safe_text.plain(exchange.model) or '-'} {prompt_cache.told(note)}"
        self.runtime.prompt_cache.remember(line)
        logger.info("%s %s: %s", exchange.method, safe_text.plain(exchange.path), line)


def _is_looked_at(exchange: Exchange, ledger: PromptCacheLedger) -> bool:
    """Whether a break of the request's cache could be noticed, and would be worth telling."""
    tells = profiles.load(exchange.profile).reports_cache or ledger.is_reporting(exchange.base_url)
    return exchange.size >= _SMALLEST and tells


def _seen(exchange: Exchange) -> Seen:
    """By the session that the client named. One that is known by its first message would hide that this one changed.

    A subagent is a conversation of its own: with the tools of the agent that called it, it would look like a summary.
    """
    session = exchange.session if exchange.session_named else ""
    agent = conversations.agent(exchange.headers)
    return Seen((exchange.caller, exchange.base_url, session, agent), bool(session), None, exchange.change_count)


def _message(pointer: str) -> str:
    """The pointer of the message that something is in, or of the field."""
    return "/".join(pointer.split("/")[:3])
