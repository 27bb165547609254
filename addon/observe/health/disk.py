"""Free space where the proxy writes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from ...texts.sentence import Sentence
from .check import Finding, degraded, healthy
from .in_thread import in_thread
from .lately import Margin

LEAST = 500 * 10**6
"""Bytes that should be free; on a small disk `LEAST_SHARE` of it."""
LEAST_SHARE = 0.1
LEAST_FILES = 1000
"""Files that can still be made, where the file system has a bound."""
_AGAIN = 1.2
"""Times as much must be free before it is healthy again."""


class DiskCheck:
    """The disks of `places`: files and folders, which needn't exist yet."""

    def __init__(self, places: Callable[[], Iterable[Path]]) -> None:
        self._places = places
        self._short: dict[int, Margin] = {}
        """By device."""

    async def look(self) -> Finding:
        """The disk with the least room."""
        places = list(self._places())
        if not places:
            return healthy(Sentence("Nothing is written to a disk."))
        return await in_thread(lambda: self._worst(places))

    def _worst(self, places: Iterable[Path]) -> Finding:
        disks: dict[int, Path] = {}
        for place in places:
            there = next(path for path in (place, *place.absolute().parents) if path.exists())
            disks.setdefault(there.stat().st_dev, there)
        findings = [self._of_disk(device, path) for device, path in disks.items()]
        return min(findings, key=lambda finding: finding.state)

    def _of_disk(self, device: int, path: Path) -> Finding:
        usage = shutil.disk_usage(path)
        least = min(LEAST, LEAST_SHARE * usage.total)
        margin = self._short.setdefault(device, Margin(1.0, 1 / _AGAIN))
        # How often the least would have to be free, the other way round: it grows as space goes.
        if margin.look(least / max(1, usage.free)):
            return degraded(
                Sentence(
                    "Only {free:.0f} MB are free on the disk of {path}: soon nothing can be kept or logged there.",
                    free=usage.free / 1e6,
                    path=path,
                )
            )
        if (files := _files_left(path)) is not None and files < LEAST_FILES:
            return degraded(Sentence("The file system of {path} has no room for further files.", path=path))
        return healthy(Sentence("{free:.0f} MB are free on the disk of {path}.", free=usage.free / 1e6, path=path))


def _files_left(path: Path) -> int | None:
    """How many files can still be made; `None` where the system doesn't say, or has no bound."""
    if not hasattr(os, "statvfs"):
        return None
    status = os.statvfs(path)
    return status.f_favail if status.f_files else None
