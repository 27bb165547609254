"""Everything that holds state or connections: made once a process, configured anew when options change."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mitmproxy.utils import asyncio_utils

from . import pipeline, stores
from .access.callers import Outsiders
from .access.client_tokens import ClientTokens
from .access.keys import LentKey
from .access.rate_limits import RateLimits
from .admission import Admission
from .admission.leases import Leases
from .cascade import Cascade
from .config.config_file import ConfigFile
from .config.options import Settings
from .config.values import StorePlaces
from .hooks.dispatch import Departures
from .hooks.draining import Draining
from .hooks.finish import Ending
from .hooks.starting import Starting
from .relay import Relay
from .stores.redis import redis_client
from .upstream.calls import Calls
from .upstream.circuit_breaker import Breaker
from .upstream.client import HttpClient, Transport
from .upstream.embedding_batches import EmbeddingBatches
from .upstream.gate import Gate
from .vision.descriptions import Descriptions
from .vision.vision_call import Vision
from .wire import safe_text
from .workers import Workers

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger("hunyuan_fix")

_LOOK_EVERY = 1.0
"""Seconds between two looks at the files of keys and tokens."""


class Services:
    """What the hooks use, under `settings`. A hot reload leaves them alone: slots stay taken, descriptions known."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.workers = Workers()
        self.http_client = HttpClient()
        self.admission = Admission()
        self.breaker = Breaker()
        self.gate = Gate(self.admission, self.breaker)
        self.chain = stores.Chain(stores.Memory(settings.cache_entries, settings.cache_bytes))
        calls = Calls(self.http_client, self.gate)
        self.cascade = Cascade(Vision(calls), known=Descriptions(self.chain), workers=self.workers)
        self.batches = EmbeddingBatches(calls)
        self.relay = Relay(self.http_client, self.gate, self.workers)
        self.departures = Departures(self.gate, self.relay)
        self.key = LentKey()
        self.tokens = ClientTokens()
        self.limits = RateLimits(lambda client: self.tokens.quota(client, self._settings))
        self.starting = Starting()
        self.draining = Draining()
        self.ending = Ending(self.departures, self.limits)
        self.outsiders = Outsiders()
        self.config = ConfigFile()
        self._places: tuple[StorePlaces, int] = (StorePlaces(), 0)
        self._leases: Leases | None = None
        self._watch: asyncio.Task[None] | None = None
        self._counters: Redis | None = None
        """Where the limits of client tokens are counted."""

    def configure(self, settings: Settings, transport: Transport) -> None:
        """Go on under `settings`. Raises `OptionError`, and nothing is changed then."""
        key, tokens = self.key.configured(settings), self.tokens.configured(settings)
        places = (settings.store, settings.store_max_bytes)
        levels = stores.open_levels(*places) if places != self._places else None
        self._settings, self.key, self.tokens = settings, key, tokens
        if levels is not None:
            self.chain.replace(levels)
            if settings.store.redis != self._places[0].redis:
                self._share(settings.store.redis)
            self._places = places
        self.http_client.configure(transport)
        self.cascade.configure(pipeline.cascade_settings(settings))
        self.admission.configure(
            queue_max=settings.queue_max, queue_timeout=settings.queue_timeout, leases=self._leases
        )
        self.breaker.configure(failures=settings.breaker_failures, seconds=settings.breaker_seconds)

    def start(self) -> None:
        """Begin to watch the files of options, keys and tokens. Needs a running event loop."""
        if self._watch is None:
            self.config.start()
            self._watch = asyncio_utils.create_task(self._refresh(), name="hunyuan-fix watches files", keep_ref=True)

    async def _refresh(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                await self.key.refresh()
                await self.tokens.refresh()
            except Exception as error:
                logger.error(
                    "A file of keys or tokens could not be looked at:\n%s", safe_text.traceback_without_text(error)
                )

    def counts(self) -> list[str]:
        """What all this has done since the start, in lines: no key, no name of a client."""
        admission, relay, breaker = self.admission.state(), self.relay.counts, self.breaker.counts
        active = sum(queue.under_way for queue in admission.queues)
        waiting = sum(queue.waiting for queue in admission.queues)
        again = ", ".join(f"{reason} {count}" for reason, count in relay.retries.most_common()) or "none"
        return [
            f"slots: {active} taken, {waiting} waiting; {admission.admitted} admitted, {admission.refused_full} "
            f"refused by a full queue, {admission.refused_late} after waiting",
            f"breaker: opened {breaker.opened}, closed {breaker.closed}, spared {breaker.refused} calls; open now: "
            f"{len(self.breaker.open())}",
            f"relay: {relay.calls} calls, {relay.tries} tries, {relay.broken} streams broken off, {relay.abandoned} "
            f"abandoned; tried again for: {again}",
            *(
                f"store {level.name}: {level.hits} hits, {level.misses} misses, {level.failures} failures, "
                f"{level.bypassed} by-passed, {level.dropped} writes lost" + (", failing now" if level.failing else "")
                for level in self.chain.counts()
            ),
            *self._leases_counts(),
        ]

    def _leases_counts(self) -> list[str]:
        leases = self.admission.state().leases
        if leases is None:
            return []
        silent = "" if leases.answers else ", Redis doesn't answer now"
        return [
            f"leases over Redis: {leases.held} held, {leases.failures} failures{silent}; limits of client tokens "
            f"counted without it {self.limits.bypasses} times"
        ]

    async def aclose(self) -> None:
        """Write what waits to be written, and close every connection. For the end of the process."""
        self.config.stop()
        self.workers.close()
        if self._watch is not None:
            self._watch.cancel()
        counters = [self._counters.aclose] if self._counters is not None else []
        for close in (self.relay.aclose, self.admission.aclose, self.chain.aclose, self.http_client.aclose, *counters):
            try:
                await close()
            except Exception as error:  # the others are closed all the same
                logger.error("Something could not be closed:\n%s", safe_text.traceback_without_text(error))

    def _share(self, redis: str | None) -> None:
        """Let limits hold over all processes that use the Redis server at that URL; `None`: in this one alone."""
        self._leases = Leases(redis_client(redis)) if redis else None
        old, self._counters = self._counters, redis_client(redis) if redis else None
        self.limits.share(self._counters)
        if old is not None:
            asyncio_utils.create_task(old.aclose(), name="hunyuan-fix closes Redis", keep_ref=True)


_services: WeakKeyDictionary[object, Services] = WeakKeyDictionary()


def of(master: object, settings: Settings) -> Services:
    """The services of a mitmproxy `master`: those that are there, where the addon has been loaded anew."""
    if master not in _services:
        _services[master] = Services(settings)
    return _services[master]
