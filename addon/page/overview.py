"""What goes on: the last minutes, and what is under way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, TypedDict

from .. import events
from ..config.command_names import command
from ..exchange import JsonObject, Response
from ..observe.last_exchanges import Kept, LastExchanges
from ..observe.minutes import Series
from ..wire import json_body
from .sources import Sources

MOST_SHOWN = 50
"""Exchanges under way that are named."""

_WAITS_FOR: Mapping[str, str] = {
    **dict.fromkeys((events.CAME, events.TRANSLATED, events.RUNAWAY, events.BUDGET), "repair"),
    **dict.fromkeys((events.DESCRIBED, events.REPAIRED, events.CALLED, events.ENDED), "repair"),
    events.QUEUED: "slot",
    **dict.fromkeys((events.SENT, events.RETRIED, events.MENDED, events.FALLBACK), "answer"),
    **dict.fromkeys((events.FIRST_BYTE, events.FIRST_TOKEN), "end"),
}
"""The last thing that an exchange has told -> what it waits for."""


class UnderWay(TypedDict):
    """An exchange that isn't over. Names are `""` where they aren't known."""

    id: str
    since: float
    """When it came: Unix time."""
    waits_for: str
    """`repair` (it is read, its images are described, it is changed), `slot`, `answer` (it was sent), `end` (its answer
    comes)."""
    waits_since: float
    client: str
    program: str
    model: str
    upstream: str


class Overview(TypedDict):
    """What `GET /api/overview` answers."""

    now: float
    """The proxy's clock: Unix time."""
    kept: int
    """Exchanges that the list has."""
    last: float | None
    """When an exchange told something last; `None`: none came yet."""
    listens: list[dict[str, str]]
    """Where the proxy takes requests: `mode` and `address`."""
    commands: dict[str, str]
    """How a user starts the commands `run`, `env` and `doctor`."""
    counts: dict[str, int]
    """Those under way, by what they wait for."""
    under_way: list[UnderWay]
    """The oldest of them first, `MOST_SHOWN` at most."""
    minutes: Series


def overview(sources: Sources, values: Mapping[str, Any], language: str) -> Response:
    """The answer to `GET /api/overview`."""
    now = time.time()
    found = of(sources.exchanges)
    found["now"], found["minutes"] = now, sources.minutes.series(now)
    found["listens"] = [{"mode": mode, "address": address} for mode, address in sources.listens()]
    found["commands"] = {name: command(name) for name in ("run", "env", "doctor")}
    return Response(200, {"content-type": "application/json"}, json_body.serialise(found))


def of(ring: LastExchanges) -> JsonObject:
    """What is under way, as `Overview` has it."""
    counts = dict.fromkeys(("repair", "slot", "answer", "end"), 0)
    under_way: list[UnderWay] = []
    last: float | None = None
    for kept in ring.newest():
        last = max(last or 0.0, kept.rows[-1].at)
        if not kept.is_over:
            waits_for = _WAITS_FOR[kept.rows[-1].kind]
            counts[waits_for] += 1
            under_way.append(_under_way(kept, waits_for))
    return {"kept": len(ring), "last": last, "counts": counts, "under_way": under_way[: -MOST_SHOWN - 1 : -1]}


def _under_way(kept: Kept, waits_for: str) -> UnderWay:
    return {
        "id": kept.id,
        "since": kept.at,
        "waits_for": waits_for,
        "waits_since": kept.rows[-1].at,
        "client": kept.get("client") or "",
        "program": kept.get("program") or "",
        "model": kept.get("model") or "",
        "upstream": kept.get("upstream") or "",
    }
