"""The header `Retry-After` (RFC 9110 section 10.2.3): a number of seconds, or a date."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def parse(value: str | None) -> float | datetime | None:
    """What the header's `value` says: seconds (finite, 0 or more), a date, or `None` for nothing usable.

    Fractions of a second are accepted, though the RFC has none: gateways send them.
    """
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        return _date(value)
    return seconds if 0 <= seconds < math.inf else None


def seconds(value: str | None, now: float) -> float | None:
    """Seconds to wait from the Unix time `now`, 0 for a date in the past; `None` if the header says nothing usable."""
    match parse(value):
        case datetime() as date:
            return max(0.0, (date - datetime.fromtimestamp(now, UTC)).total_seconds())
        case wait:
            return wait


def _date(value: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(value)
        return date if date.tzinfo else date.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
