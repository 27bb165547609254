"""Events of paid calls for tests."""

from __future__ import annotations

from typing import Any, cast

from hunyuan_fix import events
from hunyuan_fix.events import Event, Paid
from hunyuan_fix.exchange import JsonObject

PAID: Paid = {
    "id": "an-id",
    "purpose": "own",
    "client": "alice",
    "session": "5e55",
    "dialect": "chat",
    "profile": "tokenhub",
    "upstream": "tokenhub.tencentmaas.com",
    "asked": "hunyuan-pro",
    "model": "hy3",
    "usage": {"input": 40, "cached": 8, "output": 9},
    "amount": 1_500_000_000_000,
    "currency": "CNY",
    "priced": "2026-11-28",
    "status": 200,
    "ms": 12.5,
    "is_estimated": False,
    "is_cancelled": False,
}
NOW = 1_795_000_000.0
DAY = 86_400


def paid(at: float = NOW, **values: Any) -> Event:
    """A paid call that ended at `at`."""
    return Event(events.PAID, "an id", at, cast(JsonObject, {**PAID, **values}))
