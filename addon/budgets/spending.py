"""What calls reserve of budgets before they leave, and what they have spent when they are over.

    reserve ─▶ counters: spent + held by others + this call within the limit?   no ─▶ refused
       │                                                                          yes ─▶ held, renewed while it runs
    PAID (each call to an endpoint, whoever made it) ─▶ spent of the day on which the exchange began
    over ─▶ no longer held

The counters are those of all workers (`counters`). While they can't be reached this process counts alone, from what it
knew last; what was spent meanwhile is told once they answer. A worker that dies holds its reservations for `LASTS`.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from ..config.values import data_folder
from ..events import PAID, Event
from ..exchange import JsonObject
from ..prices import Cost, decimal
from ..stores.guard import BUDGET, Bypassed, StoreGuard
from . import periods
from .counters import Answer, Claim, Counters, Settlement, Standing
from .lines import TOKENS, Budget, Budgets
from .memory import MemoryCounters
from .periods import Span
from .settings import BudgetSettings

if TYPE_CHECKING:
    from redis.asyncio import Redis

LASTS: Final = 90.0
"""Seconds that a reservation lasts unless it is renewed, which happens every third of it."""
HELD_WAIT: Final = 5.0
"""Seconds for which a call waits for others to end that hold what is left."""
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 0.5
"""Seconds between two questions while it waits."""
LATE: Final = 30.0
"""Seconds after the end of an exchange in which it is told what it used."""
FILE_BUDGET: Final = 2.0
"""Seconds that an operation on the file may take: it may wait for another worker."""
WARNED: Final = 0.8
"""The part of a limit from which on clients are warned."""
FILE_NAME: Final = "budgets.sqlite3"
"""In the user's data folder."""
_MOST_KNOWN: Final = 1000
"""Counters whose standing is remembered to be shown."""
_LAST_WORDS: Final = 2.0
"""Seconds for telling what was spent, where the process ends."""


@dataclass(frozen=True, slots=True)
class Spent:
    """A budget that is spent, or nearly."""

    budget: Budget
    who: str
    """The name of the client, a digest of the session, or `""`."""
    spent: int
    resets: str
    """When it begins anew, for a person."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a call may do."""

    spent: Spent | None = None
    """It may not go: this budget is spent."""
    held: Spent | None = None
    """It may not go now: what is left of this one is held by calls under way."""
    unpriced: Sequence[Budget] = ()
    """Budgets in money that can't hold it, since its price isn't known, or is in another currency."""
    nearly: Sequence[Spent] = ()
    """Budgets of which most is spent."""

    @property
    def refusing(self) -> Budget | None:
        """The strict budget for which an unpriced call may not go."""
        return next((budget for budget in self.unpriced if budget.is_strict), None)


@dataclass(frozen=True, slots=True)
class Known:
    """The last that is known of a counter."""

    budget: Budget
    who: str
    standing: Standing
    span: Span


@dataclass(frozen=True, slots=True)
class _Applied:
    """A budget that an exchange has to keep to, in the day or month in which it began."""

    budget: Budget
    who: str
    span: Span

    @property
    def key(self) -> str:
        """Of its counter. The limit isn't in it: it may change."""
        whose = f"{self.budget.scope}:{self.who}" if self.who else self.budget.scope
        return f"{whose}:{self.budget.period}:{self.span.name}:{self.budget.unit}"


@dataclass(slots=True)
class _Held:
    """What an exchange holds until it is over."""

    applied: Sequence[_Applied]
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    keys: Sequence[str] = ()
    """The counters of the reservation; empty: there is none."""
    is_told: bool = False
    """What its own request used has been told."""
    over: float | None = None
    """Since when it is over and waits for that, on the monotonic clock."""


