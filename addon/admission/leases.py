"""Leases: one account's limit, kept in Redis for all workers.

Every call under way holds a lease, a member of a sorted set scored with its expiry. Workers renew theirs; those of a
worker that died expire. Calls that wait are in a second sorted set, one ticket per worker and account, first come first
served: workers take turns, and a busy one can't starve another. All times are Redis' own.

A call never waits for a Redis that fails: once it hasn't answered within the budget, each worker's own count alone
holds until a probe is answered. Calls under way keep their slot; what Redis has forgotten (flushed, restarted, paused)
is written again with the next renewal, even if the sum is past the limit then.
"""

from __future__ import annotations

import asyncio
import logging
import random
import secrets
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..circuit import Circuit, CircuitPolicy, Transition, Verdict
from ..stores.redis import in_words
from ..texts.terminal import say

if TYPE_CHECKING:
    from redis.asyncio import Redis

logger = logging.getLogger("hunyuan_fix")

LASTS = 15.0
"""Seconds after which the leases of a worker that died are free. Renewed every third of it."""

BUDGET = 0.2
"""Seconds that Redis may take for an answer; after that the worker's own limit holds alone."""

PROBE_EVERY = 1.0
"""Seconds between probes while Redis doesn't answer."""

TICKET_LASTS = 1.0
"""Seconds after which a worker that no longer asks loses its place among those that wait."""

ASK_FIRST, ASK_MOST = 0.05, 0.25
"""Seconds between two questions of the first ticket, and of those far behind."""

_PROBED = "probe"
"""No account: what is written there is nothing."""

# KEYS: the slots, the tickets in order (called line: workers of the version before may share them), and until when
# each ticket holds.
# ARGV: limit, milliseconds that a lease and a ticket last, the id; then ids that were given back.
# Returns -1: granted, else how many are before it. A question that was sent twice gets the same answer.
_ASK = """
local slots, line, seen = KEYS[1], KEYS[2], KEYS[3]
local limit, lasts, ticket, id = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 5, #ARGV do redis.call('ZREM', slots, ARGV[i]) end
redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', seen, '-inf', now)) do
  redis.call('ZREM', line, gone)
  redis.call('ZREM', seen, gone)
end
if redis.call('ZSCORE', slots, id) then return -1 end
redis.call('ZADD', line, 'NX', time[1] * 1000000 + time[2], id)
redis.call('ZADD', seen, now + ticket, id)
local before = redis.call('ZRANK', line, id)
if before < limit - redis.call('ZCARD', slots) then
  redis.call('ZREM', line, id)
  redis.call('ZREM', seen, id)
  redis.call('ZADD', slots, now + lasts, id)
  redis.call('PEXPIRE', slots, lasts)
  return -1
end
redis.call('PEXPIRE', line, ticket)
redis.call('PEXPIRE', seen, ticket)
return before
"""

# The same KEYS. ARGV: milliseconds that a lease lasts, how many to renew, their ids; then ids that were given back.
_SETTLE = """
local time = redis.call('TIME')
local expiry = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
for i = 3, 2 + ARGV[2] do redis.call('ZADD', KEYS[1], expiry, ARGV[i]) end
for i = 3 + ARGV[2], #ARGV do
  for _, key in ipairs(KEYS) do redis.call('ZREM', key, ARGV[i]) end
end
if tonumber(ARGV[2]) > 0 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to one of the calls under way of one account, or a ticket for it. `id` is random."""

    account: str
    id: str


@dataclass(frozen=True, slots=True)
class LeasesState:
    """`answers`: whether Redis answers; `held`: leases of this process; `failures`: questions without an answer."""

    answers: bool
    held: int
    failures: int


