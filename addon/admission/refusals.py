"""Calls that may not go: why, and the client's answer, a 429 that says when to come back and which option to change."""

from __future__ import annotations

import math

from ..exchange import Response
from ..wire import proxy_errors


class CallRefused(Exception):
    """A call may not go now. `response`: the client's answer, with `Retry-After`."""

    def __init__(self, response: Response) -> None:
        super().__init__("call refused")
        self.response = response


class QueueFull(CallRefused):
    """`waiting` calls wait already. `retry_after`: seconds."""

    def __init__(self, limit: int, waiting: int, retry_after: float) -> None:
        seconds = math.ceil(retry_after)
        error = proxy_errors.QUEUE_FULL(limit=limit, waiting=waiting, seconds=seconds, retry_after=seconds)
        super().__init__(error.response())


class QueueTimeout(CallRefused):
    """The call waited too long. `waited` and `retry_after`: seconds."""

    def __init__(self, limit: int, waited: float, retry_after: float) -> None:
        seconds = math.ceil(retry_after)
        error = proxy_errors.QUEUE_TIMEOUT(limit=limit, waited=waited, seconds=seconds, retry_after=seconds)
        super().__init__(error.response())
