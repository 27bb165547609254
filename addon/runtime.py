"""Everything that holds state or connections. Made once per process, and configured again when options change."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from . import profile_folder, stores
from .access.call_keys import CallKeys
from .access.callers import UnauthenticatedClients
from .access.rate_limits import RateLimits
from .access.secrets import Secrets, SecretSettings
from .admission import Admission
from .admission.leases import Leases
from .answer_cache.kept import CachedAnswers
from .answers.seen_models import SeenModels
from .budgets.settings import BudgetSettings
from .budgets.spending import Spending
from .cascade import Cascade, CascadeSettings
from .config import worker_place
from .config.hot_change import HotChange
from .config.option import OptionError, part
from .config.page_options import PageSettings
from .config.watched_file import Watcher
from .dialects.responses import sealing
from .embeddings.vectors import KeptVectors
from .exchange import JsonObject
from .kept import KeepSettings
from .kept.answers import KeptAnswers
from .kept.reasoning import KeptReasoning
from .masking.masked import CleanTexts
from .masking.placeholders import Placeholders
from .mending.learnt import Learnt
from .observe import build, counters, prometheus, statistics, store_counts
from .observe.admin import status
from .observe.admin.admin import Admin
from .observe.admin.rooms import Rooms
from .observe.admin.settings import AdminSettings
from .observe.alerts.settings import AlertSettings
from .observe.alerts.watch import Watch
from .observe.health import Check, Health
from .observe.health.authority import AuthorityCheck
from .observe.health.disk import DiskCheck
from .observe.health.process import FaultsCheck, FilesCheck, LoopCheck, QueueCheck, SinksCheck
from .observe.health.stores import RedisCheck, SqliteCheck
from .observe.health.traffic import Traffic
from .observe.last_exchanges import LastExchanges
from .observe.ledger.ledger import Ledger
from .observe.ledger.settings import UsageSettings
from .observe.log import LineOfExchange
from .observe.log_file import FileLog, LogSettings
from .observe.loop_lag import LoopLag
from .observe.metrics import Metrics, Reading, definitions
from .observe.minutes import Minutes
from .observe.prompt_cache import PromptCacheLedger
from .observe.sinks import Sinks
from .observe.traces.settings import TraceSettings
from .observe.traces.traces import Traces
from .options import OPTIONS, Settings
from .page.contents import Contents
from .page.page import Page
from .page.sources import Running, Sources
from .plugins.failures import Failures
from .plugins.plugged_in import PluggedIn
from .profile_folder import ProfileFolder
from .recording.recordings import Recordings
from .relay import Relay
from .runaway.memory import RunawayMemory
from .stores import NOWHERE, Chain, Placed
from .stores.redis import redis_client
from .texts.terminal import say
from .upstream.calls import Calls
from .upstream.chat_calls import ChatCalls
from .upstream.circuit_breaker import Breaker
from .upstream.client import HttpClient, Transport
from .upstream.embedding_batches import EmbeddingBatches
from .upstream.gate import Gate
from .upstream.server_clock import ServerClocks
from .vision.descriptions import Descriptions
from .vision.vision_call import Vision
from .wire import safe_text
from .workers import Workers

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger("hunyuan_fix")


class Runtime:
    """The objects that hooks and steps share. A hot reload keeps them: slots stay taken, descriptions stay known."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.metrics, self.spending = Metrics(), Spending()
        self.sinks = Sinks()
        self.log_line = LineOfExchange()
        self.log_file = FileLog()
        for sink in (counters.Counting(self.metrics), self.log_line, self.spending):
            self.sinks.add(sink)
        self.traces = Traces(self.sinks)
        self.ledger = Ledger(self.sinks)
        self.prompt_cache, self.runaway = PromptCacheLedger(), RunawayMemory()
        self.learnt, self.seen_models = Learnt(), SeenModels()
        self.plugins = PluggedIn(self.sinks)
        self.metrics.read_from(self._readings)
        self.workers = Workers()
        self.http_client = HttpClient()
        self.admission = Admission(place=worker_place.own())
        self.breaker = Breaker()
        self.gate = Gate(self.admission, self.breaker)
        self.chain = stores.Chain(stores.Memory(settings.cache_entries, settings.cache_bytes))
        self.kept = KeptAnswers(part(settings, KeepSettings))
        self.reasoning = KeptReasoning(part(settings, KeepSettings), self.kept.chain)
        self.vectors, self.answers = KeptVectors(), CachedAnswers()
        self.recordings = Recordings()
        calls = Calls(self.http_client, self.gate)
        self.cascade = Cascade(Vision(calls), known=Descriptions(self.chain), workers=self.workers)
        self.batches, self.chat_calls = EmbeddingBatches(calls), ChatCalls(calls)
        self.relay = Relay(self.http_client, self.gate, self.workers, clocks=calls.clocks)
        self.placeholders, self.clean_texts, self.secrets = Placeholders(), CleanTexts(), Secrets(self._use_seals)
        self.call_keys = CallKeys(lambda: self.secrets.providers, lambda: self.secrets.key, lambda: self.secrets.cloud)
        self.limits = RateLimits(lambda client: self.secrets.tokens.quota(client, self._settings))
        self.unauthenticated = UnauthenticatedClients()
        self.alerts = Watch(self.metrics)
        self.last_exchanges, self.minutes = LastExchanges(), Minutes()
        self._process = status.Process()
        self.config = HotChange(OPTIONS)
        self.profile_folder = ProfileFolder(lambda: self.config.again(profile_folder.OPTION))
        self._watcher = Watcher(self.config.look, self._look_at_secrets, self.profile_folder.look)
        self._placed = [Placed(kept.chain) for kept in (self, self.kept, self.vectors, self.answers)]
        self._leases: Leases | None = None
        self._shared_in: str | None = None
        """The URL of the Redis that limits are shared in."""
        self._tasks: set[asyncio.Task[None]] = set()
        """Kept, because the event loop holds tasks by weak references only."""
        self._counters: Redis | None = None
        """Where the limits of client tokens are counted."""
        self.loop_lag = LoopLag(lambda lag: self.metrics.observe(statistics.LOOP_LAG_SECONDS, lag))
        self.authority = AuthorityCheck()
        self.health = Health(self._checks())
        self.contents = Contents(self.workers)
        self.page = Page(
            Sources(self.last_exchanges, self.minutes, self.workers, self.contents, running=self._running())
        )
        self.admin = Admin(self._rooms())

    def _rooms(self) -> Rooms:
        """What the admin server shows."""
        return Rooms(
            metrics=lambda accept: prometheus.exposition(self.metrics, accept),
            checks=self.health.report,
            status=self._status,
            exchanges=self.last_exchanges,
            page=self.page,
        )

    def _running(self) -> Running:
        """What the page shows of this process, and may change."""
        return Running(
            settings=lambda: self._settings,
            config=self.config,
            secrets=self.secrets,
            call_keys=self.call_keys,
            unusable=self._unusable,
            cascade=self.cascade,
            chain=self.chain,
            sinks=self.sinks,
            metrics=self.metrics,
        )

    def _known_keys(self) -> list[str]:
        """The keys that this process has, to be hidden where a text has one."""
        return [self.secrets.key.value or "", self.secrets.cloud.value or "", *self.secrets.providers.secrets]

    @property
    def clocks(self) -> ServerClocks:
        """The clocks of endpoints whose signatures name the time."""
        return self.relay.clocks

    @property
    def settings(self) -> Settings:
        """The current options."""
        return self._settings

    def configure(self, settings: Settings, transport: Transport) -> None:
        """Use `settings` from now on. Raises `OptionError`, and changes nothing then."""
        if unknown := settings.plugins.unknown_metric({metric.name for metric in definitions()}):
            raise OptionError(f"hunyuan_plugins={settings.plugins.text}: {unknown}")
        secrets = self.secrets.prepared(part(settings, SecretSettings))
        webhook = self.alerts.webhook.address.configured(settings.alert_webhook_file)
        places = (settings.store, settings.store_max_bytes)
        vectors_in = (settings.store.beside("vectors.sqlite3"), settings.embedding_cache_bytes)
        answers_in = (settings.store.beside("answers.sqlite3"), settings.answer_cache_bytes)
        wanted = [places, places if settings.keep == "store" else NOWHERE, vectors_in, answers_in]
        moves = [placed.opened(place) for placed, place in zip(self._placed, wanted, strict=True)]
        traces = self.traces.prepared(part(settings, TraceSettings))
        recording = self.recordings.opened(settings.answer_cache, settings.recording)
        logging_to = None
        try:
            logging_to = self.log_file.opened(part(settings, LogSettings))
            self.admin.configure(part(settings, AdminSettings))  # the last: nothing fails once it listens elsewhere
        except OptionError:
            self.log_file.drop(logging_to)
            self.recordings.drop(recording)
            raise
        self.log_file.use(part(settings, LogSettings), logging_to)
        self.ledger.configure(part(settings, UsageSettings))
        self._settings = settings
        secrets()
        self.recordings.use(recording, str(settings.upstream or ""), self._known_keys)
        self.call_keys.configure(settings.upstream, transport)
        for note in traces():
            logger.warning("%s", note)
        for sink in (self.last_exchanges, self.minutes):
            if settings.admin is not None:
                self.sinks.add(sink)
            else:
                self.sinks.remove(sink.name)
        self.contents.configure(part(settings, PageSettings), part(settings, AdminSettings))
        for move in moves:
            move()
        self.kept.configure(part(settings, KeepSettings))
        self.reasoning.configure(part(settings, KeepSettings))
        if settings.store.redis != self._shared_in:
            self._share(settings.store.redis)
        self.spending.configure(part(settings, BudgetSettings), settings.store.redis, self._counters)
        self.profile_folder.follow(settings.profiles)
        self.http_client.configure(transport)
        self.cascade.configure(part(settings, CascadeSettings))
        self.cascade.images.configure(is_on=settings.admin is not None, with_content=self.contents.is_on)
        self.admission.configure(
            queue_max=settings.queue_max, queue_timeout=settings.queue_timeout, leases=self._leases
        )
        self.breaker.configure(failures=settings.breaker_failures, seconds=settings.breaker_seconds)
        self.alerts.configure(part(settings, AlertSettings), webhook, transport)
        self.plugins.use(settings.plugins, self.health)

    @property
    def plugin_failures(self) -> Failures:
        """What plug-ins raise."""
        return self.plugins.failures

    @property
    def failures(self) -> int:
        """Exceptions in the addon itself, since the start."""
        return int(self.metrics.value(statistics.FAILURES))

    def failed(self, what: str, error: Exception) -> None:
        """Count an exception in the addon itself, and log it without its text, which may quote a message."""
        self.metrics.add(statistics.FAILURES)
        said = say("{what} (failure {number} since start):", what=what, number=self.failures)
        logger.error("%s\n%s", said, safe_text.traceback_without_text(error))

    def start(self) -> None:
        """Begin to watch the files of options, keys and tokens, and the health. Needs a running event loop."""
        self.secrets.start()
        self._watcher.start()
        self.loop_lag.start()
        self.health.start()
        if worker_place.own() is None:  # else the process that has started the workers watches over all
            self.alerts.start()

    def _use_seals(self, keys: Sequence[bytes]) -> None:
        """Take the keys that seal into use; placeholders are made under the first of them, too."""
        sealing.use(keys)
        self.placeholders.use(keys)

    async def _look_at_secrets(self) -> None:
        await self.secrets.refresh()
        await self.admin.refresh()
        await self.alerts.webhook.address.refresh()

    def _checks(self) -> list[Check]:
        """What the proxy's health consists of, in the order of docs/operations.md. Each name is a label of a metric."""
        traffic = Traffic(
            open_circuits=self.breaker.open,
            lent_key=lambda: self.secrets.key,
            other_keys=lambda: self.secrets.providers.secrets,
        )
        self.sinks.add(traffic)
        return [
            Check("endpoint", traffic.endpoint),
            Check("key", traffic.key),
            Check("vision", traffic.vision),
            Check("clock", traffic.clock),
            Check("ca", self.authority.look),
            Check("sqlite", SqliteCheck(self._chains(), lambda: self._settings.store.sqlite).look),
            Check("redis", RedisCheck(self._chains(), lambda: self._counters, self.admission.state).look),
            Check("disk", DiskCheck(self._written).look),
            Check("files", FilesCheck(self._unusable).look),
            Check("queue", QueueCheck(self.admission.state).look),
            Check("event_loop", LoopCheck(self.loop_lag).look),
            Check("sinks", SinksCheck(self.sinks, self._lost).look),
            Check("faults", FaultsCheck(lambda: self.failures).look),
            Check("plugins", self.plugins.check.look),
        ]

    def _chains(self) -> list[Chain]:
        """Of all that is kept."""
        return [placed.chain for placed in self._placed]

    def _written(self) -> list[Path]:
        """Files that are written."""
        files = (self._settings.store.sqlite, self._settings.log_file, self.spending.file)
        return [file for file in files if file is not None]

    def _lost(self) -> dict[str, int]:
        """Lines and spans that could not be written or sent, since the start."""
        spans = self.traces.counts()
        lost = spans.get("lost", 0) + spans.get("dropped", 0)
        return {"log_file": self.log_file.lost, "traces": lost, "ledger": self.ledger.lost}

    def _unusable(self) -> list[Path]:
        """Files that can't be used as they are now; the key's has a check of its own."""
        files = (self.admin.token_file, self.alerts.webhook.address.file)
        observing = [file.path for file in files if file is not None and file.is_unusable]
        folder = self.profile_folder.unusable
        return [*self.config.unusable, *self.secrets.unusable, *observing, *([folder] if folder else [])]

    def _readings(self) -> Iterator[Reading]:
        """For `metrics`: the values of the objects that count by themselves."""
        admission, relay, breaker = self.admission.state(), self.relay.counts, self.breaker.counts
        yield from self.health.readings()
        yield from self.plugins.failures.readings()
        yield statistics.SLOTS_TAKEN, (), sum(queue.under_way for queue in admission.queues)
        yield statistics.SLOTS_WAITING, (), sum(queue.waiting for queue in admission.queues)
        yield statistics.ADMISSIONS, (statistics.ADMITTED,), admission.admitted
        yield statistics.ADMISSIONS, (statistics.QUEUE_FULL,), admission.refused_full
        yield statistics.ADMISSIONS, (statistics.QUEUE_TIMEOUT,), admission.refused_late
        yield statistics.BREAKER_OPENED, (), breaker.opened
        yield statistics.BREAKER_CLOSED, (), breaker.closed
        yield statistics.BREAKER_SPARED, (), breaker.refused
        yield statistics.BREAKER_OPEN, (), len(self.breaker.open())
        yield statistics.RELAY_CALLS, (), relay.calls
        yield statistics.RELAY_TRIES, (), relay.tries
        yield statistics.RELAY_TURNED_AWAY, (), relay.refused
        yield statistics.RELAY_BROKEN, (), relay.broken
        yield statistics.RELAY_ABANDONED, (), relay.abandoned
        for reason, count in counters.by_reason(relay.retries).items():
            yield statistics.RETRIES, (reason,), count
        for sink, count in self.sinks.dropped.items():
            yield statistics.SINK_DROPPED, (sink,), count
        for sink, count in self.sinks.failures.items():
            yield statistics.SINK_FAILURES, (sink,), count
        yield statistics.BUILD_INFO, build.versions(), 1
        yield statistics.LEARNT, (), len(self.learnt)
        yield statistics.LOG_LOST, (), self.log_file.lost
        yield statistics.LEDGER_LOST, (), self.ledger.lost
        for result, spans in self.traces.counts().items():
            yield statistics.SPANS, (result,), spans
        for labels, ratio in self.spending.ratios().items():
            yield statistics.BUDGET_USED, labels, ratio
        yield statistics.BUDGET_UNPRICED, (), self.spending.unpriced
        yield statistics.BUDGETS_FAILING, (), self.spending.is_failing
        yield from store_counts.readings([count for chain in self._chains() for count in chain.counts()])
        if admission.leases is not None:
            yield statistics.LEASES_HELD, (), admission.leases.held
            yield statistics.LEASES_ANSWERED, (), admission.leases.answers
            yield statistics.LEASES_FAILURES, (), admission.leases.failures
            yield statistics.LIMITS_BYPASSES, (), self.limits.bypasses

    def _status(self, language: str) -> JsonObject:
        """For the admin server: `/status`, in `language`."""
        settings = self._settings
        return {
            **self._process.state(),
            "mode": settings.mode,
            "upstream": str(settings.upstream or ""),
            "profile": status.profile(settings),
            "slots": status.slots(self.admission),
            "breaker": status.breaker(self.breaker),
            "stores": status.stores([self.chain]),
            "alerts": self.alerts.status(language),
            "budgets": self.spending.status(),
            "plugins": settings.plugins.status(),
            "keys": [{"name": name, "set": is_set} for name, is_set in self.secrets.providers.providers.items()],
            "listeners": len(self.admin.live),
        }

    async def aclose(self) -> None:
        """Flush the stores and close every connection, at the end of the process."""
        self._watcher.stop()
        self.health.stop()
        self.loop_lag.stop()
        self.workers.close()
        await asyncio.to_thread(self.sinks.close)
        await asyncio.to_thread(self.log_file.close)
        await asyncio.to_thread(self.traces.close)
        counters = [self._counters.aclose] if self._counters is not None else []
        chains = [chain.aclose for chain in self._chains()]
        calls = [self.spending.aclose, self.admin.aclose, self.alerts.aclose, self.relay.aclose, self.admission.aclose]
        self.recordings.close()
        for close in (*calls, *chains, self.http_client.aclose, *counters):
            try:
                await close()
            except Exception as error:  # the others are closed all the same
                said = say("A part of the runtime could not be closed:")
                logger.error("%s\n%s", said, safe_text.traceback_without_text(error))

    def _share(self, redis: str | None) -> None:
        """Count limits in the Redis server at the URL `redis`, for all its processes; `None`: in this process alone."""
        self._shared_in = redis
        self._leases = Leases(redis_client(redis)) if redis else None
        old, self._counters = self._counters, redis_client(redis) if redis else None
        self.limits.share(self._counters)
        self.answers.takes.share(self._counters)
        if old is not None:
            self._keep_until_done(old.aclose(), "hunyuan-fix closes Redis")

    def _keep_until_done(self, work: Coroutine[object, object, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
