"""What a process costs: on Linux to the nanosecond, elsewhere as far as `ps` tells."""

from __future__ import annotations

import os
import re
import subprocess
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
    """Processor time that a process has used so far; `None` where the system tells nothing.

    On Linux the sum over its threads, to the nanosecond (`schedstat` in proc(5)); elsewhere what `ps` shows, in steps
    of 10 ms on macOS and 1 s on others.
    """
    try:
        used = [(thread / "schedstat").read_text("utf-8") for thread in Path(f"/proc/{pid}/task").iterdir()]
    except OSError:
        return _time_by_ps(pid)
    return sum(int(line.split()[0]) for line in used) / 1e9


def cpu_note() -> str | None:
    """What a reader must know of the figures of `cpu_seconds` on this machine; `None` where they are exact."""
    if Path(f"/proc/{os.getpid()}/schedstat").exists():
        return None
    if _time_by_ps(os.getpid()) is None:
        return "this system tells no processor time of another process"
    return "no /proc/PID/task/*/schedstat here: processor times are those of ps, coarser than the figures look"


_PS_TIME = re.compile(r"(?:(?:(\d+)-)?(\d+):)?(\d+):(\d+(?:\.\d+)?)")


def _time_by_ps(pid: int) -> float | None:
    try:
        command = ["ps", "-o", "time=", "-p", str(pid)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return ps_seconds(said)


def ps_seconds(text: str) -> float | None:
    """The seconds in a time of `ps` (`[[dd-]hh:]mm:ss`, with hundredths on macOS); `None` for anything else."""
    if not (match := _PS_TIME.fullmatch(text)):
        return None
    days, hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def rss_megabytes(pid: int) -> float | None:
    """Memory that a process has in use (proc(5), resident)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("utf-8").split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
