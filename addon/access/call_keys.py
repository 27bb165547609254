"""The key of a call of the addon's own to an endpoint that its client didn't name: a fallback, images, embeddings.

The client's own key is never sent there. The call goes with the destination's key in the file of `hunyuan_keys_file`,
else with the lent key where that is the destination's, and only for a client that may be lent a key (`keys.lend`). A
server on this machine that has no key is called without one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from .. import profiles
from ..config.values import BaseUrl
from ..exchange import Exchange
from ..profiles import Profile
from ..texts.terminal import say
from ..upstream import tc3
from ..upstream.server_clock import TC3
from ..upstream.transport import Transport
from ..vendors import HOME, Vendors, is_a_vendors
from ..wire import paths
from ..wire.host_names import canonical, is_loopback
from .cloud_key import CloudKey
from .keys import Destination, LentKey, Withheld, unsafe
from .provider_keys import ProviderKeys

logger = logging.getLogger("hunyuan_fix")

_USUAL_BASE = "/v1"
"""The path of a chat API's base URL, where its profile names none."""


class CallKeys:
    """The keys for such calls, under one set of options. `provider_keys`, `lent`, `cloud`: those in force."""

    def __init__(
        self,
        provider_keys: Callable[[], ProviderKeys] = ProviderKeys,
        lent: Callable[[], LentKey] = LentKey,
        cloud: Callable[[], CloudKey] = CloudKey,
    ) -> None:
        self._provider_keys = provider_keys
        self._lent = lent
        self._cloud = cloud
        self._upstream: BaseUrl | None = None
        self._transport = Transport()
        self._said: set[tuple[BaseUrl, Withheld]] = set()

    def configure(self, upstream: BaseUrl | None, transport: Transport) -> None:
        """Use these from the next call on. `upstream`: `hunyuan_upstream`, whose key the lent one is."""
        self._upstream, self._transport = upstream, transport
        self._said.clear()

    def authorization(self, base: BaseUrl, exchange: Exchange) -> str | Withheld:
        """The `Authorization` of calls for `exchange` to the endpoint at `base`; `""`: they go without a key.

        A key is noted in the exchange, so that its client never gets to see it. Or why the endpoint isn't to be called:
        that is logged once for each endpoint and reason.
        """
        found = self._found(base) if exchange.borrows else Withheld.CLIENT
        if isinstance(found, Withheld) and (base, found) not in self._said:
            self._said.add((base, found))
            said = say("{url} isn't called: it gets no key, since {why}", url=str(base), why=found.value)
            logger.warning("%s", said)
        elif isinstance(found, str) and found:
            exchange.use_key(found.removeprefix("Bearer "))
        return found

    def has_key(self, base: BaseUrl) -> bool:
        """Whether calls to the endpoint at `base` can be made, for a client that may be lent keys."""
        return not isinstance(self._found(base), Withheld)

    def base_of(self, profile: Profile) -> BaseUrl | None:
        """The base URL of chat calls to the endpoints of `profile`; `None` where it has no host.

        Of several hosts the first that has a key by a table of its own counts, then the first that has one at all.
        """
        bases = [
            BaseUrl("https", host, 443, profile.base or _USUAL_BASE)
            for host in dict.fromkeys(address.partition("/")[0] for address in profile.hosts)
        ]
        keys = self._provider_keys()
        of_their_own = (base for base in bases if keys.names_host(base.host))
        return next(of_their_own, None) or next(filter(self.has_key, bases), bases[0] if bases else None)

    def _found(self, base: BaseUrl) -> str | Withheld:
        here = is_loopback(base.host)
        named = self._provider_keys().key_for(base.host, base.port, base.path)
        signs = self._signs(base)
        if signs and named is not None and not tc3.is_native(named.key) and self._cloud().value:
            named = None  # one for all hosts of the vendor, which can't sign
        lent = self._cloud().value if signs else self._lent().value
        key = named.key if named is not None else (lent or "") if self._is_lent_for(base) else None
        if not key:
            if here and named is None:
                return ""
            return Withheld.UNNAMED if key is None else Withheld.UNSET if named is not None else Withheld.NONE
        to = Destination(
            on_this_machine=here and self._transport.proxy is None,
            encrypted=base.scheme == "https",
            verified=not self._transport.insecure,
            of_the_keys_vendor=True,
        )
        return unsafe(to) or f"Bearer {key}"

    @staticmethod
    def _signs(base: BaseUrl) -> bool:
        """Whether the endpoint at `base` wants requests signed with a SecretId and a SecretKey."""
        profile = profiles.at(canonical(base.host), paths.normal(base.path))
        return profile is not None and profiles.load(profile).signer == TC3

    def _is_lent_for(self, base: BaseUrl) -> bool:
        """Whether the lent key is for the endpoint at `base`.

        It is for that of `hunyuan_upstream`, or for the hosts of the upstream's vendor if it has one; without an
        upstream for Tencent's.
        """
        upstream, host = self._upstream, canonical(base.host)
        if upstream is not None and (base.scheme, host, base.port) == (
            upstream.scheme,
            canonical(upstream.host),
            upstream.port,
        ):
            return True
        if not is_a_vendors(host) or (upstream is not None and not is_a_vendors(canonical(upstream.host))):
            return False
        of = Vendors().of
        home = of(canonical(upstream.host), paths.normal(upstream.path)) if upstream is not None else HOME
        return of(host, paths.normal(base.path)) == home
