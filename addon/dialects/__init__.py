"""The dialects: wire formats that clients and upstreams speak. Routes, lint, views and log lines use these tables."""

from __future__ import annotations

from collections.abc import Mapping

from ..exchange import Response
from .anthropic import Anthropic
from .anthropic.api import AnthropicApi
from .anthropic.count_tokens import CountTokens
from .anthropic.native import NativeMessages
from .base import AnswerReader, Api, Dialect, NativeDialect, UpstreamDialect
from .chat import Chat, ChatUpstream
from .embeddings import Embeddings

NATIVE: Mapping[str, NativeDialect] = {dialect.name: dialect for dialect in (NativeMessages(Anthropic()),)}
"""What clients speak where endpoints speak it themselves, but not all of it, by name."""

_ALL: tuple[Dialect, ...] = (
    Chat(),
    Embeddings(),
    Anthropic(),
    CountTokens(Anthropic()),
    *NATIVE.values(),
)
DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in _ALL}
"""What clients speak, by name."""

APIS: Mapping[str, Api] = {api.dialect: api for api in (AnthropicApi(),)}
"""What else clients ask for, by the name of their dialect."""

UPSTREAM_DIALECTS: Mapping[str, UpstreamDialect] = {"openai": ChatUpstream()}
"""What upstreams speak, by the name that a profile's `dialect` gives."""


def reader(name: str) -> AnswerReader:
    """What reads the answers in the format `name`, of an upstream or of an endpoint that speaks a client's."""
    return NATIVE[name].reader if name in NATIVE else UPSTREAM_DIALECTS[name]


def paths() -> tuple[str, ...]:
    """The ends of the paths of all requests that are repaired, below a base URL."""
    return tuple(path for dialect in DIALECTS.values() for path in dialect.paths)


def foreign() -> frozenset[str]:
    """The names of the dialects that are not the house language, and of those whose other APIs are known."""
    return frozenset([*APIS, *(name for name, dialect in DIALECTS.items() if not dialect.is_house)])


def native(name: str) -> str | None:
    """The name of the dialect `name` where the endpoint speaks it itself; `None` where it is passed unchanged there."""
    return f"{name}-native" if f"{name}-native" in NATIVE else None


def is_another_vendors(name: str) -> bool:
    """Whether the dialect `name` is neither chat nor embeddings, translated or not."""
    return name in NATIVE or not DIALECTS[name].is_house


def of_path(api: str) -> str | None:
    """The name of the dialect whose requests go to a path that ends with `api`."""
    return next((dialect.name for dialect in DIALECTS.values() if api in dialect.paths), None)


def api_of(headers: Mapping[str, str]) -> Api | None:
    """The API whose client sends `headers`; `None` where they don't tell."""
    return next((api for api in APIS.values() if api.is_client(headers)), None)


def answered_here(method: str, path: str) -> Response | None:
    """The answer to a request that no endpoint has to see; `None` for any other. `path`: without its query."""
    return next((answer for api in APIS.values() if (answer := api.answer(method, path)) is not None), None)
