"""What counters of budgets do, wherever they are: in memory, in an SQLite file, in Redis.

A counter has what is *spent* in its day or month, and what is *held*: reservations of calls under way. Each operation
is atomic, over all counters that it names and all workers. Amounts are whole numbers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

MOST: Final = 4 * 10**18
"""A sum grows no further: SQLite and Redis add 64-bit integers. No limit is as large."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a call wants of one counter."""

    key: str
    amount: int
    limit: int
    ends: float
    """Unix time at which the counter's day or month is over."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One counter, at one moment."""

    spent: int
    held: int
    """By other calls."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a reservation: the counters as they were before it, and whether it was taken."""

    standings: Sequence[Standing]
    is_taken: bool


@dataclass(frozen=True, slots=True)
class Settlement:
    """What is told of calls that are over. Told again under the same `id`, it counts once."""

    id: str
    spent: Mapping[str, tuple[int, float]]
    """Counter -> the amount to add, and when its day or month ends."""
    released: Mapping[str, Sequence[str]]
    """Reservation -> its counters."""


def fits(claim: Claim, standing: Standing) -> bool:
    """Whether a call may take its claim.

    It may if it stays within the limit. A call that is alone may use what is left, whatever it was estimated at: else
    nobody could spend the end of a budget, and an agent that asks for 32,000 tokens of answer none of a small one. The
    next call waits until it is known what that one used.
    """
    if standing.spent >= claim.limit:
        return False
    return not standing.held or standing.spent + standing.held + claim.amount <= claim.limit


class Counters(Protocol):
    """Counters in one place. Raises `StoreError` where that can't be used."""

    name: str

    async def reserve(self, id: str, claims: Sequence[Claim], lasts: float) -> Answer:
        """Take all `claims` under `id` for `lasts` seconds, if each `fits`; else none.

        A second question with the same `id` has the answer of the first.
        """

    async def renew(self, held: Mapping[str, Sequence[str]], lasts: float) -> None:
        """Let the reservations `held` (id -> its counters) last `lasts` seconds from now. What is gone stays so."""

    async def settle(self, settlement: Settlement) -> None:
        """Add what was spent, and end reservations."""

    async def look(self, keys: Sequence[str]) -> Sequence[Standing]:
        """The counters `keys` now."""

    async def aclose(self) -> None:
        """Close what is open."""
