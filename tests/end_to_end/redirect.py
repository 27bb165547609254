"""A mitmproxy script for tests: connections to the real host names end at local ports instead.

Loaded before the addon. Only the event loop's way to open a connection is changed; mitmproxy, the addon and
httpx still see the real name, send it as SNI and check the certificate for it (docs/facts/mitmproxy.md#real-host-name).
REDIRECTS holds {"host:port": local port} as JSON; a host that isn't there can't be reached at all, so that
no test ever talks to the internet.
"""

import asyncio
import json
import os
import socket
from collections.abc import Callable
from typing import Any

REDIRECTS: dict[str, int] = json.loads(os.environ["HUNYUAN_FIX_TEST_REDIRECTS"])

_create_connection = asyncio.BaseEventLoop.create_connection
_LOCAL = ("127.0.0.1", "localhost", "::1")
_HOSTS = sorted({target.rpartition(":")[0] for target in REDIRECTS})
# httpx looks a name up first and then connects to the address: each host has one that leads back to its name.
_ADDRESSES = {host: f"127.77.0.{number}" for number, host in enumerate(_HOSTS, start=1)}
_NAMES = {address: host for host, address in _ADDRESSES.items()}


async def _redirected(
    self: asyncio.BaseEventLoop,
    protocol_factory: Callable[[], asyncio.BaseProtocol],
    host: str | None = None,
    port: int | None = None,
    **options: Any,
) -> Any:
    target = f"{_NAMES.get(host or '', host)}:{port}"
    if target in REDIRECTS:
        host, port = "127.0.0.1", REDIRECTS[target]
    elif host not in (*_LOCAL, None):
        raise ConnectionRefusedError(f"the tests have no {target}")
    return await _create_connection(self, protocol_factory, host, port, **options)  # type: ignore[arg-type]


async def _known(_: asyncio.BaseEventLoop, host: bytes | str | None, port: int | str | None, **options: int) -> Any:
    if isinstance(host, bytes):
        host = host.decode("ascii")
    address = _ADDRESSES.get(host or "", host)
    if address not in (*_NAMES, *_LOCAL):
        raise socket.gaierror(socket.EAI_NONAME, f"the tests have no {host}")
    return socket.getaddrinfo(address, port, **options)


asyncio.BaseEventLoop.create_connection = _redirected  # type: ignore[method-assign]
asyncio.BaseEventLoop.getaddrinfo = _known  # type: ignore[method-assign, assignment]
