"""Which program a client is, as its User-Agent says: `user_agents.toml`. Nothing but a name to show depends on it."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from functools import cache, lru_cache
from importlib import resources

_LONGEST = 500
"""Characters of a User-Agent that are read."""


@lru_cache(maxsize=256)
def program(user_agent: str) -> str:
    """The name of the program that sends `user_agent`, without a space; `""` for one that isn't known."""
    words = f" {user_agent[:_LONGEST].lower()}"
    return next((name for beginning, name in _table().items() if f" {beginning}" in words), "")


def names() -> Collection[str]:
    """The names of all programs that are known."""
    return _table().values()


@cache
def _table() -> Mapping[str, str]:
    text = resources.files(__package__).joinpath("user_agents.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
