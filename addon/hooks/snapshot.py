"""What an exchange says before something is tried that may not help, and that again afterwards."""

from __future__ import annotations

import copy

from ..exchange import Changes, Exchange, JsonObject
from ..rules.base import RuleContext

OF_A_REPAIR = (
    "dialect",
    "rules",
    "changes",
    "change_count",
    "plan",
    "demands",
    "notes",
    "streamed",
    "warning",
    "rewritten",
    "to_keep",
    "to_hear",
)
"""The fields that repairing a request anew changes, for the endpoint that it was for."""


def take(exchange: Exchange, names: tuple[str, ...] = OF_A_REPAIR) -> JsonObject:
    """The fields `names`, `OF_A_REPAIR` among them, as they are now."""
    kept = {name: getattr(exchange, name) for name in names}
    plan = copy.deepcopy(exchange.plan)
    if isinstance(exchange.demands, RuleContext):
        kept["demands"] = copy.copy(exchange.demands)
        kept["demands"].plan = plan
    return kept | {
        "plan": plan,
        "rules": list(exchange.rules),
        "changes": Changes(exchange.changes),
        "notes": copy.deepcopy(exchange.notes),
    }


def put_back(exchange: Exchange, taken: JsonObject) -> None:
    """Let the exchange say again what `take` has found."""
    for name, value in taken.items():
        setattr(exchange, name, value)
