"""What `/status` says of the process and of what holds state in it: plain data, worked out when looked at."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Sequence
from functools import cache
from importlib import metadata

from ... import profiles
from ...admission import Admission
from ...exchange import JsonObject
from ...route import Address, Routes, RouteSettings
from ...stores.chain import Chain
from ...upstream.circuit_breaker import Breaker, host
from ...wire import paths


@cache
def versions() -> JsonObject:
    """Of hunyuan-fix and of what it runs on."""
    return {
        "version": metadata.version("hunyuan-fix"),
        "python": platform.python_version(),
        "mitmproxy": metadata.version("mitmproxy"),
    }


class Process:
    """The process, from now on. `clock`: Unix time."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._began = clock()

    def state(self) -> JsonObject:
        """Its number, since when it runs (Unix time), for how many seconds."""
        return {
            **versions(),
            "pid": os.getpid(),
            "started": round(self._began, 3),
            "uptime": round(max(0.0, self._clock() - self._began), 3),
        }


def profile(settings: RouteSettings) -> str:
    """The profile that calls to the base URL of a reverse port are held against: that stands for the old platform."""
    host = profiles.load("hunyuan").hosts[0]
    found = Routes(settings).of_port("GET", Address("https", host, 443, f"/v1{paths.MODELS}"), ())
    return found.profile if found else ""


def slots(admission: Admission) -> JsonObject:
    """The slots taken and the calls that wait, of all accounts and of each. Accounts have no names here."""
    state = admission.state()
    return {
        "taken": sum(queue.under_way for queue in state.queues),
        "waiting": sum(queue.waiting for queue in state.queues),
        "accounts": [
            {"limit": queue.limit, "taken": queue.under_way, "waiting": queue.waiting} for queue in state.queues
        ],
    }


def breaker(breaker: Breaker) -> JsonObject:
    """The hosts that are left alone."""
    return {"open": sorted({host(upstream) for upstream in breaker.open()})}


def stores(chains: Sequence[Chain]) -> list[JsonObject]:
    """Each store: whether it is failing, and what of it was found, missing or lost."""
    return [
        {
            "name": level.name,
            "failing": level.failing,
            "hits": level.hits,
            "misses": level.misses,
            "failures": level.failures,
            "bypassed": level.bypassed,
            "dropped": level.dropped,
            "waiting": level.waiting,
        }
        for chain in chains
        for level in chain.counts()
    ]
