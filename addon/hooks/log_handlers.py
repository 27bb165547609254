"""Which lines of mitmproxy's log are shown, and whether the log has colours."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TextIO

from mitmproxy.utils import vt_codes

from ..wire import host_names
from .mitmproxy_internals import logs


def shows_colours(stream: TextIO) -> bool:
    """Whether text written to `stream` may have colours: a terminal whose user hasn't set NO_COLOR."""
    return bool(vt_codes.ensure_supported(stream)) and not os.environ.get("NO_COLOR")


class QuietConnections(logging.Filter):
    """Keeps the hosts of foreign connections out of mitmproxy's own log.

    mitmproxy writes `server connect HOST:PORT (ADDRESS)` and `Streaming request to HOST.` for every
    connection; with `HTTPS_PROXY` set that is a list of all that a person's tools talk to.
    """

    def __init__(self, foreign: Callable[[str], bool]) -> None:
        super().__init__()
        self._foreign = foreign

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` may be written."""
        address = logs.server_named(record.getMessage())
        return address is None or not self._foreign(host_names.host_in(address))
