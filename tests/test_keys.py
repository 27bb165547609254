from __future__ import annotations

import pytest
from mitmproxy.http import Headers

from addon import keys

HOST = "api.hunyuan.cloud.tencent.com"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNYUAN_API_KEY", "sk-lent")


def lent(client: str = "127.0.0.1", to_host: str = HOST, encrypted: bool = True, **headers: str) -> str | None:
    given = Headers([(name.encode(), value.encode()) for name, value in headers.items()])
    return keys.lent(given, client, to_host=to_host, encrypted=encrypted)


def test_lent_to_a_client_on_this_machine_that_has_none():
    assert lent() == "Bearer sk-lent"
    assert lent(client="::1") == "Bearer sk-lent"
    assert lent(client="::ffff:127.0.0.1") == "Bearer sk-lent"


@pytest.mark.parametrize("empty", ["", "  ", "Bearer", "Bearer ", "bearer  "])
def test_an_empty_key_is_none(empty: str):
    assert lent(Authorization=empty) == "Bearer sk-lent"


def test_a_key_of_its_own_is_kept():
    assert lent(authorization="Bearer sk-own") is None


def test_never_to_other_machines():
    assert lent(client="192.168.1.7") is None
    assert lent(client="::ffff:192.168.1.7") is None


@pytest.mark.parametrize("origin", ["https://evil.example", "null", ""])
def test_never_to_a_web_page(origin: str):
    assert lent(Origin=origin) is None


def test_never_over_the_network_in_the_clear():
    assert lent(encrypted=False) is None
    assert lent(encrypted=False, to_host="127.0.0.1") == "Bearer sk-lent"


def test_nothing_to_lend(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HUNYUAN_API_KEY", " ")
    assert lent() is None
    monkeypatch.delenv("HUNYUAN_API_KEY")
    assert lent() is None
