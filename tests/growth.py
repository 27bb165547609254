"""How the cost of some work grows with the size of what it is given, in CPU time of this thread."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from typing import Final

LIMIT: Final = 8.0
"""Four times as much: linear is 4, with what a busy machine adds; quadratic is 16."""
_TRIES: Final = 5


def _seconds(work: Callable[[int], object], size: int, times: int) -> float:
    best = float("inf")
    for _ in range(times):
        gc.collect()
        gc.disable()
        try:
            began = time.thread_time()
            work(size)
            best = min(best, time.thread_time() - began)
        finally:
            gc.enable()
    return best


def grows_linearly(work: Callable[[int], object], size: int) -> bool:
    """Whether `work` over four times `size` takes about four times as long. `size`: some milliseconds' worth.

    What disturbs a measurement only adds to it, for seconds on a busy machine: both are measured again where the larger
    one seems too slow. What is quadratic is too slow each time.
    """
    return any(_seconds(work, 4 * size, 1 + again) < LIMIT * _seconds(work, size, 3) for again in range(_TRIES))
