"""What mitmproxy's lists say of an exchange that is under way. mitmdump has no list, and pays nothing for it.

mitmproxy tells its list of a flow when its headers come and when it is over; what changes in between, this file tells.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mitmproxy import ctx, hooks, http

from ..exchange import DESCRIBED, QUEUED, Exchange
from ..texts.terminal import say
from ..views import marks

_FIRST, _AGAIN = 1.0, 2.0
"""Seconds of a wait after which the list shows it, and after which it shows how long it is by then."""


def show(flow: http.HTTPFlow, exchange: Exchange, now: Callable[[], str]) -> None:
    """Let the list show `flow` as it is: waiting for, or doing, `now`, which isn't asked without a list."""
    if ctx.master.addons.get("view") is not None:
        marks.mark(flow, exchange, now())
        ctx.master.addons.trigger(hooks.UpdateHook([flow]))


@contextmanager
def waiting(flow: http.HTTPFlow, exchange: Exchange) -> Iterator[None]:
    """Within it the request of `flow` waits to be sent: for descriptions of its images or for a slot."""
    if ctx.master.addons.get("view") is None:
        yield
        return
    loop, began = asyncio.get_running_loop(), time.monotonic()
    timer: asyncio.TimerHandle

    def look() -> None:
        nonlocal timer
        seconds = time.monotonic() - began
        if exchange.doing == DESCRIBED:
            now = say("describing images, {seconds:.0f} s by now", seconds=seconds)
        elif exchange.doing == QUEUED:
            now = say("in the queue, {seconds:.0f} s by now", seconds=seconds)
        else:
            now = say("not sent yet, {seconds:.0f} s by now", seconds=seconds)
        show(flow, exchange, lambda: now)
        timer = loop.call_later(_AGAIN, look)

    timer = loop.call_later(_FIRST, look)
    try:
        yield
    finally:
        timer.cancel()
