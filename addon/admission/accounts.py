"""Accounts: the endpoint limits the calls of each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Literal

from ..config import values as read
from ..config.option import option
from ..profiles import Profile

_REMEMBERED = 256
"""Accounts remembered, by key: the same few make nearly all calls."""


@dataclass(frozen=True)
class AdmissionSettings:
    """How many calls of one account are under way, and how many wait. Seconds; `None`: the profile decides."""

    concurrency: int | None = option(
        "",
        "Calls under way at once for one account; more wait in a queue. 0: any number. Default: the profile's.",
        read.optional(read.count(0)),
    )
    concurrency_scope: Literal["key", "profile"] = option(
        "key",
        "What counts as one account: key (each API key) or profile (all keys together).",
        read.choice("key", "profile"),
    )
    queue_max: int = option("100", "Requests that may wait for one account; one more gets a 429.", read.count(0))
    queue_timeout: float = option(
        "60",
        "Seconds that a request may wait in the queue before it gets a 429.",
        read.seconds,
    )


@dataclass(frozen=True, slots=True)
class Account:
    """The account that the endpoint counts a call for."""

    name: str
    """`profile:digest` or `profile`: safe to log and as part of a Redis key, never a key itself."""
    limit: int
    """Calls under way at once; 0: any number."""


def account(profile: Profile, authorization: str | None, settings: AdmissionSettings) -> Account:
    """The account that a call with this `Authorization` header is counted for.

    The header is the one that goes upstream: a lent key, not what the client sent. `hunyuan_concurrency_scope=profile`
    counts all keys together, as the endpoint does with those of one account's
    sub-accounts (docs/facts/hunyuan.md#concurrency).
    """
    limit = profile.concurrency if settings.concurrency is None else settings.concurrency
    return _account(profile.name, (authorization or "") if settings.concurrency_scope == "key" else None, limit)


@lru_cache(_REMEMBERED)
def _account(profile: str, authorization: str | None, limit: int) -> Account:
    # A digest takes 15 µs with the caches cold. The keys stay in memory, as mitmproxy keeps them with its flows.
    if authorization is None:
        return Account(profile, limit)
    digest = sha256(authorization.encode(errors="surrogateescape")).hexdigest()
    return Account(f"{profile}:{digest[:16]}", limit)
