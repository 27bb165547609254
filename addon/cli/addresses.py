"""The proxy's default addresses, and the command-line options that change them."""

from __future__ import annotations

import argparse
import os
import random
import socket
from collections.abc import Container, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

from ..config import operating_system
from ..texts.terminal import say

HOST = "127.0.0.1"
"""Loopback by default: the proxy sees prompts and keys in clear."""
PORT = 8080
REVERSE_PORT = 4000
WEB_PORT = 8081
"""Of mitmweb's page."""
PORTS: Mapping[str, str] = MappingProxyType(
    {"--port": "HUNYUAN_FIX_PORT", "--reverse-port": "HUNYUAN_FIX_REVERSE_PORT"}
)
"""Flag -> the environment variable that says the same."""
ENDPOINT = "https://api.hunyuan.cloud.tencent.com"
"""The old platform's address, which was shut down. Reverse ports stand for it."""
INTERNATIONAL = "https://tokenhub-intl.tencentcloudmaas.com/v1"
"""The base URL of TokenHub outside China (1300/78941)."""
CONFDIR = "~/.mitmproxy"
PORT_TAKEN = 75
"""Exit status of `run` for the proxy of an agent that finds a port taken (`EX_TEMPFAIL` of sysexits.h)."""
NOT_EPHEMERAL = range(20_000, 32_000)
"""Ports that systems don't assign by themselves (Linux does from 32768 on)."""


def add_port(parser: argparse.ArgumentParser) -> None:
    """Add `--port` to `parser`."""
    text = say("port of the proxy, for HTTPS_PROXY (default {port}, or HUNYUAN_FIX_PORT)", port=PORT)
    _add(parser, "--port", PORT, text)


def add_reverse_port(parser: argparse.ArgumentParser) -> None:
    """Add `--reverse-port` to `parser`."""
    text = say(
        "port of the reverse proxy, for base URLs (default {port}, or HUNYUAN_FIX_REVERSE_PORT)", port=REVERSE_PORT
    )
    _add(parser, "--reverse-port", REVERSE_PORT, text)


def _add(parser: argparse.ArgumentParser, flag: str, port: int, text: str) -> None:
    default = os.environ.get(PORTS[flag]) or str(port)
    parser.add_argument(flag, type=_port, metavar="PORT", default=default, help=text)


def add_confdir(parser: argparse.ArgumentParser) -> None:
    """Add `--confdir` to `parser`."""
    text = say("mitmproxy's folder (default {folder})", folder=CONFDIR)
    parser.add_argument("--confdir", type=Path, default=Path(CONFDIR), help=text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(say("{text!r} is not a port (1 to 65535)", text=text))
    return int(text)


def to_listen_on(host: str) -> str:
    """`host` as the address that mitmproxy takes: one in brackets without them, a name's own, of IPv4 if it has one.

    Raises `socket.gaierror` if `host` is none.
    """
    try:
        found = socket.getaddrinfo(host.removeprefix("[").removesuffix("]"), None, type=socket.SOCK_STREAM)
    except UnicodeError:  # no name that could be looked up: an empty or too long part between two dots
        raise socket.gaierror(socket.EAI_NONAME, host) from None
    return str(min(found, key=lambda one: one[0] != socket.AF_INET)[4][0])


def port_is_free(port: int, host: str = HOST) -> bool:
    """Whether a server of asyncio's could listen on `port` of `host` now.

    Raises `socket.gaierror` if `host` is not an address.
    """
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    with socket.socket(family) as probe:
        operating_system.bind_as_servers_do(probe)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError:
            return False
    return True


def next_free(first: int, host: str, taken: Container[int] = ()) -> int:
    """The first port from `first` up that is free on `host` and not among `taken`: the same one at each start.

    Raises `OSError` if a hundred are taken, `socket.gaierror` if `host` is not an address.
    """
    for port in range(first, first + 100):
        if port not in taken and port_is_free(port, host):
            return port
    raise OSError(say("ports {first} to {last} on {host} are taken", first=first, last=first + 99, host=host))


def free_port() -> int:
    """A port on loopback that is free, and that the system never assigns by itself."""
    # Not a port that the system chose: it may assign the same one to another program before it is used.
    while True:
        port = random.SystemRandom().choice(NOT_EPHEMERAL)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
