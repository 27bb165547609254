"""mitmproxy's own options, read without knowing which of its parts are loaded."""

from __future__ import annotations

from mitmproxy import ctx


def option(name: str) -> object:
    """The value of an option of mitmproxy's, `None` where the part that declares it isn't loaded."""
    return getattr(ctx.options, name) if name in ctx.options else None
