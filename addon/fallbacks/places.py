"""Where an entry of a chain is, and whether the request's own key may go there. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from .. import vendors
from ..profiles import by_host
from ..route import Address, Route, Routes, RouteSettings, Translate
from ..vendors import Vendors
from ..wire import paths
from ..wire.host_names import canonical, is_loopback
from .chains import Entry


class Places:
    """The routes of entries, under the user's options: `hosts` is `hunyuan_hosts`, `translate` `hunyuan_translate`.

    `hunyuan_upstream` and `hunyuan_profile` are for the endpoints that clients call; an entry is where it says.
    """

    def __init__(self, hosts: Mapping[str, str | None], translate: Translate) -> None:
        self._hosts = hosts
        self._translate = translate
        self.route = lru_cache(256)(self._route)

    def _route(self, entry: Entry, api: str) -> Route | None:
        """The route of a request for `api` (`/chat/completions`) to `entry`; `None` where it has no such API."""
        base = entry.base
        assert base is not None  # noqa: S101 - the request's own endpoint has its route
        host = canonical(base.host)
        named = {} if host in by_host() else {host: entry.profile or self._hosts.get(host)}
        routes = Routes(RouteSettings(hosts=named, translate=self._translate))
        return routes.route("POST", Address(base.scheme, base.host, base.port, base.path + api))


def keeps_key(at: Address, to: Address) -> bool:
    """Whether the key of a request that goes to the address `at` may go to `to` in its place.

    To the same server it may. To another one only where both are hosts of one vendor by what the project knows: no
    option makes a host a vendor's, and a server of the user's own has customers of its own.
    """
    if (at.scheme, canonical(at.host), at.port) == (to.scheme, canonical(to.host), to.port):
        return True
    here, there = canonical(at.host), canonical(to.host)
    if to.scheme != "https" or is_loopback(here) or is_loopback(there):
        return False
    if not (vendors.is_a_vendors(here) and vendors.is_a_vendors(there)):
        return False
    return Vendors().of(here, _path(at)) == Vendors().of(there, _path(to))


def takes_none(to: Address) -> bool:
    """Whether a request may go to `to` without a key: a server that is no vendor's may need none."""
    return not vendors.is_a_vendors(canonical(to.host))


def _path(address: Address) -> str:
    return paths.normal(address.path.partition("?")[0])