class Leases:
    """This process's leases. Closes `client` when it is closed.

    `lasts`, `budget`, `probe_every`: seconds, as the constants above. `clock`: monotonic; `jitter`: from 0 to 1.
    """

    def __init__(
        self,
        client: Redis,
        *,
        lasts: float = LASTS,
        budget: float = BUDGET,
        probe_every: float = PROBE_EVERY,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._script = client.register_script(_ASK)
        self._lasts = lasts
        self._budget = budget
        self._clock = clock
        self._circuit = Circuit(CircuitPolicy(1, probe_every), clock, self._note_end)
        self._jitter = jitter
        self._waiting: set[Lease] = set()
        self._held: set[Lease] = set()
        self._returned: dict[Lease, float] = {}  # until when Redis may still know it
        self._failures = 0
        self._failure = ""
        """The kind of the last failure, for the log."""
        self._renewal = clock()
        self._keeper: asyncio.Task[None] | None = None
        self._woken = asyncio.Event()
        self._questions = 0
        self._quiet = asyncio.Event()  # no question is on its way
        self._quiet.set()
        self._closed = False

    def state(self) -> LeasesState:
        """The leases now."""
        return LeasesState(not self._circuit.is_open, len(self._held), self._failures)

    def new(self, account: str) -> Lease:
        """A ticket for one slot of `account`, for `ask`. It must be given back, granted or not."""
        return Lease(account, secrets.token_hex(8))

    async def ask(self, lease: Lease, limit: int) -> float | None:
        """Ask whether it is this lease's turn, of `limit` at once: None if granted, else seconds until to ask again.

        While Redis doesn't answer, every lease is granted: the caller's own count holds then.
        """
        if not self._circuit.is_open and not self._closed:
            self._waiting.add(lease)
            before = await self._ask(lease, limit)
            if before is not None and before >= 0:
                return min(ASK_FIRST * (1 + before), ASK_MOST) * (1 + self._jitter()) / 2
        self._waiting.discard(lease)
        self._held.add(lease)
        self._keep_running()
        return None

    def give_back(self, lease: Lease) -> None:
        """The call is over, or the ticket isn't wanted any more. Redis hears of it in the background."""
        self._waiting.discard(lease)
        self._held.discard(lease)
        self._returned[lease] = self._clock() + self._lasts
        if not self._circuit.is_open:
            self._woken.set()
        self._keep_running()

    async def aclose(self) -> None:
        """Give everything back and close the client; takes a few budgets at most. Later calls need no Redis."""
        if self._closed:
            return
        self._closed = True
        self._woken.set()
        if self._keeper is not None:
            await asyncio.wait({self._keeper})
        await self._quiet.wait()
        for lease in self._waiting | self._held:
            self.give_back(lease)
        self._circuit.end_pause()
        await self._settle()
        with suppress(Exception):
            async with asyncio.timeout(self._budget):
                await self._client.aclose()

    async def _ask(self, lease: Lease, limit: int) -> int | None:
        returned = [other for other in self._returned if other.account == lease.account]
        times = (_milliseconds(self._lasts), _milliseconds(TICKET_LASTS))
        arguments: tuple[str | int, ...] = (limit, *times, lease.id, *(other.id for other in returned))
        self._questions += 1
        self._quiet.clear()
        try:
            before: int | None = await self._answer(lambda: self._script(_keys(lease.account), arguments))
        finally:
            self._questions -= 1
            if not self._questions:
                self._quiet.set()
        if before is not None:
            self._forget(returned)
        return before

    async def _answer[T](self, question: Callable[[], Awaitable[T]]) -> T | None:
        """What Redis says within the budget. `None`: it doesn't answer, or isn't asked after it didn't."""
        permit = self._circuit.permit()
        if permit is None:
            return None
        verdict = Verdict.UNKNOWN
        try:
            async with asyncio.timeout(self._budget):
                answer = await question()
            verdict = Verdict.UP
            return answer
        except Exception as error:
            self._failures += 1
            self._failure = in_words(error) or type(error).__name__  # only the type: a text may quote the URL
            verdict = Verdict.DOWN
            return None
        finally:
            permit.end(verdict)

    def _note_end(self, _: Circuit, transition: Transition | None) -> None:
        if transition is Transition.OPENED:
            said = say(
                "Redis doesn't answer ({why}): hunyuan_concurrency holds for this process alone until it does",
                why=self._failure,
            )
            logger.warning("%s", said)
            self._woken.set()  # so that the keeper probes when the pause is over, not at the next renewal
        elif transition is Transition.CLOSED:
            # Leases may have been granted while the probe was on its way: it didn't tell of them.
            self._renewal = self._clock()
            self._woken.set()
            logger.warning("%s", say("Redis answers again: hunyuan_concurrency holds for all workers"))

    # The keeper: one task that renews, gives back and probes while there is something to do.

    def _keep_running(self) -> None:
        if not self._closed and (self._keeper is None or self._keeper.done()):
            self._keeper = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while not self._closed and (self._held or self._returned or self._circuit.is_open):
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause()):
                    await self._woken.wait()
            self._woken.clear()
            await self._settle()

    def _pause(self) -> float:
        return self._circuit.pause_left() if self._circuit.is_open else max(0.0, self._renewal - self._clock())

    async def _settle(self) -> None:
        """Tell Redis what is held, when it is time to, and what was given back."""
        now = self._clock()
        self._returned = {lease: until for lease, until in self._returned.items() if until > now}
        renewing = self._held.copy() if now >= self._renewal or self._circuit.is_open else set()
        returned = list(self._returned)
        if now >= self._renewal:
            self._renewal = now + self._lasts / 3
        if not (renewing or returned or self._circuit.is_open):
            return
        if await self._answer(lambda: self._tell(renewing, returned)) is not None:
            self._forget(returned)
        # Given back while they were being renewed: that may have brought them to life again.
        for lease in renewing - self._held:
            self.give_back(lease)

    async def _tell(self, renewing: Iterable[Lease], returned: Iterable[Lease]) -> bool:
        accounts: defaultdict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
        for lease in renewing:
            accounts[lease.account][0].append(lease.id)
        for lease in returned:
            accounts[lease.account][1].append(lease.id)
        if not accounts:  # a probe: a PING would be answered by a replica or a Sentinel, too
            accounts[_PROBED][1].append("")
        async with self._client.pipeline(transaction=False) as pipe:
            for account, (renew, remove) in accounts.items():
                lasts = _milliseconds(self._lasts)
                pipe.execute_command("EVAL", _SETTLE, 3, *_keys(account), lasts, len(renew), *renew, *remove)
            await pipe.execute()
        return True

    def _forget(self, returned: Iterable[Lease]) -> None:
        for lease in returned:
            self._returned.pop(lease, None)


def _keys(account: str) -> tuple[str, str, str]:
    return f"hunyuan-fix:slots:{account}", f"hunyuan-fix:line:{account}", f"hunyuan-fix:seen:{account}"


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
