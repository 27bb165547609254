from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import dialects, options, profiles
from hunyuan_fix.config.option import OptionError
from hunyuan_fix.route import Address, Route, Routes, check, is_translated

ANTHROPIC = "api.anthropic.com"
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


NATIVE = "hunyuan.tencentcloudapi.com"
ACTION = {"x-tc-action": "ChatCompletions"}


@pytest.mark.parametrize(
    ("host", "target", "headers", "name"),
    [
        (NATIVE, "/", ACTION, "tencent-cloud"),
        (NATIVE, "/", {"x-tc-action": "chatCompletions "}, "tencent-cloud"),
        (NATIVE, "/", {"x-tc-action": "GetEmbedding"}, "tencent-cloud-embedding"),
        (NATIVE, "/?x=1", {"x-tc-action": "GetTokenCount"}, "tencent-cloud-token-count"),
        (NATIVE, "/", {"x-tc-action": "DescribeInstances"}, "tencent-cloud"),
        (NATIVE, "/?Action=ChatCompletions&Version=2023-09-01", {}, "tencent-cloud"),
        (NATIVE, "/", {"content-type": "application/x-www-form-urlencoded"}, "tencent-cloud"),
        (NATIVE, "/", {}, None),
        (NATIVE, "/v1/chat/completions", ACTION, None),
        ("127.0.0.1", "/", ACTION, "tencent-cloud"),
        ("127.0.0.1", "/", {"authorization": "TC3-HMAC-SHA256 Credential=x"}, "tencent-cloud"),
        ("127.0.0.1", "/", {"content-type": "application/json", "authorization": "Bearer sk-x"}, None),
        ("127.0.0.1", "/?Action=x", {}, None),
    ],
)
def test_headers_say_which_native_request_it_is(host: str, target: str, headers: dict[str, str], name: str | None):
    assert dialects.of_headers(host, target, headers) == name


def test_a_native_request_leaves_for_the_successor():
    there = routes(upstream="successor")
    route = there.route("POST", at("/", NATIVE), named="tencent-cloud")
    assert route is not None
    assert (route.dialect, route.profile, route.base_url) == ("tencent-cloud", "tokenhub", f"https://{TOKENHUB}/v1")
    assert route.address.host == TOKENHUB
    assert (route.successors, route.rerouted, route.foreign, route.unrepaired) == (True, True, False, False)
    by_port = there.of_port("POST", at("/"), (f"127.0.0.1:{8080}",), "tencent-cloud")
    assert by_port is not None
    assert by_port.dialect == "tencent-cloud"
    assert by_port.address.host == TOKENHUB
    unnamed = there.route("POST", at("/", NATIVE))
    assert unnamed is not None
    assert unnamed.dialect is None
    assert there.route("POST", at("/", "other.example"), named="tencent-cloud") is None


def test_a_native_request_to_the_successor_itself_names_old_models_all_the_same():
    route = routes().of_port("POST", at("/", TOKENHUB), ("127.0.0.1:8080",), "tencent-cloud")
    assert route is not None
    assert (route.successors, route.rerouted) == (True, False)
    legacy = routes().of_port("POST", at("/"), ("127.0.0.1:8080",), "tencent-cloud")
    assert legacy is not None
    assert not legacy.successors


def test_a_native_request_keeps_its_path_at_a_native_endpoint():
    for upstream in ("", f"https://{NATIVE}"):
        route = routes(upstream=upstream).route("POST", at("/", NATIVE), named="tencent-cloud")
        assert route is not None
        assert route.address == at("/", NATIVE)
        assert not route.rerouted
    assert routes(translate="never").route("POST", at("/", NATIVE), named="tencent-cloud").dialect is None  # type: ignore[union-attr]


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


@pytest.mark.parametrize("upstream", ["", f"https://{TOKENHUB}/v1"])
def test_one_model_is_got_by_way_of_the_list(upstream: str):
    route = routed(at("/v1/v1/models/org%2Fhy3?x=1"), "GET", upstream=upstream)
    host = TOKENHUB if upstream else LEGACY
    assert (route.lists_models, route.of_model, route.list_path) == (True, "/org%2Fhy3", "/v1/models")
    assert route.address == at("/v1/models/org%2Fhy3?x=1", host)
    assert route.respelt
    deleted = routed(at("/v1/v1/models/hy3"), "DELETE")
    assert (deleted.lists_models, deleted.respelt, deleted.of_model) == (False, False, "")
    exact = routed(at("/v1/models/hy3"), "GET")
    assert (exact.respelt, exact.address) == (False, at("/v1/models/hy3"))


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


