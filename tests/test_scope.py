from __future__ import annotations

import logging

import pytest

from addon import scope
from addon.hooks.mitmproxy_internals import logs

HOSTS = frozenset({"api.hunyuan.cloud.tencent.com", "127.0.0.1"})
LEGACY = "api.hunyuan.cloud.tencent.com"


@pytest.mark.parametrize(
    ("sni", "target", "decrypted"),
    [
        (LEGACY, LEGACY, True),
        (LEGACY, "119.29.29.29", True),  # the client resolves names itself
        (LEGACY.upper() + ".", LEGACY, True),
        (None, LEGACY, True),
        (None, "127.0.0.1", True),
        ("github.com", "github.com", False),
        ("github.com", LEGACY, False),  # that is whose certificate the client wants
        (LEGACY, "evil.example", False),  # nobody there has a certificate for it
        (LEGACY, "2001:db8::1", True),
        (LEGACY, "127.0.0.1", True),
        ("github.com", "127.0.0.1", False),
        (None, "github.com", False),
        (None, "140.82.121.4", False),
        ("evil-api.hunyuan.cloud.tencent.com", LEGACY, False),
        ("proxy.local", None, True),  # the handshake with the proxy itself
        (None, None, True),
    ],
)
def test_which_connections_are_decrypted(sni: str | None, target: str | None, decrypted: bool):
    assert scope.decrypts(sni, target, HOSTS) is decrypted


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
    quiet = scope.QuietConnections(lambda host: host not in HOSTS)
    record = logging.LogRecord(logs.CONNECTIONS, logging.INFO, __file__, 1, "%s", (text,), None)
    assert quiet.filter(record) is written
