from __future__ import annotations

import pytest

from hunyuan_fix.wire import host_names

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
    assert host_names.decrypts(sni, target, HOSTS) is decrypted
