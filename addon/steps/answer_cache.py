"""An answer that was given before to the same request is given again (`hunyuan_answer_cache`), for nothing."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from dataclasses import dataclass, field
from typing import Final

from ..answer_cache import good, runs
from ..answer_cache.asked import CHAT, Asked, asked
from ..answer_cache.kept import LARGEST
from ..answers.gathered import Gathered, gathering
from ..answers.heard import Listener
from ..answers.json_repair import settings as json_settings
from ..config import worker_place
from ..exchange import Exchange, JsonObject, Response
from ..kept import cache_wish
from ..observe.metrics import counter
from ..texts.terminal import say
from ..wire import json_body, proxy_errors, rule_names
from .base import PATIENCE, Outcome, Step

CACHED = counter(
    "hunyuan_answer_cache_total", "Requests that the answer cache was asked about, by what it did.", "what"
)
"""`what`: `hit`, `shared` (another request was fetching the answer), `miss`, `kept`, `repeated` (asked for too often:
asked anew)."""

_WAIT: Final = PATIENCE - 10.0
"""Seconds that a request waits at most for the same one before it."""

logger = logging.getLogger("hunyuan_fix")


@dataclass(slots=True)
class Fetching:
    """A request whose answer is kept once it is there."""

    asked: Asked
    key: bytes
    """Under which; empty: in a recording."""
    is_led: bool = False
    """Others may wait for it."""
    gathered: Gathered | None = None
    """What hears its stream."""
    answer: JsonObject | None = None
    """It, whole."""
    since: float = field(default_factory=time.monotonic)
    """When it came, in seconds of the monotonic clock: a recording says how long its answer took."""


class AnswerCache(Step):
    """After what a request lacks is put back, and before anything is paid for."""

    name = rule_names.ANSWER_CACHE
    once = True

    async def request(self, exchange: Exchange) -> Response | None:
        """Look it up; else note that its answer is to be kept."""
        mode = self.settings.answer_cache
        if exchange.mode == "observe":
            return None
        if mode in ("record", "replay"):
            return await self._recorded(exchange, replays=mode == "replay")
        if not (exchange.run_wish or exchange.cache_wish) and mode == "off":
            return None
        wished = exchange.cache_wish or ("use" if exchange.run_wish else "")
        reads, keeps = cache_wish.access(mode, wished)
        if not (reads or keeps):
            return None

        # 1. What is asked, and which answer to it is meant.
        what = await self._asked(exchange)
        fetching = Fetching(what, what.key_for(exchange.caller, exchange.base_url))
        if exchange.run_wish:
            refused = await self._numbered(exchange, fetching)
            if refused is not None:
                return refused
            if not fetching.key:
                return None

        # 2. The answer, at once or when another request has it.
        if reads:
            answer = await self._known(exchange, fetching)
            if answer is not None:
                return answer
            self.runtime.metrics.add(CACHED, 1, "miss")
        if keeps:
            fetching.is_led = self.runtime.answers.fetching(fetching.key) is None
            if fetching.is_led:
                self.runtime.answers.fetch(fetching.key, exchange.id)
            exchange.fetching = fetching
        return None

    async def _asked(self, exchange: Exchange) -> Asked:
        wish = exchange.json_wish or self.settings.json
        wishes = {} if wish == "off" else {json_settings.HEADER: wish}
        return await self.runtime.workers.run(lambda _: asked(exchange, wishes), exchange.cost)

    async def _numbered(self, exchange: Exchange, fetching: Fetching) -> Response | None:
        """Take the key of the next answer of its run; none where that can't be known. Or a refusal."""
        run, takes = runs.of_header(exchange.run_wish), self.runtime.answers.takes
        if run is None:
            return proxy_errors.RUN_UNREADABLE().response()
        if worker_place.own() is not None and not (takes.is_shared and run.take):
            return proxy_errors.RUN_NEEDS_REDIS().response()
        try:
            number = await takes.next(exchange.caller, run, fetching.key)
            fetching.key = runs.key_of(fetching.key, run, number)
        except Exception as error:  # of the Redis
            logger.warning("%s", say("A run could not be counted: {why}", why=type(error).__qualname__))
            exchange.warn("this run could not be counted: the answer is a new one, and isn't kept")
            fetching.key = b""
        return None

    async def _known(self, exchange: Exchange, fetching: Fetching) -> Response | None:
        """The answer that is known, or becomes known while another request fetches it."""
        answers, key, what = self.runtime.answers, fetching.key, "hit"
        found = await answers.found(key)
        if found is None and (under_way := answers.fetching(key)) is not None:
            with exchange.calling():
                await asyncio.wait({under_way}, timeout=_WAIT)
            found, what = await answers.found(key), "shared"
        if found is None:
            return None
        in_run = bool(exchange.run_wish)
        if not in_run and answers.is_too_often(key, self.settings.answer_cache_repeats):
            self.runtime.metrics.add(CACHED, 1, "repeated")
            most, seconds = self.settings.answer_cache_repeats
            exchange.warn(f"the same was asked {most} times in {seconds:g} seconds: asked anew, past the cache")
            return None
        self.runtime.metrics.add(CACHED, 1, what)
        exchange.answer_headers[cache_wish.HEADER] = "hit"
        exchange.answer_headers["age"] = str(answers.age(found))
        answer = found.answer if in_run else good.given_again(fetching.asked.form, found.answer)
        return self._given(exchange, fetching.asked, answer)

    async def _recorded(self, exchange: Exchange, *, replays: bool) -> Response | None:
        """The recorded answer; while one records, note that it is to be kept."""
        what = await self._asked(exchange)
        if not replays:
            exchange.fetching = Fetching(what, b"")
            return None
        found = await self.runtime.workers.run(lambda _: self.runtime.recordings.found(what), exchange.cost)
        return found if isinstance(found, Response) else self._given(exchange, what, found)

    def _given(self, exchange: Exchange, what: Asked, answer: JsonObject) -> Response:
        """An answer that costs nothing, to be put into the client's format (`hooks.bodies`)."""
        exchange.note_name(self.name)
        exchange.given_again = True
        if self.settings.answer_cache == "replay" or exchange.run_wish:
            # Responses have ids of their own: here the same ones each time. A recorded answer's own id is unique, and
            # hangs on neither the day nor the folder.
            own = self.settings.answer_cache == "replay" and answer.get("id")
            digest = hashlib.sha256(json_body.serialise(own or [what.key.hex(), answer])).hexdigest()
            exchange.note_of(rule_names.RESPONSES).setdefault("id", f"resp_{digest[:48]}")
        return Response(200, {"content-type": "application/json"}, json_body.serialise(answer))

    def answer(self, exchange: Exchange, answer: JsonObject) -> bool:
        """Remember a whole answer."""
        if exchange.fetching is not None:
            # A copy: steps behind this one may still change it.
            written = json_body.serialise(answer)
            exchange.fetching.answer = json_body.parse_object(written) if len(written) <= LARGEST else None
        return False

    def listener(self, exchange: Exchange) -> Listener | None:
        """What hears a streamed answer."""
        fetching: Fetching | None = exchange.fetching
        if fetching is None:
            return None
        fetching.gathered = gathering(fetching.asked.form, LARGEST)
        return Listener(fetching.gathered.event)

    def complete(self, exchange: Exchange) -> None:
        """Keep the answer, if it came to its own end."""
        self._keep(exchange, is_last=False)

    def _keep(self, exchange: Exchange, *, is_last: bool) -> None:
        fetching: Fetching | None = exchange.fetching
        if fetching is None:
            return
        answer = fetching.answer
        if answer is None and fetching.gathered is not None:
            answer = fetching.gathered.whole()
        # A recording has what its agent got, cut or not. From the cache only what is whole is given again.
        is_wanted = not fetching.key or (
            answer is not None
            and good.is_good(fetching.asked.form, answer)
            and not (exchange.fallback or exchange.json_said.startswith("invalid"))
        )
        if answer is None or not is_wanted:
            return
        if fetching.asked.form == CHAT and "usage" not in answer:
            if exchange.usage:
                answer["usage"] = _usage_in_chat(exchange.usage)
            elif not is_last:
                return  # it comes after the end of the text
        exchange.fetching = None
        if not fetching.key:
            self.runtime.recordings.keep(fetching.asked, answer, time.monotonic() - fetching.since)
            return
        is_kept = self.runtime.answers.keep(fetching.key, answer, self.settings.answer_cache_age)
        if is_kept:
            self.runtime.metrics.add(CACHED, 1, "kept")
        self._over(exchange, fetching, is_kept=is_kept)

    def done(self, exchange: Exchange, outcome: Outcome) -> None:
        """Let those go on that wait for an answer which wasn't kept."""
        self._keep(exchange, is_last=True)
        fetching: Fetching | None = exchange.fetching
        if fetching is not None:
            exchange.fetching = None
            self._over(exchange, fetching, is_kept=False)

    def _over(self, exchange: Exchange, fetching: Fetching, *, is_kept: bool) -> None:
        if fetching.is_led:
            self.runtime.answers.fetched(fetching.key, exchange.id, is_kept=is_kept)


def _usage_in_chat(used: dict[str, int]) -> JsonObject:
    """What a stream used whose client didn't ask for that (`Exchange.usage`), as a whole answer says it."""
    came, went = used.get("input", 0), used.get("output", 0)
    made: JsonObject = {"prompt_tokens": came, "completion_tokens": went, "total_tokens": came + went}
    if "cached" in used:
        made["prompt_tokens_details"] = {"cached_tokens": used["cached"]}
    if "reasoning" in used:
        made["completion_tokens_details"] = {"reasoning_tokens": used["reasoning"]}
    return made
