"""mitmproxy's start, which ends at any error that is logged meanwhile."""

from __future__ import annotations

import logging

from mitmproxy.addons.errorcheck import ErrorCheck
from mitmproxy.master import Master


def errorcheck(master: Master) -> ErrorCheck | None:
    """The add-on that ends the start at an error; `None` where none does, as in a test."""
    check: ErrorCheck | None = master.addons.get("errorcheck")
    return check


def is_over(check: ErrorCheck) -> bool:
    """Whether the start is over. Relies on `ErrorCheck` taking its log handler away then: there is no hook for it."""
    return check.logger not in logging.getLogger().handlers


def hides_the_log(check: ErrorCheck) -> bool:
    """Whether a screen of mitmproxy's own hides the log, so that errors are said on stderr."""
    return check.repeat_errors_on_stderr
