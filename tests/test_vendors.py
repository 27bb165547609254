"""Whose a host is, and that no key reaches another vendor: by property, over every route that there can be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import options, profiles, vendors
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.config.values import base_url
from hunyuan_fix.route import Address, Route, Routes, check
from hunyuan_fix.vendors import HOME, Vendors
from tests.providers import toml

TOKENHUB, LKEAP, MOONSHOT, KIMI, ZENMUX = (
    "tokenhub.tencentmaas.com",
    "api.lkeap.cloud.tencent.com",
    "api.moonshot.cn",
    "api.kimi.com",
    "zenmux.ai",
)
GATEWAY, OPENAI, LOCAL = "llm.example.com", "api.openai.com", "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "vendor"),
    [
        (TOKENHUB, "tencent"),
        (LKEAP, "tencent"),
        ("api.hunyuan.cloud.tencent.com", "tencent"),
        (MOONSHOT, "moonshot"),
        ("api.moonshot.ai", "moonshot"),
        (KIMI, "moonshot"),
        (ZENMUX, "zenmux"),
        ("openrouter.ai", "openrouter"),
        ("api.deepseek.com", "deepseek"),
        ("api.siliconflow.cn", "siliconflow"),
        ("dashscope.aliyuncs.com", "dashscope"),
        ("coding.dashscope.aliyuncs.com", "dashscope"),
        (OPENAI, "openai.com"),
        ("console.moonshot.cn", "moonshot.cn"),
        (GATEWAY, HOME),
        (LOCAL, HOME),
        ("notmoonshot.cn", HOME),
    ],
)
def test_each_host_has_one(host: str, vendor: str):
    assert Vendors().of(host) == vendor
    assert Vendors().of(host, "/v1/models") == vendor


def test_every_shipped_host_has_one_vendor():
    """So that the key doesn't depend on a path that may be spelt in many ways."""
    for host, products in profiles.by_host().items():
        assert len({profiles.load(name).vendor for _, name in products}) == 1, host


def test_an_option_names_the_vendor_of_unknown_hosts_only():
    named = Vendors(dict.fromkeys((LOCAL, GATEWAY, TOKENHUB, OPENAI), "moonshot"), "zenmux")
    assert (named.of(LOCAL), named.of(GATEWAY)) == ("moonshot", "moonshot")
    assert (named.of(TOKENHUB), named.of(OPENAI), named.of(ZENMUX)) == ("tencent", "openai.com", "zenmux")
    assert named.of("10.0.0.1") == "zenmux"
    assert Vendors({LOCAL: None}).of(LOCAL) == HOME
    assert Vendors({GATEWAY: "anthropic"}).of(GATEWAY) == HOME, "the profile of a format is no vendor's"
    assert Vendors(profile="anthropic").of("10.0.0.1") == HOME


def test_a_profile_without_a_vendor_is_its_own(add_provider: Callable[[str, str], None]):
    text = toml("toy.example").replace('vendor = "tencent"\n', "")
    add_provider("toy", text)
    assert Vendors().of("toy.example") == "toy"


def test_a_path_of_no_product_at_a_host_of_two_vendors_has_nobodys_key(add_provider: Callable[[str, str], None]):
    add_provider("one", toml("shared.example/one", vendor="one"))
    add_provider("two", toml("shared.example/two", vendor="two"))
    assert [Vendors().of("shared.example", f"/{path}/v1") for path in ("one", "two")] == ["one", "two"]
    assert Vendors().of("shared.example", "/three") == "shared.example"


def test_what_is_known_to_be_a_vendors():
    assert all(map(vendors.is_a_vendors, (TOKENHUB, MOONSHOT, OPENAI, "chat.deepseek.com")))
    assert not any(map(vendors.is_a_vendors, (LOCAL, GATEWAY, "localhost", "")))


# Which requests hunyuan_upstream re-routes, and whose key is lent


def routes(**given: object) -> Routes:
    return Routes(options.parse({f"hunyuan_{name}": value for name, value in given.items()}))


