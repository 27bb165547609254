"""Pages of the last exchanges: filters, and how many."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ...exchange import JsonObject
from ..last_exchanges import MOST, LastExchanges
from .parameters import Parameter, number, text

MOST_BYTES = 1 << 20
"""About how much a page may hold, as exchanges are counted in memory."""
_PAGE = 50
_STATUS = text(pattern="[1-5][0-9][0-9]|[1-5]xx|none", examples=["429", "4xx", "none"])

PARAMETERS = (
    Parameter("client", "The name of the client whose token it brought.", text()),
    Parameter("session", "The digest of its conversation.", text()),
    Parameter("model", "The model, as the client sent it or as it was sent on.", text()),
    Parameter("dialect", "The format of its client.", text()),
    Parameter("profile", "The profile of its endpoint.", text()),
    Parameter("status", "`429`, `4xx`, or `none` for one without.", _STATUS),
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
        summary = kept.summary()
        if all(fits(summary, wanted) for fits, wanted in filters):
            found.append(summary)
            size += kept.size
            last = kept.id
    return {"exchanges": found, "next": None}


def _is(name: str) -> Callable[[JsonObject, Any], bool]:
    return lambda summary, wanted: summary.get(name) == wanted


def _has_status(summary: JsonObject, wanted: str) -> bool:
    status = summary.get("status")
    if wanted == "none":
        return bool(summary["over"]) and status is None
    return str(status) == wanted or (wanted.endswith("xx") and str(status)[:1] == wanted[0] and status is not None)


_FITS: Mapping[str, Callable[[JsonObject, Any], bool]] = {
    "client": _is("client"),
    "session": _is("session"),
    "dialect": _is("dialect"),
    "profile": _is("profile"),
    "model": lambda summary, wanted: wanted in (summary.get("model"), summary.get("sent_model")),
    "status": _has_status,
    "slow": lambda summary, wanted: summary.get("ms", 0) >= wanted * 1000,
    "since": lambda summary, wanted: summary["at"] >= wanted,
}
"""Parameter -> whether the summary of an exchange fits its value."""
