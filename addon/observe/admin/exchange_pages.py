"""Pages of the last exchanges: filters, and how many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...exchange import JsonObject
from ..last_exchanges import Kept, LastExchanges
from ..outcomes import trouble
from .parameters import Parameter, number, text

MOST_BYTES = 1 << 20
"""About how much a page may hold, as exchanges are counted in memory."""
MOST = 1000
"""Exchanges of a page."""
_PAGE = 50
_STATUS = text(pattern="[1-5][0-9][0-9]|[1-5]xx|none|failed|open", examples=["429", "4xx", "none", "failed", "open"])

PARAMETERS = (
    Parameter("client", "The name of the client whose token it brought.", text()),
    Parameter("session", "The digest of its conversation.", text()),
    Parameter("program", "The program that has sent it, or how its name begins: `claude-code`.", text()),
    Parameter("model", "The model, as the client sent it or as it was sent on.", text()),
    Parameter("dialect", "The format of its client.", text()),
    Parameter("profile", "The profile of its endpoint.", text()),
    Parameter("rule", "The name of a change that was made to it.", text()),
    Parameter(
        "status",
        "`429`, `4xx`, `none` for one without; `failed`: its client got an error, or nothing; `open`: under way.",
        _STATUS,
    ),
    Parameter("slow", "It took so many seconds at least.", number(0, 1e6)),
    Parameter("since", "It began then or later: seconds of Unix time.", number(0, 1e12)),
    Parameter("before", "Older than the exchange with this id.", text(64)),
    Parameter("limit", "How many at most.", number(1, MOST, "integer", default=_PAGE)),
)


def page(ring: LastExchanges, values: Mapping[str, Any]) -> JsonObject | None:
    """The exchanges that all filters of `values` fit, the newest first; `None` if `before` isn't kept.

    `next`: the id of the last one of the page, if there are older ones that may fit; else `None`.
    """
    before = values.get("before", "")
    if before and ring.get(before) is None:
        return None
    filters = [(fits, values[name]) for name, fits in _FITS.items() if name in values]
    limit, size = values.get("limit", _PAGE), 0
    found: list[JsonObject] = []
    last = ""
    for kept in ring.newest(before):
        if len(found) >= limit or size >= MOST_BYTES:
            return {"exchanges": found, "next": last}
        if all(fits(kept, wanted) for fits, wanted in filters):
            found.append(kept.summary())
            size += kept.size
            last = kept.id
    return {"exchanges": found, "next": None}


def _is(name: str) -> Callable[[Kept, Any], bool]:
    return lambda kept, wanted: kept.get(name) == wanted


def _has_status(kept: Kept, wanted: str) -> bool:
    status = kept.get("status")
    match wanted:
        case "none":
            return kept.is_over and status is None
        case "open":
            return not kept.is_over
        case "failed":
            return has_failed(kept)
    return str(status) == wanted or (wanted.endswith("xx") and str(status)[:1] == wanted[0] and status is not None)


def has_failed(kept: Kept) -> bool:
    """Whether its client got an error, or no answer though it waited for one."""
    return kept.is_over and bool(trouble(kept.get))


_FITS: Mapping[str, Callable[[Kept, Any], bool]] = {
    "client": _is("client"),
    "session": _is("session"),
    "program": lambda kept, wanted: (kept.get("program") or "").startswith(wanted),
    "dialect": _is("dialect"),
    "profile": _is("profile"),
    "model": lambda kept, wanted: wanted in (kept.get("model"), kept.get("sent_model")),
    "rule": lambda kept, wanted: wanted in (kept.get("rules") or ()),
    "status": _has_status,
    "slow": lambda kept, wanted: (kept.get("ms") or 0) >= wanted * 1000,
    "since": lambda kept, wanted: kept.at >= wanted,
}
"""Parameter -> whether an exchange fits its value. None of them works out a summary: ten thousand are looked at."""
