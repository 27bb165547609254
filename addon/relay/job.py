"""What the relay is told of a call, beside what comes over the wire, and what answers it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..admission import Account
from ..profiles import Profile

RELAY_HEADER = "x-hunyuan-fix-relay"
"""Request header from mitmproxy to the relay: the job's secret."""
TRIES_HEADER = "x-hunyuan-fix-tries"
"""Response header: how many tries an answer took, where it took more than one."""
OWN_HEADER = "x-hunyuan-fix-own"
"""Response header from the relay to mitmproxy: the answer is the proxy's own. It goes no further."""

type Headers = Sequence[tuple[bytes, bytes]]
"""Header lines in their order, names as they came."""


@dataclass(slots=True, eq=False)
class Course:
    """What becomes of a job, between the relay and whoever gave it."""

    on_claim: Callable[[], None] = lambda: None
    """Called when the request has come: mitmproxy has sent what it shows of it."""
    wanted: Callable[[], bool] = lambda: True
    """Whether anybody still waits for the answer. Asked before each try: a flow that was killed is still under way."""
    waited: float = 0.0
    """Seconds that its tries have waited for slots so far."""


@dataclass(frozen=True, slots=True)
class Job:
    """One call to relay. Its URL comes from here, never from the wire."""

    url: str
    upstream: str
    """The base URL, as the circuit breaker knows the endpoint."""
    account: Account
    profile: Profile
    model: str
    """As the client sent it."""
    streamed: bool
    """The client asked for a stream."""
    tries: int
    deadline: float
    """Seconds from the relay's begin after which no further try is begun."""
    silence: float
    """Seconds without a byte after which a try has failed."""
    until: float
    """When, on the monotonic clock, the first try has waited long enough for a slot."""
    ahead: bool
    """The first try goes ahead of new arrivals."""
    max_body: int
    """Bytes to which an answer is unpacked to be looked at."""
    course: Course = field(default_factory=Course)


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is here as a whole."""

    status: int
    headers: Headers
    body: bytes


class ClientLeft(Exception):
    """The client is gone: nothing more can be sent to it."""


class Client(Protocol):
    """The client's side of a call."""

    @property
    def begun(self) -> bool:
        """Whether headers went out: from then on nothing can be tried again."""

    def begin(self, status: int, headers: Headers, data: bytes) -> None:
        """Send the headers of an answer whose length isn't known, and its first bytes, if there are any."""

    async def write(self, data: bytes) -> None:
        """Send bytes of its body; returns when there is room for more. Raises `ClientLeft`."""
