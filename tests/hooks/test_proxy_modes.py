from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from mitmproxy.proxy.mode_specs import ProxyMode

from hunyuan_fix.access import listeners
from hunyuan_fix.access.callers import TrustSettings
from hunyuan_fix.hooks import proxy_modes


def of(**values: object) -> Callable[[str], object]:
    return values.get


@pytest.mark.parametrize(
    ("modes", "listen_host", "beyond"),
    [
        (["regular"], "", []),
        (["regular"], "127.0.0.1", []),
        (["regular"], "::1", []),
        (["regular"], "localhost", []),
        (["regular"], "0.0.0.0", ["0.0.0.0"]),
        (["regular"], "::", ["::"]),
        (["regular"], "192.168.1.7", ["192.168.1.7"]),
        (["regular"], "box.lan", ["box.lan"]),
        (["regular@0.0.0.0:8080", "reverse:http://h@127.0.0.1:4000"], "", ["0.0.0.0"]),
        (["regular@127.0.0.1:8080"], "0.0.0.0", []),
        (["regular@[::1]:8080"], "", []),
        (["wireguard"], "0.0.0.0", []),
        (["local"], "0.0.0.0", []),
    ],
)
def test_which_listen_addresses_are_open(modes: list[str], listen_host: str, beyond: list[str]):
    hosts = proxy_modes.listen_hosts(of(mode=modes, listen_host=listen_host))
    assert listeners.open_addresses(hosts, TrustSettings()) == beyond


@pytest.mark.parametrize(
    ("mode", "address", "outside"),
    [
        ("regular", "192.168.1.7", True),
        ("reverse:http://h", "2001:db8::1", True),
        ("regular", "127.0.0.1", False),
        ("regular", "::ffff:127.0.0.1", False),
        ("wireguard", "10.0.0.2", False),
        ("local", "192.168.1.7", False),
    ],
)
def test_who_comes_from_outside(mode: str, address: str, outside: bool):
    assert proxy_modes.comes_from_outside(ProxyMode.parse(mode), address, TrustSettings()) is outside


@pytest.mark.parametrize(
    ("mode", "outside"), [("regular", True), ("socks5", True), ("wireguard", False), ("local", False)]
)
@pytest.mark.parametrize("address", ["127.0.0.1", "192.168.1.7"])
def test_behind_a_balancer_all_come_from_outside(mode: str, address: str, outside: bool):
    behind = TrustSettings(trust_loopback=False)
    assert proxy_modes.comes_from_outside(ProxyMode.parse(mode), address, behind) is outside


@dataclass
class Server:
    mode: ProxyMode
    listen_addrs: tuple[tuple[str, int], ...] = (("0.0.0.0", 8080),)


def test_listeners_without_an_address_move_to_loopback_and_keep_their_ports():
    servers = [
        Server(ProxyMode.parse("regular@0"), (("0.0.0.0", 41111), ("::", 41111, 0, 0))),  # type: ignore[arg-type]
        Server(ProxyMode.parse("reverse:http://127.0.0.1:9@4000"), (("0.0.0.0", 4000),)),
        Server(ProxyMode.parse("upstream:http://corp:3128"), (("0.0.0.0", 8080),)),
        Server(ProxyMode.parse("socks5@192.168.1.7:1080"), (("192.168.1.7", 1080),)),
        Server(ProxyMode.parse("wireguard"), (("0.0.0.0", 51820),)),
        Server(ProxyMode.parse("local"), ()),
    ]
    assert proxy_modes.loopback_modes(servers, "") == [  # type: ignore[arg-type]
        "regular@127.0.0.1:41111",
        "reverse:http://127.0.0.1:9@127.0.0.1:4000",
        "upstream:http://corp:3128@127.0.0.1:8080",
        "socks5@192.168.1.7:1080",
        "wireguard",
        "local",
    ]


def test_a_given_address_stays():
    assert proxy_modes.loopback_modes([Server(ProxyMode.parse("regular"))], "0.0.0.0") is None  # type: ignore[list-item]
    assert proxy_modes.loopback_modes([Server(ProxyMode.parse("regular@127.0.0.1:1"))], "") is None  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("mode", "listen_host", "reached", "exposed"),
    [
        ("regular", "", "192.168.1.7", True),
        ("regular", "", "127.0.0.1", False),
        ("regular", "", "::ffff:127.0.0.1", False),
        ("regular", "0.0.0.0", "192.168.1.7", False),
        ("regular@192.168.1.7:8080", "", "192.168.1.7", False),
        ("wireguard", "", "10.0.0.53", False),
    ],
)
def test_the_moment_before_the_rebind_is_closed_too(mode: str, listen_host: str, reached: str, exposed: bool):
    assert proxy_modes.is_exposed(ProxyMode.parse(mode), listen_host, reached) is exposed


def test_a_mode_that_cannot_be_parsed_is_mitmproxys_to_complain_about():
    assert proxy_modes.modes_of(of(mode=["nonsense", "regular"])) == [ProxyMode.parse("regular")]
    assert proxy_modes.modes_of(of()) == []


def test_the_proxy_of_upstream_mode():
    def proxy(*modes: str) -> str:
        return str(proxy_modes.upstream_proxy(of(mode=list(modes))))

    assert proxy("regular", "upstream:http://corp:3128", "upstream:http://other:1") == "http://corp:3128"
    assert proxy("upstream:https://corp") == "https://corp"
    assert proxy_modes.upstream_proxy(of(mode=["regular"])) is None
