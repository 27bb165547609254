"""The account's queue and the endpoint's circuit breaker."""

from __future__ import annotations

from .entry import Entry

QUEUE_FULL = Entry(
    status=429,
    code="proxy_queue_full",
    message="hunyuan-fix lets {limit} calls at once through to this account (hunyuan_concurrency), {waiting} wait "
    "already (hunyuan_queue_max). Try again in {seconds} s.",
    when="`hunyuan_queue_max` requests wait for the account already",
    advice="fewer clients, or raise `hunyuan_queue_max`",
)
QUEUE_TIMEOUT = Entry(
    status=429,
    code="proxy_queue_timeout",
    message="hunyuan-fix lets {limit} calls at once through to this account (hunyuan_concurrency), and none of them "
    "ended within {waited:.0f} s for this one to follow (hunyuan_queue_timeout). Try again in {seconds} s.",
    when="no call of the account ended within `hunyuan_queue_timeout`",
    advice="fewer clients, or raise `hunyuan_queue_timeout`",
)
UPSTREAM_DOWN = Entry(
    status=503,
    code="upstream_down",
    message="The endpoint {host} is down: its last calls failed, so the proxy spares it. It will be tried again in "
    "{seconds} s. If it never answers, check the network and hunyuan_upstream.",
    when="the endpoint failed several times in a row and is left alone for a while",
    advice="wait for `Retry-After`; `hunyuan_breaker_failures=0` turns this off",
)
