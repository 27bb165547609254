"""The proxy's default addresses, and the command-line options that change them."""

from __future__ import annotations

import argparse
import os
import random
import socket
from contextlib import suppress
from pathlib import Path

from ..config import operating_system

HOST = "127.0.0.1"
"""Loopback by default: the proxy sees prompts and keys in clear."""
PORT = 8080
REVERSE_PORT = 4000
ENDPOINT = "https://api.hunyuan.cloud.tencent.com"
CONFDIR = "~/.mitmproxy"
NOT_EPHEMERAL = range(20_000, 32_000)
"""Ports that systems don't assign by themselves (Linux does from 32768 on)."""


def add_port(parser: argparse.ArgumentParser) -> None:
    """Add `--port` to `parser`."""
    parser.add_argument(
        "--port",
        type=_port,
        default=os.environ.get("HUNYUAN_FIX_PORT", str(PORT)),
        help=f"port of the proxy, for HTTPS_PROXY (default {PORT}, or HUNYUAN_FIX_PORT)",
    )


def add_reverse_port(parser: argparse.ArgumentParser) -> None:
    """Add `--reverse-port` to `parser`."""
    parser.add_argument(
        "--reverse-port",
        type=_port,
        default=os.environ.get("HUNYUAN_FIX_REVERSE_PORT", str(REVERSE_PORT)),
        help=f"port of the reverse proxy, for base URLs (default {REVERSE_PORT}, or HUNYUAN_FIX_REVERSE_PORT)",
    )


def add_confdir(parser: argparse.ArgumentParser) -> None:
    """Add `--confdir` to `parser`."""
    parser.add_argument("--confdir", type=Path, default=Path(CONFDIR), help=f"mitmproxy's folder (default {CONFDIR})")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


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


def free_port() -> int:
    """A port on loopback that is free, and that the system never assigns by itself."""
    # Not a port that the system chose: it may assign the same one to another program before it is used.
    while True:
        port = random.SystemRandom().choice(NOT_EPHEMERAL)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
