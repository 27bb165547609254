"""Where an entry of a chain is, and whether the request's own key may go there. Pure."""

from __future__ import annotations

from functools import lru_cache

from .. import profiles, vendors
from ..config.values import BaseUrl
from ..route import Address, Route, Routes, RouteSettings
from ..vendors import Vendors
from ..wire import paths
from ..wire.host_names import canonical, is_loopback


class Places:
    """The routes to the endpoints of entries, under the user's options.

    `hunyuan_upstream` and `hunyuan_profile` are for the endpoints that clients call; an entry's is where it says.
    """

    def __init__(self, settings: RouteSettings) -> None:
        self._settings = settings
        self._known = Routes(RouteSettings(hosts=settings.hosts, translate=settings.translate))
        self.route = lru_cache(256)(self._route)

    def _route(self, base: BaseUrl, profile: str, api: str) -> Route | None:
        """The route of a request for `api` (`/chat/completions`) to the endpoint at `base`; `None`: it has no such API.

        `profile`: the name of its profile; `""`: what is known of its host and path.
        """
        host, routes = canonical(base.host), self._known
        if profile or host not in profiles.by_host():
            named = {host: profile or self._known.endpoint(base).profile}
            routes = Routes(RouteSettings(hosts=named, translate=self._settings.translate))
        return routes.route("POST", Address(base.scheme, base.host, base.port, base.path + api))


def keeps_key(at: Address, to: Address) -> bool:
    """Whether the key of a request that goes to the address `at` may go to `to` in its place.

    To the same server it may. To another one only where both are hosts of one vendor by what the project knows: no
    option makes a host a vendor's, and a server of the user's own has customers of its own.
    """
    here, there = canonical(at.host), canonical(to.host)
    if (at.scheme, here, at.port) == (to.scheme, there, to.port):
        return True
    if to.scheme != "https" or is_loopback(here) or is_loopback(there):
        return False
    if not (vendors.is_a_vendors(here) and vendors.is_a_vendors(there)):
        return False
    return Vendors().of(here, _path(at)) == Vendors().of(there, _path(to))


def _path(address: Address) -> str:
    return paths.normal(address.path.partition("?")[0])
