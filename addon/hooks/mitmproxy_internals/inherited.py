"""Ports that another process has opened: a worker serves them in the place of opening its own (`run --workers`)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from mitmproxy.proxy.mode_servers import AsyncioServerInstance

_AT_ONCE = 1
"""Connections that are accepted before the event loop does something else. asyncio takes a hundred, and one worker
would have them all while the others have none."""

_ports: dict[int, socket.socket] = {}
"""Port -> what listens on it."""


class _Shared(socket.socket):
    """A socket that listens already: how many connections may wait is not for one of its processes to say."""

    def listen(self, backlog: int = 0, /) -> None:
        """Do nothing."""


def serve(descriptors: Iterable[int]) -> None:
    """Serve these listening sockets from now on, each where mitmproxy would open its port."""
    for descriptor in descriptors:
        listening = _Shared(fileno=descriptor)
        _ports[listening.getsockname()[1]] = listening


def close() -> None:
    """Keep none of them open, served or not: the port is closed once no process has it."""
    for listening in _ports.values():
        listening.close()
    _ports.clear()


async def listen(self: AsyncioServerInstance[Any], host: str, port: int) -> list[Any]:
    """In place of `AsyncioServerInstance.listen`: serve the port that is inherited; others are opened as before.

    An inherited one has no HTTP/3: UDP has no connections that processes could share.
    """
    if (inherited := _ports.get(port)) is None:
        return await _listen(self, host, port)
    # A copy: mitmproxy closes it when its modes change, and asks for the port again.
    return [await asyncio.start_server(self.handle_stream, sock=inherited.dup(), backlog=_AT_ONCE)]


_listen: Callable[[Any, str, int], Awaitable[list[Any]]] = AsyncioServerInstance.listen
