"""What a signer is: puts the credentials on a request that is otherwise ready. Pure. `signing` has all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

type Headers = Sequence[tuple[bytes, bytes]]
"""Header pairs, in their order and spelling."""


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A request that is otherwise ready. What the connection adds (`Host`, `Content-Length`) follows from the rest."""

    method: str
    url: str
    headers: Headers
    body: bytes


class UnusableCredentials(Exception):
    """The credentials aren't of the form that the endpoint's signer needs. The message never quotes them."""


class Signer(Protocol):
    """Puts the credentials on a request. Pure: the time is given."""

    def sign(self, request: Unsigned, credentials: str, now: float) -> Headers:
        """The headers to send `request` with; `replaced` makes them of those that it has.

        `credentials`: what its `Authorization` has after `Bearer`. `now`: Unix time in seconds. Raises
        `UnusableCredentials`.
        """


def replaced(headers: Headers, new: Mapping[str, str]) -> Headers:
    """`headers` with `new` in the place of those that have their names, and without any other `Authorization`."""
    names = {b"authorization", *(name.lower().encode() for name in new)}
    kept = [pair for pair in headers if pair[0].lower() not in names]
    return [*kept, *((name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in new.items())]
