"""Starts the workers, keeps them running, ends them; asks them what they have counted, and answers for all.

- The first worker is started alone: what is wrong with the options, it says, once. The others follow when it serves.
- A worker that ends by itself is started again, the later the more often that happens (`restarts`).
- SIGHUP: each worker is replaced, one after the other, by a new one; the old one hands over once that serves. From a
  terminal that is closed it means what it means for any program.
- SIGTERM, SIGINT: all end in peace. A second signal ends them at once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from socket import socket

from ..config import operating_system
from ..events import Event
from ..exchange import JsonObject
from ..observe.last_exchanges import LastExchanges
from ..observe.merged_metrics import MergedMetrics
from ..observe.minutes import Minutes
from ..observe.statistics import EXCHANGES, WORKER_RESTARTS, WORKERS
from ..texts.terminal import say
from ..wire import safe_text
from . import merged
from .restarts import Restarts
from .worker import Worker

logger = logging.getLogger("hunyuan_fix")

ASKED = 1.0
"""Seconds between two questions to each worker: what a killed one had counted since is lost."""
PATIENCE = 0.5
"""Seconds for an answer, for somebody who waits for it."""
START_TIMEOUT = 90.0
"""Seconds that a worker may take until it serves clients."""
SILENT = 30.0
"""Seconds without an answer from which on a worker isn't counted as ready."""
END_TIMEOUT = 15.0
"""Seconds beyond `hunyuan_drain_timeout` after which a worker that was told to end is killed."""


