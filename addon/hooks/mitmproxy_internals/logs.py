"""mitmproxy's own log: its deprecated events, what is on the terminal, and the lines that name a server."""

from __future__ import annotations

import logging
import re

from mitmproxy.addons.termlog import TermLogHandler
from mitmproxy.log import LegacyLogEvents, MitmFormatter

from ...observe.log import is_foreign

CONNECTIONS = "mitmproxy.proxy.server"
"""The logger of the lines that `server_named` reads."""

_ROUTINE = (
    *("client connect", "client disconnect", "server connect ", "server disconnect "),
    *("Streaming request to ", "Streaming response from "),
)
_QUOTING = re.compile(
    r"(before completing request headers|Bad HTTP request line|Bad HTTP response line|Invalid header line): .*",
    re.DOTALL,
)
_REPLACED = ("error establishing server connection: ", "Server TLS handshake failed. ", "Client TLS handshake failed. ")
_OPENINGS = ("server connect ", "server disconnect ", "Streaming request to ", "Streaming response from ")


def keep_from_legacy_events() -> None:
    """Exclude this addon's lines from mitmproxy's deprecated `add_log` events. Idempotent; call it from `running`.

    No part of mitmproxy listens to those events, but each line would be sent to every addon: 40 µs of the 1.3 ms that
    an exchange takes. Relies on the handler `LegacyLogEvents`.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LegacyLogEvents):
            handler.addFilter(is_foreign)


def write_terminal_with(formatter: logging.Formatter | None) -> None:
    """Let `formatter` write the lines on the terminal; `None`: mitmproxy's own. Relies on `TermLogHandler`."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, TermLogHandler):
            handler.setFormatter(formatter or MitmFormatter(handler.has_vt_codes))


def is_for_verbose(line: str) -> bool:
    """Whether `line` of the log of connections is for `-v` alone.

    Such are the lines that each connection has, and the failures of which `hooks.connections` logs a line that names
    the host, once a minute. Relies on the words with which these begin.
    """
    return line.startswith(_ROUTINE) or line.startswith(_REPLACED)


def without_bytes(line: str) -> str:
    """`line` of the log of connections without the bytes of a broken head, in which keys and messages may stand.

    Relies on the words before them.
    """
    return _QUOTING.sub(r"\1.", line)


def server_named(line: str) -> str | None:
    """The server that `line` of mitmproxy's log is about, as HOST or HOST:PORT; `None` for any other line.

    Relies on the words of `server connect HOST:PORT (ADDRESS)` and `Streaming request to HOST.`, with which mitmproxy
    names each server that is connected to.
    """
    for opening in _OPENINGS:
        if line.startswith(opening):
            return line.removeprefix(opening).split(" ", 1)[0].rstrip(".")
    return None
