"""Wrong tokens and links, by the address that they come from: after some, that address has to wait."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable

MOST = 10
"""Failures in `WINDOW` seconds after which an address is refused unheard."""
WINDOW = 60.0
_MOST_ADDRESSES = 1000
"""Addresses whose failures are known. A further one takes the place of the one that failed first."""


class Failures:
    """The failures of each address. `clock`: seconds that only grow."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[str, tuple[float, int]] = {}
        """Network of the address -> when its window began, failures since."""

    def wait(self, peer: str) -> float:
        """Seconds for which requests with credentials from `peer` are refused; 0: they are heard."""
        began, count = self._known.get(_network(peer), (0.0, 0))
        left = began + WINDOW - self._clock()
        return left if count >= MOST and left > 0 else 0.0

    def add(self, peer: str) -> bool:
        """Count a failure. Whether it is the one from which on its address has to wait."""
        network, now = _network(peer), self._clock()
        began, count = self._known.pop(network, (now, 0))
        if began + WINDOW <= now:
            began, count = now, 0
        while len(self._known) >= _MOST_ADDRESSES:
            del self._known[next(iter(self._known))]
        self._known[network] = (began, count + 1)
        return count + 1 == MOST


def _network(peer: str) -> str:
    """What counts as one address: of IPv6 the /64, which one machine has for itself."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
