"""`HTTPS_PROXY` and `NO_PROXY` as programs read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self
from urllib.parse import urlsplit

from ...wire.host_names import is_loopback

PROXY_VARIABLES = ("https_proxy", "HTTPS_PROXY")
"""Where both are set, curl, Python and Node take the first."""
ALL = ("all_proxy", "ALL_PROXY")
"""For every scheme; not all programs read them."""
EXCEPTION_VARIABLES = ("no_proxy", "NO_PROXY")


@dataclass(frozen=True, slots=True)
class ProxyAddress:
    """The address in a proxy variable. `str` shows it without user and password."""

    scheme: str
    host: str
    port: int | None
    url: str = field(repr=False)

    @classmethod
    def of(cls, text: str) -> Self | None:
        """The address in a variable that holds `text`; `None` if that isn't a URL."""
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError:
            return None
        return cls(parts.scheme, host, port, text) if parts.scheme and host else None

    def __str__(self) -> str:
        """The address without user and password."""
        port = "" if self.port is None else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    @property
    def local(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(self.host)

    def leads_to(self, port: int) -> bool:
        """Whether every client finds the proxy on `port` of this machine by this address."""
        return self.local and self.port == port and self.scheme == "http"


def given_proxies(environment: Mapping[str, str]) -> dict[str, ProxyAddress | None]:
    """Each `HTTPS_PROXY` variable that is set -> its address, `None` where it isn't a URL."""
    return {name: ProxyAddress.of(environment[name]) for name in PROXY_VARIABLES if environment.get(name)}


def exceptions_for(host: str, environment: Mapping[str, str]) -> list[str]:
    """The entries of `NO_PROXY`, in either spelling, that send calls to `host` past the proxy."""
    entries = (entry.strip() for name in EXCEPTION_VARIABLES for entry in environment.get(name, "").split(","))
    return [entry for entry in dict.fromkeys(entries) if _covers(entry, host)]


def _covers(entry: str, host: str) -> bool:
    # Programs differ on leading dots, wildcards and ports: an entry counts if any of them takes it for a match.
    name = entry.lower().partition(":")[0].lstrip("*.")
    return entry == "*" or (bool(name) and (host == name or host.endswith(f".{name}")))
