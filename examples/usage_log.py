"""A sink: one line of JSON for each exchange, with what it has used. For a bill to each team, say.

    USAGE_LOG=/var/log/usage.jsonl hunyuan-fix run --set hunyuan_plugins=examples/usage_log.py

A sink runs in a thread of its own: it may wait for a disk. It is told names and numbers, never a conversation.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from hunyuan_fix.plugins import Event, Plugin, events


class UsageLog:
    """Appends to `file`."""

    name = "file"
    kinds = (events.DONE,)

    def __init__(self, file: Path) -> None:
        self.file = file

    def hear(self, event: Event) -> None:
        """Write a line for an exchange that is over and has used tokens."""
        if not event.data["usage"]:
            return
        wanted = ("client", "profile", "model", "sent_model", "status", "usage")
        line = {"at": round(event.at, 3), **{name: event.data[name] for name in wanted}}
        with self.file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


PLUGIN = Plugin(
    "usage-log",
    sinks=(UsageLog(Path(os.environ.get("USAGE_LOG", "usage.jsonl"))),),
    about="Writes the tokens of each exchange to a file.",
)
