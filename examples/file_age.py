"""A check: a file that must be new, such as a backup or a list that a job renews every night.

    FILE_AGE=/var/backups/store.sqlite3 hunyuan-fix run --set hunyuan_plugins=examples/file_age.py

It stands beside the proxy's own checks: in `/status`, in the log when its state changes, in the metric
`hunyuan_health{check="file-age.file"}`.
"""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from hunyuan_fix.plugins import Check, Finding, Plugin, degraded, healthy

MOST = 26 * 3600
"""Seconds."""


class FileAge:
    """Looks at the time at which `file` was written last."""

    def __init__(self, file: Path) -> None:
        self.file = file

    async def look(self) -> Finding:
        """Degraded where the file is missing or old. A disk may be slow: it is asked in a thread."""
        try:
            written = (await asyncio.to_thread(self.file.stat)).st_mtime
        except FileNotFoundError:
            return degraded(f"{self.file} is missing.")
        hours = (time.time() - written) / 3600
        if hours * 3600 > MOST:
            return degraded(f"{self.file} is {hours:.0f} hours old: look at the job that writes it.")
        return healthy(f"{self.file} is {hours:.0f} hours old.")


PLUGIN = Plugin(
    "file-age",
    checks=(Check("file", FileAge(Path(os.environ.get("FILE_AGE", "backup"))).look),),
    about="Watches the age of a file.",
)
