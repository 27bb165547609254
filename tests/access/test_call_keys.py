"""The key of a call to an endpoint that its client didn't name: whose it is, who may have it, and that it is hidden."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunyuan_fix import options, profiles
from hunyuan_fix.access.call_keys import CallKeys
from hunyuan_fix.access.cloud_key import CloudKey
from hunyuan_fix.access.keys import LentKey, Withheld
from hunyuan_fix.access.provider_keys import ProviderKeys
from hunyuan_fix.config.values import base_url
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.upstream.transport import Transport
from tests.test_vendors import GATEWAY, HOSTS, KNOWN, LOCAL, MOONSHOT, OPENAI, PATHS, TOKENHUB

NAMED = f"""
[providers.moonshot]
env = "KIMI"
[providers.siliconflow]
env = "UNSET"
[hosts."127.0.0.1:9000"]
env = "HERE"
[hosts."{GATEWAY}"]
env = "GATEWAY"
"""
KEYS = {"KIMI": "sk-kimi-key", "HERE": "sk-here-key", "GATEWAY": "sk-gateway-key"}
KIMI = base_url(f"https://{MOONSHOT}/v1")


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> ProviderKeys:
    path = tmp_path_factory.mktemp("keys") / "keys.toml"
    path.touch(0o600)
    path.write_text(NAMED)
    return ProviderKeys(KEYS).configured(replace(options.parse({}), keys_file=path))


def calls(
    named: ProviderKeys | None = None, lent: str = "", upstream: str = "", transport: Transport | None = None
) -> CallKeys:
    made = CallKeys(lambda: named or ProviderKeys({}), lambda: LentKey({"HUNYUAN_API_KEY": lent}))
    made.configure(base_url(upstream) if upstream else None, transport or Transport())
    return made


def asked(made: CallKeys, url: str, *, borrows: bool = True) -> str | Withheld:
    return made.authorization(base_url(url), Exchange(borrows=borrows))


def test_an_endpoint_gets_the_key_that_is_named_for_it(named: ProviderKeys):
    made = calls(named, lent="sk-lent-key")
    assert asked(made, f"https://{MOONSHOT}/v1") == "Bearer sk-kimi-key"
    assert asked(made, f"https://{GATEWAY}/v1") == "Bearer sk-gateway-key"
    assert asked(made, f"https://{TOKENHUB}/v1") == "Bearer sk-lent-key"
    assert asked(made, "http://127.0.0.1:9000/v1") == "Bearer sk-here-key"
    assert asked(made, "http://127.0.0.1:9001/v1") == "", "a server here without a key"
    assert asked(made, "https://api.deepseek.com/v1") is Withheld.UNNAMED
    assert asked(made, "https://api.siliconflow.cn/v1") is Withheld.UNSET
    assert asked(made, "https://10.0.0.1/v1") is Withheld.UNNAMED
    assert made.has_key(KIMI) and not made.has_key(base_url("https://api.deepseek.com/v1"))


def test_nobody_calls_elsewhere_who_may_not_be_lent_a_key(named: ProviderKeys, caplog: pytest.LogCaptureFixture):
    made = calls(named, lent="sk-lent-key")
    with caplog.at_level(logging.WARNING):
        for url in (f"https://{MOONSHOT}/v1", f"https://{TOKENHUB}/v1", "http://127.0.0.1:9001/v1"):
            for _ in range(3):
                assert asked(made, url, borrows=False) is Withheld.CLIENT
    assert len(caplog.messages) == 3, "said once for each endpoint"
    assert f"https://{MOONSHOT}/v1 isn't called: it gets no key, since its client may not be lent a key" in caplog.text
    assert "key-" not in caplog.text.replace("keys_", "") and "sk-" not in caplog.text


def test_a_change_of_options_lets_it_be_said_again(caplog: pytest.LogCaptureFixture):
    made = calls()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            asked(made, f"https://{MOONSHOT}/v1")
            made.configure(None, Transport())
    assert len(caplog.messages) == 2


@pytest.mark.parametrize(
    ("upstream", "lent_to"),
    [
        ("", {TOKENHUB, "api.lkeap.cloud.tencent.com"}),
        (f"https://{TOKENHUB}/v1", {TOKENHUB, "api.lkeap.cloud.tencent.com"}),
        ("https://api.moonshot.ai/v1", {MOONSHOT, "api.moonshot.ai"}),
        (f"https://{OPENAI}/v1", {OPENAI}),
        (f"https://{GATEWAY}/v1", {GATEWAY}),
        ("https://10.0.0.1/v1", {"10.0.0.1"}),
    ],
)
def test_the_lent_key_is_for_the_upstream_and_its_vendor(upstream: str, lent_to: set[str]):
    made = calls(lent="sk-lent-key", upstream=upstream)
    hosts = {TOKENHUB, "api.lkeap.cloud.tencent.com", MOONSHOT, "api.moonshot.ai", OPENAI, GATEWAY, "10.0.0.1"}
    assert {host for host in hosts if asked(made, f"https://{host}/v1") == "Bearer sk-lent-key"} == lent_to
    assert asked(made, "http://127.0.0.1:9/v1") == ""


def test_another_port_of_the_upstreams_host_is_another_server():
    made = calls(lent="sk-lent-key", upstream="http://127.0.0.1:4000/v1")
    assert asked(made, "http://127.0.0.1:4000/v1") == "Bearer sk-lent-key"
    assert asked(made, "http://127.0.0.1:4001/v1") == ""


def test_no_key_leaves_unencrypted_or_unverified(named: ProviderKeys):
    assert asked(calls(named), f"http://{MOONSHOT}/v1") is Withheld.IN_CLEAR
    insecure = calls(named, lent="sk-lent-key", transport=Transport(insecure=True))
    assert asked(insecure, f"https://{MOONSHOT}/v1") is Withheld.UNVERIFIED
    assert asked(insecure, f"https://{TOKENHUB}/v1") is Withheld.UNVERIFIED
    assert asked(insecure, "http://127.0.0.1:9000/v1") == "Bearer sk-here-key"
    by_proxy = calls(named, transport=Transport(proxy="http://proxy.example:3128"))
    assert asked(by_proxy, "http://127.0.0.1:9000/v1") is Withheld.IN_CLEAR, "it is the other proxy's loopback"


def test_a_key_that_goes_with_a_call_is_hidden_from_the_client(named: ProviderKeys):
    exchange, made = Exchange(borrows=True), calls(named)
    for _ in range(2):
        made.authorization(KIMI, exchange)
    made.authorization(base_url("http://127.0.0.1:9001/v1"), exchange)
    assert exchange.secrets == [b"sk-kimi-key"]
    assert exchange.masked(b"wrong key: sk-kimi-key!") == b"wrong key: ***********!"
    assert "sk-kimi-key" not in str(exchange.to_plain()) and "sk-kimi-key" not in repr(exchange)


def test_of_several_hosts_of_a_profile_the_one_with_a_key_counts(tmp_path: Path):
    def base(text: str, profile: str) -> str:
        path = tmp_path / "keys.toml"
        path.touch(0o600)
        path.write_text(text)
        keys = ProviderKeys({"A": "sk-a-key"}).configured(replace(options.parse({}), keys_file=path))
        return str(calls(keys).base_of(profiles.load(profile)))

    assert base("", "moonshot") == "https://api.moonshot.cn/v1"
    assert base('[providers.moonshot]\nenv = "A"', "moonshot") == "https://api.moonshot.cn/v1"
    assert base('[hosts."api.moonshot.ai"]\nenv = "A"', "moonshot") == "https://api.moonshot.ai/v1"
    both = '[providers.moonshot]\nenv = "A"\n[hosts."api.moonshot.ai"]\nenv = "A"'
    assert base(both, "moonshot") == "https://api.moonshot.ai/v1"
    assert base("", "tokenhub-plan") == "https://tokenhub.tencentmaas.com/plan/v3"
    assert base("", "anthropic") == "None"


@given(host=HOSTS, path=PATHS, port=st.sampled_from([443, 9000]), upstream=st.none() | HOSTS, here=st.booleans())
def test_no_key_reaches_another_provider(
    named: ProviderKeys, host: str, path: str, port: int, upstream: str | None, here: bool
):
    """Each key at its provider's hosts, the lent one at the upstream and its vendor, and no key at any other."""
    made = calls(named, lent="sk-lent-key", upstream=f"https://{upstream}/v1" if upstream else "")
    found = asked(made, f"{'http' if here else 'https'}://{host}:{port}{path}")
    if not isinstance(found, str) or not found:
        return
    assert not here or host == LOCAL
    allowed = {
        "Bearer sk-kimi-key": {"api.moonshot.cn", "api.moonshot.ai", "api.kimi.com", "api.kimi.ai"},
        "Bearer sk-gateway-key": {GATEWAY},
        "Bearer sk-here-key": {LOCAL} if port == 9000 else set(),
    }
    if found in allowed:
        assert host in allowed[found]
        return
    owner = {name: profiles.load(of[0][1]).vendor for name, of in profiles.by_host().items()}
    if upstream is None:
        assert owner[host] == "tencent"
    else:
        assert host == upstream or (host in KNOWN and owner[host] == owner.get(upstream))


