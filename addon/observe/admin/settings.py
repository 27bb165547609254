"""The options of the admin server: its address, its token, the names by which it may be reached."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ...access.callers import TrustSettings
from ...config import values as read
from ...config.option import option
from ...config.values import accepting, items
from ...texts.terminal import say
from ...wire.host_names import LOOPBACK, canonical, is_loopback

PORT = 9464
"""Of the admin server where no other is given: the one that OpenTelemetry's exporter for Prometheus has."""
OFF = "off"
"""Like an empty value, which a variable can't give: an empty variable counts as none."""

_ADDRESS = re.compile(r"(?:(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):)?(\d{1,5})(\+?)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """Where the admin server listens. `host`: an address or a name, without brackets; port 0: any free one."""

    host: str
    port: int
    or_next: bool = False
    """Where the port is taken, one of the next: several proxies on one machine have a port each."""

    @property
    def is_local(self) -> bool:
        """Whether only this machine reaches it."""
        return is_loopback(self.host)

    def __str__(self) -> str:
        """As the option has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}{'+' if self.or_next else ''}"


@accepting("`HOST:PORT`, `PORT`; `PORT+`: that or one of the next; `off` or empty: none")
def address(text: str) -> Address | None:
    """An address to listen on; `None` for none."""
    if text in ("", OFF):
        return None
    found = _ADDRESS.fullmatch(text)
    if not found or int(found[2]) > 65535:
        raise ValueError(
            say(
                "accepted is HOST:PORT such as {example} or [::1]:{port}, or off",
                example=f"{LOOPBACK}:{PORT}",
                port=PORT,
            )
        )
    return Address((found[1] or LOOPBACK).strip("[]"), int(found[2]), or_next=bool(found[3]))


@accepting("names of hosts, comma separated, without ports")
def host_names(text: str) -> frozenset[str]:
    """Names of hosts, `canonical`."""
    for item in items(text):
        if not re.fullmatch(r"[A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?", item):
            raise ValueError(
                say("accepted are names of hosts, comma separated, without ports; {item!r} is none", item=item)
            )
    return frozenset(canonical(item) for item in items(text))


@dataclass(frozen=True)
class AdminSettings(TrustSettings):
    """The admin server. Its token is a file or a variable, never an option: mitmweb shows all options to its users."""

    admin: Address | None = option(
        f"{LOOPBACK}:{PORT}",
        "Address of the admin server: health, metrics, the last exchanges. Beyond this machine it needs a token.",
        address,
    )
    admin_token_file: Path | None = option(
        "",
        "File with the admin server's token, in place of HUNYUAN_ADMIN_TOKEN; readable by its owner only.",
        read.optional(read.path),
    )
    admin_hosts: frozenset[str] = option(
        "",
        "Further names by which the admin server may be reached, as that of a proxy before it.",
        host_names,
    )