class Spending:
    """The budgets of this process's calls. `clock`: Unix time; `monotonic`, `sleep`: for its own waits."""

    name = "budgets"
    kinds = frozenset([PAID])

    def __init__(
        self,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._clock, self._monotonic, self._sleep = clock, monotonic, sleep
        self.place: str | Path | None = None
        """Where it is counted: a URL of Redis, or a file."""
        self._budgets = Budgets()
        self._zone: ZoneInfo | None = None
        self._memory = MemoryCounters(clock)
        self._shared: Counters | None = None
        self._budget = BUDGET
        self._guard = StoreGuard(self.name, monotonic)
        self._held: dict[str, _Held] = {}
        """By exchange."""
        self._owed: dict[str, tuple[int, float]] = {}
        self._releasing: dict[str, Sequence[str]] = {}
        self._telling: Settlement | None = None
        self._teller: asyncio.Task[None] | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()
        self._known: dict[str, Known] = {}
        self._said: dict[str, None] = {}
        self.unpriced = 0
        """Calls that budgets in money didn't count."""

    def configure(self, settings: BudgetSettings, url: str | None, redis: Redis | None) -> None:
        """Hold calls to the budgets of `settings` from now on, and count in Redis, else in a file.

        `redis`: a client for the server at `url`. Without budgets nothing is opened; what is open stays so, for calls
        that began under one.
        """
        place = url or settings.budgets_file or data_folder() / FILE_NAME
        if settings.budgets and place != self.place:
            self.share(_counters(place, redis))
            self.place = place
        self.use(settings.budgets, settings.budget_zone)

    def use(self, budgets: Budgets, zone: ZoneInfo | None) -> None:
        """Hold calls to `budgets` from now on. What was spent stays so."""
        if (budgets, zone) != (self._budgets, self._zone):
            self._budgets, self._zone, self._known = budgets, zone, {}

    def share(self, counters: Counters | None) -> None:
        """Count in `counters` from now on; `None`: in this process's memory."""
        old, self._shared = self._shared, counters
        self._guard = StoreGuard(self.name, self._monotonic)
        self._budget = FILE_BUDGET if counters is not None and counters.name == "sqlite" else BUDGET
        if old is not None:
            with suppress(RuntimeError):  # no loop runs: nothing was opened in it
                task = asyncio.get_running_loop().create_task(old.aclose(), name="hunyuan-fix closes counters")
                self._closing.add(task)
                task.add_done_callback(self._closing.discard)

    def __bool__(self) -> bool:
        """Whether there is any budget."""
        return bool(self._budgets)

    @property
    def file(self) -> Path | None:
        """The file in which it is counted, if it is one."""
        return self.place if isinstance(self.place, Path) else None

    @property
    def is_failing(self) -> bool:
        """Whether the counters of all workers can't be reached."""
        return self._guard.failing

    # The way of a call

    def applying(self, client: str, session: str) -> bool:
        """Whether a call of `client` in `session` has to keep to any budget."""
        return bool(self._budgets.applying(client, session))

    async def reserve(
        self, exchange: str, client: str, session: str, tokens: int, cost: Cost | None, *, patience: float = HELD_WAIT
    ) -> Verdict:
        """Reserve what the call of `exchange` will probably use: `tokens`, and `cost`, `None` where it isn't known.

        Waits up to `patience` seconds where all that is left is held by calls under way. Raises nothing but
        `CancelledError`; then, and in every other case, `over` has to follow.
        """
        held = _Held(self._applied(client, session))
        unpriced = _unpriced([one.budget for one in held.applied], cost)
        if any(budget.is_strict for budget in unpriced):
            return Verdict(unpriced=unpriced)
        wanted = [(one, amount) for one in held.applied if (amount := _wanted(one.budget, tokens, cost)) is not None]
        claims = [Claim(one.key, amount, one.budget.limit, one.span.ends) for one, amount in wanted]
        self._held[exchange] = held
        if not claims:
            return Verdict(unpriced=unpriced)
        held.keys = [claim.key for claim in claims]  # before the first wait: a cancelled call may hold them already
        until, pause = self._monotonic() + patience, FIRST_PAUSE
        while True:
            answer = await self._reserved(held.id, claims)
            self._note([one for one, _ in wanted], answer.standings)
            spent = [
                Spent(one.budget, one.who, standing.spent, one.span.resets)
                for (one, _), standing in zip(wanted, answer.standings, strict=True)
            ]
            if answer.is_taken:
                nearly = [one for one in spent if one.budget.limit and one.spent >= WARNED * one.budget.limit]
                self._keep_running()
                return Verdict(unpriced=unpriced, nearly=nearly)
            over = next((one for one in spent if one.spent >= one.budget.limit), None)
            if over is not None or self._monotonic() >= until:
                held.keys = ()
                return Verdict(spent=over) if over is not None else Verdict(held=_fullest(spent, answer.standings))
            await self._sleep(pause)
            pause = min(LONGEST_PAUSE, 1.5 * pause)

    async def spent(self, client: str, session: str) -> Spent | None:
        """The budget of a call of `client` that is spent, if any: for one that can't be estimated."""
        applied = self._applied(client, session)
        standings = await self._looked([one.key for one in applied])
        self._note(applied, standings)
        for one, standing in zip(applied, standings, strict=True):
            if standing.spent >= one.budget.limit:
                return Spent(one.budget, one.who, standing.spent, one.span.resets)
        return None

    def hear(self, event: Event) -> None:
        """A call is over (`events.Paid`)."""
        self.paid(event.data)

    def paid(self, paid: JsonObject) -> None:
        """Count what a call used, an `events.Paid`."""
        if not (self._budgets or self._held):
            return
        held = self._held.get(paid["id"])
        applied = held.applied if held is not None else self._applied(paid["client"], paid["session"])
        usage, price = paid["usage"], paid["amount"]
        tokens = usage.get("input", 0) + usage.get("output", 0)
        money = [one for one in applied if one.budget.unit != TOKENS]
        for one in applied:
            if one.budget.unit == TOKENS:
                self._owe(one, tokens)
            elif price is not None and one.budget.unit == paid["currency"]:
                self._owe(one, price)
        if money and tokens and not any(one.budget.unit == paid["currency"] for one in money):
            self.unpriced += 1
        if held is not None and paid["purpose"] == "own":
            held.is_told = True
            if held.over is not None:
                self._release(paid["id"])
        self._tell_soon()

    def estimated(self, exchange: str, client: str, tokens: int) -> None:
        """Count a call whose body has passed untouched: nothing else is known of it."""
        usage = {"input": tokens}
        self.paid(
            {
                "id": exchange,
                "client": client,
                "session": "",
                "usage": usage,
                "amount": None,
                "currency": "",
                "purpose": "own",
            }
        )

    def over(self, exchange: str, *, is_sent: bool) -> None:
        """The exchange is over. `is_sent`: its own request has left, and what that used is told, or will be."""
        held = self._held.get(exchange)
        if held is None:
            return
        if is_sent and not held.is_told:
            held.over = self._monotonic()
            self._keep_running()
        else:
            self._release(exchange)
            self._tell_soon()

    def is_news(self, what: str) -> bool:
        """Whether `what` has not been said yet; then it has."""
        if what in self._said:
            return False
        self._said[what] = None
        if len(self._said) > _MOST_KNOWN:
            del self._said[next(iter(self._said))]
        return True

    # What is shown

    def known(self) -> Sequence[Known]:
        """What is known of the counters of this day and month, the fullest first."""
        now = self._clock()
        found = [known for known in self._known.values() if known.span.ends > now]
        return sorted(found, key=_ratio, reverse=True)

    def ratios(self) -> Mapping[tuple[str, str, str], float]:
        """Scope, period and kind of unit (`tokens`, `money`) -> how much of a limit is spent, of the fullest budget."""
        found: dict[tuple[str, str, str], float] = {}
        for known in self.known():
            kind = TOKENS if known.budget.unit == TOKENS else "money"
            found.setdefault((known.budget.scope, known.budget.period, kind), _ratio(known))
        return found

    def status(self) -> list[JsonObject]:
        """For `/status`: each budget that was used in this day or month."""
        return [
            {
                "budget": str(known.budget),
                "scope": known.budget.scope,
                "who": known.who,
                "period": known.budget.period,
                "unit": known.budget.unit,
                "limit": _plain(known.budget.limit, known.budget.unit),
                "spent": _plain(known.standing.spent, known.budget.unit),
                "held": _plain(known.standing.held, known.budget.unit),
                "resets": known.span.ends,
            }
            for known in self.known()
        ]

    # The end

    async def aclose(self) -> None:
        """Tell what was spent, and close the counters."""
        for task in filter(None, (self._keeper, self._teller)):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        for exchange in list(self._held):
            self._release(exchange)
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS):
                while self._has_news():
                    if not await self._tell():
                        break
                if self._closing:
                    await asyncio.wait(self._closing)
        if self._shared is not None:
            await self._shared.aclose()
            self._shared = None

    # Questions to the counters

    def _applied(self, client: str, session: str) -> list[_Applied]:
        found = self._budgets.applying(client, session)
        if not found:
            return []
        now = self._clock()
        spans = {period: periods.span(period, now, self._zone) for period in {budget.period for _, budget in found}}
        return [_Applied(budget, who, spans[budget.period]) for who, budget in found]

    async def _reserved(self, id: str, claims: Sequence[Claim]) -> Answer:
        shared = self._shared
        if shared is not None:
            with suppress(Bypassed):
                answer = await self._guard.run("writing", lambda: shared.reserve(id, claims, LASTS), self._budget)
                for claim, standing in zip(claims, answer.standings, strict=True):
                    self._memory.learn(claim.key, standing.spent, claim.ends)
                return answer
        return await self._memory.reserve(id, claims, LASTS)

    async def _looked(self, keys: Sequence[str]) -> Sequence[Standing]:
        shared = self._shared
        if shared is not None:
            with suppress(Bypassed):
                return await self._guard.run("writing", lambda: shared.look(keys), self._budget)
        return await self._memory.look(keys)

    def _note(self, applied: Sequence[_Applied], standings: Sequence[Standing]) -> None:
        for one, standing in zip(applied, standings, strict=True):
            key = one.key
            self._known.pop(key, None)
            self._known[key] = Known(one.budget, one.who, standing, one.span)
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]

    # What is told to the counters: kept until they have it

    def _owe(self, one: _Applied, amount: int) -> None:
        if amount > 0:
            key = one.key
            self._owed[key] = (self._owed.get(key, (0, 0.0))[0] + amount, one.span.ends)
            self._memory.spend(key, amount, one.span.ends)

    def _release(self, exchange: str) -> None:
        held = self._held.pop(exchange, None)
        if held is not None and held.keys:
            self._releasing[held.id] = held.keys
            self._memory.release(held.id, held.keys)

    def _has_news(self) -> bool:
        return self._telling is not None or bool(self._owed or self._releasing)

    def _tell_soon(self) -> None:
        if self._has_news() and (self._teller is None or self._teller.done()):
            self._teller = asyncio.create_task(self._tell_all(), name="hunyuan-fix tells what was spent")

    async def _tell_all(self) -> None:
        while self._has_news():
            if not await self._tell():
                await self._sleep(max(LONGEST_PAUSE, self._guard.wait("writing")))

    async def _tell(self) -> bool:
        """Tell the counters what is new; whether they have it."""
        if self._telling is None:
            self._telling = Settlement(secrets.token_hex(8), self._owed, self._releasing)
            self._owed, self._releasing = {}, {}
        telling, shared = self._telling, self._shared
        if shared is not None:
            try:
                await self._guard.run("writing", lambda: shared.settle(telling), self._budget)
            except Bypassed:
                return False
        self._telling = None
        return True

    # The keeper: renews what is held while anything is

    def _keep_running(self) -> None:
        if self._keeper is None or self._keeper.done():
            self._keeper = asyncio.create_task(self._keep(), name="hunyuan-fix renews reservations")

    async def _keep(self) -> None:
        while self._held:
            await self._sleep(LASTS / 3)
            now = self._monotonic()
            for exchange in [exchange for exchange, held in self._held.items() if _is_late(held, now)]:
                self._release(exchange)
            self._tell_soon()
            await self._renew({held.id: held.keys for held in self._held.values() if held.keys})

    async def _renew(self, held: Mapping[str, Sequence[str]]) -> None:
        shared = self._shared
        await self._memory.renew(held, LASTS)
        if held and shared is not None:
            with suppress(Bypassed):
                await self._guard.run("writing", lambda: shared.renew(held, LASTS), self._budget)


