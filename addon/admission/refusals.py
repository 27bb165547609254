"""What a call gets that isn't let in: a 429 that says when to come back, and which option to change."""

from __future__ import annotations

import math

from ..exchange import Response
from ..wire.proxy_errors import refusal


class NotAdmitted(Exception):
    """No slot, and no more waiting for one. `refusal` is what the client gets: a 429 with `Retry-After`."""

    def __init__(self, refusal: Response) -> None:
        super().__init__("not admitted")
        self.refusal = refusal


def queue_full(limit: int, waiting: int, retry_after: float) -> NotAdmitted:
    """Too many wait already: code `proxy_queue_full`. `retry_after`: seconds."""
    return _refused(
        f"hunyuan-fix lets {limit} calls at once through to this account (hunyuan_concurrency), {waiting} wait "
        f"already (hunyuan_queue_max).",
        "proxy_queue_full",
        retry_after,
    )


def queue_timeout(limit: int, waited: float, retry_after: float) -> NotAdmitted:
    """It waited too long: code `proxy_queue_timeout`. `waited` and `retry_after`: seconds."""
    return _refused(
        f"hunyuan-fix lets {limit} calls at once through to this account (hunyuan_concurrency), and none of them "
        f"ended within {waited:.0f} s for this one to follow (hunyuan_queue_timeout).",
        "proxy_queue_timeout",
        retry_after,
    )


def _refused(message: str, code: str, retry_after: float) -> NotAdmitted:
    seconds = math.ceil(retry_after)
    return NotAdmitted(
        refusal(
            429,
            f"{message} Try again in {seconds} s.",
            type="rate_limit_error",
            code=code,
            retry_after=seconds,
        )
    )
