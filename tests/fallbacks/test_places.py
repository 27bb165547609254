from __future__ import annotations

import pytest

from hunyuan_fix.config import values
from hunyuan_fix.fallbacks.places import Places, keeps_key
from hunyuan_fix.route import Address, RouteSettings

CHAT, MESSAGES, RESPONSES, EMBEDDINGS = "/chat/completions", "/messages", "/responses", "/embeddings"
ROWS = [
    ("https://api.moonshot.cn/v1", "", CHAT, "moonshot", "chat", "https://api.moonshot.cn/v1", "/v1/chat/completions"),
    (
        *("https://api.moonshot.cn/v1", "", MESSAGES, "moonshot", "anthropic-native"),
        *("https://api.moonshot.cn/v1", "/anthropic/v1/messages"),
    ),
    ("https://api.moonshot.cn/v1", "", RESPONSES, "moonshot", "responses", "https://api.moonshot.cn/v1", None),
    (
        *("https://tokenhub.tencentmaas.com/plan/v3", "", MESSAGES, "tokenhub-plan", "anthropic-native"),
        *("https://tokenhub.tencentmaas.com/plan/v3", "/plan/anthropic/v1/messages"),
    ),
    ("http://10.0.0.5:8000/v1", "", CHAT, "openai", "chat", "http://10.0.0.5:8000/v1", "/v1/chat/completions"),
    ("http://10.0.0.5:8000/v1", "", MESSAGES, "openai", "anthropic", "http://10.0.0.5:8000/v1", None),
    ("http://10.0.0.5:8000/v1", "openai", EMBEDDINGS, "openai", "embeddings", "http://10.0.0.5:8000/v1", None),
    ("http://10.0.0.5:8000/v1", "tokenhub", CHAT, "tokenhub", "chat", "http://10.0.0.5:8000/v1", None),
    ("https://named.example/v1", "", CHAT, "moonshot", "chat", "https://named.example/v1", None),
    ("https://named.example/v1", "openai", CHAT, "openai", "chat", "https://named.example/v1", None),
]


@pytest.mark.parametrize(("url", "given", "api", "profile", "dialect", "base", "path"), ROWS)
def test_where_a_request_goes(url: str, given: str, api: str, profile: str, dialect: str, base: str, path: str | None):
    settings = RouteSettings(
        hosts={"named.example": "moonshot"}, upstream=values.base_url("https://tokenhub.tencentmaas.com/v1")
    )
    route = Places(settings).route(values.base_url(url), given, api)
    assert route is not None
    assert (route.profile, route.dialect, route.base_url) == (profile, dialect, base)
    assert path is None or route.address.path == path
    assert route.address.host == values.base_url(url).host


def address(host: str, path: str = "/v1/chat/completions", scheme: str = "https", port: int = 443) -> Address:
    return Address(scheme, host, port, path)


TOKENHUB = "tokenhub.tencentmaas.com"


@pytest.mark.parametrize(
    ("at", "to", "keeps"),
    [
        (address(TOKENHUB), address(TOKENHUB, "/plan/v3/chat/completions"), True),
        (address("gpu.example"), address("gpu.example"), True),
        (address("gpu.example"), address("gpu.example", port=8443), False),
        (address("gpu.example", scheme="http", port=80), address("gpu.example"), False),
        (address(TOKENHUB), address("api.lkeap.cloud.tencent.com", "/v1/chat/completions"), True),
        (address("api.moonshot.cn"), address("api.kimi.com", "/coding/v1/chat/completions"), True),
        (address("api.moonshot.cn"), address("API.MOONSHOT.AI."), True),
        (address(TOKENHUB), address("api.moonshot.cn"), False),
        (address(TOKENHUB), address("gateway.example"), False),
        (address("gateway.example"), address(TOKENHUB), False),
        (address("127.0.0.1", port=8000), address(TOKENHUB), False),
        (address(TOKENHUB), address("127.0.0.1", port=8000), False),
        (address(TOKENHUB), address("api.lkeap.cloud.tencent.com", scheme="http", port=80), False),
        (address(TOKENHUB), address(f"{TOKENHUB}.evil.example"), False),
        (address("openai.com"), address("api.openai.com"), True),
    ],
)
def test_whose_key_may_go_where(at: Address, to: Address, keeps: bool):
    assert keeps_key(at, to) is keeps