def routed(host: str, path: str = "/v1/chat/completions", **given: object) -> Route:
    found = routes(**given).route("POST", Address("https", host, 443, path))
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("upstream", "host", "path", "rerouted", "foreign"),
    [
        (f"https://{TOKENHUB}/v1", "api.hunyuan.cloud.tencent.com", "/v1/chat/completions", True, False),
        (f"https://{TOKENHUB}/v1", LKEAP, "/plan/v3/chat/completions", True, False),
        (f"https://{TOKENHUB}/v1", MOONSHOT, "/v1/chat/completions", False, False),
        (f"https://{TOKENHUB}/v1", KIMI, "/coding/v1/chat/completions", False, False),
        (f"https://{ZENMUX}/api/v1", TOKENHUB, "/v1/chat/completions", True, True),
        (f"https://{ZENMUX}/api/v1", MOONSHOT, "/v1/chat/completions", False, False),
        ("https://api.moonshot.ai/v1", MOONSHOT, "/v1/chat/completions", True, False),
        ("https://api.moonshot.ai/v1", KIMI, "/coding/v1/chat/completions", True, False),
        ("https://api.moonshot.ai/v1", TOKENHUB, "/v1/chat/completions", True, True),
        (f"https://{OPENAI}/v1", TOKENHUB, "/v1/chat/completions", True, True),
        (f"https://{OPENAI}/v1", MOONSHOT, "/v1/chat/completions", False, False),
        ("http://10.0.0.1/v1", TOKENHUB, "/v1/chat/completions", True, False),
        ("http://10.0.0.1/v1", MOONSHOT, "/v1/chat/completions", False, False),
    ],
)
def test_clients_of_other_vendors_stay_where_they_are(
    upstream: str, host: str, path: str, rerouted: bool, foreign: bool
):
    found = routed(host, path, upstream=upstream)
    assert (found.rerouted, found.foreign) == (rerouted, foreign)
    assert found.lends == rerouted, "the key is for the upstream's vendor, whose hosts are re-routed"


def test_a_host_that_is_named_is_rerouted_without_its_key():
    found = routed(MOONSHOT, hosts=MOONSHOT, upstream=f"https://{TOKENHUB}/v1")
    assert (found.rerouted, found.foreign, found.lends, found.profile) == (True, True, True, "tokenhub")


@pytest.mark.parametrize(
    ("given", "host", "path", "lends"),
    [
        ({}, TOKENHUB, "/v1/chat/completions", True),
        ({}, LKEAP, "/plan/v3/chat/completions", True),
        ({}, MOONSHOT, "/v1/chat/completions", False),
        ({}, ZENMUX, "/api/v1/chat/completions", False),
        ({"hosts": LOCAL}, LOCAL, "/v1/chat/completions", True),
        ({"hosts": GATEWAY}, GATEWAY, "/v1/chat/completions", True),
        ({"hosts": f"{LOCAL}=moonshot"}, LOCAL, "/v1/chat/completions", False),
        ({"hosts": f"{MOONSHOT}=tokenhub"}, MOONSHOT, "/v1/chat/completions", False),
        ({"hosts": LOCAL, "profile": "moonshot"}, LOCAL, "/v1/chat/completions", False),
        ({"profile": "tokenhub"}, MOONSHOT, "/v1/chat/completions", False),
        ({"upstream": "http://10.0.0.1/v1", "profile": "moonshot"}, MOONSHOT, "/v1/chat/completions", True),
    ],
)
def test_the_key_is_lent_to_one_vendor(given: dict[str, str], host: str, path: str, lends: bool):
    assert routed(host, path, **given).lends == lends


@pytest.mark.parametrize(
    ("given", "target", "sent", "foreign"),
    [
        ({"upstream": f"https://{ZENMUX}/api/v1"}, TOKENHUB, ("127.0.0.1:4000",), False),
        ({"upstream": f"https://{ZENMUX}/api/v1"}, TOKENHUB, ("llm.lan",), False),
        ({"upstream": f"https://{ZENMUX}/api/v1"}, TOKENHUB, (TOKENHUB,), True),
        ({"upstream": f"https://{ZENMUX}/api/v1"}, TOKENHUB, (f"{ZENMUX}:443", MOONSHOT), True),
        ({"upstream": f"https://{ZENMUX}/api/v1"}, TOKENHUB, (ZENMUX,), False),
        ({}, TOKENHUB, ("localhost:4000",), False),
        ({}, TOKENHUB, (MOONSHOT,), True),
        ({}, TOKENHUB, (OPENAI,), True),
        ({}, MOONSHOT, (f"{MOONSHOT}.",), False),
        ({"hosts": f"{LOCAL}=moonshot"}, TOKENHUB, ("127.0.0.1:4000",), False),
        ({"hosts": f"{OPENAI}=tokenhub", "upstream": f"https://{TOKENHUB}/v1"}, OPENAI, ("127.0.0.1",), True),
        ({"hosts": GATEWAY}, GATEWAY, ("127.0.0.1:4000",), False),
        ({"hosts": f"{GATEWAY}=moonshot"}, GATEWAY, (GATEWAY,), False),
        ({"hosts": GATEWAY}, GATEWAY, (MOONSHOT,), True),
        ({"hosts": f"{GATEWAY}=tokenhub", "upstream": f"https://{TOKENHUB}/v1"}, GATEWAY, ("127.0.0.1",), True),
    ],
)
def test_a_reverse_ports_key_is_for_what_the_port_leads_to(
    given: dict[str, str], target: str, sent: tuple[str, ...], foreign: bool
):
    found = routes(**given).of_port("POST", Address("https", target, 443, "/v1/chat/completions"), sent)
    assert found is not None
    assert found.foreign == foreign


