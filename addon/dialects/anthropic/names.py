"""Tool names: those that chat refuses are shortened, and named back in the answer.

Chat takes 64 characters of A-Z a-z 0-9 _ and - (docs/facts/hunyuan.md#messages); Claude Code sends names of 85
characters for MCP tools (docs/facts/anthropic.md#tools).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

LONGEST: Final = 64
"""Characters of a name in chat."""

_ACCEPTED = re.compile(rf"[a-zA-Z0-9_-]{{1,{LONGEST}}}")
_REFUSED = re.compile(r"[^a-zA-Z0-9_-]+")
_HASH: Final = 8
"""Digits of the hash behind a shortened name; more only where two names collide."""


class Names:
    """The name in chat of each tool of one request. No two tools share one.

    A new name is made of the old one alone, so that a history keeps its bytes whatever else is offered: as much as
    has room, `_`, and the beginning of its SHA-256.
    """

    def __init__(self, accepted_first: Iterable[object]) -> None:
        """Names among `accepted_first` that chat accepts belong to their tools, before any is made."""
        self._owners: dict[str, str] = {}
        self._sent: dict[str, str] = {}
        for name in accepted_first:
            if isinstance(name, str) and _ACCEPTED.fullmatch(name):
                self._owners[name] = self._sent[name] = name

    def sent(self, asked: str) -> str:
        """The name under which chat is sent the tool that the client calls `asked`."""
        known = self._sent.get(asked)
        if known is not None:
            return known
        fine = _ACCEPTED.fullmatch(asked) is not None and self._owners.setdefault(asked, asked) == asked
        self._sent[asked] = name = asked if fine else self._made(asked)
        return name

    def renamed(self) -> dict[str, str]:
        """Name in chat -> the client's name, for those that differ."""
        return {sent: asked for asked, sent in self._sent.items() if sent != asked}

    def _made(self, asked: str) -> str:
        digest = hashlib.sha256(asked.encode("utf-8", "surrogatepass")).hexdigest()
        readable = _REFUSED.sub("_", asked[: 2 * LONGEST]).strip("_") or "tool"
        for length in range(_HASH, LONGEST - 1):
            name = f"{readable[: LONGEST - 1 - length]}_{digest[:length]}"
            if self._owners.setdefault(name, asked) == asked:
                return name
        return digest
