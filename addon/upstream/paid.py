"""Tells of calls to endpoints that are over and may have to be paid (`events.PAID`), by whom they were made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

from .. import events, prices, profiles
from ..events import Paid, Purpose
from ..exchange import Exchange, JsonObject
from ..wire import usage as usages

type Listener = Callable[[Exchange, str, JsonObject], None]
"""As in `Exchange`."""


def tell(
    exchange: Exchange,
    purpose: Purpose,
    usage: Mapping[str, int],
    *,
    status: int,
    ms: float,
    profile: str = "",
    model: str = "",
    upstream: str = "",
    is_estimated: bool = False,
    is_cancelled: bool = False,
    is_summed: bool = False,
    listener: Listener | None = None,
) -> None:
    """Tell that a call for `exchange` is over which used `usage`, as its answer says or as is estimated.

    `profile`, `model` and `upstream`, its host: those of the exchange's own request unless given. `is_summed`: the
    exchange counts this usage as its own, too, since its client is told the sum; it isn't told of twice. `listener`:
    where the exchange may be over by now. Raises nothing.
    """
    listener = listener or exchange.listener
    if is_summed:
        exchange.summed = {
            kind: exchange.summed.get(kind, 0) + usage.get(kind, 0) for kind in exchange.summed.keys() | usage.keys()
        }
    if listener is not None:
        model = model or exchange.sent_model or exchange.model
        profile, upstream = profile or exchange.profile, upstream or exchange.sent_to
        paid = _paid(exchange, purpose, usage, profile=profile, model=model, upstream=upstream)
        paid["status"], paid["ms"] = status, ms
        paid["is_estimated"], paid["is_cancelled"] = is_estimated, is_cancelled
        listener(exchange, events.PAID, cast(JsonObject, paid))


def own_usage(exchange: Exchange) -> dict[str, int]:
    """What the client's own request used: what its answer says, without what was told of apart."""
    return usages.less(exchange.usage, exchange.summed) if exchange.summed else exchange.usage


def _paid(
    exchange: Exchange, purpose: Purpose, usage: Mapping[str, int], *, profile: str, model: str, upstream: str
) -> Paid:
    cost = None
    if usage:
        try:
            cost = prices.cost(profiles.load(profile), model, upstream, usage)
        except KeyError:  # a profile of the user's own that is gone meanwhile
            cost = None
    return {
        "id": exchange.id,
        "purpose": purpose,
        "client": exchange.client,
        "session": exchange.session,
        "dialect": exchange.spoken or exchange.dialect,
        "profile": profile,
        "upstream": upstream,
        "asked": exchange.model,
        "model": model,
        "usage": dict(usage),
        "amount": None if cost is None else cost.amount,
        "currency": "" if cost is None else cost.currency,
        "priced": "" if cost is None else cost.as_of,
        "status": 0,
        "ms": 0.0,
        "is_estimated": False,
        "is_cancelled": False,
    }
