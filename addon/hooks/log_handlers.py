"""mitmproxy's log: colours, and which lines get to which handler."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TextIO

from mitmproxy.log import LegacyLogEvents
from mitmproxy.utils import vt_codes

from ..wire.host_names import host_in

CONNECTIONS_LOGGER = "mitmproxy.proxy.server"
"""The logger on which mitmproxy writes a line for every connection."""


def shows_colours(stream: TextIO) -> bool:
    """Whether text written to `stream` may have colours: a terminal whose user hasn't set NO_COLOR."""
    return bool(vt_codes.ensure_supported(stream)) and not os.environ.get("NO_COLOR")


def keep_from_legacy_events() -> None:
    """Exclude this addon's lines from mitmproxy's deprecated `add_log` events. Idempotent; call it from `running`.

    No part of mitmproxy listens to those events, but each line would be sent to every addon: 40 µs of the 1.3 ms that
    an exchange takes.
    """
    for handler in logging.getLogger().handlers:
        if isinstance(handler, LegacyLogEvents):
            handler.addFilter(_is_foreign)


def _is_foreign(record: logging.LogRecord) -> bool:
    return record.name != "hunyuan_fix"


class QuietConnections(logging.Filter):
    """Keeps the hosts of foreign connections out of mitmproxy's log. `foreign`: whether a host is none of ours.

    mitmproxy logs `server connect HOST:PORT (ADDRESS)` and `Streaming request to HOST.` for every connection: with
    `HTTPS_PROXY` set, a list of all hosts that a person's programs use.
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
                # "HOST:PORT (ADDRESS)" or "HOST."
                return not self._foreign(host_in(text.removeprefix(opening).split(" ", 1)[0].rstrip(".")))
        return True
