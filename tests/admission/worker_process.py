"""A worker for test_workers.py: takes all slots of an account, says so, and keeps them until it is killed.

Arguments: Redis' URL, the limit, seconds that a lease lasts. Says `refused` first if it got none for two leases' time.
"""

from __future__ import annotations

import asyncio
import sys
import time

from hunyuan_fix.admission import Account, Admission, CallRefused, Leases
from hunyuan_fix.stores import redis


def say(word: str) -> None:
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


async def work(url: str, limit: int, lasts: float) -> None:
    admission = Admission()
    admission.configure(queue_max=10, queue_timeout=60, leases=Leases(redis.redis_client(url), lasts=lasts, budget=5.0))
    account = Account("profile:digest", limit)
    try:
        slots = [await admission.admit(account, until=time.monotonic() + 2 * lasts)]
    except CallRefused:
        say("refused")
        slots = [await admission.admit(account, until=time.monotonic() + 60)]
    slots += [await admission.admit(account, until=time.monotonic() + 60) for _ in range(limit - 1)]
    say(f"holds {len(slots)}")
    await asyncio.Event().wait()


vars(redis)["TIMEOUT"] = 30.0  # however busy the machine is
asyncio.run(work(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
