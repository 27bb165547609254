"""Which parts of Anthropic's Messages an endpoint takes (docs/facts/anthropic.md#facades)."""

from collections.abc import Collection
from dataclasses import dataclass

from .rows import THINKERS, ProfileName

HINTS = frozenset(
    {
        "betas",
        "cache_ttl",
        "context_management",
        "defer_loading",
        "files",
        "output_config",
        "server_tools",
        "system_messages",
        "thinking.adaptive",
        "thinking.display",
        "tool_hints",
    }
)
"""The parts of Messages that endpoints of other vendors are known to refuse."""


@dataclass(frozen=True, slots=True)
class Facade:
    """An endpoint's Messages API: the profile whose models it has, the hints that it takes, the words it refuses with.

    `anthropic_words`: it refuses in the words of Anthropic's API, on some of which Claude Code leaves out what was
    refused. Else in its vendor's.
    """

    profile: ProfileName
    takes: frozenset[str] = frozenset()
    anthropic_words: bool = False


_KIMI = HINTS - {"defer_loading", "files", "server_tools", "system_messages"}


def usual(profile: ProfileName) -> frozenset[str]:
    """The hints that a profile's endpoint takes: TokenHub's is strict, Kimi's takes most of Claude Code's."""
    return _KIMI if profile in THINKERS else frozenset()


def takes(names: Collection[str]) -> frozenset[str]:
    """The hints of these names, `all` for every one. Raises ValueError for one that there isn't."""
    if unknown := set(names) - HINTS - {"all"}:
        raise ValueError(f"unknown hint {sorted(unknown)[0]!r}; known: all, {', '.join(sorted(HINTS))}")
    return HINTS if "all" in names else frozenset(names)
