"""Time and chance, for code that waits and tries again. Tests give their own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timing:
    """Where time and chance come from."""

    clock: Callable[[], float] = time.monotonic
    """Monotonic, in seconds: admission's clock."""
    now: Callable[[], float] = time.time
    """Unix time."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random
    """From 0 to 1."""
