"""`hunyuan-fix run --kimi`: started as the Kimi Thinking Proxy was, by the same environment (docs/clients/kimi.md)."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from .. import profiles
from ..access.keys import FILE_VARIABLE, VARIABLE
from ..config import values as read
from ..texts.terminal import say
from ..wire import paths
from ..wire.host_names import canonical, is_loopback
from .addresses import HOST

BASE_URL = "https://zenmux.ai/api/anthropic"
PORT = 8000
KEY = "ZENMUX_API_KEY"
PROFILES = ("zenmux", "moonshot", "kimi-coding")
"""What a server of an unknown name stands for: the first whose base paths fit, else `moonshot`."""
_FALSE = ("", "0", "false", "no", "off")


@dataclass(frozen=True, slots=True)
class KimiEnvironment:
    """What the environment says: the address to listen on, and the arguments for mitmdump."""

    base_url: str
    host: str
    port: str
    proxy: str
    """The proxy for calls to the endpoint, which may name a password; `""` for none."""
    proxy_variable: str
    """The variable that it is from."""
    arguments: tuple[str, ...]

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> KimiEnvironment:
        """Read the variables. Raises `ValueError` that names the variable, and says what is accepted."""
        given = {name: value.strip() for name, value in environment.items()}
        base_url = given.get("MOONSHOT_BASE_URL") or BASE_URL
        try:
            url = read.base_url(base_url)
        except ValueError as error:
            raise ValueError(f"MOONSHOT_BASE_URL: {error}") from None
        arguments = ["--set", f"hunyuan_upstream={base_url}"]
        if canonical(url.host) not in profiles.by_host():
            arguments += ["--set", f"hunyuan_profile={_profile(url.path)}"]
        names = ("HTTPS_PROXY", "https_proxy") if url.scheme == "https" else ("HTTP_PROXY", "http_proxy")
        proxy_variable = next((name for name in names if given.get(name) and not is_loopback(url.host)), "")
        proxy = given.get(proxy_variable, "")
        if proxy:
            try:
                arguments += ["--set", f"hunyuan_outgoing_proxy={read.proxy(proxy)}"]
            except ValueError as error:
                raise ValueError(f"{proxy_variable}: {error}") from None
        if given.get("DEBUG", "").lower() not in _FALSE:
            arguments.append("--verbose")
        return cls(
            base_url,
            given.get("PROXY_HOST") or HOST,
            given.get("PROXY_PORT") or str(PORT),
            proxy,
            proxy_variable,
            tuple(arguments),
        )

    def leads_to(self, port: int) -> bool:
        """Whether the proxy for calls to the endpoint is the one that listens on `port` of this machine."""
        url = urlsplit(self.proxy)
        return bool(self.proxy) and is_loopback(url.hostname or "") and url.port == port


def take_key(environment: MutableMapping[str, str]) -> str:
    """Make the key of `ZENMUX_API_KEY` the one to lend; returns a line for the user about it.

    The key of `HUNYUAN_API_KEY` is another vendor's: it isn't lent in its place.
    """
    key = environment.get(KEY, "").strip()
    others = [name for name in (VARIABLE, FILE_VARIABLE) if environment.pop(name, "").strip()]
    if key:
        environment[VARIABLE] = key
        return say("Clients on this machine that send no key get that of {name}.", name=KEY)
    if others:
        unused = ", ".join(others)
        return say(
            "Clients send their own key: there is no {name}; {unused} is for another endpoint.", name=KEY, unused=unused
        )
    return say("Clients send their own key: there is no {name}.", name=KEY)


def _profile(path: str) -> str:
    """The profile for a server that no profile knows, by the `path` of its base URL."""
    asked = paths.normal(path)
    for name in PROFILES:
        profile = profiles.load(name)
        known = {profile.base, *profile.bases.values()}
        if asked and {asked, f"{asked}/v1"} & known:
            return name
    return "moonshot"
