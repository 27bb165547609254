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
    """Processor time that a process has used so far, its threads included (proc(5), utime and stime)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_megabytes(pid: int) -> float | None:
    """Memory that a process has in use (proc(5), resident)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
