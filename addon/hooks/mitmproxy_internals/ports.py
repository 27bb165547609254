"""The proxy's own ports: waiting connections survive a rebinding, and ports are closed before the process ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.options import Options
from mitmproxy.utils import asyncio_utils

from ...config.operating_system import is_windows
from ...wire.host_names import reached_at
from . import inherited

_CLOSING = 2.0
"""Seconds to wait for the ports to close."""
_THREAD = 0.1
"""Seconds for the thread to end after it has reported that its port is closed."""


class ClosingPorts:
    """The ports of `proxyserver` (`None`: there is none), closed from now on.

    A port for HTTP/3, which each reverse mode before an https endpoint has, is closed by a thread of mitmproxy_rs's.
    mitmproxy doesn't wait for it, and a process that ends meanwhile crashes (SIGSEGV, four times in ten).
    """

    def __init__(self, options: Options, proxyserver: Proxyserver | None) -> None:
        # mitmproxy forgets them as it closes them.
        self._waits = _waits(proxyserver) if proxyserver else []
        if "server" in options:
            options.update(server=False)
        inherited.close()

    async def closed(self) -> None:
        """Wait until they are. Raises nothing."""
        await _all(self._waits)


class OwnPorts:
    """The numbers of the ports that the proxy listens on.

    They are asked for when there are other listeners than the last time: an open one keeps its port, and asking takes
    15 µs, as long as all else at a request's headers. Relies on `_servers`, which has each listener.
    """

    def __init__(self) -> None:
        self._servers: list[Any] = []
        self._numbers: frozenset[int] = frozenset()

    def of(self, proxyserver: Proxyserver) -> frozenset[int]:
        """Those of `proxyserver` now."""
        if (servers := _servers(proxyserver)) != self._servers:
            self._numbers = frozenset(port for _, port, *_ in proxyserver.listen_addrs())
            self._servers = servers
        return self._numbers


def listening(proxyserver: Proxyserver) -> list[tuple[str, str]]:
    """The mode of each port that is open, and its address: `("regular", "127.0.0.1:8080")`."""
    return [
        (instance.mode.type_name, reached_at(host, port))
        for instance in proxyserver.servers
        for host, port, *_ in instance.listen_addrs[:1]
    ]


def accept_all(proxyserver: Proxyserver) -> None:
    """Accept the connections that wait: the ports are about to be rebound, and the system would reset them.

    Not on Windows, where asyncio itself has begun to accept already.
    """
    for instance in proxyserver.servers:
        for server in getattr(instance, "_servers", ()):
            if isinstance(server, asyncio.Server) and not is_windows():
                for listening in server.sockets:
                    with listening.dup() as port:
                        _accept(port, instance.handle_stream)


def _accept(port: socket.socket, handle: Callable[..., Awaitable[None]]) -> None:
    loop = asyncio.get_running_loop()
    port.setblocking(False)
    while True:
        try:
            connection, _ = port.accept()
        except OSError:  # no connection waits any more
            return
        connection.setblocking(False)
        protocol = partial(asyncio.StreamReaderProtocol, asyncio.StreamReader(loop=loop), handle, loop=loop)
        taking = loop.connect_accepted_socket(protocol, connection)
        asyncio_utils.create_task(taking, name="hunyuan-fix accepts", keep_ref=True)


async def close(proxyserver: Proxyserver | None) -> None:
    """Close the ports of a mitmproxy whose start has failed, and wait until they are. Raises nothing."""
    servers = _servers(proxyserver) if proxyserver else []
    for server in servers:
        server.close()
    await _all(_waits(proxyserver) if proxyserver else [])


async def _all(waits: Sequence[Callable[[], Awaitable[None]]]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_CLOSING):
            for wait in waits:
                await wait()
    if waits:
        await asyncio.sleep(_THREAD)


def _servers(proxyserver: Proxyserver) -> list[Any]:
    return [server for instance in proxyserver.servers for server in getattr(instance, "_servers", ())]


def _waits(proxyserver: Proxyserver) -> list[Callable[[], Awaitable[None]]]:
    # asyncio.Server.wait_closed() would also wait for open connections, which isn't needed here.
    return [server.wait_closed for server in _servers(proxyserver) if not isinstance(server, asyncio.Server)]
