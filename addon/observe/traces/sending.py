"""How batches of spans leave over HTTP: straight to the collector, whatever that answers, and within a time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

_MOST_READ = 1 << 16
"""Bytes of a collector's answer that are read, so that its connection can be used again: OTLP's are some words."""
_DRAINING = 1.0
"""Seconds for which they are read."""
_REDIRECTED = range(300, 400)
_LONGEST = 10.0
"""Seconds for a batch where the exporter names none."""
_MORE = 0.5
"""Seconds more until a connection is cut: mostly `requests` gives up by itself."""


class Session(requests.Session):
    """What the exporter sends batches by. It is for one thread; `outcome`: what came of the last one.

    Not by the proxies of the environment: HTTPS_PROXY may be this very proxy. A redirect is a failure: the headers, in
    which keys may be, are for the collector that was named alone. Cookies aren't kept, and of what a collector answers
    beside its status little is read.
    """

    def __init__(self) -> None:
        super().__init__()
        self.trust_env = False
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.outcome = ""
        self.socket: socket.socket | None = None
        """Of the connection that was opened last."""
        self._is_cut = False
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter())

    def request(self, *args: Any, **options: Any) -> requests.Response:
        """Send one batch."""
        _sending.set(self)
        try:
            with self._at_most(options.get("timeout")):
                response = super().request(*args, **options | {"allow_redirects": False, "stream": True})
            if self._is_cut:  # a head that breaks off is read as far as it came
                response.close()
                raise requests.Timeout
        except Exception as error:
            self.outcome = (requests.Timeout if self._is_cut else type(error)).__name__
            raise
        _drain(response)
        self.outcome = f"HTTP {response.status_code}"
        if response.status_code in _REDIRECTED:  # the exporter would take it for success
            raise requests.TooManyRedirects
        return response

    @contextmanager
    def _at_most(self, seconds: object) -> Iterator[None]:
        """Cut the connection after `seconds`. Those of `requests` begin anew with each byte that comes."""
        longest = seconds if isinstance(seconds, int | float) else _LONGEST
        timer = threading.Timer(longest + _MORE, self._cut)
        timer.daemon = True
        self._is_cut = False
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _cut(self) -> None:
        self._is_cut = True
        if self.socket is not None:
            with suppress(OSError):
                # Not TLS's own, which is for the thread that reads.
                socket.socket.shutdown(self.socket, socket.SHUT_RDWR)


_sending: ContextVar[Session] = ContextVar("_sending")
"""Whose connections are opened in this thread."""


class _Connection(HTTPConnection):
    def connect(self) -> None:
        super().connect()
        _sending.get().socket = self.sock


class _TlsConnection(HTTPSConnection):
    def connect(self) -> None:
        super().connect()
        _sending.get().socket = self.sock


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class _Adapter(HTTPAdapter):
    """Opens connections whose sockets the session knows."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """See `HTTPAdapter`."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}


def _drain(response: requests.Response) -> None:
    """Read what is left of an answer, and give the connection back. Where there is more than a little, it is closed."""
    until, left = time.monotonic() + _DRAINING, _MOST_READ
    with suppress(Exception):  # the status is there, and that counts
        while left > 0 and time.monotonic() < until:
            piece = response.raw.read1(left, decode_content=False)
            if not piece:
                break
            left -= len(piece)
    response.close()
