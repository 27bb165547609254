from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import options
from hunyuan_fix.route import Address, Route, Routes

LEGACY = "api.hunyuan.cloud.tencent.com"
TOKENHUB = "tokenhub.tencentmaas.com"
CHAT = Address("https", LEGACY, 443, "/v1/chat/completions")


def routes(**given: object) -> Routes:
    return Routes(options.parse({f"hunyuan_{name}": value for name, value in given.items()}))


def routed(
    address: Address, method: str = "POST", sni: str | None = None, sent: tuple[str, ...] = (), **given: object
) -> Route:
    route = routes(**given).route(method, address, sni, sent)
    assert route is not None
    return route


def at(path: str, host: str = LEGACY) -> Address:
    return Address("https", host, 443, path)


@pytest.mark.parametrize(
    ("path", "endpoint", "base"),
    [
        ("/v1/chat/completions", "chat", f"https://{LEGACY}/v1"),
        ("/chat/completions", "chat", f"https://{LEGACY}"),
        ("/openai/deployments/x/v1/chat/completions", "chat", f"https://{LEGACY}/openai/deployments/x/v1"),
        ("/v1/chat/completions?api-version=1", "chat", f"https://{LEGACY}/v1"),
        ("/v1/embeddings", "embeddings", f"https://{LEGACY}/v1"),
        ("/v1/models", None, f"https://{LEGACY}"),
        ("/v1/mychat/completions", None, f"https://{LEGACY}"),
        ("*", None, f"https://{LEGACY}"),
    ],
)
def test_the_path_says_which_api_it_is(path: str, endpoint: str | None, base: str):
    route = routed(at(path))
    assert route.dialect == endpoint
    assert route.address == at(path)
    assert not route.rerouted
    assert not route.respelt
    if endpoint:
        assert route.base_url == base


def test_only_post_is_touched():
    assert routed(CHAT, "GET").dialect is None
    assert routed(CHAT, "PUT").dialect is None


def test_other_hosts_are_nobodys_business():
    assert routes().route("POST", at("/v1/chat/completions", "api.openai.com")) is None
    assert routes().route("POST", at("/v1/chat/completions", "api.openai.com"), "api.openai.com") is None


@pytest.mark.parametrize("host", [LEGACY.upper(), f"{LEGACY}."])
def test_a_host_is_known_however_it_is_spelt(host: str):
    route = routed(at("/v1/chat/completions", host))
    assert route.base_url == f"https://{LEGACY}/v1"
    assert route.address == CHAT


@pytest.mark.parametrize("address", ["119.29.29.29", "2001:db8::1", "[2001:db8::1]"])
@pytest.mark.parametrize("sni", [LEGACY, f"{LEGACY.upper()}."])
def test_a_client_that_resolves_names_itself_is_led_to_the_name_in_its_handshake(address: str, sni: str):
    """Anybody may answer at an address: what goes there goes to the name, whose certificate is checked."""
    route = routed(Address("https", address, 8443, "/v1/chat/completions"), sni=sni, sent=(LEGACY,))
    assert route.profile == "hunyuan"
    assert route.base_url == f"https://{LEGACY}:8443/v1"
    assert route.address == Address("https", LEGACY, 8443, "/v1/chat/completions")
    assert not route.rerouted


@pytest.mark.parametrize(
    ("target", "sni", "sent"),
    [
        ("evil.example", LEGACY, (LEGACY,)),
        ("evil.example", LEGACY, ()),
        (LEGACY, "evil.example", (LEGACY,)),
        (LEGACY, TOKENHUB, (LEGACY,)),
        (TOKENHUB, LEGACY, (TOKENHUB,)),
        ("119.29.29.29", "evil.example", (LEGACY,)),
        ("119.29.29.29", None, (LEGACY,)),
        ("0x771d1d1d", LEGACY, (LEGACY,)),  # what only some resolvers take for an address
        (LEGACY, LEGACY, ("evil.example",)),
        (LEGACY, LEGACY, (LEGACY, "evil.example")),
        (LEGACY, LEGACY, ("evil.example", LEGACY)),
        (LEGACY, None, (f"{LEGACY}:443, evil.example",)),
        (LEGACY, None, (f"{LEGACY}@evil.example",)),
        (LEGACY, None, ("",)),
        ("119.29.29.29", LEGACY, (TOKENHUB,)),
        ("evil.example", "evil.example", (LEGACY,)),
    ],
)
def test_a_client_that_names_two_hosts_is_nobodys_business(target: str, sni: str | None, sent: tuple[str, ...]):
    for upstream in ("", f"https://{TOKENHUB}/v1"):
        assert routes(upstream=upstream).route("POST", at("/v1/chat/completions", target), sni, sent) is None


