"""hunyuan-fix: repairs LLM requests to Tencent Hunyuan, TokenHub and others, as a mitmproxy addon or by `repair`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .repaired import Repaired as Repaired
    from .repaired import repair as repair

__all__ = ["Repaired", "repair"]


def __getattr__(name: str) -> object:
    """`repair` and `Repaired`, loaded when they are first used: commands start without them."""
    if name in __all__:
        from . import repaired  # noqa: PLC0415

        return getattr(repaired, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
