"""How exchanges end, in four words: what people count and look for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

type Trouble = Literal["", "refused", "endpoint", "failed"]
"""`""`: none. `refused`: the proxy has answered with an error of its own; `endpoint`: the endpoint has, or with what is
no answer; `failed`: no answer came, or not its end, though its client waited for it."""


def trouble(get: Callable[[str], Any]) -> Trouble:
    """What went wrong with an exchange that is over. `get`: the name of a field of `events.Done` -> its value."""
    status, error, how = get("status") or 0, get("error"), get("how")
    if how == "refused":
        return "refused"
    if how == "failed":
        return "" if get("left") else "failed"
    if status >= 400:
        return "endpoint"
    return "endpoint" if error and not get("left") else ""