def test_only_what_was_shut_down_goes_to_its_successor():
    moved = routed(CHAT, upstream="successor")
    assert moved.address == Address("https", TOKENHUB, 443, "/v1/chat/completions")
    assert (moved.profile, moved.successors, moved.foreign) == ("tokenhub", True, False)
    by_port = routes(upstream="successor").of_port("POST", CHAT, ())
    assert by_port is not None
    assert (by_port.address, by_port.successors) == (moved.address, True)
    for address in (
        at("/v1/chat/completions", TOKENHUB),
        at("/plan/v3/chat/completions", TOKENHUB),
        at("/v1/chat/completions", "tokenhub-intl.tencentcloudmaas.com"),
        at("/coding/v3/chat/completions", "api.lkeap.cloud.tencent.com"),
        at("/v1/chat/completions", "api.moonshot.cn"),
    ):
        assert not routed(address, upstream="successor").rerouted, address
    assert not routed(at("/v1/chat/completions", "local"), upstream="successor", hosts="local=hunyuan").rerouted
    # A host that only the options name is another vendor's: what is asked of it is meant for somewhere else.
    given = options.parse({"hunyuan_upstream": "successor", "hunyuan_hosts": f"{ANTHROPIC}=tokenhub"})
    check(given)
    foreign = Routes(given).route("POST", at("/v1/messages", ANTHROPIC), None, ())
    assert foreign is not None
    assert (foreign.address.host, foreign.foreign) == (TOKENHUB, True)


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
    "path", ["/v1/moderations", "/v1/files", "/v1/completions", "/v1/chat", "/v1/chat%2Fcompletions", "/v1"]
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


# Anthropic's format

MESSAGES = [
    "/v1/messages",
    "/messages",
    "/anthropic/v1/messages",
    "/anthropic/messages",
    "/v1/v1/messages",
    "/v1/anthropic/v1/messages",
    "/anthropic/v1/v1/messages/",
    "//v1//Messages",
]
RESPELT = {"/v1/v1/messages", "/anthropic/v1/v1/messages/", "//v1//Messages"}


@pytest.mark.parametrize("path", MESSAGES)
@pytest.mark.parametrize("query", ["", "?beta=true"])
def test_messages_become_chat_where_the_endpoint_has_none(path: str, query: str):
    found = routed(at(path + query))
    assert (found.dialect, found.spoken, found.native) == ("anthropic", "anthropic", False)
    assert found.base_url == f"https://{LEGACY}/v1"
    assert not found.unrepaired
    assert found.respelt == (path in RESPELT)
    assert routed(at(path + query), "GET").dialect is None


@pytest.mark.parametrize("path", MESSAGES)
def test_where_the_endpoint_speaks_it_they_go_to_its_own_path(path: str):
    found = routed(at(f"{path}?beta=true", TOKENHUB))
    assert (found.dialect, found.spoken, found.native) == ("anthropic-native", "anthropic", True)
    assert found.address == at("/v1/messages?beta=true", TOKENHUB)
    assert found.base_url == f"https://{TOKENHUB}/v1"
    assert found.respelt == (path != "/v1/messages")
    assert not found.unrepaired
    never = routed(at(path, TOKENHUB), translate="never")
    assert (never.dialect, never.native, never.unrepaired) == (None, True, True)


@pytest.mark.parametrize("path", MESSAGES)
@pytest.mark.parametrize("translate", ["auto", "never"])
def test_rerouting_maps_each_path(path: str, translate: str):
    found = routed(at(f"{path}?beta=true"), upstream=f"https://{TOKENHUB}/v1", translate=translate)
    assert found.address == at("/v1/messages?beta=true", TOKENHUB)
    assert found.dialect == ("anthropic-native" if translate == "auto" else None)
    assert found.native
    always = routed(at(path), upstream=f"https://{TOKENHUB}/v1", translate="always")
    assert (always.dialect, always.base_url) == ("anthropic", f"https://{TOKENHUB}/v1")
    local = routed(at(path), upstream="http://127.0.0.1:9000/api/v3")
    assert (local.dialect, local.base_url) == ("anthropic", "http://127.0.0.1:9000/api/v3")


