"""What a process costs, as Linux tells; elsewhere nothing is known."""

from __future__ import annotations

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cores:
    """Which processors the proxy runs on, and which everything else; both empty where they can't be chosen."""

    proxy: Collection[int]
    others: Collection[int]


def cores() -> Cores:
    """The first of this process's processors for the proxy, the others for clients and endpoint."""
    if not hasattr(os, "sched_getaffinity"):
        return Cores((), ())
    first, *others = sorted(os.sched_getaffinity(0))
    return Cores([first], others) if others else Cores((), ())


def pin(pid: int, where: Collection[int]) -> None:
    """Keep all threads of a process on these processors; threads that it starts later stay there too."""
    for thread in Path(f"/proc/{pid}/task").iterdir() if where else ():
        os.sched_setaffinity(int(thread.name), where)


def cpu_seconds(pid: int) -> float | None:
    """Processor time that the threads of a process have used so far, to the nanosecond (`schedstat` in proc(5))."""
    try:
        used = [(thread / "schedstat").read_text("utf-8") for thread in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return None
    return sum(int(line.split()[0]) for line in used) / 1e9


def rss_megabytes(pid: int) -> float | None:
    """Memory that a process has in use (proc(5), resident)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
