"""Which lines of mitmproxy's log are shown, and how: as text, perhaps with colours, or as JSON."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import TextIO

from mitmproxy.utils import vt_codes

from ..observe.log_format import JsonLines
from ..wire import host_names
from .mitmproxy_internals import logs


def shows_colours(stream: TextIO) -> bool:
    """Whether text written to `stream` may have colours: a terminal whose user hasn't set NO_COLOR."""
    return bool(vt_codes.ensure_supported(stream)) and not os.environ.get("NO_COLOR")


def use(form: object) -> None:
    """Write the log on the terminal in this form, a value of `hunyuan_log`."""
    logs.write_terminal_with(JsonLines() if form == "json" else None)


class QuietConnections(logging.Filter):
    """Keeps lines of mitmproxy's log of connections out: with `-v` those of foreign hosts, else those of all.

    mitmproxy writes four lines for each connection, so that an exchange has five and not one. With `HTTPS_PROXY` set
    those of foreign hosts are a list of all that a person's tools talk to. Bytes that a line quotes are cut off.
    """

    def __init__(self, foreign: Callable[[str], bool], verbose: Callable[[], bool]) -> None:
        super().__init__()
        self._foreign = foreign
        self._verbose = verbose

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether `record` may be written."""
        line = record.getMessage()
        if (cut := logs.without_bytes(line)) != line:
            record.msg, record.args = cut, ()
        if logs.is_for_verbose(line) and not self._verbose():
            return False
        address = logs.server_named(line)
        return address is None or not self._foreign(host_names.host_in(address))


def is_verbose(option: Callable[[str], object]) -> bool:
    """Whether the user asks for details, as by `-v`. Programs without a log of their own keep nothing back."""
    asked = option("termlog_verbosity") or option("console_eventlog_verbosity")
    return asked in (None, "debug")