@pytest.mark.parametrize(
    ("hosts", "foreign"),
    [(LOCAL, False), (f"{LOCAL}=tokenhub", True), (f"{LOCAL}=moonshot", True), (f"{LOCAL}=zenmux", False)],
)
def test_a_local_servers_key_is_its_profiles_if_it_has_one(hosts: str, foreign: bool):
    assert routed(LOCAL, hosts=hosts, upstream=f"https://{ZENMUX}/api/v1").foreign == foreign


@pytest.mark.parametrize("host", ["chat.deepseek.com", "www.kimi.com", "console.moonshot.cn=moonshot"])
def test_another_name_of_a_vendor_needs_an_upstream_to_be_named(host: str):
    with pytest.raises(OptionError, match="only together with hunyuan_upstream"):
        check(options.parse({"hunyuan_hosts": host}))
    check(options.parse({"hunyuan_hosts": host, "hunyuan_upstream": f"https://{TOKENHUB}/v1"}))
    check(options.parse({"hunyuan_hosts": MOONSHOT}))  # a profile knows it: the key isn't lent to it


@pytest.mark.parametrize(
    ("url", "given", "profile", "base"),
    [
        (f"https://{MOONSHOT}/v1", {}, "moonshot", f"https://{MOONSHOT}/v1"),
        (f"https://{MOONSHOT}", {}, "moonshot", f"https://{MOONSHOT}/v1"),
        ("https://dashscope.aliyuncs.com", {}, "dashscope", "https://dashscope.aliyuncs.com/compatible-mode/v1"),
        (f"https://{KIMI}/coding/v1", {}, "kimi-coding", f"https://{KIMI}/coding/v1"),
        ("http://127.0.0.1:11434/v1", {}, "openai", "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:11434", {}, "openai", "http://127.0.0.1:11434/v1"),
        ("http://127.0.0.1:9/v1", {"hosts": f"{LOCAL}=moonshot"}, "moonshot", "http://127.0.0.1:9/v1"),
        (f"https://{GATEWAY}/x/openai/v1", {}, "openai", f"https://{GATEWAY}/x/openai/v1"),
        (f"https://{GATEWAY}/anthropic", {}, "anthropic", f"https://{GATEWAY}/anthropic/v1"),
        (f"https://{GATEWAY}/v1", {"profile": "tokenhub"}, "openai", f"https://{GATEWAY}/v1"),
    ],
)
def test_an_endpoint_that_is_named_for_calls_of_one_kind(url: str, given: dict[str, str], profile: str, base: str):
    found = routes(**given).endpoint(base_url(url))
    assert (found.profile, str(found.base)) == (profile, base)


def test_embeddings_of_their_own_endpoint_stay_there():
    given = {"embeddings_upstream": f"https://{TOKENHUB}/v1"}
    own = routed(TOKENHUB, "/v1/embeddings", **given)
    assert (own.elsewhere, own.foreign) == (False, False)
    other = routed(MOONSHOT, "/v1/embeddings?key=x", **given)
    assert (other.elsewhere, other.foreign) == (True, True)
    assert other.address == ("https", TOKENHUB, 443, "/v1/embeddings"), "without the query"
    assert not routed(MOONSHOT, "/v1/chat/completions", **given).elsewhere
    assert not routed(MOONSHOT, "/v1/embeddings").elsewhere


def test_embeddings_go_to_no_endpoint_that_has_none():
    with pytest.raises(OptionError, match=r"hunyuan_embeddings_upstream=.*which has no embeddings"):
        check(options.parse({"hunyuan_embeddings_upstream": f"https://{GATEWAY}/anthropic"}))
    with pytest.raises(OptionError, match="without the path of one API"):
        options.parse({"hunyuan_embeddings_upstream": f"https://{GATEWAY}/v1/embeddings"})


# The property

