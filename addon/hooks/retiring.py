"""A worker hands over to another one: its clients go to the others without an error (`run --workers`, SIGHUP).

It accepts no further connection; what is under way goes on. A request on a connection that is open already is served
as ever, and its answer says `Connection: close`, so that the next one comes by a new connection, to another worker.
A connection that is silent can't be told so: it is closed once it has been idle for longer than clients keep one.
HTTP/2 has no such header, either.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection

from mitmproxy import http
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.options import Options

from .mitmproxy_internals import connections, ports

IDLE = 6.0
"""Seconds. httpx, which the libraries of OpenAI and Anthropic use, keeps an idle connection for 5, Node's fetch for 4;
on an older one no request can be on its way."""
_PAUSE = 0.1


class Retiring:
    """One per process. `clock`: Unix time, in seconds, as mitmproxy notes when something came."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self.begun = False

    def mark(self, flow: http.HTTPFlow) -> None:
        """Let the client of `flow` open a new connection for its next request. Before the answer's headers are sent."""
        if self.begun and flow.response is not None and not flow.request.is_http2:
            flow.response.headers["connection"] = "close"

    async def over(
        self, options: Options, proxyserver: Proxyserver | None, in_use: Callable[[], Collection[str]], seconds: float
    ) -> None:
        """Begin, and wait until no connection is needed any more, `seconds` at most.

        `in_use`: the ids of the clients with an exchange under way.
        """
        self.begun = True
        closing = ports.ClosingPorts(options, proxyserver)
        await closing.closed()
        until = self._clock() + seconds
        while (  # noqa: ASYNC110 - mitmproxy has no event for it
            proxyserver is not None and self._clock() < until and self._is_needed(proxyserver, in_use())
        ):
            await asyncio.sleep(_PAUSE)

    def _is_needed(self, proxyserver: Proxyserver, in_use: Collection[str]) -> bool:
        idle_since = self._clock() - IDLE
        return any(
            id in in_use or connections.last_activity(handler) > idle_since
            for id, handler in proxyserver.connections.items()
        )
