from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from mitmproxy.options import Options
from mitmproxy.proxy.mode_specs import ProxyMode

from hunyuan_fix.config import options
from hunyuan_fix.config.options import OptionError
from hunyuan_fix.hooks import startup
from hunyuan_fix.upstream.client import Transport


@dataclass
class FromCommandLine:
    """What `--set` leaves in `options.deferred`: mitmproxy's own class has just this attribute."""

    val: list[str]


def of(**values: object) -> Callable[[str], object]:
    return values.get


def test_given_values_are_made_plain():
    deferred: dict[str, object] = {
        "hunyuan_cascade": FromCommandLine(["never"]),
        "hunyuan_intercept_all": FromCommandLine([]),
        "hunyuan_allow_open": FromCommandLine(["false"]),
        "hunyuan_vision_concurrency": 4,
        "hunyuan_hosts": ["localhost", "127.0.0.1=tokenhub"],
        "hunyuan_profile": None,
        "other_option": FromCommandLine(["a", "b"]),
    }
    assert startup.settle_given(deferred) == []
    assert deferred == {
        "hunyuan_cascade": "never",
        "hunyuan_intercept_all": True,
        "hunyuan_allow_open": False,
        "hunyuan_vision_concurrency": "4",
        "hunyuan_hosts": "localhost,127.0.0.1=tokenhub",
        "hunyuan_profile": "",
        "other_option": FromCommandLine(["a", "b"]),
    }


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("hunyuan_visoin_model", FromCommandLine(["x"]), "no such option; hunyuan_vision_model is meant?"),
        ("hunyuan_zzz", FromCommandLine(["x"]), "no such option"),
        ("hunyuan_intercept_all", FromCommandLine(["maybe"]), "true and false"),
        ("hunyuan_cascade", FromCommandLine([]), "needs a value"),
        ("hunyuan_hosts", FromCommandLine(["a", "b"]), "more than once"),
        ("hunyuan_allow_open", "perhaps", "true and false"),
    ],
)
def test_problems_that_would_pass_in_silence(name: str, given: object, said: str):
    deferred = {name: given}
    (problem,) = startup.settle_given(deferred)
    assert problem.startswith(name)
    assert said in problem
    assert deferred == {}


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
    assert startup.open_addresses(map(ProxyMode.parse, modes), listen_host) == beyond


def check(settings: dict[str, object] | None = None, **values: object) -> None:
    startup.check(of(**{"mode": ["regular"], **values}), options.parse(settings or {}))


TOKENS: dict[str, object] = {"hunyuan_client_tokens_file": "/clients.toml"}
OPEN: dict[str, object] = {"hunyuan_allow_open": True}


def test_an_open_proxy_needs_tokens_a_password_or_consent():
    with pytest.raises(OptionError, match=r"0\.0\.0\.0.*hunyuan_client_tokens_file.*proxyauth.*hunyuan_allow_open"):
        check(listen_host="0.0.0.0")
    check(listen_host="0.0.0.0", proxyauth="me:secret")
    check(TOKENS, listen_host="0.0.0.0")
    check(OPEN, listen_host="0.0.0.0")
    check(listen_host="127.0.0.1")
    check()


SHARED = {"mode": ["regular", "reverse:http://h@0.0.0.0:4000"]}
PASSWORD = {"proxyauth": "me:secret"}


@pytest.mark.parametrize(
    ("settings", "values", "lends", "guarded"),
    [
        ({}, {}, True, False),
        (TOKENS, {}, True, False),
        (OPEN, {}, True, False),
        (OPEN, SHARED, False, False),
        (OPEN, SHARED | PASSWORD, True, False),
        (OPEN | TOKENS, SHARED, True, False),
        (TOKENS, SHARED, True, True),
        (TOKENS, SHARED | PASSWORD, True, True),
        ({}, SHARED | PASSWORD, True, False),
    ],
)
def test_who_is_lent_the_key_and_who_may_come_in(
    settings: dict[str, object], values: dict[str, object], lends: bool, guarded: bool
):
    option, read = of(**{"mode": ["regular"], **values}), options.parse(settings)
    why_not = startup.not_lending(option, read)
    assert (why_not is None) == lends
    assert why_not is None or ("0.0.0.0" in why_not and "hunyuan_client_tokens_file" in why_not)
    assert startup.guarded(option, read) == guarded


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
    assert startup.comes_from_outside(ProxyMode.parse(mode), address) is outside


