"""The sessions of the last exchanges: the turns of one agent run together, by what exchanges have told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, TypedDict
from weakref import WeakKeyDictionary

from ..exchange import Response
from ..observe.admin.route import json_answer
from ..observe.last_exchanges import Kept, LastExchanges
from ..wire import proxy_errors
from ..wire.openai_error import ProxyError
from . import turns
from .sources import Sources
from .turns import REASONING, TOKENS, Turn

MOST: Final = 500
"""Sessions of one answer."""
MOST_TURNS: Final = 2000
"""Turns of one answer: the last ones."""
_MOST_NAMES: Final = 20
"""Clients, programs or models that a session names."""
_COST: Final = 2000
"""What it costs to look at one exchange, as `Workers` counts it: some 40 µs, and 3 once it is known."""


type Told = tuple[str, int, float, int, dict[str, int] | None]
type Known = dict[str, tuple[list[Told], Session]]
"""Session -> what its exchanges had told, the newest first, and what it came to by then."""
_KNOWN: Final[WeakKeyDictionary[LastExchanges, Known]] = WeakKeyDictionary()
"""Of each process's exchanges. Most sessions are over: only those that go on are looked at anew."""


class Sums(TypedDict):
    """What some turns together used, and what befell them."""

    turns: int
    under_way: int
    calls: dict[str, int]
    """How many turns are of each kind of call."""
    first: float
    """When the first one came, in Unix time."""
    last: float
    """When the last thing happened."""
    tokens: dict[str, int]
    """By kind: `input`, of them `cached`, `output`, of them `reasoning`."""
    cost: dict[str, int]
    """By currency, in parts of which `prices.UNITS` are one."""
    unpriced: int
    """Turns that used tokens and of which no cost is known."""
    errors: int
    """Turns whose client got an error, or none of an answer."""
    breaks: int
    broken_by: dict[str, int]
    """How often each of `client`, `hunyuan-fix` and `endpoint` broke the prompt cache."""
    missed: int
    """Tokens that could have been read from the prompt cache, and were not."""
    compactions: int
    retries: int
    """Further tries."""
    mended: int
    """Turns that were refused, changed for that, and answered then."""
    fallbacks: int
    """Turns that another model or endpoint has answered."""
    reasoning: dict[str, int]
    """Turns of the history that got reasoning, by where it is from: `kept`, `recovered`, `made_up`."""
    runaways: int
    budgets: int
    """Turns for which a budget did something."""


class Session(Sums):
    """One session."""

    id: str
    named: bool
    """Its client names it; otherwise it is known by how it begins."""
    clients: list[str]
    programs: list[str]
    models: list[str]
    """As they were asked for, the latest first."""


class Sessions(TypedDict):
    """The answer of `GET /api/sessions`."""

    sessions: list[Session]
    more: bool
    """There are older ones."""
    without: int
    """Exchanges that belong to no session."""


class OneSession(TypedDict):
    """The answer of `GET /api/sessions/{session}`."""

    session: Session
    turns: list[Turn]
    """In the order in which they came."""
    left_out: int
    """Turns before these, which the sums have all the same."""


async def listed(sources: Sources, values: Mapping[str, Any], language: str) -> Response:
    """`GET /api/sessions`: the newest first."""
    kept = list(sources.exchanges.newest())
    known = _KNOWN.setdefault(sources.exchanges, {})
    return await sources.workers.run(lambda _: json_answer(sessions_of(kept, known)), _COST * len(kept))


async def one(sources: Sources, values: Mapping[str, Any], language: str) -> Response | ProxyError:
    """`GET /api/sessions/{session}`: the session, and its turns."""
    wanted, kept = values["session"], list(sources.exchanges.newest())
    found = await sources.workers.run(lambda _: session_of(kept, wanted), _COST * len(kept))
    return proxy_errors.ADMIN_UNKNOWN_SESSION() if found is None else json_answer(found)


