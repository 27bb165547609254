"""Which connections are opened up and which pass through as they are."""

from __future__ import annotations

import logging
from collections.abc import Callable, Container

QUIET_LOGGER = "mitmproxy.proxy.server"
"""The logger on which mitmproxy tells of every connection."""


def canonical(host: str) -> str:
    """A host name as it is compared: lower case, no final dot, no brackets."""
    return host.lower().rstrip(".").strip("[]")


def decrypts(sni: str | None, target: str | None, hosts: Container[str]) -> bool:
    """Whether a TLS connection is for a known host: by its SNI, without one by the address it was opened to.

    Without a target it is the handshake with the proxy itself (a client that speaks TLS to its proxy).
    """
    return target is None or canonical(sni or target) in hosts


class QuietConnections(logging.Filter):
    """Keeps the hosts of foreign connections out of mitmproxy's own log.

    mitmproxy writes `server connect HOST:PORT (ADDRESS)` and `Streaming request to HOST.` for every
    connection; with `HTTPS_PROXY` set that is a list of all that a person's tools talk to.
    """

    _openings = ("server connect ", "server disconnect ", "Streaming request to ", "Streaming response from ")

    def __init__(self, foreign: Callable[[str], bool]) -> None:
        super().__init__()
        self._foreign = foreign

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` may be written."""
        text = record.getMessage()
        for opening in self._openings:
            if text.startswith(opening):
                return not self._foreign(_host(text.removeprefix(opening)))
        return True


def _host(text: str) -> str:
    """The host in `HOST:PORT (ADDRESS)` or `HOST.`."""
    address = text.split(" ", 1)[0].rstrip(".")
    host, colon, port = address.rpartition(":")
    return canonical(host if colon and port.isdigit() else address)
