"""Serving the simulator: HTTP/1.1 and HTTP/2 by hypercorn, over a listening socket of our own.

`hypercorn.asyncio.serve` hides its sockets. Here each connection is handed to hypercorn's own TCPServer instead:
the port is known, "ready" means listening, and a fault can break the connection it came by, which the ASGI `state`
carries.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, cast

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import WorkerContext
from hypercorn.config import Config
from hypercorn.typing import ASGIFramework

from .app import Simulator
from .settings import Settings
from .tencent_cloud_app import TencentCloud

_BACKLOG = 1024
_KEEP_ALIVE = 600.0
_NO_LIMIT = 2**31


class _Connection(TCPServer):
    """hypercorn keeps a connection that its client has closed until the keep-alive timeout; this one lets it go."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


@dataclass(frozen=True, slots=True)
class Served:
    """A simulator that is listening: its address without a path, and itself."""

    url: str
    simulator: Simulator

    @property
    def base_url(self) -> str:
        """What an OpenAI client takes as its base URL."""
        return f"{self.url}/v1"


@contextlib.asynccontextmanager
async def serve(settings: Settings | None = None) -> AsyncIterator[Served]:
    """Serve on the running loop for as long as the context lasts; raises OSError if the port is taken."""
    settings = settings or Settings()
    simulator = Simulator(settings) if settings.native is None else TencentCloud(settings)
    config = _config(settings)
    tls = config.create_ssl_context() if settings.cert else None
    connections: dict[asyncio.StreamWriter, asyncio.Task[None]] = {}
    context = WorkerContext(None)
    app = ASGIWrapper(cast(ASGIFramework, simulator))

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections[writer] = cast("asyncio.Task[None]", asyncio.current_task())
        state: dict[str, Any] = {"connection": writer}
        try:
            # A client that breaks off its TLS handshake or session is no error of ours.
            with contextlib.suppress(ssl.SSLError):
                await _Connection(app, asyncio.get_running_loop(), config, context, state, reader, writer)
        finally:
            del connections[writer]

    server = await asyncio.start_server(connected, settings.host, settings.port, ssl=tls, backlog=_BACKLOG)
    try:
        yield Served(_url(server, tls=tls is not None), simulator)
    finally:
        server.close()
        await context.terminated.set()
        # Not cancelled: hypercorn ends a connection cleanly only if it sees it close.
        for writer in connections:
            writer.transport.abort()
        await asyncio.gather(*connections.values(), return_exceptions=True)  # asyncio logs them


@contextlib.contextmanager
def serve_in_thread(settings: Settings | None = None) -> Iterator[Served]:
    """Serve from a thread with a loop of its own, for tests and scripts that aren't asynchronous."""
    ready: Future[tuple[Served, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def run() -> None:
        stop = asyncio.Event()
        async with serve(settings) as served:
            ready.set_result((served, asyncio.get_running_loop(), stop))
            await stop.wait()

    def main() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=main, name="simulator", daemon=True)
    thread.start()
    served, loop, stop = ready.result()
    try:
        yield served
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


def _config(settings: Settings) -> Config:
    config = Config()
    config.certfile = str(settings.cert) if settings.cert else None
    config.keyfile = str(settings.key) if settings.key else None
    config.include_server_header = False
    config.include_date_header = settings.native is None  # a clock that is wrong says so itself
    config.keep_alive_timeout = _KEEP_ALIVE
    config.keep_alive_max_requests = _NO_LIMIT
    config.h11_max_incomplete_size = 256 * 1024
    return config


def _url(server: asyncio.Server, *, tls: bool) -> str:
    host, port = server.sockets[0].getsockname()[:2]
    return f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
