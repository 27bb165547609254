"""Host and path -> profile, dialect and where the request goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from . import dialects, profiles
from .config import values as read
from .config.option import option
from .config.values import BaseUrl
from .wire import paths
from .wire.host_names import canonical, one_name

_KEPT_ROUTES = 256
"""Routes kept in the cache: clients use the same few paths again and again."""


def _upstream(text: str) -> BaseUrl:
    url = read.base_url(text)
    if paths.read(url.path, dialects.paths())[1] not in (None, paths.MODELS):
        raise ValueError(f"accepted is {read.BASE_URL}, without the path of one API")
    return url


@dataclass(frozen=True)
class RouteSettings:
    """The hosts that are known, and where their requests go."""

    hosts: Mapping[str, str | None] = option(
        "",
        "More hosts to repair requests for: host or host=profile, comma separated. Needed in reverse mode in "
        "front of something local, e.g. 127.0.0.1=hunyuan.",
        read.hosts,
    )
    """Host -> profile name; `None` if only the host was given."""
    profile: str | None = option(
        "",
        "One profile for all hosts: hunyuan (the strict legacy endpoint) or tokenhub (its successor). Default: "
        "the profile of the host that is called.",
        read.optional(read.profile),
    )
    upstream: BaseUrl | None = option(
        "",
        "Send what clients address to a known host to this base URL instead, e.g. "
        "https://tokenhub.tencentmaas.com/v1, under that host's profile; retired model ids are mapped.",
        read.optional(_upstream),
    )


class Address(NamedTuple):
    """Where a request is going: its URL in parts; `path` with its query."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Route:
    """Where a request to a known host goes, and how it is handled."""

    profile: str
    """The name of the profile that its body must satisfy."""
    dialect: str | None
    """What the client speaks. `None`: the body is not touched."""
    base_url: str
    """The base URL of the addon's own calls for this request (vision, embedding batches)."""
    address: Address
    """The address to send it to. Its host is the one name under which the endpoint is known."""
    rerouted: bool
    """It leaves for another base URL than the client addressed."""
    successors: bool
    """It leaves for another profile than the client addressed: model ids that are retired there are mapped."""
    unrepaired: bool
    """A call of an API that isn't repaired, or an unknown path: worth a line in the log."""
    lists_models: bool = False
    """It asks for the list of models."""
    respelt: bool = False
    """The client spelt the path in another way than the endpoint knows it."""


class Routes:
    """The known hosts and where their requests go, for one set of options."""

    def __init__(self, settings: RouteSettings) -> None:
        self._given = {host: name or settings.profile or "hunyuan" for host, name in settings.hosts.items()}
        self._profile = settings.profile
        self._upstream = settings.upstream
        self.hosts: frozenset[str] = frozenset([*profiles.by_host(), *self._given])
        """Every host whose connections are decrypted."""
        self.route = lru_cache(_KEPT_ROUTES)(self._route)

    def known(self, host: str | None) -> bool:
        """Whether requests to `host` are this addon's business."""
        return host is not None and canonical(host) in self.hosts

    def trusts(self, host: str | None) -> bool:
        """Whether `host` is a known host or the host of `hunyuan_upstream`: requests to known hosts go there."""
        return self.known(host) or (host is not None and self._upstream is not None and host == self._upstream.host)

    def _route(self, method: str, address: Address, sni: str | None = None, sent: tuple[str, ...] = ()) -> Route | None:
        """The route of a request to `address`; `None` for a request that the addon leaves alone.

        It leaves a request alone if the host is unknown, if the path is below none of the paths that the host's
        profiles name, or if the client has named two hosts: one of them would get the key that is meant for the other.
        `sni` is the name in the client's TLS handshake, `sent` its `Host` and `:authority`.
        """
        host = one_name(address.host, sni, sent)
        if host is None or host not in self.hosts:
            return None
        path, question, query = address.path.partition("?")
        addressed = self._profile_at(host, path)
        if addressed is None:
            return None
        below, api = paths.read(path, dialects.paths())
        base = BaseUrl("http" if address.scheme == "http" else "https", host, address.port, below)
        respelt = api is not None and below + api != path
        rerouted = self._upstream is not None and self._origin(self._upstream) != self._origin(base)
        path = below + api if api else path
        profile = self._profile or addressed
        if self._upstream is not None and rerouted:
            base = self._upstream
            path = base.path + (api or _below_version(path))
            profile = self._profile or self._profile_at(base.host, path) or addressed
        dialect = dialects.of_path(api) if api and method == "POST" else None
        own_base = profiles.load(profile).base
        if dialect and not dialects.DIALECTS[dialect].is_house and own_base is not None and not rerouted:
            base = replace(base, path=own_base)
        return Route(
            profile=profile,
            dialect=dialect,
            lists_models=api == paths.MODELS and method == "GET",
            base_url=str(base),
            address=Address(base.scheme, base.host, base.port, path + question + query),
            respelt=respelt,
            rerouted=rerouted,
            successors=rerouted and profile != addressed,
            unrepaired=method == "POST" and dialect is None,
        )

    def _profile_at(self, host: str, path: str) -> str | None:
        """The profile of requests to `path` at `host`. A host of `hunyuan_hosts` has one for all its paths."""
        found = self._given.get(host) or profiles.at(host, paths.normal(path))
        return found or (self._profile if host in self.hosts else None)

    @staticmethod
    def _origin(base: BaseUrl) -> tuple[str, str, int]:
        return base.scheme, base.host, base.port


def _below_version(path: str) -> str:
    """`path` without the version that a base URL ends with: `/v1/models` -> `/models`."""
    return path.removeprefix("/v1") if path == "/v1" or path.startswith("/v1/") else path


def api_path(target: str, base_url: str, api: str) -> str:
    """The request target for `api` below `base_url`, with the query of `target`."""
    below = "/" + base_url.partition("://")[2].partition("/")[2]
    return below.rstrip("/") + api + "".join(target.partition("?")[1:])