KNOWN = sorted(profiles.by_host())
HOSTS = st.sampled_from([*KNOWN, OPENAI, GATEWAY, LOCAL, "10.0.0.1"])
PATHS = st.sampled_from(
    [
        "/v1/chat/completions",
        "/v1/messages",
        "/anthropic/v1/messages",
        "/plan/v3/chat/completions",
        "/plan/anthropic/v1/messages",
        "/coding/v1/messages",
        "/coding/v3/chat/completions",
        "/api/v1/chat/completions",
        "/api/anthropic/v1/messages",
        "/apps/anthropic/v1/messages",
        "/compatible-mode/v1/responses",
        "/v1/embeddings",
        "/plan/v3/embeddings",
        "/v1/models",
        "/v1/files",
    ]
)
NAMES = st.sampled_from(["", *profiles.names()])
BASES = st.sampled_from(["", "/v1", "/api/v1", "/api/anthropic", "/plan/v3", "/anthropic", "/coding"])


@given(
    host=HOSTS,
    path=PATHS,
    method=st.sampled_from(["GET", "POST"]),
    named=st.dictionaries(HOSTS, NAMES, max_size=3),
    profile=NAMES,
    upstream=st.none() | st.tuples(HOSTS, BASES),
    sent=st.none() | st.lists(HOSTS, max_size=2),
    translate=st.sampled_from(["auto", "always", "never"]),
    embeddings=st.none() | st.tuples(HOSTS, BASES),
)
def test_no_key_reaches_another_vendor(
    host: str,
    path: str,
    method: str,
    named: dict[str, str],
    profile: str,
    upstream: tuple[str, str] | None,
    sent: list[str] | None,
    translate: str,
    embeddings: tuple[str, str] | None,
):
    """The vendors of known hosts here are written down once more, as a table, and not asked of the code."""
    base = f"https://{upstream[0]}{upstream[1]}" if upstream else ""
    made = routes(
        hosts=",".join(f"{one}={name}" if name else one for one, name in named.items()),
        profile=profile,
        upstream=base,
        translate=translate,
        embeddings_upstream=f"https://{embeddings[0]}{embeddings[1]}" if embeddings else "",
    )
    address = Address("https", host, 443, path)
    found = made.route(method, address) if sent is None else made.of_port(method, address, tuple(sent))
    if found is None:
        return
    if found.elsewhere:  # with a key of the keys file alone (`call_keys`), whose property is in its own test
        assert embeddings is not None and found.address.host == embeddings[0] and path.endswith("/embeddings")
        assert found.foreign and not found.lends and found.base_url.startswith(f"https://{embeddings[0]}")
        return
    assert not (embeddings and path.endswith("/embeddings") and method == "POST") or found.address.host == embeddings[0]
    reached = VENDORS.get(found.address.host)
    # 1. The lent key goes to hosts of the upstream's vendor, or of Tencent's, and to none of another.
    if found.lends and reached is not None:
        assert reached == (
            VENDORS.get(upstream[0], reached if profile or named.get(upstream[0]) else HOME) if upstream else HOME
        )
    # 2. A client's own key goes to hosts of the vendor that it was addressed to.
    owners = [host] if sent is None else [one for one in sent if one in VENDORS]
    for owner in owners:
        if VENDORS.get(owner) is not None and reached is not None and VENDORS[owner] != reached:
            assert found.foreign
    if not found.rerouted and set(owners) <= {host}:
        assert not found.foreign, "a key that goes where it is meant to stays"
    # 3. The addon's own calls go where the request goes.
    assert found.base_url.startswith(f"{found.address.scheme}://{found.address.host}")
    # 4. Another vendor's clients stay where they are, unless their host was named.
    if found.rerouted and host not in named:
        assert VENDORS.get(host) in (HOME, VENDORS.get(upstream[0] if upstream else "", made.vendor))


VENDORS = {
    **dict.fromkeys([host for host in KNOWN if "tencent" in host], HOME),
    **dict.fromkeys([host for host in KNOWN if "moonshot" in host or "kimi" in host], "moonshot"),
    **dict.fromkeys([host for host in KNOWN if "dashscope" in host], "dashscope"),
    **dict.fromkeys([host for host in KNOWN if "siliconflow" in host], "siliconflow"),
    "zenmux.ai": "zenmux",
    "openrouter.ai": "openrouter",
    "api.deepseek.com": "deepseek",
    OPENAI: "openai.com",
}


def test_the_table_knows_every_host():
    assert set(VENDORS) == {*KNOWN, OPENAI}
