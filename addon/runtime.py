"""Everything that holds state or connections: made once a process, configured anew when options change."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from mitmproxy.utils import asyncio_utils

from . import stores
from .access.callers import UnauthenticatedClients
from .access.client_tokens import ClientTokens, TokenSettings
from .access.keys import KeySettings, LentKey
from .access.rate_limits import RateLimits
from .admission import Admission
from .admission.leases import Leases
from .cascade import Cascade, CascadeSettings
from .config.config_file import ConfigFile
from .config.option import part
from .config.values import StorePlaces
from .config.watched_file import Watcher
from .options import OPTIONS, Settings
from .relay import Relay
from .stores.redis import redis_client
from .upstream.circuit_breaker import Breaker
from .upstream.client import Outgoing, Transport
from .upstream.embedding_batches import EmbeddingBatches
from .upstream.gate import Gate
from .vision.descriptions import Descriptions
from .vision.vision_call import Vision
from .wire import safe_text
from .workers import Workers

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger("hunyuan_fix")


class Runtime:
    """What the hooks use, under `settings`. A hot reload leaves them alone: slots stay taken, descriptions known."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.workers = Workers()
        self.outgoing = Outgoing()
        self.admission = Admission()
        self.breaker = Breaker()
        self.gate = Gate(self.admission, self.breaker)
        self.chain = stores.Chain(stores.Memory(settings.cache_entries, settings.cache_bytes))
        self.cascade = Cascade(
            self.outgoing, Vision(self.outgoing, self.gate), known=Descriptions(self.chain), workers=self.workers
        )
        self.batches = EmbeddingBatches(self.outgoing, self.gate)
        self.relay = Relay(self.outgoing, self.gate)
        self.key = LentKey()
        self.tokens = ClientTokens()
        self.limits = RateLimits(lambda client: self.tokens.quota(client, self._settings))
        self.unauthenticated = UnauthenticatedClients()
        self.config = ConfigFile(OPTIONS)
        self._watcher = Watcher(self.config.look, self._look_at_secrets)
        self.failures = 0
        """Exceptions in the addon itself."""
        self._places: tuple[StorePlaces, int] = (StorePlaces(), 0)
        self._leases: Leases | None = None
        self._counters: Redis | None = None
        """Where the limits of client tokens are counted."""

    @property
    def settings(self) -> Settings:
        """The options of now."""
        return self._settings

    def configure(self, settings: Settings, transport: Transport) -> None:
        """Go on under `settings`. Raises `OptionError`, and nothing is changed then."""
        key = self.key.configured(part(settings, KeySettings))
        tokens = self.tokens.configured(part(settings, TokenSettings))
        places = (settings.store, settings.store_max_bytes)
        levels = stores.open_levels(*places) if places != self._places else None
        self._settings, self.key, self.tokens = settings, key, tokens
        if levels is not None:
            self.chain.replace(levels)
            if settings.store.redis != self._places[0].redis:
                self._share(settings.store.redis)
            self._places = places
        self.outgoing.configure(transport)
        self.cascade.configure(part(settings, CascadeSettings))
        self.admission.configure(
            queue_max=settings.queue_max, queue_timeout=settings.queue_timeout, leases=self._leases
        )
        self.breaker.configure(failures=settings.breaker_failures, seconds=settings.breaker_seconds)

    def failed(self, what: str, error: Exception) -> None:
        """Count and log an exception in the addon itself. Its text stays out: it may quote a message."""
        self.failures += 1
        logger.error("%s (failure %d since start):\n%s", what, self.failures, safe_text.traceback_without_text(error))

    def start(self) -> None:
        """Begin to watch the files of options, keys and tokens. Needs a running event loop."""
        self._watcher.start()

    async def _look_at_secrets(self) -> None:
        await self.key.refresh()
        await self.tokens.refresh()

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
        self._watcher.stop()
        self.workers.close()
        counters = [self._counters.aclose] if self._counters is not None else []
        for close in (self.relay.aclose, self.admission.aclose, self.chain.aclose, self.outgoing.aclose, *counters):
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
