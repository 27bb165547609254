"""mitmproxy's deprecated `add_log` events."""

from __future__ import annotations

import logging

from mitmproxy.log import LegacyLogEvents


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
