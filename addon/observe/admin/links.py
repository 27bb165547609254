"""Links by which a browser signs in once: `http://127.0.0.1:9464/signin?once=TIME-NONCE-MAC`.

A link is made with the token, by the server or by a command in another process, and holds for `LIFETIME` seconds. The
server keeps which were used. It takes none that was made before it started: those that were used then it doesn't know.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable

PATH = "/signin"
PARAMETER = "once"
LIFETIME = 300.0
"""Seconds for which a link holds."""
MOST_USED = 10_000
"""Used links that are kept. Further ones are refused until some of these no longer hold."""
_AHEAD = 5.0
"""Seconds by which a link may come from the future: the clock may have been set back."""

_ONCE = re.compile(r"(\d{1,15}-[0-9a-f]{32})-([0-9a-f]{64})", re.ASCII)


def once(token: str, now: float) -> str:
    """A new value of the parameter. `now`: Unix time."""
    named = f"{int(now * 1000)}-{secrets.token_hex(16)}"
    return f"{named}-{_mac(token, named)}"


def path(token: str, now: float) -> str:
    """A new link, without scheme and host."""
    return f"{PATH}?{PARAMETER}={once(token, now)}"


def _mac(token: str, named: str) -> str:
    return hmac.new(token.encode(), f"hunyuan-fix sign-in {named}".encode(), hashlib.sha256).hexdigest()


class Links:
    """Which links are good in this process. `clock`: Unix time."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._began = int(clock() * 1000)
        self._used: dict[str, float] = {}
        """What names a used link -> until when it would have held. In the order of their use."""

    def use(self, given: str, token: str) -> bool:
        """Whether `given`, a value of the parameter, was made with `token`, holds, and is used for the first time."""
        now = self._clock()
        found = _ONCE.fullmatch(given)
        if not found or not hmac.compare_digest(found[2], _mac(token, found[1])):
            return False
        made = int(found[1].partition("-")[0])
        if made < self._began or not -_AHEAD <= now - made / 1000 < LIFETIME:
            return False
        self._used = {named: until for named, until in self._used.items() if until > now}
        if found[1] in self._used or len(self._used) >= MOST_USED:
            return False
        self._used[found[1]] = made / 1000 + LIFETIME
        return True
