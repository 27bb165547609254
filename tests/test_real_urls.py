"""Where URLs lead that vendors document, and what clients make of them.

docs/facts/kimi.md#hosts, docs/facts/tokenhub.md#plans
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from hunyuan_fix import dialects, options, profiles
from hunyuan_fix.route import Address, Route, Routes
from tests.looped import each
from tests.providers import toml

LKEAP, TOKENHUB, INTL = "api.lkeap.cloud.tencent.com", "tokenhub.tencentmaas.com", "tokenhub-intl.tencentcloudmaas.com"

CHAT = [
    (f"https://{TOKENHUB}/v1", "tokenhub"),
    (f"https://{INTL}/v1", "tokenhub"),
    (f"https://{TOKENHUB}/plan/v3", "tokenhub-plan"),
    (f"https://{INTL}/plan/v3", "tokenhub-plan"),
    (f"https://{LKEAP}/plan/v3", "tokenhub-plan"),
    (f"https://{LKEAP}/coding/v3", "tokenhub-coding"),
    (f"https://{LKEAP}/v1", "lkeap"),
    ("https://api.moonshot.cn/v1", "moonshot"),
    ("https://api.moonshot.ai/v1", "moonshot"),
    ("https://api.kimi.com/coding/v1", "kimi-coding"),
    ("https://zenmux.ai/api/v1", "zenmux"),
    ("https://openrouter.ai/api/v1", "openrouter"),
    ("https://api.deepseek.com/v1", "deepseek"),
    ("https://api.siliconflow.cn/v1", "siliconflow"),
    ("https://dashscope.aliyuncs.com/compatible-mode/v1", "dashscope"),
    ("https://coding.dashscope.aliyuncs.com/v1", "dashscope-plan"),
]
"""Base URLs of chat APIs, and the profile."""

MESSAGES = [
    (f"https://{TOKENHUB}/v1/messages", f"https://{TOKENHUB}/v1/messages", f"https://{TOKENHUB}/v1"),
    (f"https://{TOKENHUB}/anthropic/v1/messages", f"https://{TOKENHUB}/v1/messages", f"https://{TOKENHUB}/v1"),
    (
        f"https://{TOKENHUB}/plan/anthropic/v1/messages",
        f"https://{TOKENHUB}/plan/anthropic/v1/messages",
        f"https://{TOKENHUB}/plan/v3",
    ),
    (
        f"https://{LKEAP}/plan/anthropic/v1/messages",
        f"https://{LKEAP}/plan/anthropic/v1/messages",
        f"https://{LKEAP}/plan/v3",
    ),
    (
        f"https://{LKEAP}/plan/v3/messages",
        f"https://{LKEAP}/plan/anthropic/v1/messages",
        f"https://{LKEAP}/plan/v3",
    ),
    (
        f"https://{LKEAP}/coding/anthropic/v1/messages",
        f"https://{LKEAP}/coding/anthropic/v1/messages",
        f"https://{LKEAP}/coding/v3",
    ),
    (
        f"https://{LKEAP}/api/anthropic/v1/messages",
        f"https://{LKEAP}/api/anthropic/v1/messages",
        f"https://{LKEAP}/v1",
    ),
    (f"https://{LKEAP}/v1/messages", f"https://{LKEAP}/api/anthropic/v1/messages", f"https://{LKEAP}/v1"),
    (
        "https://api.moonshot.cn/anthropic/v1/messages",
        "https://api.moonshot.cn/anthropic/v1/messages",
        "https://api.moonshot.cn/v1",
    ),
    (
        "https://api.moonshot.ai/anthropic/messages",
        "https://api.moonshot.ai/anthropic/v1/messages",
        "https://api.moonshot.ai/v1",
    ),
    (
        "https://api.moonshot.cn/v1/messages",
        "https://api.moonshot.cn/anthropic/v1/messages",
        "https://api.moonshot.cn/v1",
    ),
    (
        "https://api.kimi.com/coding/v1/messages",
        "https://api.kimi.com/coding/v1/messages",
        "https://api.kimi.com/coding/v1",
    ),
    (
        "https://api.kimi.com/coding/v1/v1/messages",
        "https://api.kimi.com/coding/v1/messages",
        "https://api.kimi.com/coding/v1",
    ),
    (
        "https://api.kimi.com/coding/messages",
        "https://api.kimi.com/coding/v1/messages",
        "https://api.kimi.com/coding/v1",
    ),
    (
        "https://zenmux.ai/api/anthropic/v1/messages",
        "https://zenmux.ai/api/anthropic/v1/messages",
        "https://zenmux.ai/api/v1",
    ),
    ("https://zenmux.ai/api/v1/messages", "https://zenmux.ai/api/anthropic/v1/messages", "https://zenmux.ai/api/v1"),
    ("https://openrouter.ai/api/v1/messages", "https://openrouter.ai/api/v1/messages", "https://openrouter.ai/api/v1"),
    (
        "https://api.deepseek.com/anthropic/v1/messages",
        "https://api.deepseek.com/anthropic/v1/messages",
        "https://api.deepseek.com/v1",
    ),
    (
        "https://api.siliconflow.cn/v1/messages",
        "https://api.siliconflow.cn/v1/messages",
        "https://api.siliconflow.cn/v1",
    ),
    (
        "https://dashscope.aliyuncs.com/apps/anthropic/v1/messages",
        "https://dashscope.aliyuncs.com/apps/anthropic/v1/messages",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
    ),
    (
        "https://coding.dashscope.aliyuncs.com/apps/anthropic/v1/messages",
        "https://coding.dashscope.aliyuncs.com/apps/anthropic/v1/messages",
        "https://coding.dashscope.aliyuncs.com/v1",
    ),
]
"""What a client of Anthropic's API asks for, where that goes, and the base URL of the same product's chat API."""


def address_of(url: str) -> Address:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return Address(parts.scheme, parts.hostname or "", port, parts.path + (f"?{parts.query}" if parts.query else ""))


def url_of(route: Route) -> str:
    scheme, host, port, path = route.address
    return (
        f"{scheme}://{host}{path}" if port == (443 if scheme == "https" else 80) else f"{scheme}://{host}:{port}{path}"
    )


def routed(url: str, method: str = "POST", **given: object) -> Route:
    routes = Routes(options.parse({f"hunyuan_{name}": value for name, value in given.items()}))
    route = routes.route(method, address_of(url))
    assert route is not None, url
    return route


@each(("base", "profile"), CHAT)
def test_a_chat_api_is_that_of_its_product(base: str, profile: str):
    for translate in ("auto", "always", "never"):
        found = routed(f"{base}/chat/completions?x=1", translate=translate)
        assert (found.profile, found.dialect, found.base_url) == (profile, "chat", base)
        assert url_of(found) == f"{base}/chat/completions?x=1"
        assert not found.respelt
        listed = routed(f"{base}/models", "GET", translate=translate)
        assert (listed.profile, listed.lists_models, url_of(listed)) == (profile, True, f"{base}/models")


@each(("asked", "goes_to", "chat"), MESSAGES)
def test_messages_go_to_the_products_own_path_and_translated_to_its_chat_api(asked: str, goes_to: str, chat: str):
    (profile,) = {profile for base, profile in CHAT if base == chat}
    found = routed(f"{asked}?beta=true")
    assert (found.profile, found.native) == (profile, True)
    native = dialects.native("anthropic") if "anthropic" in profiles.load(profile).native else None
    assert found.dialect == native
    assert url_of(found) == f"{goes_to}?beta=true"
    assert found.base_url == chat, "the addon's own calls are chat calls"
    never = routed(asked, translate="never")
    assert (never.profile, never.dialect, url_of(never)) == (profile, None, goes_to)
    always = routed(asked, translate="always")
    assert (always.profile, always.dialect, always.base_url) == (profile, "anthropic", chat)


@each(("asked", "goes_to", "chat"), MESSAGES)
def test_the_models_are_listed_where_the_chat_api_has_them(asked: str, goes_to: str, chat: str):
    found = routed(f"{goes_to.removesuffix('/messages')}/models", "GET")
    assert url_of(found) == f"{chat}/models"


@each(("asked", "goes_to", "chat"), MESSAGES)
@each("upstream", ["messages", "chat"])
def test_either_base_url_of_a_product_may_be_the_upstream(asked: str, goes_to: str, chat: str, upstream: str):
    """Also one without `/v1`, as clients of Anthropic's API have it."""
    base = chat if upstream == "chat" else goes_to.removesuffix("/v1/messages")
    found = routed(f"https://{TOKENHUB}.example/v1/messages?x=1", hosts=f"{TOKENHUB}.example", upstream=base)
    asked_chat = routed(f"https://{TOKENHUB}.example/v1/chat/completions", hosts=f"{TOKENHUB}.example", upstream=base)
    assert url_of(found) == f"{goes_to}?x=1"
    assert (url_of(asked_chat), asked_chat.base_url) == (f"{chat}/chat/completions", chat)
    assert found.base_url == chat


