"""The processes that the bench and the soak need, each ended with its `with` block."""

from __future__ import annotations

import os
import random
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from itertools import cycle
from pathlib import Path

from hunyuan_fix.cli.addresses import NOT_EPHEMERAL
from hunyuan_fix.cli.demo.processes import (
    START_TIMEOUT,
    Mitmdump,
    RunningProcess,
    StartError,
    end_with_sigterm,
    mitmdump,
    run,
)
from hunyuan_fix.cli.path import ADDON

__all__ = [
    "ADDON",
    "ROOT",
    "START_TIMEOUT",
    "Mitmdump",
    "RunningProcess",
    "StartError",
    "end_with_sigterm",
    "free_port",
    "mitmdump",
    "run",
    "simulator",
]

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def simulator(folder: Path, *arguments: str) -> Iterator[str]:
    """Run the simulator; yields its address without a path."""
    with run("simulator", [sys.executable, "-m", "hunyuan_fix.simulator", *arguments], folder) as running:
        yield running.wait_for(r"simulator listening on (\S+)")[1]


def free_port() -> int:
    """A port on loopback that nothing listens on now, and that the system never assigns by itself."""
    # Not a port that the system chose: it would assign that to another program until somebody listens on it.
    while True:
        port = next(_ports())
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@cache
def _ports() -> Iterator[int]:
    """Ports in an order of this process's own, again and again.

    A port that was given out is free until what wanted it listens: none comes twice soon, and workers of pytest-xdist,
    which start a mitmproxy every 0.1 s, share none.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = NOT_EPHEMERAL[worker :: int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))]
    return cycle(random.SystemRandom().sample(own, len(own)))
