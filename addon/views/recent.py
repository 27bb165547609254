"""The exchanges that have ended last: numbers, names and ids of flows, nothing of what was said. Bounded.

What takes long is worked out when a person asks. An exchange costs a few numbers when it ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from heapq import nlargest
from weakref import ReferenceType, ref

from mitmproxy import http

from ..exchange import DESCRIBED, QUEUED, Exchange
from ..vision.record import waited_ms
from ..wire import safe_text, user_agents
from .timings import ANSWER, CAME, FIRST_BYTE, REPAIRED

MOST = 1000
"""Exchanges that are remembered."""
_NAME = 60
"""Characters of a name."""
STEPS = (CAME, DESCRIBED, REPAIRED, QUEUED, FIRST_BYTE, ANSWER)


@dataclass(slots=True)  # not frozen: that would take three times as long for every exchange
class Ended:
    """An exchange that has ended. Moments are Unix time; `None`: it didn't come to that."""

    flow: str
    sender: str
    """The name of its token or its program, else its User-Agent."""
    model: str
    status: int | None
    began: float
    came: float
    first: float | None
    last: float
    described: float
    milliseconds: float
    queued: float
    tries: int

    @property
    def client(self) -> str:
        """Who sent it, as a person reads it."""
        return product(self.sender)

    @property
    def ms(self) -> float:
        """Milliseconds in all."""
        return 1000 * (self.last - self.began)

    def step(self, kind: str) -> float:
        """Milliseconds of one of `STEPS`."""
        before = 1000 * (self.came - self.began) + self.milliseconds + self.queued
        first = self.ms if self.first is None else 1000 * (self.first - self.began)
        ms = {
            CAME: 1000 * (self.came - self.began),
            DESCRIBED: self.described,
            REPAIRED: self.milliseconds - self.described,
            QUEUED: self.queued,
            FIRST_BYTE: first - before,
            ANSWER: self.ms - first,
        }
        return max(0.0, ms[kind])


class Recent:
    """The last `MOST` exchanges, and the flow of the last one while mitmproxy keeps it."""

    def __init__(self) -> None:
        self._ended: deque[Ended] = deque(maxlen=MOST)
        self._last: ReferenceType[http.HTTPFlow] | None = None

    def add(self, flow: http.HTTPFlow, exchange: Exchange, now: float) -> None:
        """The exchange of `flow` has ended, at `now` in Unix time."""
        request, response = flow.request, flow.response
        self._last = ref(flow)
        self._ended.append(
            Ended(
                flow=flow.id,
                sender=exchange.client or exchange.program or exchange.headers.get("user-agent", "")[:_NAME],
                model=exchange.model[:_NAME],
                status=response.status_code if response else None,
                began=request.timestamp_start,
                came=request.timestamp_end or now,
                first=response.timestamp_start if response and not exchange.answered else None,
                last=(response.timestamp_end if response else None) or now,
                described=waited_ms(exchange),
                milliseconds=exchange.milliseconds,
                queued=exchange.queued,
                tries=exchange.tries,
            )
        )

    def slowest(self, count: int, step: str = "") -> list[Ended]:
        """The slowest exchanges, in all or in one of `STEPS`, the slowest first."""
        return nlargest(count, self._ended, key=lambda ended: ended.step(step) if step else ended.ms)

    def last(self) -> http.HTTPFlow | None:
        """The flow of the exchange that has ended last; `None` where there is none, or mitmproxy has dropped it."""
        return self._last() if self._last else None

    def __iter__(self) -> Iterator[Ended]:
        """Each of them, the oldest first."""
        return iter(self._ended)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._ended)


def client_of(exchange: Exchange, headers: Mapping[str, str] | None = None) -> str:
    """Who sent it, as far as that is known: the name of its token, of its program, or the product in its User-Agent.

    `headers`: the request's, where the exchange has them no more.
    """
    if known := exchange.client or exchange.program:
        return known
    agent = (exchange.headers or headers or {}).get("user-agent", "")
    return user_agents.program(agent) or product(agent)


def product(agent: str) -> str:
    """The product that a User-Agent begins with, or a name as it is."""
    return safe_text.plain(agent.partition(" ")[0].partition("/")[0])