def test_one_host_may_be_spelt_in_several_ways():
    assert routed(CHAT, sni=f"{LEGACY.upper()}.", sent=(f"{LEGACY}:443", f"{LEGACY}.")).base_url.endswith(
        f"{LEGACY}/v1"
    )
    local = Address("http", "127.0.0.1", 9000, "/v1/chat/completions")
    assert routed(local, sent=("localhost:9000",), hosts="127.0.0.1").address == local


HOSTS = st.sampled_from([LEGACY, f"{LEGACY}.", TOKENHUB, "evil.example", "119.29.29.29", "127.0.0.1", "localhost"])


@given(HOSTS, st.none() | HOSTS, st.lists(HOSTS, max_size=2))
def test_whatever_is_routed_goes_to_a_known_host_that_every_name_agrees_with(
    target: str, sni: str | None, sent: list[str]
):
    route = routes().route("POST", at("/v1/chat/completions", target), sni, tuple(sent))
    if route is not None:
        name = route.address.host
        assert name in (LEGACY, TOKENHUB)
        assert route.base_url == f"https://{name}/v1"
        assert {host.rstrip(".") for host in (target, sni or name, *sent)} <= {name, "119.29.29.29", "127.0.0.1"}
        assert all(host.rstrip(".") == name for host in sent)


def test_whom_requests_of_known_hosts_may_reach():
    given = routes(upstream="https://10.0.0.1/v1")
    assert all(given.trusts(host) for host in (LEGACY, f"{LEGACY}.", "10.0.0.1"))
    assert not any(given.trusts(host) for host in ("evil.example", "10.0.0.2", None))
    assert not routes().trusts("10.0.0.1")


@pytest.mark.parametrize(
    ("path", "goes_to"),
    [
        ("/v1/chat/completions/", "/v1/chat/completions"),
        ("/v1/chat/completions//?a=/b//c", "/v1/chat/completions?a=/b//c"),
        ("//v1//chat/completions?x=1", "/v1/chat/completions?x=1"),
        ("/V1/Chat/Completions", "/v1/chat/completions"),
        ("/v1/v1/chat/completions", "/v1/chat/completions"),
        ("/v1/%63hat/%43ompletions", "/v1/chat/completions"),
        ("/v1/v1/embeddings/", "/v1/embeddings"),
        ("/v1/v1/v1/models?limit=1", "/v1/models?limit=1"),
        ("/v1/chat/completions/chat/completions", "/v1/chat/completions"),
    ],
)
@pytest.mark.parametrize("upstream", ["", f"https://{TOKENHUB}/v1"])
def test_a_path_that_is_spelt_in_another_way_is_put_right(path: str, goes_to: str, upstream: str):
    method = "GET" if "models" in path else "POST"
    route = routed(at(path), method, upstream=upstream)
    host = TOKENHUB if upstream else LEGACY
    assert route.address == at(goes_to, host)
    assert route.base_url == f"https://{host}/v1"
    assert route.respelt
    assert (route.dialect is not None) == (method == "POST")
    assert route.lists_models == (method == "GET")


@pytest.mark.parametrize("method", ["POST", "HEAD", "DELETE", "OPTIONS"])
def test_the_list_of_models_is_got(method: str):
    assert routed(at("/v1/models"), "GET").lists_models
    assert not routed(at("/v1/models"), method).lists_models
    assert not routed(at("/v1/models/hy3"), "GET").lists_models


def test_the_profile_is_that_of_the_addressed_host():
    assert routed(CHAT).profile == "hunyuan"
    assert routed(at("/v1/chat/completions", TOKENHUB)).profile == "tokenhub"
    assert routed(at("/v1/chat/completions", "tokenhub-intl.tencentcloudmaas.com")).profile == "tokenhub"


