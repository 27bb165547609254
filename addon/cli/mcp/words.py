"""Times, counts and costs in the few words that a line has room for."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from decimal import Decimal

from ... import prices
from ...exchange import JsonObject
from . import plain


def moment(at: object) -> str:
    """A Unix time as this machine's time of day, with the day if it is another; `?`: none."""
    seconds = plain.number(at)
    try:
        then, now = time.localtime(seconds), time.localtime()
    except (OverflowError, ValueError, OSError):
        return "?"
    if seconds <= 0:
        return "?"
    return time.strftime("%H:%M:%S" if then[:3] == now[:3] else "%Y-%m-%d %H:%M:%S", then)


def duration(milliseconds: object) -> str:
    """A time in the unit that shows it best."""
    ms = max(0.0, plain.number(milliseconds))
    return f"{ms:.1f} ms" if ms < 10 else f"{ms:.0f} ms" if ms < 1000 else f"{ms / 1000:,.1f} s"


def cost(given: object) -> str:
    """Costs by currency; `""`: not known."""
    found = plain.counts(given)
    return " + ".join(f"{amount(parts):f} {currency}" for currency, parts in sorted(found.items()))


def amount(parts: int) -> Decimal:
    """Parts of a currency in the currency, with as many digits as say something."""
    exact = Decimal(parts) / prices.UNITS
    rounded = round(exact, 4)
    return rounded.normalize() if abs(exact) >= Decimal("0.01") else Decimal(f"{exact:.2g}").normalize()


def costs(given: object) -> JsonObject:
    """Costs by currency as numbers."""
    return {currency: float(amount(parts)) for currency, parts in plain.counts(given).items()}


def model(exchange: JsonObject) -> str:
    """The model that was asked for, and behind an arrow the one that it was sent to, where that is another."""
    asked, sent = plain.text(exchange.get("model"), 80), plain.text(exchange.get("sent_model"), 80)
    return f"{asked or '?'}→{sent}" if sent and sent != asked else asked or "?"


def outcome(exchange: JsonObject) -> str:
    """The status, or how else it stands."""
    if not exchange.get("over"):
        return f"under way ({plain.text(exchange.get('last'), 40) or '?'})"
    status = plain.whole(exchange.get("status"))
    return str(status) if status else plain.text(exchange.get("outcome"), 80) or "no answer"


def tokens(usage: object) -> str:
    """Tokens by kind; `""`: not known."""
    found = plain.counts(usage)
    parts = [f"{found['input']:,} in"] if "input" in found else []
    if found.get("cached"):
        parts.append(f"{share(found['cached'], found.get('input', 0))} of it cached")
    if "output" in found:
        parts.append(f"{found['output']:,} out")
    return ", ".join(parts)


def share(part: float, whole: float) -> str:
    """A part of a whole as a percentage."""
    return f"{100 * min(1.0, max(0.0, part / whole)):.0f}%" if whole > 0 else "0%"


def named(counted: Mapping[str, int]) -> str:
    """Counts with their names: `2 retried, 1 mended`."""
    return ", ".join(f"{count:,} {name}" for name, count in counted.items() if count)


def counted(count: int, what: str) -> str:
    """A count with its noun."""
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names with commas, the first ones alone where there are many."""
    found = list(names)
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more
