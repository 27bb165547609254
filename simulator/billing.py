"""What the endpoint bills: the tokens of each answer that it has made, by model. Nothing of the proxy's counts here."""

from collections import Counter
from dataclasses import dataclass, field

from .rows import Json

KINDS = ("input", "cached", "written", "output", "reasoning")


@dataclass(frozen=True, slots=True)
class Bill:
    """What one answer costs, as its `usage` says."""

    model: str
    usage: Json

    def tokens(self) -> dict[str, int]:
        """By kind. Cached ones and those written to the cache are part of the input, reasoning part of the output."""
        usage = self.usage
        if "prompt_tokens" in usage:
            inside = usage.get("prompt_tokens_details") or {}
            cached = inside.get("cached_tokens", usage.get("cached_tokens", usage.get("prompt_cache_hit_tokens", 0)))
            whole, written, made = usage["prompt_tokens"], 0, usage.get("completion_tokens", 0)
            thought = (usage.get("completion_tokens_details") or {}).get("reasoning_tokens", 0)
        elif "total_tokens" in usage:  # Responses
            inside = usage["input_tokens_details"]
            cached, written = inside["cached_tokens"], inside["cache_write_tokens"]
            whole, made = usage["input_tokens"], usage["output_tokens"]
            thought = usage["output_tokens_details"]["reasoning_tokens"]
        else:  # Messages: the cache's are counted beside the rest of the input
            cached, written = usage["cache_read_input_tokens"], usage["cache_creation_input_tokens"]
            whole, made, thought = usage["input_tokens"] + cached + written, usage["output_tokens"], 0
        return dict(zip(KINDS, (whole, cached, written, made, thought), strict=True))


@dataclass(slots=True)
class Billing:
    """The sums since the last reset: of answers that were sent to their end, and of those that broke off."""

    ended: dict[str, Counter[str]] = field(default_factory=dict)
    unfinished: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, bill: Bill, *, ended: bool) -> None:
        """Add an answer."""
        sums = self.ended if ended else self.unfinished
        sums.setdefault(bill.model, Counter()).update(bill.tokens() | {"calls": 1})

    def reset(self) -> None:
        """Forget all."""
        self.ended.clear()
        self.unfinished.clear()

    def as_json(self) -> Json:
        """As `/_sim/usage` shows them: by model, `calls` and the tokens of each kind."""
        return {
            name: {model: dict(counts) for model, counts in sums.items()}
            for name, sums in (("ended", self.ended), ("unfinished", self.unfinished))
        }