@pytest.mark.parametrize(
    ("base", "profile", "chat"),
    [
        ("/api/anthropic", "zenmux", "/api/v1"),
        ("/anthropic", "moonshot", "/v1"),
        ("/plan/anthropic", "tokenhub-plan", "/plan/v3"),
        ("/coding", "kimi-coding", "/coding/v1"),
    ],
)
def test_a_local_server_stands_for_a_product_by_its_profile(base: str, profile: str, chat: str):
    local = "http://127.0.0.1:9000"
    given = {"hosts": f"127.0.0.1={profile}", "upstream": f"{local}{base}"}
    for addressed in (f"https://{TOKENHUB}/v1", "https://api.hunyuan.cloud.tencent.com"):
        found = routed(f"{addressed}/messages", **given)
        assert (found.profile, found.native) == (profile, True)
        assert url_of(found) == f"{local}{profiles.load(profile).bases['anthropic']}/messages"
        assert url_of(routed(f"{addressed}/chat/completions", **given)) == f"{local}{chat}/chat/completions"


def test_no_part_of_a_path_that_goes_makes_it_another_products():
    """Without its first part it would be the plan's, and the key isn't."""
    found = routed(f"https://{TOKENHUB}/anthropic/plan/messages", translate="always")
    assert (found.profile, found.base_url) == ("tokenhub", f"https://{TOKENHUB}/anthropic/plan")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.kimi.com/v1/chat/completions",
        "https://zenmux.ai/v1/chat/completions",
        f"https://{LKEAP}/plans/v3/chat/completions",
        f"https://{LKEAP}/v3/chat/completions",
        "https://dashscope.aliyuncs.com/api/v1/services/aigc/text-generation/generation",
    ],
)
def test_other_paths_of_these_hosts_pass(url: str):
    assert Routes(options.parse({})).route("POST", address_of(url)) is None


