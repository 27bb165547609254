"""Host and path -> profile, endpoint and where the request goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

from addon import profiles
from addon.exchange import Endpoint
from addon.option_values import BaseUrl
from addon.options import Settings
from addon.scope import canonical

_ENDPOINTS: Mapping[str, Endpoint] = MappingProxyType({"/chat/completions": "chat", "/embeddings": "embeddings"})
_NOT_YET = ("/responses", "/messages")
"""Ends of paths of APIs that these hosts have or might have, and that are not repaired (yet)."""


_KEPT_ROUTES = 256
"""Routes remembered: clients ask for the same few paths over and over."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a request is going: its URL in parts; `path` with its query."""

    scheme: str
    host: str
    port: int
    path: str


@dataclass(frozen=True, slots=True)
class Route:
    """What becomes of a request to a known host."""

    profile: str
    """The name of the profile that its body is held against."""
    endpoint: Endpoint | None
    """`None`: the body is not touched."""
    base_url: str
    """The base URL of the addon's own calls for this request (vision, embedding batches)."""
    address: Address
    """Where it goes now."""
    rerouted: bool
    """It leaves for another base URL than the client addressed."""
    successors: bool
    """It leaves for another profile than the client addressed: model ids that are retired there are mapped."""
    not_yet: bool
    """A call of an API that is not repaired yet: worth a line in the log."""


class Routes:
    """The known hosts and where their requests go, for one set of options."""

    def __init__(self, settings: Settings) -> None:
        given = {host: name or settings.profile or "hunyuan" for host, name in settings.hosts.items()}
        self._profiles = {**profiles.host_profiles(), **given}
        self._profile = settings.profile
        self._upstream = settings.upstream
        self.hosts: frozenset[str] = frozenset(self._profiles)
        """Every host whose connections are decrypted."""
        self.route = lru_cache(_KEPT_ROUTES)(self._route)

    def known(self, host: str | None) -> bool:
        """Whether requests to `host` are this addon's business."""
        return host is not None and canonical(host) in self.hosts

    def _route(self, method: str, address: Address, sni: str | None = None) -> Route | None:
        """The route of a request to `address`, `None` for one that is none of this addon's business.

        `sni` is the name that the client gave in its TLS handshake: a client that resolves names itself opens
        its connection to an IP address.
        """
        host = next((name for name in (address.host, sni) if name and self.known(name)), None)
        if host is None:
            return None
        path, question, query = address.path.partition("?")
        api = next((end for end in _ENDPOINTS if path.endswith(end)), None)
        base = BaseUrl(
            "http" if address.scheme == "http" else "https",
            canonical(host),
            address.port,
            path.removesuffix(api) if api else "",
        )
        rerouted = self._upstream is not None and self._origin(self._upstream) != self._origin(base)
        if self._upstream is not None and rerouted:
            base = self._upstream
            address = Address(
                base.scheme, base.host, base.port, base.path + (api or _below_version(path)) + question + query
            )
        addressed = self._profiles[canonical(host)]
        profile = self._profile or self._profiles.get(base.host, addressed)
        return Route(
            profile=profile,
            endpoint=_ENDPOINTS[api] if api and method == "POST" else None,
            base_url=str(base),
            address=address,
            rerouted=rerouted,
            successors=rerouted and profile != addressed,
            not_yet=method == "POST" and (path.endswith(_NOT_YET) or "/anthropic" in path),
        )

    @staticmethod
    def _origin(base: BaseUrl) -> tuple[str, str, int]:
        return base.scheme, base.host, base.port


def _below_version(path: str) -> str:
    """`path` without the version that a base URL ends with: `/v1/models` -> `/models`."""
    return path.removeprefix("/v1") if path == "/v1" or path.startswith("/v1/") else path
