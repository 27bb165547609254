"""mitmproxy's own log: its deprecated events, and the lines that name a server."""

from __future__ import annotations

import logging

from mitmproxy.log import LegacyLogEvents

from ...observe.log import is_foreign

CONNECTIONS = "mitmproxy.proxy.server"
"""The logger of the lines that `server_named` reads."""

_OPENINGS = ("server connect ", "server disconnect ", "Streaming request to ", "Streaming response from ")


def keep_from_legacy_events() -> None:
    """Exclude this addon's lines from mitmproxy's deprecated `add_log` events. Idempotent; call it from `running`.

    No part of mitmproxy listens to those events, but each line would be sent to every addon: 40 µs of the 1.3 ms that
    an exchange takes. Relies on the handler `LegacyLogEvents`.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LegacyLogEvents):
            handler.addFilter(is_foreign)


def server_named(line: str) -> str | None:
    """The server that `line` of mitmproxy's log is about, as HOST or HOST:PORT; `None` for any other line.

    Relies on the words of `server connect HOST:PORT (ADDRESS)` and `Streaming request to HOST.`, with which mitmproxy
    names each server that is connected to.
    """
    for opening in _OPENINGS:
        if line.startswith(opening):
            return line.removeprefix(opening).split(" ", 1)[0].rstrip(".")
    return None