def _counters(place: str | Path, redis: Redis | None) -> Counters:
    if redis is not None and isinstance(place, str):
        from .redis import RedisCounters  # noqa: PLC0415 - loaded only where it is asked for

        return RedisCounters(redis)
    from .sqlite import SqliteCounters  # noqa: PLC0415 - as above

    return SqliteCounters(Path(place))


def _unpriced(budgets: Sequence[Budget], cost: Cost | None) -> Sequence[Budget]:
    money = [budget for budget in budgets if budget.unit != TOKENS]
    return [] if cost is not None and any(budget.unit == cost.currency for budget in money) else money


def _wanted(budget: Budget, tokens: int, cost: Cost | None) -> int | None:
    """What a call wants of a budget; `None`: nothing, since it is paid in another currency.

    Of a budget in money a call without a price wants 0: it may go until that is spent.
    """
    if budget.unit == TOKENS:
        return tokens
    if cost is None:
        return 0
    return cost.amount if cost.currency == budget.unit else None


def _fullest(spent: Sequence[Spent], standings: Sequence[Standing]) -> Spent:
    """The budget of which the largest part is spent or held."""
    return max(zip(spent, standings, strict=True), key=lambda pair: _part(pair[0], pair[1]))[0]


def _part(spent: Spent, standing: Standing) -> float:
    return (standing.spent + standing.held) / max(1, spent.budget.limit)


def _ratio(known: Known) -> float:
    return known.standing.spent / known.budget.limit if known.budget.limit else 1.0


def _is_late(held: _Held, now: float) -> bool:
    return held.over is not None and now - held.over > LATE


def _plain(amount: int, unit: str) -> int | float:
    return amount if unit == TOKENS else float(decimal(amount))
