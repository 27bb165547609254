"""Thinking models with a contract on their reasoning: Kimi and DeepSeek (docs/facts/kimi.md#models)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Thinker:
    """What one model takes.

    `control`: `thinking` is an object that switches it, thinking is `always` on, it is set by `reasoning_effort`
    alone, or there is none. `keep`: the object may have the field `keep`. `replay`: the assistant messages whose
    reasoning must come back while it thinks. `empty_counts`: an empty text is reasoning. `fixed`: the only values
    of the sampling parameters, `None` if they are free; `temperatures`: the only one with and without thinking.
    `kimi`: while it thinks, `tool_choice` may not demand a call, and its temperature is at most 1. `at_moonshot`: its
    maker serves it, with limits on `stop` and on bytes, and schemas of tools must be moonshot flavored. `default`: it
    thinks where a request says nothing.
    """

    id: str
    context: int
    control: Literal["thinking", "always", "effort", "none"]
    keep: bool = False
    replay: Literal["calls", "all", "none"] = "calls"
    empty_counts: bool = True
    fixed: Mapping[str, Any] | None = None
    temperatures: tuple[float, float] = (1.0, 0.6)
    images: bool = False
    kimi: bool = True
    at_moonshot: bool = False
    default: bool = True


_FIXED = {"top_p": 0.95, "n": 1, "presence_penalty": 0, "frequency_penalty": 0}
_K = 262_144
_V1 = {"8k": 8_192, "32k": 32_768, "128k": 131_072, "auto": 131_072}

_KIMI = (
    Thinker("kimi-k3", 1_048_576, "effort", replay="all", fixed=_FIXED, images=True),
    *(
        Thinker(name, _K, "always", keep=True, replay="all", fixed=_FIXED, images=True)
        for name in ("kimi-k2.7-code", "kimi-k2.7-code-highspeed")
    ),
    Thinker("kimi-k2.6", _K, "thinking", keep=True, empty_counts=False, fixed=_FIXED, images=True),
    Thinker("kimi-k2.5", _K, "thinking", fixed=_FIXED, images=True),
    *(Thinker(name, _K, "always") for name in ("kimi-k2-thinking", "kimi-k2-thinking-turbo")),
    *(
        Thinker(name, _K, "none", replay="none")
        for name in ("kimi-k2-0711-preview", "kimi-k2-0905-preview", "kimi-k2-turbo-preview")
    ),
    *(Thinker(f"moonshot-v1-{size}", context, "none", replay="none") for size, context in _V1.items()),
    *(
        Thinker(f"moonshot-v1-{size}-vision-preview", context, "none", replay="none", images=True)
        for size, context in _V1.items()
        if size != "auto"
    ),
)

KIMI = tuple(replace(model, at_moonshot=True) for model in _KIMI)

# The coding host's ids stand for kimi-k2.7-code: what it demands is inferred from that.
CODING = tuple(
    Thinker(name, _K, "always", keep=True, replay="all", fixed=_FIXED, images=True, at_moonshot=True)
    for name in ("kimi-for-coding", "kimi-for-coding-highspeed")
)

# Whether schemas reach Moonshot's validator by zenmux isn't known: a difference (`Variant`) says that they do.
ZENMUX = tuple(
    replace(model, id=f"moonshotai/{model.id.removesuffix('-preview')}")
    for model in _KIMI
    if model.id.startswith("kimi-")
)

DEEPSEEK = (
    Thinker("deepseek-v4-pro", 1_000_000, "thinking", replay="all", empty_counts=False, kimi=False),
    Thinker("deepseek-v4-flash", 1_000_000, "thinking", replay="all", kimi=False),
    Thinker("deepseek-v3.2", 131_072, "thinking", kimi=False, default=False),
    Thinker("deepseek-chat", 131_072, "none", replay="none", kimi=False),
    Thinker("deepseek-reasoner", 131_072, "always", kimi=False),
)

BY_ID: Mapping[str, Thinker] = {model.id: model for model in (*KIMI, *CODING, *ZENMUX, *DEEPSEEK)}


def thinks(body: Mapping[str, Any], model: Thinker) -> bool:
    """Whether the model thinks before it answers `body`, a request of chat or of Messages."""
    if model.control != "thinking":
        return model.control != "none"
    # An aggregator has a switch of its own for models of all makers.
    relayed = body.get("reasoning") if "/" in model.id else None
    if isinstance(relayed, dict) and relayed.get("enabled") is False:
        return False
    given = body.get("thinking")
    if "/" in model.id and isinstance(asked := body.get("reasoning"), dict) and asked.get("enabled") is False:
        return False  # the aggregator's own switch
    return given.get("type") != "disabled" if isinstance(given, dict) else model.default
