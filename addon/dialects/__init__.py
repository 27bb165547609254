"""The dialects: wire formats that clients and upstreams speak. Routes, lint, views and the log read these tables."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .base import Dialect, UpstreamDialect
from .chat import Chat, ChatUpstream
from .embeddings import Embeddings

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        dialect.name: dialect
        for dialect in (
            Chat(),
            Embeddings(),
        )
    }
)
"""What clients speak, by name."""

UPSTREAM_DIALECTS: Mapping[str, UpstreamDialect] = MappingProxyType({"openai": ChatUpstream()})
"""What upstreams speak, by the name that a profile's `dialect` gives."""


def of_path(api: str) -> str | None:
    """The name of the dialect whose requests go to a path that ends with `api`."""
    return next((dialect.name for dialect in DIALECTS.values() if api in dialect.paths), None)