class Supervisor:
    """`count` workers that serve `ports`.

    `command`: the place of a worker and the descriptor of its end of the channel -> its command line. `changed`: called
    with what a worker has said of itself, as it begins to serve and whenever its options change.
    """

    def __init__(
        self,
        count: int,
        command: Callable[[int, int], Sequence[str]],
        ports: Sequence[socket],
        *,
        changed: Callable[[JsonObject], None],
    ) -> None:
        self.count = count
        self.metrics = MergedMetrics()
        self.exchanges = LastExchanges()
        self.minutes = Minutes()
        self.ending: Callable[[], None] = lambda: None
        """Called when it is told to end."""
        self.joined: Callable[[Worker], Awaitable[None]] = _nothing
        """Awaited when a worker begins to serve."""
        self.drain_timeout = 30.0
        """Seconds, as the workers' option has it."""
        self._key: asyncio.Future[JsonObject] | None = None
        self.restarts = 0
        self.started = time.time()
        self._command = command
        self._ports = ports
        self._changed = changed
        self._workers: dict[int, Worker] = {}
        """By place: the one that serves, or is meant to."""
        self._coming: set[Worker] = set()
        """Those that will replace one, until they serve."""
        self._leaving: set[Worker] = set()
        """Those that were replaced, as long as they run."""
        self._told_by: dict[str, Worker] = {}
        """By the id of an exchange, the oldest first."""
        self._number = 0
        self._ending = 0
        """How often it was told to end."""
        self._end = asyncio.Event()
        self._rolling: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._refreshing: asyncio.Task[None] | None = None
        self._gave_up = False
        self._had_terminal = operating_system.has_terminal()
        self.metrics.read_from(lambda: [(WORKERS, (), len(self.serving))])

    # What it knows

    @property
    def workers(self) -> list[Worker]:
        """All that run, by place."""
        return [self._workers[place] for place in sorted(self._workers)]

    @property
    def _all(self) -> list[Worker]:
        return [*self.workers, *self._coming, *self._leaving]

    @property
    def serving(self) -> list[Worker]:
        """Those that serve clients."""
        return [worker for worker in self.workers if worker.serves]

    @property
    def pids(self) -> list[int]:
        """The processes of all that run."""
        return [worker.pid for worker in self._all if worker.pid and not worker.ended.is_set()]

    @property
    def silent(self) -> list[Worker]:
        """Those that serve clients but have answered no question for a while."""
        return [worker for worker in self.serving if self._silent_for(worker) >= SILENT]

    @property
    def has_started(self) -> bool:
        """Whether any serves clients."""
        return bool(self.serving)

    def why_not_ready(self) -> str:
        """As `Rooms.why_not_ready`: ready while one worker is."""
        if self._ending:
            return "draining"
        silent = self.silent
        if any(worker.is_ready and worker not in silent for worker in self.serving):
            return ""
        return "unhealthy" if self.serving else "starting"

    def checks(self, language: str) -> list[Mapping[str, object]]:
        """As `Rooms.checks`, of all workers."""
        reports = {one.place: one.snapshot.get("checks", {}).get(language, []) for one in self.serving}
        return [*merged.checks(reports, language)]

    def status(self) -> JsonObject:
        """The parts of `/status` that are known here."""
        return {
            **merged.status([one.snapshot.get("status", {}) for one in self.serving if one.snapshot]),
            "pid": os.getpid(),
            "started": round(self.started, 3),
            "uptime": round(max(0.0, time.time() - self.started), 3),
            "workers": [
                {
                    "number": one.place,
                    "pid": one.pid,
                    "since": None if one.ready_since is None else round(one.ready_since, 3),
                    "ready": one.is_ready,
                    "leaving": one.is_leaving,
                    "exchanges": int(merged.total(one.snapshot, EXCHANGES.name)),
                }
                for one in (*self.workers, *sorted(self._leaving, key=lambda one: one.number))
            ],
            "restarts": self.restarts,
        }

    def told_by(self, id: str) -> Worker | None:
        """See `Asked`."""
        return self._told_by.get(id)

    def to_ask(self) -> list[Worker]:
        """See `Asked`: those that were replaced, too, as long as they run."""
        return [worker for worker in self._all if worker.ready_since is not None and not worker.ended.is_set()]

    async def refresh(self) -> None:
        """Ask all workers what they have counted; wait `PATIENCE` seconds at most. One question for all that ask."""
        if self._refreshing is None or self._refreshing.done():
            self._refreshing = asyncio.create_task(self._ask_all(), name="hunyuan-fix asks its workers")
        await asyncio.wait({self._refreshing}, timeout=PATIENCE)

    async def _ask_all(self) -> None:
        asked = [asyncio.ensure_future(worker.ask()) for worker in self._all]
        if asked:
            _, late = await asyncio.wait(asked, timeout=PATIENCE)
            for one in late:
                one.cancel()

    async def check_key(self) -> JsonObject:
        """What a worker has to say of the key; `{}` if none does."""
        self._key = asyncio.get_running_loop().create_future()
        for worker in self.serving[:1]:
            worker.send("key")
            with suppress(TimeoutError):
                async with asyncio.timeout(START_TIMEOUT):
                    return await self._key
        return {}

    # Its life

    async def run(self, served: Callable[[], Awaitable[None]]) -> int:
        """Start the workers and keep them running until a signal ends it. Returns the exit status.

        `served` is awaited once all serve clients; where it raises, all end. Needs the signals of this process.
        """
        handled_no_more = operating_system.handle_signals(end=self.end, hang_up=self._hung_up)
        try:
            if (status := await self._start_all()) is not None:
                return status
            self._keep(self._ask_again_and_again())
            telling = asyncio.ensure_future(served())
            ended = asyncio.ensure_future(self._end.wait())
            await asyncio.wait({telling, ended}, return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                telling.result()
            await ended
            telling.cancel()
            return 1 if self._gave_up else 0
        finally:
            await self._end_all()
            handled_no_more()

    def end(self) -> None:
        """End all workers in peace; called again, at once."""
        self._ending += 1
        self._end.set()
        self.ending()
        for port in self._ports:
            port.close()
        for worker in self._all:
            if self._ending >= _AT_LAST:
                worker.kill()
            else:
                worker.end("end" if self._ending == 1 else "end now")

    def roll(self) -> None:
        """Replace the workers one after the other, unless that is under way or all end."""
        if self._ending or not self.has_started:
            return
        if self._rolling is not None and not self._rolling.done():
            logger.warning("%s", say("The workers are being replaced already."))
            return
        self._rolling = asyncio.create_task(self._roll(), name="hunyuan-fix replaces its workers")

    def _hung_up(self) -> None:
        if self._had_terminal and not operating_system.has_terminal():
            self.end()  # the window was closed
        else:
            self.roll()

    async def _start_all(self) -> int | None:
        """Start all; the exit status if that fails."""
        for places in ([1], range(2, self.count + 1)):
            for place in places:
                self._workers[place] = await self._started(place)
            begun = [self._workers[place] for place in places]
            await self._until_serving(begun)
            for worker in begun:
                if worker.ready_since is None:
                    return self._failed(worker)
        for place in self._workers:
            self._keep(self._watch(place))
        await self.refresh()
        return None

    def _failed(self, worker: Worker) -> int:
        if self._ending:
            return 0
        if not worker.ended.is_set():
            logger.error("%s", say("A worker did not start within {seconds:.0f} seconds.", seconds=START_TIMEOUT))
        status = worker.returncode or 1
        return status if status > 0 else 128 - status

    async def _started(self, place: int) -> Worker:
        """A new worker for `place`. One that can't be started has ended."""
        self._number += 1
        worker = Worker(place, self._number, self._hear)
        try:
            await worker.start(partial(self._command, place), [port.fileno() for port in self._ports])
        except OSError as error:
            said = say("A worker can't be started: {why}", why=error.strerror or type(error).__name__)
            logger.error("%s", said)
            worker.ended.set()
            worker.changed.set()
        return worker

    async def _until_serving(self, workers: Sequence[Worker]) -> None:
        """Wait until all serve clients, or one has ended, or the time is up."""
        with suppress(TimeoutError):
            async with asyncio.timeout(START_TIMEOUT):
                waiting = {asyncio.ensure_future(worker.changed.wait()): worker for worker in workers}
                try:
                    left = set(waiting)
                    while left and not self._ending:
                        done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
                        if any(waiting[one].ready_since is None for one in done):
                            return
                finally:
                    for one in waiting:
                        one.cancel()

    async def _watch(self, place: int) -> None:
        """Keep a worker running at `place`: start one again, and again, when it ends by itself."""
        restarts = Restarts()
        while True:
            worker = self._workers[place]
            await worker.ended.wait()
            if self._ending:
                return
            if self._workers[place] is not worker:  # it was replaced
                restarts = Restarts()
                continue
            self.metrics.ended(worker.number)
            served = 0.0 if worker.ready_since is None else time.time() - worker.ready_since
            pause = restarts.pause(served)
            logger.warning(
                "%s",
                say(
                    "Worker {number} (process {pid}) has ended ({why}); it is started again in {seconds:.1f} s.",
                    number=place,
                    pid=worker.pid,
                    why=_how(worker.returncode),
                    seconds=pause,
                ),
            )
            if restarts.is_hopeless and not self.serving:
                logger.error("%s", say("No worker starts any more: this proxy ends. The lines above say why."))
                self._gave_up = True
                self.end()
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._end.wait()
            if not self._ending and self._workers[place] is worker:
                self.restarts += 1
                self.metrics.add(WORKER_RESTARTS)
                self._workers[place] = begun = await self._started(place)
                await self._until_serving([begun])
                if begun.ready_since is None:
                    begun.kill()

    async def _roll(self) -> None:
        began = time.monotonic()
        for place in sorted(self._workers):
            new = await self._started(place)
            self._coming.add(new)
            await self._until_serving([new])
            self._coming.discard(new)
            if self._ending or new.ready_since is None:
                # The old one stays: settings that a new one refuses don't cost a proxy that works.
                new.kill()
                await new.ended.wait()
                self.metrics.ended(new.number)
                if not self._ending:
                    said = say("A new worker doesn't start, so the old ones stay. The lines above say why.")
                    logger.error("%s", said)
                return
            # One that was started in the place of an old one that has died meanwhile is replaced, too.
            old, self._workers[place] = self._workers[place], new
            self._leaving.add(old)
            await self._hand_over(old)
            self._leaving.discard(old)
            if self._ending:
                return
        seconds = time.monotonic() - began
        logger.info("%s", say("All workers are new ({seconds:.1f} s).", seconds=seconds))

    async def _hand_over(self, old: Worker) -> None:
        """Let `old` hand over, and wait until it is gone."""
        old.is_leaving = True
        old.send("retire")
        with suppress(TimeoutError):
            async with asyncio.timeout(2 * self.drain_timeout + END_TIMEOUT):
                await old.ended.wait()
        if not old.ended.is_set():
            old.kill()
            await old.ended.wait()
        self.metrics.ended(old.number)

    async def _end_all(self) -> None:
        """End all workers, and wait for them."""
        if not self._ending:
            self.end()
        if self._rolling is not None:
            await asyncio.wait({self._rolling})
        running = [worker for worker in self._all if worker.pid and not worker.ended.is_set()]
        if running:
            waits = [asyncio.ensure_future(worker.ended.wait()) for worker in running]
            _, late = await asyncio.wait(waits, timeout=self.drain_timeout + END_TIMEOUT)
            if late:
                for worker in running:
                    worker.kill()
                await asyncio.wait(late)
        for worker in running:
            self.metrics.ended(worker.number)
        for task in self._tasks:
            task.cancel()

    async def _ask_again_and_again(self) -> None:
        while True:
            await self.refresh()
            await asyncio.sleep(ASKED)

    # What workers say

    def _hear(self, worker: Worker, message: JsonObject) -> None:
        if worker.ended.is_set():
            return  # what it had counted is in the sums already
        try:
            match message.get("kind"):
                case "ready" | "changed":
                    self._changed(message)
                    if message["kind"] == "ready":
                        self._keep(self.joined(worker))
                case "snapshot":
                    self.metrics.take(worker.number, message["metrics"])
                case "events":
                    for kind, id, at, data in message["events"]:
                        event = Event(kind, id, at, data)
                        self.exchanges.hear(event)
                        if kind in self.minutes.kinds:
                            self.minutes.hear(event)
                        self._told_by.setdefault(id, worker)
                    while len(self._told_by) > _MOST_TOLD:
                        del self._told_by[next(iter(self._told_by))]
                case "key" if self._key is not None and not self._key.done():
                    self._key.set_result(message["key"])
        except Exception as error:
            said = say("What a worker says can't be understood:")
            logger.error("%s\n%s", said, safe_text.traceback_without_text(error))

    @staticmethod
    def _silent_for(worker: Worker) -> float:
        return 0.0 if worker.unanswered_since is None else time.monotonic() - worker.unanswered_since

    def _keep(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _nothing(worker: Worker) -> None:
    pass


_MOST_TOLD = 10_000
"""Exchanges of which is known which worker has told of them."""
_AT_LAST = 3
"""The signal from which on workers are killed."""


def _how(returncode: int | None) -> str:
    """How a process has ended, for a person."""
    if returncode is None:
        return "?"
    if returncode < 0:
        with suppress(ValueError):
            return signal.Signals(-returncode).name
    return say("exit status {status}", status=returncode)
