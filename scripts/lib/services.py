"""The processes that the bench and the soak need, each ended with its `with` block."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hunyuan_fix.cli.demo.processes import (
    START_TIMEOUT,
    Mitmdump,
    Service,
    StartError,
    end_with_sigterm,
    free_port,
    mitmdump,
    service,
)
from hunyuan_fix.cli.path import ADDON

__all__ = [
    "ADDON",
    "ROOT",
    "START_TIMEOUT",
    "Mitmdump",
    "Service",
    "StartError",
    "end_with_sigterm",
    "free_port",
    "mitmdump",
    "service",
    "simulator",
]

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def simulator(folder: Path, *arguments: str) -> Iterator[str]:
    """Run the simulator; yields its address without a path."""
    with service("simulator", [sys.executable, "-m", "hunyuan_fix.simulator", *arguments], folder) as running:
        yield running.wait_for(r"simulator listening on (\S+)")[1]
