"""How far the answer to one request is continued, and how far it was."""

from __future__ import annotations

from dataclasses import dataclass

from .settings import Amount


@dataclass(slots=True)
class Wanted:
    """The bounds of one answer in rounds. `None`: there is none."""

    rounds: int
    """Calls at most, the first among them."""
    seconds: float
    tokens: int | None = None
    """Of output, in all rounds."""
    cost: Amount | None = None
    own_limit: int | None = None
    """The most tokens that the client wants: the sum of all rounds never exceeds it."""
    fences: bool = False
    """An answer that ends within a block of code is cut, too."""

    made: int = 1
    """Calls that brought a part of the answer."""
    ended: str = ""
    """Why no further call was made, of an answer that was cut: a key of `ENDS`; `""`: it wasn't, or isn't any more."""


ENDS = ("rounds", "tokens", "seconds", "cost", "window", "limit", "failed", "nothing", "format")
"""Why a cut answer stays cut: one of the bounds is reached; the model's window is full; the client's own limit is
reached; a further call failed; it brought no text; the endpoint's format has no rounds."""
