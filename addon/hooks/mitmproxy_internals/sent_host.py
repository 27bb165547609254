"""The `Host` and `:authority` that a client sent.

In reverse mode mitmproxy 12 writes its target's name over them before its first hook, so what came is noted a step
earlier (`HttpStream.state_wait_for_request_headers`, mitmproxy/proxy/layers/http/__init__.py).
"""

from __future__ import annotations

from functools import cache, wraps
from weakref import WeakKeyDictionary

from mitmproxy import http
from mitmproxy.proxy import layer
from mitmproxy.proxy.layers.http import HttpStream
from mitmproxy.proxy.layers.http._events import RequestHeaders

_noted: WeakKeyDictionary[http.Request, tuple[str, ...]] = WeakKeyDictionary()


@cache
def note_from_now_on() -> None:
    """Note them for every request from now on. To be called before mitmproxy takes requests; again does nothing."""
    original = HttpStream.state_wait_for_request_headers

    @wraps(original)
    def noting(self: HttpStream, event: RequestHeaders) -> layer.CommandGenerator[None]:
        _noted[event.request] = _read(event.request)
        yield from original(self, event)

    HttpStream.state_wait_for_request_headers = noting  # type: ignore[method-assign]


def of(request: http.Request) -> tuple[str, ...]:
    """All that came with `request`, for HTTP/2 both, if both came; `()` if nothing came, or nothing was noted."""
    return _noted.get(request, ())


def _read(request: http.Request) -> tuple[str, ...]:
    authority = request.data.authority.decode("latin-1")
    return (*([authority] if authority else []), *request.headers.get_all("host"))