def test_one_profile_for_all():
    assert routed(CHAT, profile="tokenhub").profile == "tokenhub"
    assert routed(CHAT, profile="hunyuan", upstream=f"https://{TOKENHUB}/v1").profile == "hunyuan"


def test_more_hosts():
    local = Address("http", "127.0.0.1", 9000, "/v1/chat/completions")
    assert routed(local, hosts="127.0.0.1").profile == "hunyuan"
    assert routed(local, hosts="127.0.0.1").base_url == "http://127.0.0.1:9000/v1"
    assert routed(local, hosts="127.0.0.1=tokenhub").profile == "tokenhub"
    assert routed(local, hosts="127.0.0.1", profile="tokenhub").profile == "tokenhub"


def test_rerouted_to_the_successor_under_its_profile():
    route = routed(CHAT, upstream=f"https://{TOKENHUB}/v1")
    assert route.rerouted
    assert route.address == at("/v1/chat/completions", TOKENHUB)
    assert (route.profile, route.base_url) == ("tokenhub", f"https://{TOKENHUB}/v1")


def test_rerouted_to_an_unknown_host_under_the_addressed_ones_profile():
    route = routed(CHAT, upstream="http://127.0.0.1:9000/v1")
    assert route.address == Address("http", "127.0.0.1", 9000, "/v1/chat/completions")
    assert (route.profile, route.base_url, route.rerouted) == ("hunyuan", "http://127.0.0.1:9000/v1", True)
    assert routed(at("/v1/chat/completions", TOKENHUB), upstream="http://127.0.0.1:9000/v1").profile == "tokenhub"


@pytest.mark.parametrize(
    ("path", "upstream", "goes_to"),
    [
        ("/v1/models", "http://local/v1", "/v1/models"),
        ("/v1/models", "http://local/api/v3", "/api/v3/models"),
        ("/models?limit=1", "http://local/v1", "/v1/models?limit=1"),
        ("/v1/embeddings", "http://local/api/v3", "/api/v3/embeddings"),
        ("/old/prefix/v1/chat/completions?x=1", "http://local/v1", "/v1/chat/completions?x=1"),
        ("/v1/chat/completions", "http://local", "/chat/completions"),
        ("/v1beta/x", "http://local/v1", "/v1/v1beta/x"),
    ],
)
def test_the_path_moves_below_the_new_base(path: str, upstream: str, goes_to: str):
    assert routed(at(path), upstream=upstream).address == Address("http", "local", 80, goes_to)


def test_successors_are_for_those_who_leave_their_profile():
    assert routed(CHAT, upstream=f"https://{TOKENHUB}/v1").successors
    assert routed(CHAT, upstream="http://127.0.0.1:9/v1", profile="tokenhub").successors
    assert not routed(CHAT, upstream="http://127.0.0.1:9/v1").successors
    assert not routed(
        at("/v1/chat/completions", TOKENHUB), upstream="https://tokenhub-intl.tencentcloudmaas.com/v1"
    ).successors
    assert not routed(CHAT).successors
    assert not routed(CHAT, profile="tokenhub").successors


def test_a_client_that_already_points_at_the_base_is_not_rerouted():
    route = routed(at("/v1/chat/completions", TOKENHUB), upstream=f"https://{TOKENHUB}/v1")
    assert not route.rerouted
    assert route.address == at("/v1/chat/completions", TOKENHUB)


@pytest.mark.parametrize(
    "path", ["/v1/responses", "/anthropic/v1/messages", "/v1/completions", "/v1/chat", "/v1/chat%2Fcompletions", "/v1"]
)
def test_what_is_not_repaired_is_worth_a_line(path: str):
    assert routed(at(path)).unrepaired
    assert routed(at(path)).dialect is None
    assert routed(at(path)).address == at(path)
    assert not routed(at(path), "GET").unrepaired
    assert not routed(CHAT).unrepaired


@given(path=st.text(min_size=1), method=st.sampled_from(["GET", "POST", "OPTIONS"]))
def test_any_path_has_a_route(path: str, method: str):
    route = routed(at(path), method, upstream="http://local:9/v1")
    assert route.address.host == "local"
    assert route.address.path.startswith("/v1")
