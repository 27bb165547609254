"""What a call costs: the prices of its model's row (`profiles.types.Price`) and the tokens that its answer counts.

Pure. An amount is a whole number of `UNITS` to one of its currency, so that sums of many calls are exact in every
order, in SQLite and in Redis (both add 64-bit integers); floats would drift. A price with up to six decimals for a
million tokens is exact, too; one with more is rounded once a call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Final

from .profiles import Price, Profile

UNITS: Final = 10**12
"""To one yuan, dollar …"""
MOST: Final = 10**6 * UNITS
"""No call costs that much: what an answer counts past it is no count. Sums of a million such calls don't overflow."""

_EACH: Final = UNITS // 10**6
"""Units of a token that costs one of its currency for a million."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a call costs."""

    amount: int
    """In parts of `currency`, `UNITS` to one."""
    currency: str
    """Its code (ISO 4217)."""
    as_of: str
    """The day on which the prices were looked up."""

    @property
    def decimal(self) -> Decimal:
        """In `currency`, exact."""
        return decimal(self.amount)


def cost(profile: Profile, model_id: str, host: str, usage: Mapping[str, int]) -> Cost | None:
    """What a call of `model_id` at `host` costs that used `usage` (`wire.usage`); `None`: that isn't known.

    `input` has the `cached` tokens and those `written` to a cache in it, `output` the `reasoning`. It isn't known where
    a count or a price is missing that the sum needs, at the hosts of a plan, whose tokens have no price, and for a
    model without a row of prices in the host's currency. Tokens of an answer that names none as cached are not cached.
    """
    read, made = usage.get("input"), usage.get("output", 0 if profile.model(model_id).embedding else None)
    cached, written = usage.get("cached", 0), usage.get("written", 0)
    if read is None or made is None or min(read, made, cached, written) < 0:
        return None
    price = at(of(profile, model_id, host), read)
    if price is None:
        return None
    cached = min(cached, read)
    written = min(written, read - cached) if price.written is not None else 0
    amount: int | Decimal = 0
    for tokens, each in (
        (read - cached - written, price.input),
        (cached, price.cached),
        (written, price.written),
        (made, price.output),
    ):
        if tokens and each is None:
            return None
        amount += tokens * (_units(each) if each is not None else 0)
    whole = amount if isinstance(amount, int) else int(amount.to_integral_value(ROUND_HALF_EVEN))
    return Cost(whole, price.currency, price.as_of) if whole < MOST else None


def of(profile: Profile, model_id: str, host: str) -> Sequence[Price]:
    """The prices of `model_id` at `host`, all in one currency; empty: none are known.

    `Profile.currencies` says in which currency a host is paid. For a host that isn't in there the model's prices count
    if they are all in one.
    """
    if profile.plan or (":" in model_id and model_id not in profile.models):  # `kimi-k2.6:free` isn't `kimi-k2.6`
        return ()
    prices = profile.model(model_id).prices
    currency = profile.currencies.get(host) or (prices[0].currency if prices else "")
    found = [price for price in prices if price.currency == currency]
    return found if host in profile.currencies or len(found) == len(prices) else ()


def at(prices: Sequence[Price], read: int) -> Price | None:
    """The price for a request with `read` tokens of input; `None`: there is none for so many."""
    return next((price for price in prices if price.up_to is None or read <= price.up_to), None)


def decimal(amount: int) -> Decimal:
    """An amount in its currency, exact."""
    return Decimal(amount).scaleb(-12)


@lru_cache(1024)
def _units(price: float) -> int | Decimal:
    """Units of a token, nearly always a whole number. The price is what its file says: `0.1` is a tenth."""
    units = Decimal(str(price)) * _EACH
    return int(units) if units == units.to_integral_value() else units
