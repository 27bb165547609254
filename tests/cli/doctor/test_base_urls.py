"""Base URLs that users type: what is wrong with each, and the one that was meant, which itself has nothing wrong."""

from __future__ import annotations

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.cli.doctor import base_urls
from hunyuan_fix.cli.doctor.base_urls import Api, Ports

PORTS = Ports(8080, 4000)
CN, INTL, LKEAP = "tokenhub.tencentmaas.com", "tokenhub-intl.tencentcloudmaas.com", "api.lkeap.cloud.tencent.com"
OURS, OURS_ANTHROPIC = "http://127.0.0.1:4000/v1", "http://127.0.0.1:4000"


@pytest.mark.parametrize(
    ("url", "api", "id_", "better"),
    [
        # hosts
        ("https://tokenhub-intl.tencentmaas.com/v1", "chat", "host", f"https://{INTL}/v1"),
        ("https://tokenhub-intl.tencentmaas.com", "anthropic", "host", f"https://{INTL}"),
        ("https://hunyuan.tencentcloudapi.com", "chat", "shut-down", OURS),
        ("https://hunyuan.ap-guangzhou.tencentcloudapi.com/", "chat", "shut-down", OURS),
        ("https://lkeap.tencentcloudapi.com", "chat", "host", f"https://{CN}/v1"),
        ("https://console.cloud.tencent.com/tokenhub", "chat", "host", f"https://{CN}/v1"),
        ("https://copilot.tencent.com/v2", "chat", "host", ""),
        ("https://tokenhub.tencentmass.com/v1", "chat", "host", f"https://{CN}/v1"),
        ("https://api.hunyuan.cloud.tencent.com/v1", "chat", "shut-down", OURS),
        ("https://API.Hunyuan.cloud.tencent.com./anthropic", "anthropic", "shut-down", OURS_ANTHROPIC),
        # schemes
        (f"http://{CN}/v1", "chat", "http", f"https://{CN}/v1"),
        (f"HTTP://{CN}/v1", "chat", "http", f"https://{CN}/v1"),
        (f"{CN}/v1", "chat", "scheme", f"https://{CN}/v1"),
        ("127.0.0.1:4000/v1", "chat", "scheme", "http://127.0.0.1:4000/v1"),
        (f"htps://{CN}/v1", "chat", "scheme", ""),
        ("https://[::1", "chat", "scheme", ""),
        (f'"https://{CN}/v1"', "chat", "quotes", f"https://{CN}/v1"),
        # paths
        (f"https://{CN}", "chat", "path", f"https://{CN}/v1"),
        (f"https://{CN}/v3", "chat", "path", f"https://{CN}/v1"),
        (f"https://{CN}/plan", "chat", "path", f"https://{CN}/plan/v3"),
        (f"https://{LKEAP}/coding", "chat", "path", f"https://{LKEAP}/coding/v3"),
        (f"https://{LKEAP}/plan/v1", "chat", "path", f"https://{LKEAP}/plan/v3"),
        (f"https://{CN}/v1/v1", "chat", "twice", f"https://{CN}/v1"),
        (f"https://{CN}/v1/chat/completions", "chat", "api-path", f"https://{CN}/v1"),
        (f"https://{CN}/v1/responses/", "responses", "api-path", f"https://{CN}/v1"),
        (f"https://{CN}/v1/messages", "anthropic", "api-path", f"https://{CN}"),
        (f"https://{CN}/v1", "anthropic", "anthropic-v1", f"https://{CN}"),
        (f"https://{LKEAP}/plan/anthropic/v1", "anthropic", "anthropic-v1", f"https://{LKEAP}/plan/anthropic"),
        ("https://gateway.example/v1/chat/completions?x=1", "chat", "api-path", "https://gateway.example/v1"),
        ("https://api.moonshot.cn/v1/v1", "chat", "twice", "https://api.moonshot.cn/v1"),
        # APIs
        (f"https://{LKEAP}/plan/v3", "responses", "api", OURS),
        # this machine
        ("http://127.0.0.1:8080/v1", "chat", "proxy-port", OURS),
        ("http://localhost:8080", "anthropic", "proxy-port", OURS_ANTHROPIC),
        ("https://127.0.0.1:4000/v1", "chat", "https-here", OURS),
    ],
)
def test_what_is_wrong_is_told_with_what_was_meant(url: str, api: Api, id_: str, better: str) -> None:
    found = base_urls.mistake(url, api, PORTS)
    assert found
    assert (found.id, found.better) == (id_, better)
    assert not better or base_urls.mistake(better, api, PORTS) is None


@pytest.mark.parametrize("name", profiles.names())
def test_no_endpoint_of_a_profile_is_called_wrong(name: str) -> None:
    profile = profiles.load(name)
    for entry in profile.hosts:
        host = entry.partition("/")[0]
        if profiles.shut_down(host):
            continue
        for url in (f"https://{host}{profile.base}", f"https://{host}{profile.base}/"):
            assert base_urls.mistake(url, "chat", PORTS) is None
        if "anthropic" in profile.speaks:
            base = (profile.bases.get("anthropic") or profile.base or "").removesuffix("/v1")
            assert base_urls.mistake(f"https://{host}{base}", "anthropic", PORTS) is None


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("", "chat"),
        ("${BASE}/v1", "chat"),
        ("{env:URL}", "chat"),
        ("https://api.openai.com/v1", "chat"),
        ("https://gateway.example/anything", "anthropic"),
        ("http://gateway.example/v1", "chat"),
        ("http://127.0.0.1:4000", "chat"),
        ("http://127.0.0.1:4000/v1", "anthropic"),
        ("http://127.0.0.1:11434/v1", "chat"),
        ("https://api.deepseek.com", "chat"),
        ("https://api.moonshot.cn/v1beta", "chat"),
        (f"https://{CN}/v9", "any"),
    ],
)
def test_what_may_be_right_is_left_alone(url: str, api: Api) -> None:
    assert base_urls.mistake(url, api, PORTS) is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://me:secret@host.example:8443/v1?key=secret#secret", "https://host.example:8443/v1"),
        ("me:secret@host.example/v1?key=secret", "host.example/v1"),
        ("http://[::1]:4000/v1", "http://[::1]:4000/v1"),
        ("https://[::1", "…"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url: str, shown: str) -> None:
    assert base_urls.shown(url) == shown
