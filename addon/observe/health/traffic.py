"""What exchanges tell of their endpoints, the lent key, the vision model and the clock. Nothing is called to find out.

A sink keeps outcomes of the last `WINDOW` seconds in bounded memory. A call counts as failed where the endpoint is at
fault: no connection, a 5xx, an answer that breaks off or can't be used. What clients are to blame for (a 4xx, leaving
early) and what the proxy refuses itself says nothing of an endpoint.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from email.utils import parsedate_to_datetime
from typing import cast

from ... import events
from ...access.keys import LentKey
from ...events import Done, Event
from ...texts.sentence import Sentence
from ...upstream.circuit_breaker import host
from ...wire.proxy_errors import Entry, process, queue
from .check import Finding, degraded, healthy
from .lately import Margin, Window

WINDOW = 180.0
"""Seconds."""
LEAST_FAILED = 3
"""Calls that must have failed: one or two may happen to anybody."""
SHARE, SHARE_AGAIN = 0.2, 0.1
"""Of the calls in the window: from this share of failed ones on it is degraded, until it is below the other one."""
MOST_SKEW = 120.0
"""Seconds between this machine's clock and that of an endpoint."""

GOOD, FAILED, LIMITED = "good", "failed", "limited"

_OF_ENDPOINTS = frozenset(
    {
        *("upstream_unreachable", "upstream_timeout", "upstream_tls_failed", "upstream_invalid_answer"),
        *("upstream_error", "stream_broken", "stream_incomplete", "engine_overloaded"),
    }
)
"""Codes of our errors that an endpoint is at fault for."""
_OF_LIMITS = frozenset({"rate_limit_exceeded", "insufficient_quota"})
_NOT_CALLED = frozenset(
    entry.code for room in (process, queue) for entry in vars(room).values() if isinstance(entry, Entry)
)
"""Codes of errors of calls that never reached an endpoint, also where the relay gave them."""
_MOST_NAMED = 3
_DATES = 5
"""Answers whose `Date` is looked at: one may have come from a cache."""


