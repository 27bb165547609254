"""A job: what the relay must know of a call beside the request itself. And the answers that it sends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ..admission import Account
from ..answers.rounds.wanted import Wanted
from ..events import Purpose
from ..exchange import Exchange, JsonObject
from ..fallbacks.reasons import Reason
from ..profiles import Profile

LOOPBACK = "127.0.0.1"
"""Where the relay listens."""
RELAY_HEADER = "x-hunyuan-fix-relay"
"""Request header from mitmproxy to the relay: the job's secret."""
TRIES_HEADER = "x-hunyuan-fix-tries"
"""Response header: how many tries an answer took, where it took more than one."""
OWN_HEADER = "x-hunyuan-fix-own"
"""Response header from the relay to mitmproxy: the answer is the proxy's own. It goes no further."""

type Headers = Sequence[tuple[bytes, bytes]]
"""Header pairs, in their order and spelling."""


@dataclass(slots=True, eq=False)
class JobProgress:
    """How the relay and the hook that gave it the job inform each other."""

    on_claim: Callable[[], None] = lambda: None
    """Called when the relay has the request: from then on the flow may show its real address again."""
    wanted: Callable[[], bool] = lambda: True
    """Whether a client still waits for the answer. Asked before each try, since killing a flow doesn't end its call."""
    waited: float = 0.0
    """Seconds that its tries have waited for slots so far."""
    made: Counter[str] = field(default_factory=Counter)
    """Tries so far, by the base URL that they went to."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A refused call, changed by what its error said, for one more try."""

    url: str
    headers: Headers
    body: bytes
    native: str
    """As in `Job`."""
    note: JsonObject
    """As in `Job`."""
    ended: Callable[[int], None]
    """Called once, with the status of the answer, before the client gets any of it; 0: there was none."""


class Fallbacks(Protocol):
    """Where else a call may go, once its own endpoint has failed (`hunyuan_fallbacks`)."""

    @property
    def is_left(self) -> bool:
        """Whether there may be another one."""

    async def next(self, reason: Reason, before: Job) -> Elsewhere | None:
        """The call for the next entry that can be asked; `None`: there is no other.

        `reason`: why the one before has failed, whose job is `before`. The exchange is changed by then, for the answer.
        """

    def ended(self, *, answered: bool, reason: Reason) -> None:
        """No other is asked: the last one has `answered`, or has failed for a `reason` too.

        In the second case the exchange is as it was before the first `next`.
        """


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A call for another endpoint or model."""

    job: Job
    headers: Headers
    body: bytes


@dataclass(frozen=True, slots=True)
class Job:
    """One call to relay. Its URL is taken from here and never from the request."""

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
    """Seconds after the relay has taken the call after which no further try is begun."""
    silence: float
    """Seconds without a byte after which a try has failed."""
    until: float
    """When the first try stops waiting for a slot, on the monotonic clock."""
    ahead: bool
    """The first try goes ahead of new calls."""
    max_body: int
    """Bytes to which an answer is unpacked to be looked at."""
    judges: bool = True
    """Answers are looked at before they are passed on; `False`: only refusals are, and all pass unchanged."""
    native: str = ""
    """The format of its answers where the endpoint speaks the client's (`dialects.NATIVE`); `""`: the profile's."""
    note: JsonObject = field(default_factory=dict)
    """What the upstream's dialect noted of the request."""
    language: str = "en"
    """Of the proxy's errors."""
    exchange: Exchange | None = None
    """Whose call it is, for a person who looks at the queue."""
    progress: JobProgress = field(default_factory=JobProgress)
    mend: Callable[[int, bytes], Awaitable[Mended | None]] | None = None
    """Called with the status and the body of a refusal that no other try would change; `None`: it stays."""
    fallbacks: Fallbacks | None = None
    """Where it goes if its endpoint fails; `None`: nowhere."""
    rounds: Wanted | None = None
    """How far its answer is continued where that is cut; `None`: it isn't."""
    purpose: Purpose | None = None
    """What the call is made for, where that isn't the client's own request."""


@dataclass(frozen=True, slots=True)
class RawResponse:
    """A whole answer, with its headers as they are on the wire.

    Not `exchange.Response`, whose headers are a dict: an endpoint's answer may repeat a header (`Set-Cookie`), and its
    order and spelling are kept. `failures.raw` turns one into the other.
    """

    status: int
    headers: Headers
    body: bytes


class ClientLeft(Exception):
    """The client is gone: nothing more can be sent to it."""


class AnswerBroken(Exception):
    """The endpoint has broken off an answer that passes unchanged: the client's connection has to break, too."""


class Client(Protocol):
    """The client's side of a call."""

    @property
    def begun(self) -> bool:
        """Whether headers went out: from then on nothing can be tried again."""

    def begin(self, status: int, headers: Headers, data: bytes) -> None:
        """Send the headers of an answer of unknown length, and its first bytes, if there are any."""

    def put(self, data: bytes) -> None:
        """Send bytes of its body, without waiting until there is room for more."""

    async def write(self, data: bytes) -> None:
        """Send bytes of its body; returns when there is room for more. Raises `ClientLeft`."""

    def end(self, last: bytes = b"") -> None:
        """The answer is complete with the bytes `last`, which aren't waited for."""

    def send(self, response: RawResponse) -> None:
        """Send a whole answer."""

    def drop(self) -> None:
        """Close the connection, so that the answer doesn't look complete."""
