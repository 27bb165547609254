from __future__ import annotations

import logging

import pytest
from mitmproxy.log import LegacyLogEvents

from addon.hooks.mitmproxy_internals import logs


def test_lines_are_no_deprecated_events(monkeypatch: pytest.MonkeyPatch):
    seen: list[str] = []

    class Events(LegacyLogEvents):
        def __init__(self) -> None:
            super(LegacyLogEvents, self).__init__()

        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.name)

    monkeypatch.setattr(logging.getLogger(), "handlers", [*logging.getLogger().handlers, Events()])
    logs.keep_from_legacy_events()
    logs.keep_from_legacy_events()
    logging.getLogger("addon").warning("ours")
    logging.getLogger("somebody").warning("else")
    assert seen == ["somebody"]
