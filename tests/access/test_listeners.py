from __future__ import annotations

import pytest

from hunyuan_fix import options
from hunyuan_fix.access import listeners
from hunyuan_fix.access.callers import TrustSettings
from hunyuan_fix.config.option import OptionError


@pytest.mark.parametrize(
    ("hosts", "beyond"),
    [
        ([], []),
        ([""], []),
        (["127.0.0.1", "::1", "[::1]", "localhost", ""], []),
        (["0.0.0.0"], ["0.0.0.0"]),
        (["::"], ["::"]),
        (["127.0.0.1", "box.lan", "192.168.1.7", "box.lan"], ["box.lan", "192.168.1.7"]),
    ],
)
def test_which_listen_addresses_are_open(hosts: list[str], beyond: list[str]):
    assert listeners.open_addresses(hosts, TrustSettings()) == beyond


@pytest.mark.parametrize(
    ("hosts", "reached"),
    [([], []), ([""], ["127.0.0.1"]), (["127.0.0.1", "", "::1"], ["127.0.0.1", "::1"]), (["0.0.0.0"], ["0.0.0.0"])],
)
def test_behind_a_balancer_every_listener_is_open(hosts: list[str], reached: list[str]):
    assert listeners.open_addresses(hosts, TrustSettings(trust_loopback=False)) == reached


EVERYWHERE, HERE = ["0.0.0.0"], ["127.0.0.1"]
TOKENS: dict[str, object] = {"hunyuan_client_tokens_file": "/clients.toml"}
OPEN: dict[str, object] = {"hunyuan_allow_open": True}


def check(open_to: list[str], given: dict[str, object] | None = None, *, password: bool = False) -> None:
    listeners.check(open_to, options.parse(given or {}), password=password)


def test_an_open_proxy_needs_tokens_a_password_or_consent():
    with pytest.raises(OptionError, match=r"0\.0\.0\.0.*hunyuan_client_tokens_file.*proxyauth.*hunyuan_allow_open"):
        check(EVERYWHERE)
    check(EVERYWHERE, password=True)
    check(EVERYWHERE, TOKENS)
    check(EVERYWHERE, OPEN)
    check([])


def test_so_does_one_behind_a_balancer():
    behind: dict[str, object] = {"hunyuan_trust_loopback": False}
    with pytest.raises(OptionError, match=r"hunyuan_trust_loopback=false.*hunyuan_client_tokens_file.*proxyauth"):
        check(HERE, behind)
    check(HERE, behind, password=True)
    check(HERE, behind | TOKENS)
    check(HERE, behind | OPEN)


@pytest.mark.parametrize(
    ("given", "open_to", "password", "lends_key", "requires_token"),
    [
        ({}, [], False, True, False),
        (TOKENS, [], False, True, False),
        (OPEN, [], False, True, False),
        (OPEN, EVERYWHERE, False, False, False),
        (OPEN, EVERYWHERE, True, True, False),
        (OPEN | TOKENS, EVERYWHERE, False, True, False),
        (TOKENS, EVERYWHERE, False, True, True),
        (TOKENS, EVERYWHERE, True, True, True),
        ({}, EVERYWHERE, True, True, False),
    ],
)
def test_who_is_lent_the_key_and_who_may_come_in(
    given: dict[str, object], open_to: list[str], password: bool, lends_key: bool, requires_token: bool
):
    settings = options.parse(given)
    why_not = listeners.why_key_is_not_lent(open_to, settings, password=password)
    assert (why_not is None) == lends_key
    assert why_not is None or ("0.0.0.0" in why_not and "hunyuan_client_tokens_file" in why_not)
    assert listeners.requires_token(open_to, settings) == requires_token
