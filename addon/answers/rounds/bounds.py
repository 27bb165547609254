"""Whether a further round may be made, and how many tokens it may have."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ... import prices
from ...counting import body as counting
from ...counting import text as texts
from ...exchange import JsonObject
from ...rules.base import RuleContext
from ...wire import usage
from .question import limit_of
from .said import Said
from .settings import Amount
from .wanted import Wanted


class Limit(NamedTuple):
    """What a further round may have."""

    tokens: int | None
    """At most; `None`: as many as the request says."""


def limit(wanted: Wanted, sent: JsonObject, said: Said, context: RuleContext, host: str) -> Limit | str:
    """What a further round after `sent`, whose answer so far is `said`, may have; or why there is none (`ENDS`).

    `host`: the endpoint's.
    """
    # 1. What was used. Without a count it is estimated.
    used = usage.counted(said.used)
    made = used.get(usage.OUTPUT) or texts.rough([said.text, said.reasoning])
    # 2. The client's own limit, where less was sent; and that of the tokens.
    own, given = wanted.own_limit, limit_of(sent)
    if own is not None and given is not None and given >= own:
        return "limit"
    left: list[int] = []
    for bound, why in ((own, "limit"), (wanted.tokens, "tokens")):
        if bound is not None:
            if made >= bound:
                return why
            left.append(bound - made)
    # 3. The model's window: the next round reads all that was said.
    window = context.model.context
    read = counting.rough(sent) + texts.rough([said.text])
    if window is not None and read >= window:
        return "window"
    # 4. What it costs.
    if wanted.cost is not None:
        model = str(sent.get("model") or "")
        affordable = _affordable(
            wanted.cost, used, read, lambda tokens: prices.cost(context.profile, model, host, tokens)
        )
        if affordable is None or affordable < 1:
            return "cost"
        left.append(affordable)
    return Limit(min(left) if left else None)


def _affordable(
    most: Amount, used: dict[str, int], read: int, cost: Callable[[dict[str, int]], prices.Cost | None]
) -> int | None:
    """The tokens of output that a round which reads `read` tokens may have; `None`: what they cost isn't known."""
    spent, asked = cost(used), cost({usage.INPUT: read, usage.OUTPUT: 0})
    each = cost({usage.INPUT: read, usage.OUTPUT: 1000})
    if spent is None or asked is None or each is None or spent.currency != most.currency:
        return None
    left = round(most.value * prices.UNITS) - spent.amount - asked.amount
    price = each.amount - asked.amount
    if left <= 0:
        return 0
    return left * 1000 // price if price > 0 else 2**31
