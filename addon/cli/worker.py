"""A proxy that is one of several workers: it serves ports that it inherits, and tells its supervisor how it is."""

from __future__ import annotations

import io
import signal
import socket
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..config import worker_place
from ..config.option import options_of
from ..exchange import JsonObject
from ..hooks.mitmproxy_internals import inherited, replacements
from ..hooks.mitmproxy_internals.options import option
from ..supervisor.observed import LANGUAGE, TOLD
from ..supervisor.reporting import Reporter
from ..texts.terminal import say
from .launch import ADMIN, Launch, WorkerCall
from .started import Serving, check_key

if TYPE_CHECKING:
    from ..hooks.connections import InForce


class Worker:
    """See `mitmproxy_api.Served`. `about_key`: a line about its key that is known already.

    To be made before mitmproxy starts: it takes the ports.
    """

    def __init__(self, launch: Launch, call: WorkerCall, about_key: str) -> None:
        self._launch = launch
        self._channel = socket.socket(fileno=call.channel)
        for stream in (sys.stdout, sys.stderr):
            # Each line in one piece, under PYTHONUNBUFFERED too: the others write to the same terminal.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(line_buffering=True, write_through=False)
        self._about_key = about_key
        self._reporter: Reporter | None = None
        worker_place.take(call.place)
        inherited.serve(call.ports)
        replacements.want(self, replacements.INHERITING)
        if not replacements.is_replaced(replacements.INHERITING):
            sys.exit(say("--workers doesn't work with this version of mitmproxy."))

    async def ready(self, addon: InForce) -> None:
        """Clients are served: say so."""
        self._reporter = Reporter(
            addon.runtime.metrics,
            addon.runtime.admin.rooms,
            retire=addon.retire,
            end=lambda: signal.raise_signal(signal.SIGTERM),
            check_key=lambda: self._key(addon),
        )
        self._channel.setblocking(False)
        await self._reporter.begin(self._channel, _about(addon))

    def changed(self, addon: InForce) -> None:
        """Options have changed: say so."""
        if self._reporter is not None:
            self._reporter.tell("changed", _about(addon))

    async def done(self) -> None:
        """The proxy ends: say what it has counted."""
        if self._reporter is not None:
            await self._reporter.last_words()

    async def _key(self, addon: InForce) -> JsonObject:
        checked, hint = await check_key(addon, self._launch, self._about_key)
        return {"result": checked.result, "said": checked.said, "models": checked.models, "hint": hint}


def _about(addon: InForce) -> JsonObject:
    """What the supervisor is told: which options count, and what clients are served by."""
    names = [known.name for kind in TOLD for known in options_of(kind)]
    return {
        "options": {name: option(name) for name in [LANGUAGE, *names]},
        "transport": asdict(addon.runtime.http_client.transport),
        "admin_is_given": addon.runtime.config.is_given(ADMIN),
        "serving": asdict(Serving.by(addon)),
    }
