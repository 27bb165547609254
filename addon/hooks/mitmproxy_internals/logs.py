"""mitmproxy's own log: its deprecated events, and the lines that name a server."""

from __future__ import annotations

import logging

from mitmproxy.log import LegacyLogEvents

CONNECTIONS = "mitmproxy.proxy.server"
"""The logger of the lines that `server_named` reads."""

_OPENINGS = ("server connect ", "server disconnect ", "Streaming request to ", "Streaming response from ")


def keep_from_legacy_events() -> None:
    """Keep this addon's lines out of `add_log` events, once mitmproxy's handlers are there.

    Nothing in mitmproxy listens to those, but each line would be put to every addon. Relies on the handler
    `LegacyLogEvents`; where there is none, nothing is to be done.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LegacyLogEvents):
            handler.addFilter(_is_foreign)


def _is_foreign(record: logging.LogRecord) -> bool:
    return record.name != "addon"


def server_named(line: str) -> str | None:
    """The server that `line` of mitmproxy's log is about, as HOST or HOST:PORT; `None` for any other line.

    Relies on the words of `server connect HOST:PORT (ADDRESS)` and `Streaming request to HOST.`, with which mitmproxy
    names each server that is connected to.
    """
    for opening in _OPENINGS:
        if line.startswith(opening):
            return line.removeprefix(opening).split(" ", 1)[0].rstrip(".")
    return None
