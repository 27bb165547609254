"""Calls that brought no answer."""

from __future__ import annotations

NOT_TRUSTED, TLS_FAILED = "certificate not trusted", "TLS failed"
"""The texts of TLS failures."""


class CallFailed(Exception):
    """A call without a whole answer: not connected, cut off, or an answer larger than what is read.

    The text names the kind of failure only, never an address, a header or a body. `begun`: the answer's status had
    come.
    """

    def __init__(self, kind: str, *, begun: bool = False) -> None:
        super().__init__(kind)
        self.begun = begun


class CallTimedOut(CallFailed):
    """A call that took longer than it may."""
