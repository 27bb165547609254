"""Where the proxy listens unless it is told otherwise, and the options of the command line that tell it."""

from __future__ import annotations

import argparse
import os
import socket
from pathlib import Path

from ..config import operating_system

HOST = "127.0.0.1"
"""The proxy sees prompts and keys in clear: it is for this machine only, unless asked for more."""
PORT = 8080
REVERSE_PORT = 4000
ENDPOINT = "https://api.hunyuan.cloud.tencent.com"
CONFDIR = "~/.mitmproxy"


def add_port(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take `--port`."""
    parser.add_argument(
        "--port",
        type=_port,
        default=os.environ.get("HUNYUAN_FIX_PORT", str(PORT)),
        help=f"for HTTPS_PROXY (default {PORT}, or HUNYUAN_FIX_PORT)",
    )


def add_reverse_port(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take `--reverse-port`."""
    parser.add_argument(
        "--reverse-port",
        type=_port,
        default=os.environ.get("HUNYUAN_FIX_REVERSE_PORT", str(REVERSE_PORT)),
        help=f"for base URLs (default {REVERSE_PORT}, or HUNYUAN_FIX_REVERSE_PORT)",
    )


def add_confdir(parser: argparse.ArgumentParser) -> None:
    """Let `parser` take `--confdir`."""
    parser.add_argument("--confdir", type=Path, default=Path(CONFDIR), help=f"mitmproxy's folder (default {CONFDIR})")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (1 to 65535)")
    return int(text)


def port_is_free(port: int, host: str = HOST) -> bool:
    """Whether something could listen on `port` now, by the same rules as asyncio's servers.

    Raises `socket.gaierror` for a host that is no address.
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
