"""The dialects: wire formats that clients and upstreams speak. Routes, lint, views and log lines use these tables."""

from __future__ import annotations

from collections.abc import Mapping

from .base import Dialect, UpstreamDialect
from .chat import Chat, ChatUpstream
from .embeddings import Embeddings

DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect
    for dialect in (
        Chat(),
        Embeddings(),
    )
}
"""What clients speak, by name."""

UPSTREAM_DIALECTS: Mapping[str, UpstreamDialect] = {"openai": ChatUpstream()}
"""What upstreams speak, by the name that a profile's `dialect` gives."""


def paths() -> tuple[str, ...]:
    """The ends of the paths of all requests that are repaired, below a base URL."""
    return tuple(path for dialect in DIALECTS.values() for path in dialect.paths)


def of_path(api: str) -> str | None:
    """The name of the dialect whose requests go to a path that ends with `api`."""
    return next((dialect.name for dialect in DIALECTS.values() if api in dialect.paths), None)
