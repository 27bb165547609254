"""Keep-alive for clients whose streamed answer is silent, in their own format (`hunyuan_heartbeat`).

Some end a stream that brings nothing for some minutes, though a model may think as long without a word; so do proxies
on the way. Some take only events for a sign of life, no comments (docs/facts/clients.md#timeouts). So each format gets
what it has for this: chat comments, between two events. A stream that passes undecoded or unread gets nothing, since it
may be in the middle of an event. Before the endpoint's headers nothing can be sent: they bring the answer's status.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from mitmproxy import ctx, http
from mitmproxy.utils import asyncio_utils

from ..answers.streamed import ClientStream
from .mitmproxy_internals import insertion

_LOOKS = 10
"""How often a stream is looked at in that time: what was sent since is seen by its length, without a clock."""


@dataclass(slots=True)
class _Watched:
    stream: ClientStream
    passed: int = 0
    """The bytes that the client had at the last look."""
    silent: int = 0
    """Looks since it got the last of them."""


class KeepAlive:
    """Watches streams, with one timer for all of them, which runs while there are any."""

    def __init__(self) -> None:
        self._watched: WeakKeyDictionary[http.HTTPFlow, _Watched] = WeakKeyDictionary()
        self._timer: asyncio.TimerHandle | None = None
        self.silence = 10.0
        """Seconds after which a silent client is told at the latest; 0: none is."""

    def watch(self, flow: http.HTTPFlow, stream: ClientStream) -> None:
        """Keep the client of `flow`, whose answer passes through `stream`, from now until its end."""
        if not self.silence:
            return
        self._watched[flow] = _Watched(stream)
        if self._timer is None:
            self._wait()

    @property
    def watched(self) -> int:
        """The number of streams."""
        return len(self._watched)

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self.silence / _LOOKS, self._look)

    def _look(self) -> None:
        self._timer = None
        if not self.silence:
            self._watched.clear()
        for flow, watched in list(self._watched.items()):
            if not flow.live:
                del self._watched[flow]
            elif watched.passed != watched.stream.passed:
                watched.passed, watched.silent = watched.stream.passed, 0
            elif watched.silent < _LOOKS - 2:
                watched.silent += 1
            else:
                watched.silent = 0
                self._tell(flow, watched.stream)
        if self._watched:
            self._wait()

    @staticmethod
    def _tell(flow: http.HTTPFlow, stream: ClientStream) -> None:
        proxyserver = ctx.master.addons.get("proxyserver")
        handler = proxyserver.connections.get(flow.client_conn.id) if proxyserver else None
        if handler is not None:
            telling = insertion.insert(handler, flow, stream.keep_alive)
            asyncio_utils.create_task(telling, name="hunyuan-fix keeps a client", keep_ref=True)
