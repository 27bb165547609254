"""The facts that the checks examine, and their result."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ... import profiles
from ...config import values
from ...config.values import BaseUrl
from ...hooks import authority
from ...texts.sentence import Sentence
from .. import addresses
from ..shells import SHELLS, Shell, detected
from .listeners import Listener, Route
from .proxy_address import ALL, ProxyAddress, given_proxies

type Result = Literal["ok", "info", "warning", "problem"]

CHECKS: Mapping[str, str] = {
    "proxy": "proxy",
    "reverse": "reverse proxy",
    "endpoint": "endpoint",
    "key": "key",
    "native": "signed API",
    "base-url": "base URL",
    "settings": "client settings",
    "proxy-mode": "HTTPS_PROXY mode",
    "python": "Python",
    "mitmproxy": "mitmproxy",
    "admin": "admin server",
    "ca": "CA",
    "decryption": "decryption",
    "https-proxy": "HTTPS_PROXY",
    "no-proxy": "NO_PROXY",
    "store": "system store",
    "nss": "browser store",
    "java": "Java store",
    "curl": "curl",
    "python-client": "Python client",
    "node-client": "Node client",
}
"""The first part of a finding's id -> what the report calls the check."""
NAMES = frozenset({"HTTPS_PROXY", "NO_PROXY", "Python", "curl", "mitmproxy"})
"""Those of them that are names, the same in every language."""


type Backups = dict[Path, Path]
"""File that was changed -> what it held before the first of these changes."""


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that mends what was found. `apply` makes it and says what it did; it raises `OSError`."""

    what: Sentence
    """What will be done, before it is done."""
    apply: Callable[[Backups], Sentence]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. No text ever holds a key or a password."""

    id: str
    """What was found, for programs: CHECK/OUTCOME. It doesn't change when the words do."""
    result: Result
    found: str
    advice: str = ""
    """What to do; `""` if nothing has to be done."""
    fix: Fix | None = field(default=None, compare=False)
    """What `--fix` may do about it."""

    @property
    def check(self) -> str:
        """The name of the check, in English."""
        return CHECKS[self.id.partition("/")[0]]


@dataclass(frozen=True, slots=True)
class Situation:
    """The command line, the environment of a program started from this shell, and the servers on the two ports."""

    port: int
    reverse_port: int
    confdir: Path
    upstream: BaseUrl | None
    """The base URL that clients have, if the command line names one."""
    online: bool
    """Whether the key may be checked, which costs a token."""
    environment: Mapping[str, str]
    proxy: Listener
    reverse: Listener
    prefix: str = "hunyuan-fix "
    """What stands before a command's name in advice."""
    route: Route | None = None
    """`None`: no hunyuan-fix answers."""
    mode: str = ""
    """`hunyuan_mode` of the running proxy; `""` if that isn't known."""
    version: str = ""
    """The version of the running proxy; `""` if that isn't known."""
    admin_url: str = ""
    """The address of the running proxy's admin server; `""` if it has none, or that isn't known."""
    reverse_only: bool = False
    """The user says that clients use base URLs: what only HTTPS_PROXY needs isn't checked."""
    native: bool = False
    """Tencent Cloud's own API is to be used."""
    folder: Path = field(default_factory=Path)
    """The project that clients are started in, for their settings there."""

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
    def reverse_url(self) -> str:
        """The base URL of the reverse port for OpenAI's clients."""
        return f"http://{addresses.HOST}:{self.reverse_port}/v1"

    @property
    def runs(self) -> bool:
        """Whether hunyuan-fix answers on one of the ports."""
        return Listener.HUNYUAN_FIX in (self.proxy, self.reverse)

    @property
    def client_url(self) -> BaseUrl:
        """The base URL that clients of HTTPS_PROXY have: the one given, else the first host of the proxy's profile."""
        if self.upstream is not None:
            return self.upstream
        name = self.route.profile if self.route is not None else ""
        profile = profiles.load(name if name in profiles.names() else "tokenhub")
        if not profile.hosts:
            profile = profiles.load("tokenhub")
        host, slash, path = profile.hosts[0].partition("/")
        return BaseUrl("https", host, 443, slash + path if slash else profile.base or "/v1")

    @property
    def endpoint_url(self) -> BaseUrl:
        """The endpoint's own base URL: the one given, else the one that the running proxy sends calls to."""
        if self.upstream is None and self.route is not None and self.route.upstream:
            return values.base_url(self.route.upstream)
        return self.client_url

    @property
    def in_use(self) -> bool:
        """Whether clients started from this shell use the proxy, so that they fail if a setting is missing."""
        return not self.reverse_only and any(
            self.leads_here(address) for address in given_proxies(self.environment).values()
        )

    @property
    def means_proxy_mode(self) -> bool:
        """Whether HTTPS_PROXY was set with a proxy on this machine in mind: it leads here, or is no address at all."""
        given = [*given_proxies(self.environment).values()]
        given += [ProxyAddress.of(self.environment[name]) for name in ALL if self.environment.get(name)]
        return not self.reverse_only and any(address is None or address.local for address in given)

    def is_free(self, port: int) -> bool:
        """Whether nothing listens on `port` of this machine."""
        return addresses.port_is_free(port)

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

    def export(self, name: str, value: str) -> str:
        """The line that sets a variable in the user's shell."""
        return self._shell.export(name, value)

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
