from __future__ import annotations

import io
import logging

import pytest

from hunyuan_fix.hooks import log_handlers
from hunyuan_fix.hooks.mitmproxy_internals import logs

LEGACY = "api.hunyuan.cloud.tencent.com"
HOSTS = frozenset([LEGACY])


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


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("server connect github.com:443 (140.82.121.4:443)", False),
        ("server disconnect github.com:443 (140.82.121.4:443)", False),
        ("Streaming request to github.com.", False),
        ("Streaming response from github.com.", False),
        ("server connect [2606:50c0::1]:443 ([2606:50c0::1]:443)", False),
        (f"server connect {LEGACY}:443 (1.2.3.4:443)", True),
        (f"Streaming response from {LEGACY}.", True),
        ("client connect", True),
        ("error establishing server connection: refused", True),
    ],
)
def test_foreign_hosts_stay_out_of_the_log(text: str, written: bool):
    assert is_written(text, verbose=True) is written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("client connect", False),
        ("client disconnect", False),
        (f"server connect {LEGACY}:443 (1.2.3.4:443)", False),
        (f"Streaming response from {LEGACY}.", False),
        ("error establishing server connection: refused", False),
        ("Server TLS handshake failed. certificate verify failed", False),
        ("Client TLS handshake failed. The client does not trust the proxy's certificate for x", False),
        ("mitmproxy has crashed!", True),
        ("client kill connection", True),
        ("server connection to 1.2.3.4:443 killed before connect: no", True),
    ],
)
def test_connections_are_in_the_log_only_where_details_are_asked_for(text: str, written: bool):
    assert is_written(text, verbose=False) is written
    assert is_written(text, verbose=True)


@pytest.mark.parametrize(
    ("options", "verbose"),
    [
        ({}, True),
        ({"termlog_verbosity": "info"}, False),
        ({"termlog_verbosity": "error"}, False),
        ({"termlog_verbosity": "debug"}, True),
        ({"console_eventlog_verbosity": "info"}, False),
        ({"console_eventlog_verbosity": "debug"}, True),
    ],
)
def test_v_asks_for_details(options: dict[str, str], verbose: bool):
    assert log_handlers.is_verbose(options.get) is verbose


def is_written(text: str, *, verbose: bool) -> bool:
    quiet = log_handlers.QuietConnections(lambda host: host not in HOSTS, lambda: verbose)
    return quiet.filter(logging.LogRecord(logs.CONNECTIONS, logging.INFO, __file__, 1, "%s", (text,), None))
