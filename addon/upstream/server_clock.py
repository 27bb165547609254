"""How far an endpoint's clock is from this machine's, for signatures that name the time.

Tencent Cloud refuses a signature whose time differs from its own by more than five minutes. Then its `Date` tells what
the time is there, and the request is signed and sent once more. An endpoint whose clock is known to agree needs no such
second try: its calls may go where there is none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from ..wire import retry_after

TC3: Final = "tc3"
"""The signer whose signatures name the time."""
_EXPIRED: Final = b"AuthFailure.SignatureExpire"
_MOST_HOSTS: Final = 256
"""Hosts that are remembered: the oldest goes."""
_DRIFT: Final = 60.0
"""Seconds by which a clock may have moved before it is unknown again. A signature is good for 300."""


@dataclass(slots=True)
class _Known:
    """What is known of one host."""

    offset: float = 0.0
    """Seconds to add to this machine's time."""
    since: float | None = None
    """This machine's Unix time less its monotonic one, when the clocks last agreed; `None`: unknown."""
    apart: float | None = None
    """How far its `Date` was from the time that was signed then."""


class ServerClocks:
    """The clocks of all hosts that requests are signed for. On the event loop only."""

    def __init__(self, now: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now, self._monotonic = now, monotonic
        self._hosts: dict[str, _Known] = {}

    def now(self, url: str) -> float:
        """The Unix time at the host of `url`, as far as it is known."""
        return self._now() + self._of(url).offset

    def agrees(self, url: str) -> bool:
        """Whether the host has taken a signature, and neither clock has been set since then."""
        since = self._of(url).since
        return since is not None and abs(self._now() - self._monotonic() - since) < _DRIFT

    def accepted(self, url: str, date: str | None) -> None:
        """The host of `url` has taken a signature, and said that the time was `date`, its header."""
        known, said = self._of(url), _seconds(date)
        apart = None if said is None else said - self._now() - known.offset
        if apart is not None and known.apart is not None and abs(apart - known.apart) >= _DRIFT:
            known.since = known.apart = None  # the next call finds out
            return
        if known.since is None or not self.agrees(url):
            known.since, known.apart = self._now() - self._monotonic(), apart

    def refused(self, url: str, date: str | None) -> bool:
        """The host of `url` says that the time of a signature is wrong; whether its `date` makes another worth it."""
        known, said = self._of(url), _seconds(date)
        known.since = known.apart = None
        if said is None:
            return False
        known.offset = said - self._now()
        return True

    def _of(self, url: str) -> _Known:
        host = urlsplit(url).netloc
        known = self._hosts.get(host)
        if known is None:
            if len(self._hosts) >= _MOST_HOSTS:
                del self._hosts[next(iter(self._hosts))]
            known = self._hosts[host] = _Known()
        return known


def is_expired(body: bytes) -> bool:
    """Whether an answer's body says that the time of a signature is wrong."""
    return _EXPIRED in body


def _seconds(date: str | None) -> float | None:
    said = retry_after.parse(date)
    return (said - datetime.fromtimestamp(0, UTC)).total_seconds() if isinstance(said, datetime) else None
