"""Which language a client reads, by the header `Accept-Language` (RFC 9110 section 12.5.4)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_LONGEST = 1000
"""Characters of a header that are read."""
_RANGE = re.compile(r"([a-z]{1,8}|\*)(?:-[a-z0-9]{1,8})*", re.IGNORECASE | re.ASCII)
_WEIGHT = re.compile(r"q\s*=\s*(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE | re.ASCII)


@lru_cache(256)
def preferred(header: str, offered: Sequence[str]) -> str | None:
    """The language among `offered` that the header wants most; `None` where it wants none of them.

    Of a range the language counts, not the region or the script: `zh-TW` is `zh`. Of two with the same weight the
    first one in the header counts. `*` stands for those that the header doesn't name, in the order of `offered`. What
    isn't written as the RFC says is passed over.
    """
    weights: dict[str, float] = {}
    for item in header[:_LONGEST].split(","):
        language, _, parameter = (part.strip() for part in item.partition(";"))
        found = _RANGE.fullmatch(language)
        weight = _WEIGHT.fullmatch(parameter) if parameter else None
        if found is None or (parameter and weight is None):
            continue
        name, wanted = found[1].lower(), float(weight[1]) if weight else 1.0
        weights[name] = max(wanted, weights.get(name, 0.0))
    others = weights.pop("*", 0.0)
    named = {name: weight for name, weight in weights.items() if name in offered}
    candidates = named | {name: others for name in offered if name not in named}
    best = max(candidates, key=lambda name: candidates[name], default=None)
    return best if best is not None and candidates[best] > 0 else None