def session_of(newest: Iterable[Kept], id: str) -> OneSession | None:
    """The session with this id and its turns, from exchanges, the newest first; `None`: none of them is of it."""
    found = [turns.turn(kept) for kept in newest if turns.session_of(kept) == id][::-1]
    if not found:
        return None
    return {
        "session": _session(id, found),
        "turns": found[-MOST_TURNS:],
        "left_out": max(0, len(found) - MOST_TURNS),
    }


def sessions_of(newest: Iterable[Kept], known: Known | None = None) -> Sessions:
    """The sessions of exchanges, the newest first. `known`: those of the last look, which it brings up to date."""
    by_id: dict[str, list[Kept]] = {}
    without = 0
    for kept in newest:
        if id := turns.session_of(kept):
            by_id.setdefault(id, []).append(kept)
        else:
            without += 1
    known = {} if known is None else known
    found: list[Session] = []
    now: Known = {}
    for id, of_it in by_id.items():
        told = [_told(kept) for kept in of_it]
        before = known.get(id)
        if before is None or before[0] != told:
            before = told, _session(id, [turns.turn(kept) for kept in reversed(of_it)])
        now[id] = before
        found.append(before[1])
    known.clear()
    known.update(now)
    found.sort(key=lambda session: session["last"], reverse=True)
    return {"sessions": found[:MOST], "more": len(found) > MOST, "without": without}


def _told(kept: Kept) -> Told:
    """What tells whether an exchange has told anything since."""
    return kept.id, len(kept.rows), kept.rows[-1].at, len(kept.paid_rows), kept.more_cost and dict(kept.more_cost)


def _session(id: str, of_it: list[Turn]) -> Session:
    newest = of_it[::-1]
    return {
        "id": id,
        "named": any(turn["named"] for turn in of_it),
        "clients": _names(turn["client"] for turn in newest),
        "programs": _names(turn["program"] for turn in newest),
        "models": _names(turn["model"] for turn in newest),
        **sums(of_it),
    }


def sums(of: list[Turn]) -> Sums:
    """What `of`, one turn at least, come to together."""
    found: Sums = {
        "turns": len(of),
        "under_way": sum(not turn["over"] for turn in of),
        "calls": _added({turn["kind"]: 1} for turn in of),
        "first": min(turn["at"] for turn in of),
        "last": max(turn["last_at"] for turn in of),
        "tokens": _added({kind: turn["usage"][kind] for kind in TOKENS if kind in turn["usage"]} for turn in of),
        "cost": _added(turn["cost"] for turn in of),
        "unpriced": sum(bool(turn["usage"]) and not turn["cost"] for turn in of),
        "errors": sum(turn["is_error"] for turn in of),
        "breaks": sum("by" in turn["prompt_cache"] for turn in of),
        "broken_by": _added({turn["prompt_cache"]["by"]: 1} for turn in of if "by" in turn["prompt_cache"]),
        "missed": sum(turn["prompt_cache"].get("missed", 0) for turn in of),
        "compactions": sum(bool(turn["prompt_cache"].get("compacted")) for turn in of),
        "retries": sum(len(turn["retried"]) for turn in of),
        "mended": sum(turn["mended"] is not None and turn["mended"]["outcome"] == "helped" for turn in of),
        "fallbacks": sum(any(one["outcome"] == "answered" for one in turn["fallbacks"]) for turn in of),
        "reasoning": _added(
            {source: turn["reasoning"][source] for source in REASONING if source in turn["reasoning"]} for turn in of
        ),
        "runaways": sum(turn["runaway"] is not None for turn in of),
        "budgets": sum(turn["budget"] is not None for turn in of),
    }
    return found


def _added(amounts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in amounts:
        for name, amount in each.items():
            total[name] = total.get(name, 0) + amount
    return total


def _names(given: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name for name in given if name))[:_MOST_NAMES]