@pytest.mark.parametrize(
    ("upstream", "base"),
    [
        ("https://gateway.example/x/anthropic", "https://gateway.example/x/anthropic/v1"),
        ("https://gateway.example/anthropic/v1", "https://gateway.example/anthropic/v1"),
    ],
)
def test_the_path_of_an_unknown_upstream_tells_that_it_speaks_messages(upstream: str, base: str):
    chat = routed(CHAT, upstream=upstream)
    assert (chat.profile, chat.dialect, chat.base_url) == ("anthropic", "chat", base)
    messages = routed(at("/v1/messages"), upstream=upstream)
    assert (messages.profile, messages.dialect) == ("anthropic", "anthropic-native")
    assert messages.address == Address("https", "gateway.example", 443, base.partition("example")[2] + "/messages")
    assert routed(CHAT, upstream=upstream, profile="tokenhub").profile == "tokenhub"
    assert routed(CHAT, upstream="https://gateway.example/v1").profile == "hunyuan"


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/v1/chat/completions", "/v1"),
        ("/chat/completions", "/v1"),
        ("/anthropic/chat/completions", "/anthropic/v1"),
        ("/anthropic/v1/chat/completions", "/anthropic/v1"),
        ("/x/anthropic/chat/completions", "/x/anthropic/v1"),
    ],
)
def test_a_base_url_of_messages_has_a_version(path: str, base: str):
    """SDKs for Messages write it themselves, those for chat take it with the base URL."""
    found = routed(at(path, "gateway.example"), hosts="gateway.example=anthropic")
    assert (found.profile, found.base_url) == ("anthropic", f"https://gateway.example{base}")


@pytest.mark.parametrize("upstream", ["https://zenmux.ai/api/anthropic", "https://api.moonshot.cn/anthropic"])
def test_a_known_upstream_gets_chat_at_its_chat_api(upstream: str):
    found = routed(CHAT, upstream=upstream, hosts=f"{LEGACY}=hunyuan")
    assert (profiles.load(found.profile).dialect, found.base_url.count("anthropic")) == ("openai", 0)


def test_a_plans_paths_lead_to_no_other_endpoint_of_its_host():
    """A plan's key is for the plan's own endpoint."""
    path = "/plan/anthropic/v1/messages"
    assert routed(at(path, TOKENHUB)).address.path == path
    assert routed(at(path, TOKENHUB), translate="always").base_url == f"https://{TOKENHUB}/plan/v3"


@pytest.mark.parametrize(
    ("path", "base"),
    [
        ("/v1/messages", "/v1"),
        ("/messages", ""),
        ("/anthropic/v1/messages", "/v1"),
        ("/anthropic/messages", "/v1"),
        ("/api/v3/messages", "/api/v3"),
        ("/gateway/anthropic/v1/messages", "/gateway/v1"),
    ],
)
def test_the_chat_api_of_a_host_that_was_given(path: str, base: str):
    local = Address("http", "127.0.0.1", 9000, path)
    assert routed(local, hosts="127.0.0.1").base_url == f"http://127.0.0.1:9000{base}"
    assert routed(local, hosts="127.0.0.1=tokenhub").address == local


def test_untranslated_they_pass_as_they_are_spelt():
    for path in ("/v1/messages", "/anthropic/v1/messages", "/anthropic/messages"):
        found = routed(at(path), translate="never")
        assert (found.dialect, found.native, found.unrepaired, found.respelt) == (None, False, True, False)
        assert found.address == at(path)


@pytest.mark.parametrize("host", [LEGACY, TOKENHUB])
def test_tokens_are_counted_unless_nothing_is_translated(host: str):
    for path in ("/v1/messages/count_tokens?beta=true", "/anthropic/v1/messages/count_tokens"):
        assert routed(at(path, host)).dialect == "anthropic-count-tokens"
        assert routed(at(path, host), translate="never").dialect is None


