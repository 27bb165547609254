"""Fallbacks: the other models and endpoints that a request may go to where its own can't answer (`hunyuan_fallbacks`).

Pure: `chains` reads the option, `places` knows where an entry is and whose key it may get, `reasons` which failures
another entry may make good. What tries them is in `relay.call`, what prepares a request for one in `hooks.fallback`.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..config.option import option
from .chains import Chains, chains


@dataclass(frozen=True)
class FallbackSettings:
    """The chains."""

    fallbacks: Chains = option(
        "",
        "Other models and endpoints for requests that fail before their first byte: hy3>hy3-preview>moonshot:kimi-k2.6 "
        "is one chain, commas stand between several. First the model (* for any text), then model, provider:model or "
        "base-URL:model. Off: empty.",
        chains,
    )