def test_chat_below_another_formats_base_goes_to_the_chat_api():
    """The old proxy's own mistake: its chat calls went to a path that the endpoint doesn't have."""
    found = routed("https://zenmux.ai/api/anthropic/chat/completions")
    assert url_of(found) == "https://zenmux.ai/api/v1/chat/completions"
    assert found.respelt


# One profile for all


@pytest.mark.parametrize(
    ("url", "given", "profile"),
    [
        (f"https://{TOKENHUB}/v1", "hunyuan", "hunyuan"),
        (f"https://{LKEAP}/v1", "tokenhub", "tokenhub"),
        (f"https://{TOKENHUB}/plan/v3", "tokenhub", "tokenhub-plan"),
        (f"https://{TOKENHUB}/v1", "moonshot", "tokenhub"),
        ("https://api.moonshot.cn/v1", "tokenhub", "moonshot"),
        ("https://api.moonshot.cn/v1", "hunyuan", "moonshot"),
        ("https://api.kimi.com/coding/v1", "moonshot", "kimi-coding"),
        ("https://api.deepseek.com/v1", "tokenhub", "deepseek"),
    ],
)
def test_it_is_for_its_own_vendors_hosts_and_no_plans(url: str, given: str, profile: str):
    assert routed(f"{url}/chat/completions", profile=given).profile == profile


def test_it_is_for_no_path_that_another_vendors_product_has_not():
    for given, profile in (("tokenhub", None), ("moonshot", "moonshot")):
        routes = Routes(options.parse({"hunyuan_profile": given}))
        found = routes.route("POST", address_of("https://api.kimi.com/v1/chat/completions"))
        assert (found and found.profile) == profile


def test_it_is_for_local_servers_and_unknown_upstreams():
    local = "http://127.0.0.1:9000/v1"
    assert routed(f"{local}/chat/completions", hosts="127.0.0.1", profile="moonshot").profile == "moonshot"
    assert routed(f"https://{TOKENHUB}/v1/chat/completions", upstream=local, profile="moonshot").profile == "moonshot"
    known = routed(f"https://{TOKENHUB}/v1/chat/completions", upstream="https://zenmux.ai/api/v1", profile="tokenhub")
    assert known.profile == "zenmux"


def test_a_known_host_that_is_named_again_keeps_its_own_profile():
    upstream = {"hosts": "api.moonshot.cn", "upstream": f"https://{TOKENHUB}/v1"}
    assert routed("https://api.moonshot.cn/v1/chat/completions", hosts="api.moonshot.cn").profile == "moonshot"
    assert routed("https://api.moonshot.cn/v1/chat/completions", **upstream).profile == "tokenhub"
    assert routed("https://api.moonshot.cn/x/chat/completions", hosts="api.moonshot.cn=zenmux").profile == "zenmux"


# An endpoint that speaks Anthropic's format alone


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/responses", "/anthropic/v1/messages", "/v1/messages"])
@pytest.mark.parametrize("upstream", ["", "https://only.example", "https://only.example/anthropic"])
def test_calls_of_every_format_are_for_its_one_api(add_provider: Callable[[str, str], None], path: str, upstream: str):
    bases = {"anthropic": "/anthropic/v1"}
    add_provider("only", toml("only.example", base="/v1", bases=bases, dialect="anthropic", vendor="only"))
    host = TOKENHUB if upstream else "only.example"
    found = routed(f"https://{host}{path}", upstream=upstream)
    assert (found.profile, found.base_url) == ("only", "https://only.example/anthropic/v1")