class Traffic:
    """The sink, and the checks that look at what it has heard. `clock`: monotonic, in seconds."""

    name = "health"
    kinds = (events.DESCRIBED, events.FIRST_BYTE, events.DONE)

    def __init__(
        self,
        *,
        open_circuits: Callable[[], Sequence[str]],
        lent_key: Callable[[], LentKey],
        other_keys: Callable[[], Iterable[str]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._open_circuits = open_circuits
        self._lent_key, self._other_keys = lent_key, other_keys
        self._calls = Window(WINDOW, clock)
        """Outcomes of calls, each by `profile outcome`."""
        self._vision = Window(WINDOW, clock)
        self._heard = self._seen = False
        """Any call of an endpoint, of a vision model, since the start."""
        self._failing: dict[str, Margin] = {}
        """By profile."""
        self._vision_failing = Margin(SHARE, SHARE_AGAIN)
        self._refused: dict[str, int] = {}
        """Profiles whose endpoint has refused the key that it was lent, and the hash of all keys that are lent."""
        self._dates: deque[tuple[str, float]] = deque(maxlen=_DATES)
        """`Date` of the last answers, and when each came."""

    def hear(self, event: Event) -> None:
        """Keep what the event says."""
        if event.kind == events.DONE:
            self._done(cast(Done, event.data))
        elif event.kind == events.FIRST_BYTE:
            if date := event.data.get("date"):
                self._dates.append((date, event.at))
        else:
            for image in event.data["images"]:
                self._seen = True
                # An image that the model refuses is the image's fault.
                self._vision.add(GOOD if image["outcome"] in ("described", "refused") else FAILED)

    def _done(self, done: Done) -> None:
        if outcome := of_endpoint(done):
            self._heard = True
            self._calls.add(f"{done['profile']} {outcome}")
        if done["lent"] and done["how"] == "answered" and done["status"] is not None:
            if done["status"] == 401 or done["error"] == "invalid_api_key":
                self._refused[done["profile"]] = self._hash()
            elif done["status"] < 400:
                self._refused.pop(done["profile"], None)

    async def endpoint(self) -> Finding:
        """By open circuits, then by the share of failed calls of each profile."""
        if down := sorted({host(upstream) for upstream in self._open_circuits()}):
            return degraded(
                Sentence(
                    "Not called for a while, since it failed again and again: {hosts}. Look at the endpoint's status "
                    "page, at the base URL and at the network between.",
                    hosts=_listed(down),
                )
            )
        counts = self._calls.counts()
        if not counts:
            return healthy(Sentence("No call in the last minutes." if self._heard else "No traffic yet."))
        calls = failed = 0
        worst: Finding | None = None
        for profile in sorted({name.partition(" ")[0] for name in counts}):
            bad, limited = counts[f"{profile} {FAILED}"], counts[f"{profile} {LIMITED}"]
            every = bad + limited + counts[f"{profile} {GOOD}"]
            calls, failed = calls + every, failed + bad
            margin = self._failing.setdefault(profile, Margin(SHARE, SHARE_AGAIN))
            if _is_past(margin, bad + limited, every) and worst is None:
                worst = degraded(
                    Sentence(
                        "{profile}: {bad} of the last {calls} calls failed. The log has a line for each."
                        if bad >= limited
                        else "{profile}: {bad} of the last {calls} calls met a rate limit or a used-up quota.",
                        profile=profile,
                        bad=max(bad, limited),
                        calls=every,
                    )
                )
        return worst or healthy(Sentence("{failed} of the last {calls} calls failed.", failed=failed, calls=calls))

    async def key(self) -> Finding:
        """By its file, and by what endpoints say to it."""
        file, now = self._lent_key().file, self._hash()
        if file is not None and file.is_unusable:
            return degraded(
                Sentence(
                    "{file} is missing or can't be used; the key that was in it stays in force. The log says why.",
                    file=file.path,
                )
            )
        self._refused = {profile: of for profile, of in self._refused.items() if of == now}
        if self._lent_key().value is None and not any(self._other_keys()):
            return healthy(Sentence("No key is lent: clients send their own."))
        if self._refused:
            return degraded(
                Sentence(
                    "The lent key was refused by: {profiles}. Make a new one, and replace it in its file or variable.",
                    profiles=_listed(sorted(self._refused)),
                )
            )
        return healthy(Sentence("A key is lent, and no endpoint has refused it."))

    def _hash(self) -> int:
        return hash((self._lent_key().value, *self._other_keys()))

    async def vision(self) -> Finding:
        """By the share of vision calls that failed."""
        counts = self._vision.counts()
        bad, every = counts[FAILED], counts.total()
        if _is_past(self._vision_failing, bad, every):
            return degraded(
                Sentence(
                    "{bad} of the last {calls} vision calls failed: requests with new images are refused. Look at the "
                    "log, at hunyuan_vision_model and at the key's models.",
                    bad=bad,
                    calls=every,
                )
            )
        if every:
            return healthy(Sentence("{bad} of the last {calls} vision calls failed.", bad=bad, calls=every))
        return healthy(Sentence("No vision call in the last minutes." if self._seen else "No vision call yet."))

    async def clock(self) -> Finding:
        """By the `Date` of answers: the smallest difference of the last ones, since one may be old."""
        skews = [at - sent for date, at in self._dates if (sent := _seconds(date)) is not None]
        if not skews:
            return healthy(Sentence("No answer has told the time yet."))
        skew = min(skews, key=abs)
        if abs(skew) < MOST_SKEW:
            return healthy(Sentence("This machine's clock agrees with the endpoints'."))
        return degraded(
            Sentence(
                "This machine's clock is {seconds:.0f} s fast: endpoints and clients may refuse signatures and "
                "certificates. Set it by NTP."
                if skew > 0
                else "This machine's clock is {seconds:.0f} s slow: endpoints and clients may refuse signatures and "
                "certificates. Set it by NTP.",
                seconds=abs(skew),
            )
        )


def of_endpoint(done: Done) -> str:
    """What an exchange says of its endpoint: `GOOD`, `FAILED`, `LIMITED`; `""`: nothing."""
    error = done["error"]
    if error in _OF_ENDPOINTS:
        return FAILED
    if done["how"] != "answered" or done["status"] is None or not done["profile"] or error in _NOT_CALLED:
        return ""  # the proxy's own answer, or the client has left
    if done["status"] == 429 or error in _OF_LIMITS:
        return LIMITED
    return FAILED if done["status"] >= 500 else GOOD


def _is_past(margin: Margin, bad: int, every: int) -> bool:
    return margin.look(bad / every if bad >= LEAST_FAILED or margin.past else 0.0) if every else margin.look(0.0)


def _seconds(date: str) -> float | None:
    """The Unix time that a `Date` header names; `None` for what isn't one."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError, OSError):
        return None


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    return ", ".join(every[:_MOST_NAMED]) + (", …" if len(every) > _MOST_NAMED else "")
