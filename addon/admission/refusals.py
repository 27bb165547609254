"""What a call gets that isn't let in: a 429 that says when to come back, and which option to change."""

from __future__ import annotations

import math

from ..exchange import Response
from ..wire import proxy_errors


class NotAdmitted(Exception):
    """No slot, and no more waiting for one. `refusal` is what the client gets: a 429 with `Retry-After`."""

    def __init__(self, refusal: Response) -> None:
        super().__init__("not admitted")
        self.refusal = refusal


def queue_full(limit: int, waiting: int, retry_after: float) -> NotAdmitted:
    """Too many wait already: code `proxy_queue_full`. `retry_after`: seconds."""
    seconds = math.ceil(retry_after)
    error = proxy_errors.QUEUE_FULL(limit=limit, waiting=waiting, seconds=seconds, retry_after=seconds)
    return NotAdmitted(error.response())


def queue_timeout(limit: int, waited: float, retry_after: float) -> NotAdmitted:
    """It waited too long: code `proxy_queue_timeout`. `waited` and `retry_after`: seconds."""
    seconds = math.ceil(retry_after)
    error = proxy_errors.QUEUE_TIMEOUT(limit=limit, waited=waited, seconds=seconds, retry_after=seconds)
    return NotAdmitted(error.response())
