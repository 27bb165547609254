"""What the soak compares: what the proxy's process holds before and after."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from scripts.lib.bench_process import rss_megabytes
from scripts.lib.soak_probe import HOST

SETTLES_WITHIN = 90.0
"""Seconds after the last request in which everything must be given back. mitmproxy's timer for HTTP/2 pings
(`http2_ping_keepalive`, 58 seconds) runs to its end where a client leaves while its upstream connection is opened."""
_EVERY = 0.2


@dataclass(frozen=True, slots=True)
class Figures:
    """What one look at the proxy, and at the endpoint behind it, shows."""

    rss: float
    """Memory in use, in MB."""
    descriptors: int
    """Open files and sockets, without upstream connections that only wait for the next call."""
    idle_upstream: int
    """Those: at most 20 are kept."""
    tasks: Counter[str]
    """How many there are of each name."""
    under_way: int
    """Exchanges that hold a slot or are with the relay."""
    relayed: int
    upstream: int
    """Connections at the endpoint, without those that only wait."""
    failures: int
    """Exceptions in the addon since its start."""

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way."""
        return not (self.under_way or self.relayed or self.upstream)


@dataclass(frozen=True, slots=True)
class Place:
    """Where to look: the proxy by its port and process, the endpoint by its port."""

    proxy_port: int
    pid: int
    endpoint_port: int

    async def look(self) -> Figures:
        """Figures of this moment. Each look takes a connection of its own, which is in all of them."""
        proxy = f"http://127.0.0.1:{self.proxy_port}"
        async with httpx.AsyncClient(proxy=proxy, trust_env=False, timeout=30) as client:
            answer = await client.get(f"http://{HOST}/")
            answer.raise_for_status()
            said: dict[str, Any] = answer.json()
            descriptors = len(os.listdir(f"/proc/{self.pid}/fd"))
            upstream = sum(_established(self.endpoint_port))
        idle = said["idle_upstream"]
        return Figures(
            rss=rss_megabytes(self.pid) or 0.0,
            descriptors=descriptors - idle,
            idle_upstream=idle,
            tasks=Counter(said["tasks"]),
            under_way=said["under_way"],
            relayed=said["relayed"],
            upstream=upstream - idle,
            failures=said["failures"],
        )

    async def settled(self, goal: Figures | None = None) -> Figures:
        """Figures once nothing is under way and, with a `goal`, nothing more is held than there; or when time is up."""
        deadline = time.monotonic() + SETTLES_WITHIN
        figures = await self.look()
        while time.monotonic() < deadline:
            last, figures = figures, await self.look()
            steady = (last.descriptors, last.tasks) == (figures.descriptors, figures.tasks)
            if figures.quiet and (steady if goal is None else not leaks(goal, figures)):
                break
            await asyncio.sleep(_EVERY)
        return figures


def leaks(before: Figures, after: Figures) -> list[str]:
    """What is held after the load that was not held before it."""
    found = [f"{name}: {getattr(after, name)}" for name in ("under_way", "relayed", "upstream") if getattr(after, name)]
    if after.descriptors > before.descriptors:
        found.append(f"descriptors: {after.descriptors - before.descriptors} more")
    if (more := after.tasks.total() - before.tasks.total()) > 0:
        found.append(f"tasks: {more} more ({', '.join((after.tasks - before.tasks).elements())})")
    return found


def _established(port: int) -> Iterator[int]:
    """1 for each connection that the endpoint has accepted on `port` and nobody has closed (proc(5), net/tcp)."""
    for line in Path("/proc/net/tcp").read_text("ascii").splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        yield int(local.endswith(f":{port:04X}") and state in ("01", "08"))
