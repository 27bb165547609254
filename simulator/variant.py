"""What one endpoint does otherwise than its profile's documents say; for tests of what finds that out, or mends it."""

from collections.abc import Collection
from dataclasses import dataclass

DIFFERENCES = frozenset(
    {
        "adaptive-refused",
        "cache-key-refused",
        "developer-taken",
        "effort-refused",
        "empty-reasoning-refused",
        "fixed-temperature",
        "mfjs-lite",
        "mfjs-strict",
        "named-choice-refused",
        "reasoning-needless",
        "reasoning-required",
        "required-choice-refused",
        "thinking-always",
        "unknown-refused",
    }
)
"""Names of what may differ, as `--but NAME` takes them."""


@dataclass(frozen=True, slots=True)
class Variant:
    """How an endpoint differs.

    `reasoning_field`: the field of a message that reasoning is read from and written into. `deepseek_words`: missing
    reasoning is refused in DeepSeek's words. `repeating_ids`: the ids of tool calls count from 0 in each answer.
    `usage`: where a stream has its counts: in the last choice and, where they are asked for, in a chunk of their own
    (`auto`), or only one of both. `leaks`: what comes as text: tool calls as the model's own template, thoughts as
    `<think>`. `intl`: a plan's international host. `differs`: names out of `DIFFERENCES`.
    """

    reasoning_field: str = "reasoning_content"
    deepseek_words: bool = False
    repeating_ids: bool = False
    usage: str = "auto"
    leaks: frozenset[str] = frozenset()
    intl: bool = False
    differs: frozenset[str] = frozenset()


DOCUMENTED = Variant()
"""The endpoint as its documents say."""


def differs(names: Collection[str]) -> frozenset[str]:
    """The names as a set. Raises ValueError for one that there isn't."""
    if unknown := set(names) - DIFFERENCES:
        raise ValueError(f"unknown difference {sorted(unknown)[0]!r}; known: {', '.join(sorted(DIFFERENCES))}")
    return frozenset(names)
