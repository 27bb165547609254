"""The exchange of a flow: as it is now while it is under way, else as the flow keeps it."""

from __future__ import annotations

from collections.abc import Callable

from mitmproxy import http
from mitmproxy.flow import Flow

from ..exchange import KEY, Exchange


def _nowhere(_: http.HTTPFlow) -> Exchange | None:
    return None


_look: Callable[[http.HTTPFlow], Exchange | None] = _nowhere


def look_with(look: Callable[[http.HTTPFlow], Exchange | None]) -> None:
    """Find exchanges that are under way with `look`. Hooks know them, and stand above the views."""
    global _look  # noqa: PLW0603 - a process has one table of exchanges
    _look = look


def exchange_of(flow: Flow | None) -> Exchange | None:
    """The exchange of `flow`; `None` where the addon hasn't handled it."""
    if flow is None:
        return None
    if isinstance(flow, http.HTTPFlow) and flow.live:
        now = _look(flow)
        if now is not None and not now.written:
            return now
    return Exchange.from_plain(flow.metadata.get(KEY))
