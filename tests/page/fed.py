"""An admin server with a page, in a thread of the test's own process, and exchanges that it is made to hear."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from hunyuan_fix import events
from hunyuan_fix.events import Event
from hunyuan_fix.exchange import Exchange, JsonObject
from hunyuan_fix.observe.admin.admin import Admin
from hunyuan_fix.observe.admin.live import Live
from hunyuan_fix.observe.admin.rooms import Rooms
from hunyuan_fix.observe.done import done
from hunyuan_fix.page.page import Page
from hunyuan_fix.page.sources import Sources
from tests.observe.admin.serving import rooms, serving


@dataclass
class Fed:
    """The server. All but `admin` is for the test's own thread."""

    admin: str
    """Its URL."""
    loop: asyncio.AbstractEventLoop
    shown: Rooms
    sources: Sources
    live: Live
    """Those that listen."""
    link: Callable[[], str]
    """A new link by which a browser signs in."""
    number: int = 0

    def run[T](self, work: Callable[[], T]) -> T:
        """What `work` returns on the server's event loop."""

        async def working() -> T:
            return work()

        return asyncio.run_coroutine_threadsafe(working(), self.loop).result(60)

    def tell(self, kind: str, id: str, at: float | None = None, **data: Any) -> None:
        """Let the server hear an event."""
        self.run(lambda: self._hear(Event(kind, id, time.time() if at is None else at, data)))

    def exchanges(self, count: int, *, over: bool = True, **told: Any) -> list[str]:
        """Let the server hear so many exchanges of the last minute; returns their ids. `told`: fields of `Done`."""

        def hear() -> list[str]:
            return [self._exchange(over=over, **told) for _ in range(count)]

        return self.run(hear)

    def _exchange(self, *, over: bool, **told: Any) -> str:
        self.number += 1
        id, at = f"00000000-0000-4000-8000-{self.number:012d}", time.time()
        first: JsonObject = {"profile": "tokenhub", "dialect": "chat", "mode": "fix", "client": "", "program": "codex"}
        self._hear(Event(events.CAME, id, at, first | {name: told[name] for name in first if name in told}))
        self._hear(Event(events.SENT, id, at, {"upstream": "tokenhub.tencentmaas.com", "model": "hy3"}))
        if over:
            usage = {"input": 1000, "cached": 500, "output": 10}
            ended = {**done(Exchange(), "200", "answered", 200), **first, "model": "hy3", "ms": 1200.0, "id": id}
            self._hear(Event(events.DONE, id, at, ended | {"usage": usage, "rules": ["merge_system"]} | told))
        return id

    def _hear(self, event: Event) -> None:
        self.sources.exchanges.hear(event)
        if event.kind in self.sources.minutes.kinds:
            self.sources.minutes.hear(event)


@contextmanager
def fed(**options: Any) -> Iterator[Fed]:
    """A server that has heard nothing yet. `options`: those of `serving`."""
    shown = rooms()
    sources = Sources(shown.exchanges)
    shown.page = Page(sources)
    shown.status = lambda _: {"alerts": [], "breaker": {"open": []}, "slots": {"accounts": []}, "budgets": []}
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    ended = asyncio.Event()
    started: asyncio.Future[Admin] = loop.create_future()

    async def serve() -> None:
        async with serving(shown=shown, **options) as admin:
            started.set_result(admin)
            await ended.wait()

    async def begun() -> Admin:
        return await started

    served = asyncio.run_coroutine_threadsafe(serve(), loop)
    try:
        admin = asyncio.run_coroutine_threadsafe(begun(), loop).result(30)
        yield Fed(admin.url, loop, shown, sources, admin.live, admin.link)
    finally:
        loop.call_soon_threadsafe(ended.set)
        served.result(30)
        asyncio.run_coroutine_threadsafe(_until_all_is_over(), loop).result(30)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _until_all_is_over() -> None:
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
        await asyncio.wait([task])
