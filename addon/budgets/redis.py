"""Counters of budgets in Redis: for all workers, on any machine. Each operation is one Lua script.

A counter is a hash, with what is spent (`s`), what is held in all (`h`) and each reservation's amount (`a:ID`), and a
sorted set of its reservations, scored with when they expire. Both go a day after the counter's day or month: a call
that began in it settles there. Amounts are added by HINCRBY, in 64-bit integers, and never written by Lua, whose
numbers are doubles; it compares sums only. Expiries are by Redis' own clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..stores.redis import PREFIX, plain_errors
from .counters import MOST, Answer, Claim, Settlement, Standing

if TYPE_CHECKING:
    from redis.asyncio import Redis

_KEPT = 86_400
"""Seconds for which a counter is kept after its end."""
_REMEMBERED = 3600
"""Seconds in which a settlement that is told again counts once."""

_NOW = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function drop(counter, id)
  local amount = redis.call('HGET', counter, 'a:' .. id)
  if amount then
    if amount ~= '0' then redis.call('HINCRBY', counter, 'h', '-' .. amount) end
    redis.call('HDEL', counter, 'a:' .. id)
  end
end
local function expire(counter, leases)
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', leases, '-inf', now)) do
    drop(counter, id)
    redis.call('ZREM', leases, id)
  end
end
"""

# KEYS: counter and leases of each claim. ARGV: the id, milliseconds that it lasts; then of each claim its amount, its
# limit, the milliseconds for which the counter is kept. Returns 1 or 0, then spent and held of each, as texts.
_RESERVE = (
    _NOW
    + """
local id, lasts = ARGV[1], tonumber(ARGV[2])
local answer, taken = {0}, 1
for i = 1, #KEYS / 2 do
  local counter, leases = KEYS[2 * i - 1], KEYS[2 * i]
  expire(counter, leases)
  drop(counter, id)
  local spent, held = redis.call('HGET', counter, 's') or '0', redis.call('HGET', counter, 'h') or '0'
  local amount, limit = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  if tonumber(spent) >= limit then taken = 0 end
  if tonumber(held) > 0 and tonumber(spent) + tonumber(held) + amount > limit then taken = 0 end
  answer[2 * i], answer[2 * i + 1] = spent, held
end
answer[1] = taken
for i = 1, #KEYS / 2 do
  local counter, leases = KEYS[2 * i - 1], KEYS[2 * i]
  if taken == 1 then
    redis.call('HINCRBY', counter, 'h', ARGV[3 * i])
    redis.call('HSET', counter, 'a:' .. id, ARGV[3 * i])
    redis.call('ZADD', leases, now + lasts, id)
    redis.call('PEXPIRE', counter, ARGV[3 * i + 2])
    redis.call('PEXPIRE', leases, ARGV[3 * i + 2])
  else
    redis.call('ZREM', leases, id)
  end
end
return answer
"""
)

# KEYS: the leases of each reservation. ARGV: milliseconds, then the id in each.
_RENEW = (
    _NOW
    + """
for i = 1, #KEYS do redis.call('ZADD', KEYS[i], 'XX', now + ARGV[1], ARGV[i + 1]) end
"""
)

# KEYS: what remembers the settlement; then the counters to which is added; then counter and leases of each reservation
# that ends. ARGV: seconds to remember, how many are added to; amount and milliseconds of each of these; the ids; and
# how far a sum grows.
_SETTLE = (
    _NOW
    + """
if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[1]) then return 0 end
local added = tonumber(ARGV[2])
for i = 1, added do
  local spent = tonumber(redis.call('HGET', KEYS[1 + i], 's') or '0')
  if spent + tonumber(ARGV[1 + 2 * i]) < tonumber(ARGV[#ARGV]) then
    redis.call('HINCRBY', KEYS[1 + i], 's', ARGV[1 + 2 * i])
  else
    redis.call('HSET', KEYS[1 + i], 's', ARGV[#ARGV])
  end
  redis.call('PEXPIRE', KEYS[1 + i], ARGV[2 + 2 * i])
end
local first, ids = 1 + added, 2 + 2 * added
for i = 1, (#KEYS - first) / 2 do
  drop(KEYS[first + 2 * i - 1], ARGV[ids + i])
  redis.call('ZREM', KEYS[first + 2 * i], ARGV[ids + i])
end
return 1
"""
)

# KEYS: counter and leases of each.
_LOOK = (
    _NOW
    + """
local answer = {}
for i = 1, #KEYS / 2 do
  expire(KEYS[2 * i - 1], KEYS[2 * i])
  answer[2 * i - 1] = redis.call('HGET', KEYS[2 * i - 1], 's') or '0'
  answer[2 * i] = redis.call('HGET', KEYS[2 * i - 1], 'h') or '0'
end
return answer
"""
)


class RedisCounters:
    """As `Counters`, by `client`, which belongs to whoever gave it. `clock`: Unix time."""

    name = "redis"

    def __init__(self, client: Redis, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._reserve, self._renew, self._settle, self._look = (
            client.register_script(script) for script in (_RESERVE, _RENEW, _SETTLE, _LOOK)
        )

    async def reserve(self, id: str, claims: Sequence[Claim], lasts: float) -> Answer:
        """See `Counters`. A second question forgets the first one's reservation: the answer is the same."""
        arguments: list[str | int] = [id, round(lasts * 1000)]
        for claim in claims:
            arguments += [claim.amount, claim.limit, self._kept(claim.ends)]
        answer = await _asked(self._reserve, _keys([claim.key for claim in claims]), arguments)
        return Answer(_standings(answer[1:]), is_taken=bool(int(answer[0])))

    async def renew(self, held: Mapping[str, Sequence[str]], lasts: float) -> None:
        """See `Counters`."""
        pairs = [(_leases(key), id) for id, keys in held.items() for key in keys]
        await _asked(self._renew, [key for key, _ in pairs], [round(lasts * 1000), *(id for _, id in pairs)])

    async def settle(self, settlement: Settlement) -> None:
        """See `Counters`."""
        keys = [f"{PREFIX}budgets:settled:{settlement.id}", *map(_counter, settlement.spent)]
        arguments: list[str | int] = [_REMEMBERED, len(settlement.spent)]
        for amount, ends in settlement.spent.values():
            arguments += [amount, self._kept(ends)]
        for id, counters in settlement.released.items():
            keys += _keys(counters)
            arguments += [id] * len(counters)
        arguments.append(MOST)
        await _asked(self._settle, keys, arguments)

    async def look(self, keys: Sequence[str]) -> Sequence[Standing]:
        """See `Counters`."""
        return _standings(await _asked(self._look, _keys(keys), []))

    async def aclose(self) -> None:
        """See `Counters`."""

    def _kept(self, ends: float) -> int:
        return round(1000 * (max(0.0, ends - self._clock()) + _KEPT))


async def _asked(script: Any, keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
    with plain_errors():
        return await script(keys, arguments)


def _standings(found: Sequence[bytes]) -> list[Standing]:
    return [Standing(int(found[i]), int(found[i + 1])) for i in range(0, len(found), 2)]


def _keys(counters: Sequence[str]) -> list[str]:
    return [key for counter in counters for key in (_counter(counter), _leases(counter))]


def _counter(key: str) -> str:
    return f"{PREFIX}budgets:{key}"


def _leases(key: str) -> str:
    return f"{PREFIX}budgets:leases:{key}"
