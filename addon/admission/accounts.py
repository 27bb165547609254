"""Accounts: the endpoint limits the calls of each."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from ..config.options import Settings
from ..profiles import Profile


@dataclass(frozen=True, slots=True)
class Account:
    """The account that the endpoint counts a call for."""

    name: str
    """`profile:digest` or `profile`: safe to log and as part of a Redis key, never a key itself."""
    limit: int
    """Calls under way at once; 0: any number."""


def account(profile: Profile, authorization: str | None, settings: Settings) -> Account:
    """The account that a call with this `Authorization` header is counted for.

    The header is the one that goes upstream: a lent key, not what the client sent. `hunyuan_concurrency_scope=profile`
    counts all keys together, as the endpoint does with those of one account's
    sub-accounts (docs/facts/hunyuan.md#concurrency).
    """
    limit = profile.concurrency if settings.concurrency is None else settings.concurrency
    if settings.concurrency_scope == "profile":
        return Account(profile.name, limit)
    # Computed for each call (under 2 us) and not cached: a cache would keep keys in memory after their request.
    digest = sha256((authorization or "").encode(errors="surrogateescape")).hexdigest()
    return Account(f"{profile.name}:{digest[:16]}", limit)
