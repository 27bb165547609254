"""The dialects: wire formats that clients and upstreams speak. Routes, lint, views and log lines use these tables."""

from __future__ import annotations

from collections.abc import Mapping

from ..exchange import Exchange, Response
from ..wire import rule_names
from .anthropic import Anthropic
from .anthropic.api import AnthropicApi
from .anthropic.count_tokens import CountTokens
from .anthropic.native import NativeMessages
from .anthropic.upstream import AnthropicUpstream
from .base import AnswerReader, Api, Dialect, NativeDialect, UpstreamDialect
from .chat import Chat, ChatUpstream
from .embeddings import Embeddings
from .responses import Responses, by_id
from .responses.api import ResponsesApi
from .responses.by_id import KeptResponses
from .responses.compact import Compact
from .responses.input_tokens import InputTokens
from .responses.native import NativeResponses
from .tencent_cloud import client_api
from .tencent_cloud.client import TencentCloud, TencentEmbedding, TencentTokenCount
from .tencent_cloud.client_api import TencentCloudApi
from .tencent_cloud.upstream import TencentCloudUpstream

_NATIVE: tuple[NativeDialect, ...] = (NativeMessages(Anthropic()), NativeResponses(Responses()))
NATIVE: Mapping[str, NativeDialect] = {dialect.name: dialect for dialect in _NATIVE}
"""What clients speak where endpoints speak it themselves, but not all of it, by name."""

_ALL: tuple[Dialect, ...] = (
    Chat(),
    Embeddings(),
    Anthropic(),
    CountTokens(Anthropic()),
    Responses(),
    Compact(Responses()),
    InputTokens(Responses()),
    KeptResponses(Responses()),
    TencentCloud(),
    TencentEmbedding(),
    TencentTokenCount(),
    *NATIVE.values(),
)
DIALECTS: Mapping[str, Dialect] = {dialect.name: dialect for dialect in _ALL}
"""What clients speak, by name."""

APIS: Mapping[str, Api] = {api.dialect: api for api in (AnthropicApi(), ResponsesApi(), TencentCloudApi())}
"""What else clients ask for, by the name of their dialect."""

HOUSE = "openai"
UPSTREAM_DIALECTS: Mapping[str, UpstreamDialect] = {
    HOUSE: ChatUpstream(),
    "anthropic": AnthropicUpstream(),
    "tencent_cloud": TencentCloudUpstream(),
}
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


def format_of(exchange: Exchange) -> str:
    """The format that a request leaves in: that of its client where the endpoint speaks it, else chat."""
    return exchange.spoken if exchange.dialect in NATIVE else Chat.name


def is_another_vendors(name: str) -> bool:
    """Whether the dialect `name` is neither chat nor embeddings, translated or not."""
    return name in NATIVE or not DIALECTS[name].is_house


def of_call(method: str, api: str) -> str | None:
    """The name of the dialect whose requests go to a path that ends with `api`, by `method`."""
    if method not in by_id.METHODS.get(api, ("POST",)):
        return None
    return next((dialect.name for dialect in DIALECTS.values() if api in dialect.paths), None)


def of_headers(host: str, target: str, headers: Mapping[str, str]) -> str | None:
    """The name of the dialect of a request whose headers say what it asks for; `None` where its path does.

    `target`: its path with its query.
    """
    return client_api.dialect_of(host, target, headers)


SIGNED: frozenset[str] = frozenset(
    [rule_names.TENCENT_CLOUD, rule_names.TENCENT_CLOUD_EMBEDDING, rule_names.TENCENT_CLOUD_TOKEN_COUNT]
)
"""The dialects whose requests are signed by their clients, and whose errors have the status 200."""


def of_format(name: str) -> str:
    """The dialect that an endpoint must speak to take requests of the dialect `name` as they are.

    What a client asks for by id is at the endpoint that gave the id, and a summary is for its own eyes.
    """
    if name in SIGNED:
        return rule_names.TENCENT_CLOUD
    return rule_names.RESPONSES if name in (rule_names.RESPONSES_KEPT, rule_names.RESPONSES_COMPACT) else name


def api_of(headers: Mapping[str, str]) -> Api | None:
    """The API whose client sends `headers`; `None` where they don't tell."""
    return next((api for api in APIS.values() if api.is_client(headers)), None)


def answered_here(method: str, path: str) -> Response | None:
    """The answer to a request that no endpoint has to see; `None` for any other. `path`: without its query."""
    return next((answer for api in APIS.values() if (answer := api.answer(method, path)) is not None), None)
