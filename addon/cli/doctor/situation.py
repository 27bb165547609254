"""The facts that the checks examine, and their result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ...config.values import BaseUrl
from ...hooks import authority
from .. import addresses
from ..shells import SHELLS, Shell, detected
from .listeners import Listener
from .proxy_address import ProxyAddress, given_proxies

type Result = Literal["ok", "warning", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. Neither text ever holds a key or a password."""

    check: str
    result: Result
    found: str
    advice: str = ""
    """What to do; `""` if nothing has to be done."""


@dataclass(frozen=True, slots=True)
class Situation:
    """The command line, the environment of a program started from this shell, and the servers on the two ports."""

    port: int
    reverse_port: int
    confdir: Path
    upstream: BaseUrl
    """The base URL that clients have."""
    online: bool
    """Whether the key may be checked, which costs a token."""
    environment: Mapping[str, str]
    proxy: Listener
    reverse: Listener
    prefix: str = "hunyuan-fix "
    """What stands before a command's name in advice."""

    @property
    def in_clone(self) -> bool:
        """Whether the commands are those of a clone's folder `scripts`."""
        return self.prefix == "scripts/"

    @property
    def ca(self) -> Path:
        """The certificate of the proxy's CA."""
        return authority.ca_file(self.confdir)

    @property
    def proxy_url(self) -> str:
        """How this machine reaches the proxy: with the user and password of `HTTPS_PROXY` if that leads there."""
        return proxy_url(self.environment, self.port)

    @property
    def in_use(self) -> bool:
        """Whether clients started from this shell use the proxy, so that they fail if a setting is missing."""
        return any(self.leads_here(address) for address in given_proxies(self.environment).values())

    def leads_here(self, address: ProxyAddress | None) -> bool:
        """Whether `address` is the proxy's."""
        return address is not None and address.leads_to(self.port)

    def severity(self) -> Result:
        """The result for a client that lacks a setting: a problem only if clients use the proxy."""
        return "problem" if self.in_use else "warning"

    def run_command(self) -> str:
        """The command that starts the proxy with these ports and this folder."""
        return " ".join(
            [f"{self.prefix}run", *self._port_flags(), *self._reverse_flags(), *self._confdir("--set confdir=")]
        )

    def activation(self) -> str:
        """The line that sets all variables in the user's shell."""
        flags = [*self._port_flags(), *self._confdir("--confdir ")]
        return self._shell.activation(" ".join([f"{self.prefix}env", *flags]))

    def quoted(self, path: Path) -> str:
        """`path` quoted for the user's shell."""
        return self._shell.quoted(str(path))

    @property
    def _shell(self) -> Shell:
        return SHELLS[detected(self.environment) or "sh"]

    def _port_flags(self) -> list[str]:
        return [f"--port {self.port}"] if self.port != addresses.PORT else []

    def _reverse_flags(self) -> list[str]:
        return [f"--reverse-port {self.reverse_port}"] if self.reverse_port != addresses.REVERSE_PORT else []

    def _confdir(self, flag: str) -> list[str]:
        if self.confdir == Path(addresses.CONFDIR).expanduser():
            return []
        return [flag + self.quoted(self.confdir)]


def proxy_url(environment: Mapping[str, str], port: int) -> str:
    """The proxy's URL; that of `HTTPS_PROXY` if it leads there, for the user and password in it."""
    given = given_proxies(environment).values()
    ours = [address for address in given if address is not None and address.leads_to(port)]
    return ours[0].url if ours else f"http://{addresses.HOST}:{port}"
