from __future__ import annotations

import io
import logging

import pytest
from mitmproxy.log import LegacyLogEvents

from hunyuan_fix.hooks import log_handlers


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("no_color", "shown"), [(None, True), ("", True), ("1", False), ("0", False)])
def test_colours_are_for_terminals_whose_user_wants_them(
    monkeypatch: pytest.MonkeyPatch, no_color: str | None, shown: bool
):
    """https://no-color.org: set and not empty, whatever its value."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color is not None:
        monkeypatch.setenv("NO_COLOR", no_color)
    assert log_handlers.shows_colours(Terminal()) == shown
    assert not log_handlers.shows_colours(io.StringIO())


def test_lines_are_no_deprecated_events(monkeypatch: pytest.MonkeyPatch):
    seen: list[str] = []

    class Events(LegacyLogEvents):
        def __init__(self) -> None:
            super(LegacyLogEvents, self).__init__()

        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.name)

    monkeypatch.setattr(logging.getLogger(), "handlers", [*logging.getLogger().handlers, Events()])
    log_handlers.keep_from_legacy_events()
    log_handlers.keep_from_legacy_events()
    logging.getLogger("hunyuan_fix").warning("ours")
    logging.getLogger("somebody").warning("else")
    assert seen == ["somebody"]
