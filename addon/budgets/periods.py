"""Days and months: when each began, and when the next one begins, in a time zone. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from ..config import values as read
from ..texts.terminal import say

type Period = Literal["day", "month"]


@dataclass(frozen=True, slots=True)
class Span:
    """One day or one month."""

    name: str
    """`2026-11-29`, or `2026-11`."""
    ends: float
    """Unix time at which the next one begins."""
    resets: str
    """The same for a person, with the distance to UTC: `2026-11-30 00:00 +08:00`."""


@read.accepting("a time zone such as `Asia/Shanghai`")
def zone(text: str) -> ZoneInfo:
    """A time zone by its name in the IANA's list."""
    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):  # unknown, not a name at all, a folder
        accepted = say("accepted is a time zone by its name, such as Asia/Shanghai or Europe/Berlin")
        raise ValueError(accepted) from None


def span(period: Period, now: float, zone: ZoneInfo | None = None) -> Span:
    """The day or month of `now` (Unix time) in `zone`; `None`: the machine's own."""
    local = datetime.fromtimestamp(now, zone)
    first = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period == "day":
        name, following = f"{first:%Y-%m-%d}", first + timedelta(days=1)
    else:
        first = first.replace(day=1)
        name, following = f"{first:%Y-%m}", (first + timedelta(days=32)).replace(day=1)
    # Wall time: a day with a change of clocks has 23 or 25 hours.
    return Span(name, following.timestamp(), f"{following.astimezone(zone):%Y-%m-%d %H:%M %:z}")
