"""Counts since the start: what `hunyuan.stats` shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from ..exchange import Exchange


@dataclass(slots=True)
class Statistics:
    """Counts of exchanges that have ended."""

    exchanges: int = 0
    rewritten: int = 0
    observed: int = 0
    """Exchanges under `hunyuan_mode=observe`."""
    vision_calls: int = 0
    cached: int = 0
    """Images described without a call."""
    milliseconds: float = 0.0
    """Spent by the addon, waiting for vision calls included."""
    queued: float = 0.0
    """Milliseconds spent waiting for a slot."""
    tokens: int = 0
    """Used, as answers said."""
    rules: Counter[str] = field(default_factory=Counter)
    """Rule -> exchanges in which it changed something."""
    would: Counter[str] = field(default_factory=Counter)
    """The same for observed exchanges, in which it would have."""

    def count(self, exchange: Exchange) -> None:
        """Add an exchange that has ended."""
        self.exchanges += 1
        observed = exchange.mode == "observe"
        self.observed += observed
        self.rewritten += bool(exchange.rules) and not observed
        self.milliseconds += exchange.milliseconds
        self.queued += exchange.queued
        self.tokens += exchange.tokens
        if observed:
            self.would.update(exchange.rules)
            return
        self.vision_calls += exchange.vision_calls
        self.cached += exchange.cached
        self.rules.update(exchange.rules)

    def text(self, failures: int, more: Iterable[str] = ()) -> str:
        """The counts as lines; `failures` are exceptions in the addon itself, `more` lines stand before the rules."""
        lines = [
            f"exchanges {self.exchanges}, rewritten {self.rewritten}, observed {self.observed}",
            f"images: {self.vision_calls} vision calls, {self.cached} described without one",
            f"addon: {self.milliseconds:.0f} ms in all, {failures} failures",
            f"queue: {self.queued:.0f} ms in all; tokens used: {self.tokens}",
            *more,
        ]
        lines += [f"  {rule} {count}" for rule, count in self.rules.most_common()]
        lines += [f"  would apply {rule} {count}" for rule, count in self.would.most_common()]
        return "\n".join(lines)