SIGNED = "https://hunyuan.tencentcloudapi.com"
PAIR = {"TENCENTCLOUD_SECRET_ID": "AKIDexample", "TENCENTCLOUD_SECRET_KEY": "thesecretkey"}


@pytest.mark.parametrize(
    ("table", "key", "signed"),
    [
        ("", "", "AKIDexample|thesecretkey"),
        ("tencent", "sk-one-piece", "AKIDexample|thesecretkey"),
        ("tencent-cloud", "AKIDother|othersecret", "AKIDother|othersecret"),
    ],
)
def test_an_api_that_is_signed_for_gets_what_signs(tmp_path: Path, table: str, key: str, signed: str):
    path = tmp_path / "keys.toml"
    path.touch(0o600)
    path.write_text(f'[providers.{table}]\nenv = "KEY"\n' if table else "")
    file = ProviderKeys({"KEY": key}).configured(replace(options.parse({}), keys_file=path))
    made = CallKeys(lambda: file, lambda: LentKey({"HUNYUAN_API_KEY": "sk-lent-key"}), lambda: CloudKey(PAIR))
    made.configure(None, Transport())
    exchange = Exchange(borrows=True)
    assert made.authorization(base_url(SIGNED), exchange) == f"Bearer {signed}"
    assert exchange.masked(f"{signed} {signed.partition('|')[0]}".encode()).strip(b"* ") == b""
    other = made.authorization(base_url(f"https://{TOKENHUB}/v1"), Exchange(borrows=True))
    assert other in ("Bearer sk-lent-key", "Bearer sk-one-piece")


def test_without_a_pair_nothing_goes_to_an_api_that_is_signed_for():
    made = CallKeys(lambda: ProviderKeys({}), lambda: LentKey({"HUNYUAN_API_KEY": "sk-lent-key"}), lambda: CloudKey({}))
    made.configure(None, Transport())
    assert made.authorization(base_url(SIGNED), Exchange(borrows=True)) is Withheld.NONE