@pytest.mark.parametrize("path", ["/v1/models", "/anthropic/v1/models", "/anthropic/models", "/v1/anthropic/v1/models"])
@pytest.mark.parametrize("host", [LEGACY, TOKENHUB])
@pytest.mark.parametrize("upstream", ["", f"https://{TOKENHUB}/v1"])
def test_the_list_of_models_is_where_the_chat_api_has_it(path: str, host: str, upstream: str):
    found = routed(at(f"{path}?limit=1000", host), "GET", upstream=upstream)
    assert found.lists_models
    assert found.address == at("/v1/models?limit=1000", TOKENHUB if upstream else host)


@pytest.mark.parametrize(
    ("path", "goes_to"),
    [
        ("/anthropic/v1/messages/batches", "/v1/messages/batches"),
        ("/v1/v1/files/f_1/content?x=/v1", "/v1/files/f_1/content?x=/v1"),
        ("/anthropic/files", "/v1/files"),
        ("/anthropics/files", "/v1/anthropics/files"),
        ("/v1", "/v1"),
    ],
)
def test_what_is_below_another_formats_base_moves_below_the_new_one(path: str, goes_to: str):
    assert routed(at(path), upstream=f"https://{TOKENHUB}/v1").address.path == goes_to


@given(
    st.lists(st.sampled_from(["v1", "anthropic", "V1", "", "plan", "%761", "."])),
    st.sampled_from(["chat/completions", "messages", "messages/count_tokens", "models", "files"]),
    st.sampled_from([LEGACY, TOKENHUB]),
    st.sampled_from(["auto", "always", "never"]),
)
def test_a_path_that_was_put_right_is_right(base: list[str], api: str, host: str, translate: str):
    found = routed(at("/" + "/".join([*base, api]), host), translate=translate)
    again = routed(found.address, translate=translate)
    assert again.address == found.address
    assert (again.dialect, again.base_url) == (found.dialect, found.base_url)


# The Responses API

RESPONSES = ["/v1/responses", "/responses", "/v1/v1/responses", "//v1//Responses/", "/v1/responses/responses"]
BY_ID = [
    ("GET", "/responses/resp_Ab1"),
    ("DELETE", "/responses/resp_Ab1"),
    ("GET", "/responses/resp_Ab1/input_items"),
    ("POST", "/responses/resp_Ab1/cancel"),
    ("POST", "/conversations"),
    ("GET", "/conversations/conv_Ab1"),
    ("POST", "/conversations/conv_Ab1/items"),
    ("GET", "/conversations/conv_Ab1/items/msg_Ab1"),
]


@pytest.mark.parametrize("path", RESPONSES)
@pytest.mark.parametrize("query", ["", "?api-version=2025-04-01"])
def test_responses_become_chat_where_the_endpoint_has_none(path: str, query: str):
    found = routed(at(path + query))
    assert (found.dialect, found.native, found.unrepaired) == ("responses", False, False)
    assert found.base_url == f"https://{LEGACY}/v1"
    assert routed(at(path + query), "GET").dialect is None
    local = routed(at(path + query), upstream="http://127.0.0.1:9000/api/v3")
    assert (local.dialect, local.base_url) == ("responses", "http://127.0.0.1:9000/api/v3")


@pytest.mark.parametrize("query", ["", "?x=/v1/responses"])
@pytest.mark.parametrize(
    ("path", "dialect"),
    [
        ("/v1/responses/compact", "responses-compact"),
        ("/v1/responses/input_tokens", "responses-input-tokens"),
        ("/v1/v1/Responses/Compact/", "responses-compact"),
    ],
)
def test_what_is_beside_them_has_a_way_of_its_own(path: str, dialect: str, query: str):
    assert routed(at(path + query)).dialect == dialect
    assert routed(at(path + query), "GET").dialect is None


@pytest.mark.parametrize(("method", "path"), BY_ID)
@pytest.mark.parametrize("base", ["/v1", "", "/v1/v1"])
@pytest.mark.parametrize("query", ["", "?include=x&after=/responses"])
def test_what_is_kept_is_asked_for_by_any_method(method: str, path: str, base: str, query: str):
    found = routed(at(base + path + query), method)
    assert found.dialect == "responses-kept"
    assert found.address.path.endswith(path + query), "an id keeps its capital letters"
    assert found.respelt == (base == "/v1/v1")


