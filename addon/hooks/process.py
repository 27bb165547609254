"""What the hooks hold, one per mitmproxy process: it outlives the addon's instance, which a hot reload replaces."""

from __future__ import annotations

import gc
from functools import cache
from weakref import WeakKeyDictionary

from ..options import Settings
from ..runtime import Runtime
from .dispatch import Dispatcher
from .draining import Draining
from .finish import Finisher
from .keep_alive import KeepAlive
from .keep_content import ContentKeeping
from .retiring import Retiring
from .starting import Starting


class Process:
    """The runtime, and what keeps track of flows in it."""

    def __init__(self, settings: Settings) -> None:
        self.runtime = Runtime(settings)
        self.dispatcher = Dispatcher(self.runtime.gate, self.runtime.relay)
        self.content = ContentKeeping(self.runtime.contents)
        self.finisher = Finisher(
            self.dispatcher, self.runtime.limits, self.runtime.workers, self.runtime.spending, self.content
        )
        self.starting = Starting()
        self.runtime.admin.rooms.is_started = lambda: self.starting.over
        self.draining = Draining()
        self.retiring = Retiring()
        self.keep_alive = KeepAlive()


@cache
def started() -> None:
    """Let the garbage collector pass over what is loaded by now, which stays: each look through it takes 35 ms, in
    which no client is served. Once in a Python process: at a hot reload there are flows, which won't stay.
    """
    gc.freeze()


_processes: WeakKeyDictionary[object, Process] = WeakKeyDictionary()


def of(master: object, settings: Settings) -> Process:
    """The process of a mitmproxy `master`; made under `settings` where it is new."""
    if master not in _processes:
        _processes[master] = Process(settings)
    return _processes[master]
