"""Where a request goes by the shape of its key, where no endpoint is named."""

from __future__ import annotations

import pytest

from hunyuan_fix import options
from hunyuan_fix.key_routes import KeyRoutes
from hunyuan_fix.route import Address, Route, Routes

PAIR, ONE = "AKID|secret", "sk-1"
OLD, NATIVE, NEW = "api.hunyuan.cloud.tencent.com", "hunyuan.tencentcloudapi.com", "tokenhub.tencentmaas.com"
INTL = "hunyuan.intl.tencentcloudapi.com"


def route(host: str, key: str, upstream: str = "") -> Route:
    """What becomes of a chat request to `host`, as `hooks/request_headers.py` has it."""
    settings = options.parse({"hunyuan_upstream": upstream})
    address = Address("https", host, 443, "/v1/chat/completions")
    found, by_key = Routes(settings).of_port("POST", address, ()), KeyRoutes(settings)
    assert found is not None
    if not by_key.apply or not by_key.concern(found.profile, rerouted=found.rerouted):
        return found
    addressed = by_key.unmoved.of_port("POST", address, ())
    assert addressed is not None
    routes = by_key.instead(addressed.profile, key)
    other = found if routes is None else routes.of_port("POST", address, ())
    assert other is not None
    return other


@pytest.mark.parametrize(
    ("addressed", "key", "upstream", "goes_to"),
    [
        (OLD, PAIR, "", NATIVE),
        (OLD, ONE, "", OLD),
        (NATIVE, PAIR, "", NATIVE),
        (NATIVE, ONE, "", NEW),
        (NEW, PAIR, "", NEW),
        (NEW, ONE, "", NEW),
        (INTL, PAIR, "", INTL),
        (INTL, ONE, "", INTL),
        # What `run` begins with: only what was shut down moves.
        (OLD, PAIR, "successor", NATIVE),
        (OLD, ONE, "successor", NEW),
        (NATIVE, PAIR, "successor", NATIVE),
        (NATIVE, ONE, "successor", NEW),
        (NEW, PAIR, "successor", NEW),
        # A named endpoint is where it goes, whatever the key: one that doesn't fit is refused there.
        (OLD, PAIR, f"https://{NEW}/v1", NEW),
        (OLD, ONE, f"https://{NATIVE}", NATIVE),
        (OLD, PAIR, f"https://{NATIVE}", NATIVE),
        (OLD, PAIR, f"https://{INTL}", INTL),
    ],
)
def test_where_it_goes(addressed: str, key: str, upstream: str, goes_to: str):
    found = route(addressed, key, upstream)
    assert found.address.host == goes_to
    expected = {OLD: "hunyuan", NATIVE: "tencent-cloud", NEW: "tokenhub", INTL: "tencent-cloud-intl"}
    assert found.profile == expected[goes_to]
    assert not found.foreign
    assert found.lends


@pytest.mark.parametrize(
    ("upstream", "base"),
    [
        (f"https://{NATIVE}", f"https://{NATIVE}"),
        (f"https://{NATIVE}/", f"https://{NATIVE}"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("https://gateway.example/hunyuan", "https://gateway.example/hunyuan"),
    ],
)
def test_the_base_url_has_no_version(upstream: str, base: str):
    settings = options.parse({"hunyuan_upstream": upstream, "hunyuan_profile": "tencent-cloud"})
    found = Routes(settings).of_port("POST", Address("https", OLD, 443, "/v1/chat/completions"), ())
    assert found is not None
    assert (found.profile, found.base_url) == ("tencent-cloud", base)