def test_bodies_must_not_be_streamed_past():
    with pytest.raises(OptionError, match="stream_large_bodies=1m"):
        check(stream_large_bodies="1m")


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
    assert startup.loopback_modes(servers, "") == [  # type: ignore[arg-type]
        "regular@127.0.0.1:41111",
        "reverse:http://127.0.0.1:9@127.0.0.1:4000",
        "upstream:http://corp:3128@127.0.0.1:8080",
        "socks5@192.168.1.7:1080",
        "wireguard",
        "local",
    ]


def test_a_given_address_stays():
    assert startup.loopback_modes([Server(ProxyMode.parse("regular"))], "0.0.0.0") is None  # type: ignore[list-item]
    assert startup.loopback_modes([Server(ProxyMode.parse("regular@127.0.0.1:1"))], "") is None  # type: ignore[list-item]


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
    assert startup.exposed(ProxyMode.parse(mode), listen_host, reached) is exposed


def transport(settings: dict[str, object] | None = None, **values: object) -> Transport:
    return startup.transport(of(**values), options.parse(settings or {}))


def test_the_addons_own_calls_leave_as_mitmproxys_do():
    assert transport() == Transport()
    assert transport(ssl_insecure=True, ssl_verify_upstream_trusted_ca="/ca.pem") == Transport("/ca.pem", True)
    assert transport(mode=["regular", "upstream:http://corp:3128"]).proxy == "http://corp:3128"
    assert transport(mode=["upstream:https://corp"]).proxy == "https://corp"
    signed_in = transport(mode=["upstream:http://corp:3128"], upstream_auth="me:p@ss")
    assert signed_in.proxy == "http://me:p%40ss@corp:3128"


def test_and_with_its_other_tls_options(tmp_path: Path):
    certificate = tmp_path / "client.pem"
    certificate.touch()
    made = transport(
        ssl_verify_upstream_trusted_confdir="/cas",
        client_certs=str(certificate),
        tls_version_server_min="TLS1_3",
        tls_version_server_max="UNBOUNDED",
        ciphers_server="HIGH",
    )
    assert made == Transport(
        trusted_folder="/cas", client_certificate=str(certificate), oldest="TLS1_3", newest="UNBOUNDED", ciphers="HIGH"
    )
    assert transport(client_certs=str(tmp_path)) == Transport(), "a folder has one for each host"


def test_their_own_proxy_wins():
    settings: dict[str, object] = {"hunyuan_outgoing_proxy": "http://other:1"}
    assert transport(settings, mode=["upstream:http://corp:3128"]).proxy == "http://other:1"
    assert transport(settings).proxy == "http://other:1"


def test_a_mode_that_cannot_be_parsed_is_mitmproxys_to_complain_about():
    assert startup.modes_of(of(mode=["nonsense", "regular"])) == [ProxyMode.parse("regular")]
    assert startup.modes_of(of()) == []


OURS = "~meta ^hunyuan_fix:"


def dumper(**given: object) -> Options:
    """The options of mitmdump, as its user set them."""
    made = Options()
    made.add_option("flow_detail", int, 1, "")
    made.add_option("dumper_filter", str | None, None, "")
    made.update(**given)
    return made


def quietened(options: Options, *, everything: bool = False) -> tuple[object, object]:
    startup.quieten_dumper(options, OURS, everything=everything)
    return options.dumper_filter, options.flow_detail


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ({}, (OURS, 0)),
        ({"flow_detail": 0}, (None, 0)),
        ({"flow_detail": 2}, (OURS, 2)),
        ({"flow_detail": 4}, (OURS, 4)),
        ({"dumper_filter": "~u secret"}, ("~u secret", 1)),
        ({"dumper_filter": "~u secret", "flow_detail": 3}, ("~u secret", 3)),
    ],
)
def test_mitmdump_shows_no_flows_unless_its_user_asked(given: dict[str, object], left: tuple[object, object]):
    options = dumper(**given)
    assert quietened(options) == left
    assert quietened(options) == left


@pytest.mark.parametrize("detail", [0, 1, 2])
def test_with_everything_mitmdump_is_as_ever_also_when_that_comes_later(detail: int):
    options = dumper(flow_detail=detail)
    assert quietened(options, everything=True) == (None, detail)
    quiet = quietened(options)
    assert quietened(options, everything=True) == (None, detail)
    assert quietened(options) == quiet


def test_mitmproxy_and_mitmweb_have_no_dumper():
    startup.quieten_dumper(Options(), OURS, everything=False)
