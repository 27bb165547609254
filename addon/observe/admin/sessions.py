"""Browsers that have signed in. A session is a random secret in a cookie; only its digest is kept here."""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

COOKIE = "hunyuan_admin"
LIFETIME = 12 * 3600.0
"""Seconds after which a browser must sign in again."""
MOST = 100
"""Sessions. A further one ends the oldest."""


class Sessions:
    """The sessions of this process. They end with it, with their time, and with the token that they were opened by.

    `clock`: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[bytes, float] = {}
        """Digest of a secret -> when the session ends. In the order in which they were opened."""
        self._token = ""

    def open(self, token: str) -> str:
        """A new session, opened by `token`: its secret."""
        self._of(token)
        secret = secrets.token_urlsafe(32)
        while len(self._until) >= MOST:
            del self._until[next(iter(self._until))]
        self._until[_digest(secret)] = self._clock() + LIFETIME
        return secret

    def holds(self, secret: str, token: str) -> bool:
        """Whether `secret` is that of a session, and `token` the one that it was opened by."""
        self._of(token)
        # Found by its digest: how long that takes tells nothing of the secret.
        return bool(secret) and self._until.get(_digest(secret), 0.0) > self._clock()

    def end(self, secret: str) -> None:
        """End the session with this secret, if there is one."""
        self._until.pop(_digest(secret), None)

    def _of(self, token: str) -> None:
        if token != self._token:
            self._until.clear()
            self._token = token


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


def cookie(secret: str, *, secure: bool) -> str:
    """The header `Set-Cookie` of a session. `secure`: the browser came by HTTPS."""
    return _cookie(secret, int(LIFETIME), secure)


def no_cookie(*, secure: bool) -> str:
    """The header `Set-Cookie` that takes the cookie away."""
    return _cookie("", 0, secure)


def _cookie(value: str, seconds: int, secure: bool) -> str:
    return f"{COOKIE}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{'; Secure' if secure else ''}"