@pytest.mark.parametrize(("method", "path"), BY_ID)
def test_what_is_kept_here_is_answered_here(method: str, path: str):
    for translate in ("auto", "always"):  # it speaks Responses, and keeps nothing
        assert routed(at(f"/v1{path}", TOKENHUB), method, translate=translate).dialect == "responses-kept"
    never = routed(at(f"/v1{path}?after=x", TOKENHUB), method, translate="never")
    assert (never.dialect, never.native) == (None, True)
    assert never.address == at(f"/v1{path}?after=x", TOKENHUB)
    assert routed(at(f"/v1{path}"), method, translate="never").dialect is None


@pytest.mark.parametrize("dialect", ["responses-kept", "responses-compact"])
def test_what_the_endpoint_keeps_it_answers_itself(dialect: str):
    demands = profiles.load("tokenhub")
    assert is_translated(dialect, demands, "auto")
    stores = {**demands.native, "responses": replace(demands.native["responses"], stores=True)}
    for native in (stores, {}):
        assert not is_translated(dialect, replace(demands, native=native), "auto")
        assert is_translated("responses-input-tokens", replace(demands, native=native), "auto")


@pytest.mark.parametrize(("method", "path"), BY_ID)
def test_no_other_method_is_taken(method: str, path: str):
    taken = {taken for taken, same in BY_ID if same == path}
    for other in {"PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", method.lower()} - taken:
        found = routed(at(f"/v1{path}"), other)
        assert (found.dialect, found.spoken) == (None, "")
        assert found.address == at(f"/v1{path}")


@pytest.mark.parametrize("path", ["/v1/responses/compact/more", "/v1/responses/some/thing", "/v1/responses/no-id"])
def test_what_has_no_id_is_not_about_what_is_kept(path: str):
    assert routed(at(path), "GET").dialect is None
    assert routed(at(path), "GET").address == at(path)


# Hosts of other vendors

FOREIGN = [
    ANTHROPIC,
    "API.Anthropic.com.",
    "console.anthropic.com",
    "api.openai.com",
    "anthropic.com",
    "x.openai.azure.com",
]


def checked(**given: object) -> None:
    check(options.parse({f"hunyuan_{name}": value for name, value in given.items()}))


@pytest.mark.parametrize("host", FOREIGN)
def test_another_vendors_host_needs_an_upstream(host: str):
    with pytest.raises(OptionError, match="only together with hunyuan_upstream"):
        checked(hosts=f"127.0.0.1,{host}=tokenhub")
    checked(hosts=f"{host}=tokenhub", upstream=f"https://{TOKENHUB}/v1")


@pytest.mark.parametrize(
    "upstream", [f"https://{ANTHROPIC}/v1", f"http://{ANTHROPIC.upper()}:8080", f"https://{ANTHROPIC}."]
)
def test_the_upstream_of_another_vendors_host_is_another_host(upstream: str):
    with pytest.raises(OptionError, match="must be another host"):
        checked(hosts=f"{ANTHROPIC}=tokenhub", upstream=upstream)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "llm.example.com=tokenhub", "notanthropic.com", TOKENHUB, "anthropic.com.example.org"]
)
def test_other_hosts_need_none(host: str):
    checked(hosts=host)


@pytest.mark.parametrize("host", [ANTHROPIC, "llm.example.com"])
def test_a_key_for_another_host_does_not_leave_with_a_rerouted_request(host: str):
    given: dict[str, Any] = {"hosts": f"{host}=tokenhub", "upstream": f"https://{TOKENHUB}/v1"}
    found = routed(at("/v1/messages?beta=true", host), **given)
    assert found.foreign
    assert found.address == at("/v1/messages?beta=true", TOKENHUB)
    assert not routed(at("/v1/messages", LEGACY), **given).foreign
    assert not routed(at("/v1/messages", TOKENHUB), **given).foreign
    local: dict[str, Any] = {"hosts": "127.0.0.1", "upstream": f"https://{TOKENHUB}/v1"}
    assert not routed(Address("http", "127.0.0.1", 9000, "/v1/messages"), **local).foreign
