"""A key goes only to a host that is known by the one name that is connected to and verified: attacks, in every mode.

Each test has an endpoint that is not to be trusted and keeps what it gets. What a client sends it by itself, through a
tunnel that passes untouched, is the client's business.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from pathlib import Path

import pytest

from hunyuan_fix.upstream.client import LOOP_GUARD
from tests.proxying import LOCAL, Arrived, Endpoint, Trust, chat_answer, json_answer, run_endpoint, run_proxy
from tests.tunnels import ADDRESS, EVIL, KNOWN, KNOWS_ADDRESSES_ONLY, WAYS, Request, Setting, run_setting
from tests.vision_server import image_part, png

KEY, OWN = "sk-lent", "sk-clients-own"
CHAT = json.dumps({"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}] * 2}).encode()
"""To be repaired: two neighbours of one role."""
IMAGE = json.dumps(
    {"model": "hunyuan-lite", "messages": [{"role": "user", "content": [image_part(png("a cat"))]}]}
).encode()
BATCHES = json.dumps({"model": "hunyuan-embedding", "input": ["text"] * 60}).encode()
KINDS = {
    "chat": Request(body=CHAT),
    "image": Request(body=IMAGE),
    "batches": Request(path="/v1/embeddings", body=BATCHES),
    "models": Request("GET", "/v1/models"),
}

every_way = pytest.mark.parametrize("way", WAYS)
both_versions = pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])
verified_or_not = pytest.mark.parametrize("insecure", [False, True], ids=["verified", "ssl_insecure"])


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNYUAN_API_KEY", KEY)


def answer(request: Arrived) -> object:
    if "embeddings" in request.target:
        vectors = [{"index": index, "embedding": [0.5]} for index in range(len(request.json["input"]))]
        return json_answer({"data": vectors, "usage": {"prompt_tokens": 1, "total_tokens": 1}})
    return chat_answer("a cat") if request.method == "POST" else json_answer({"data": []})


def answering(setting: Setting) -> None:
    setting.known.answer = setting.evil.answer = answer  # type: ignore[assignment]


def keys_of(endpoint: Endpoint) -> set[str | None]:
    return {request.headers.get("authorization") for request in endpoint.arrived}


def assert_got_nothing_of_ours(endpoint: Endpoint) -> None:
    """No lent key, no call of the addon's own, and no body but those that the client sent."""
    assert KEY not in str(endpoint.arrived)
    assert not any(LOOP_GUARD in request.headers for request in endpoint.arrived)
    assert {request.body for request in endpoint.arrived} <= {kind.body for kind in KINDS.values()}


@every_way
@both_versions
@verified_or_not
async def test_a_connection_elsewhere_under_a_known_hosts_name_gets_nothing(
    trust: Trust, tmp_path: Path, way: str, http2: bool, insecure: bool
):
    """CONNECT evil.example, SNI and Host api.hunyuan.cloud.tencent.com. By an address it is led to the known name."""
    target = ADDRESS if way in KNOWS_ADDRESSES_ONLY else EVIL
    async with run_setting(trust, tmp_path, way, ssl_insecure=insecure) as setting:
        answering(setting)
        for retry in ("vision", "all"):
            setting.proxy.master.options.update(hunyuan_retry=retry)
            for own in ({}, {"authorization": f"Bearer {OWN}"}):
                for kind in KINDS.values():
                    asked = Request(kind.method, kind.path, KNOWN, own, kind.body)
                    await setting.ask(target, KNOWN, asked, http2=http2)
        assert_got_nothing_of_ours(setting.evil)
        if target == EVIL:
            assert not setting.known.arrived
            assert setting.evil.arrived, "nobody has tried"
        else:
            assert not setting.evil.arrived


@every_way
@both_versions
@pytest.mark.parametrize("retry", ["vision", "all"])
async def test_a_client_that_resolves_names_itself_is_led_to_the_known_name(
    trust: Trust, tmp_path: Path, way: str, http2: bool, retry: str
):
    """At the address that it connects to somebody else answers; its own key doesn't go there either."""
    async with run_setting(trust, tmp_path, way, hunyuan_retry=retry) as setting:
        answering(setting)
        asked = [Request(kind.method, kind.path, KNOWN, {}, kind.body) for kind in KINDS.values()]
        own = Request(headers={"authorization": f"Bearer {OWN}"}, body=IMAGE)
        answers = await setting.ask(ADDRESS, KNOWN, *asked, own, http2=http2)
        assert [answered and answered.status for answered in answers] == [200] * len(answers)
        assert not setting.evil.arrived
        assert keys_of(setting.known) == {f"Bearer {KEY}", f"Bearer {OWN}"}
        assert sum(LOOP_GUARD in request.headers for request in setting.known.arrived) >= 3
        assert all(request.headers["host"] == KNOWN for request in setting.known.arrived if "host" in request.headers)
        assert [len(request.json["messages"]) for request in setting.known.arrived if b'"hi' in request.body] == [1]
        if way == "upstream":
            assert set(setting.forward.asked) == {f"CONNECT {KNOWN}:443"}


@every_way
@pytest.mark.parametrize("retry", ["vision", "all"])
async def test_its_certificate_is_checked_under_the_known_name(trust: Trust, tmp_path: Path, way: str, retry: str):
    """Somebody who answers for the name, too, has no certificate for it."""
    once = {"hunyuan_retry": retry, "hunyuan_retry_tries": "1", "hunyuan_vision_tries": "1"}
    async with run_setting(trust, tmp_path, way, spoofed=True, hunyuan_breaker_failures="1000", **once) as setting:
        answering(setting)
        for target in (ADDRESS,) if way in KNOWS_ADDRESSES_ONLY else (ADDRESS, KNOWN):
            for asked in KINDS.values():
                (answered,) = await setting.ask(target, KNOWN, asked)
                assert answered is None or answered.status >= 400
        assert not setting.evil.arrived


@every_way
async def test_where_nobody_is_verified_no_key_is_lent(
    trust: Trust, tmp_path: Path, way: str, caplog: pytest.LogCaptureFixture
):
    async with run_setting(trust, tmp_path, way, spoofed=True, ssl_insecure=True) as setting:
        answering(setting)
        (answered,) = await setting.ask(ADDRESS, KNOWN, KINDS["chat"])
        assert answered is not None
        assert [request.headers.get("authorization") for request in setting.evil.arrived] == [None]
    assert "gets no key: ssl_insecure is on" in caplog.text
    assert "ssl_verify_upstream_trusted_ca" in caplog.text


@pytest.mark.parametrize("way", ["socks5", "transparent"])
async def test_a_connection_that_is_there_already_is_not_used(trust: Trust, tmp_path: Path, way: str):
    async with run_setting(trust, tmp_path, way) as setting:
        answering(setting)
        setting.proxy.master.options.update(connection_strategy="eager", ssl_insecure=True)
        await setting.ask(ADDRESS, KNOWN, KINDS["chat"])
        assert not setting.evil.arrived
        assert len(setting.known.arrived) == 1


@pytest.mark.parametrize("way", ["regular", "upstream", "socks5"])
@both_versions
async def test_a_host_header_of_another_name_gets_no_key_and_no_repair(
    trust: Trust, tmp_path: Path, way: str, http2: bool, caplog: pytest.LogCaptureFixture
):
    """Tunnel and handshake are right; a shared front end may give what says another `Host` to another customer."""
    caplog.set_level(logging.INFO)
    wrong = [Request(host=EVIL, body=CHAT), Request(host=f"{EVIL}:443", body=CHAT)]
    async with run_setting(trust, tmp_path, way, hunyuan_retry="all") as setting:
        answering(setting)
        right = Request(body=CHAT)
        await setting.ask(KNOWN, KNOWN, right, *wrong, right, http2=http2)
        lent = [request.headers.get("authorization") for request in setting.known.arrived]
        assert lent == [f"Bearer {KEY}", *[None] * len(wrong), f"Bearer {KEY}"]
        assert [request.body == CHAT for request in setting.known.arrived] == [False, *[True] * len(wrong), False]
        if http2:  # two that don't agree; the endpoint here refuses them
            setting.known.arrived.clear()
            await setting.ask(KNOWN, KNOWN, Request(headers={"host": EVIL}, body=CHAT), http2=http2)
            assert_got_nothing_of_ours(setting.known)
    assert "its Host name different hosts" in caplog.text


@pytest.mark.parametrize("way", ["regular", "socks5"])
async def test_a_handshake_with_another_name_is_not_opened_or_not_repaired(trust: Trust, tmp_path: Path, way: str):
    """The tunnel leads to the known host, the handshake names another: verified would be the other."""
    async with run_setting(trust, tmp_path, way) as setting:
        answering(setting)
        for intercept_all in (False, True):
            setting.proxy.master.options.update(hunyuan_intercept_all=intercept_all)
            await setting.ask(KNOWN, EVIL, KINDS["chat"])
        assert_got_nothing_of_ours(setting.evil)
        assert_got_nothing_of_ours(setting.known)


async def test_with_everything_decrypted_a_tunnel_elsewhere_still_gets_nothing(trust: Trust, tmp_path: Path):
    async with run_setting(
        trust, tmp_path, "regular", hunyuan_intercept_all=True, hunyuan_retry="all", ssl_insecure=True
    ) as setting:
        answering(setting)
        for asked in KINDS.values():
            await setting.ask(EVIL, KNOWN, asked)
        assert len(setting.evil.arrived) == len(KINDS)
        assert_got_nothing_of_ours(setting.evil)


async def test_a_request_without_a_tunnel_whose_host_header_names_another(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
):
    """`POST http://localhost:9000/v1/… HTTP/1.1` with another `Host`: nothing goes by the latter."""
    async with run_endpoint(trust, tls=False) as endpoint, run_proxy(trust, f"http://{LOCAL}:1") as proxy:
        endpoint.answer = answer  # type: ignore[assignment]
        url = f"http://{LOCAL}:{endpoint.port}/v1/chat/completions"
        async with proxy.proxied(trust.of_endpoint()) as client:
            for host in (f"{LOCAL}:{endpoint.port}", EVIL):
                await client.post(url, content=CHAT, headers={"host": host, "content-type": "application/json"})
    assert [request.headers.get("authorization") for request in endpoint.arrived] == [f"Bearer {KEY}", None]
    assert [request.body == CHAT for request in endpoint.arrived] == [False, True]


async def test_a_client_that_speaks_tls_to_its_proxy_is_no_client_with_two_names(trust: Trust, tmp_path: Path):
    """The name in that handshake is the proxy's. It asks in absolute form, without a tunnel."""
    async with run_setting(trust, tmp_path, "regular") as setting:
        answering(setting)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", setting.proxy.port, ssl=context, server_hostname="proxy.example"
        )
        head = f"POST https://{KNOWN}/v1/chat/completions HTTP/1.1\r\nHost: {KNOWN}\r\nContent-Length: {len(CHAT)}"
        writer.write(f"{head}\r\n\r\n".encode() + CHAT)
        assert b" 200 " in await reader.readline()
        writer.close()
        assert keys_of(setting.known) == {f"Bearer {KEY}"}


async def test_in_reverse_mode_the_targets_name_counts_whatever_the_client_names(trust: Trust, tmp_path: Path):
    """mitmproxy would take the name to verify from the client where `keep_host_header` is on."""
    async with run_setting(trust, tmp_path, "regular") as setting:
        answering(setting)
        for keeps in (False, True):
            setting.proxy.master.options.update(keep_host_header=keeps)
            async with setting.proxy.client(tls=True) as client:
                for sni in (LOCAL, EVIL):
                    answered = await client.post(
                        "/chat/completions",
                        content=CHAT,
                        headers={"content-type": "application/json"},
                        extensions={"sni_hostname": sni} if sni == LOCAL else {},
                    )
                    assert answered.status_code == 200
        assert keys_of(setting.known) == {f"Bearer {KEY}"}
        assert not setting.evil.arrived


async def test_to_this_machine_by_another_proxy_no_key_goes_in_the_clear(trust: Trust, tmp_path: Path):
    """`http://localhost` behind a company's proxy is that proxy's machine."""
    async with run_setting(trust, tmp_path, "upstream") as setting, run_endpoint(trust, tls=False) as plain:
        plain.answer = answer  # type: ignore[assignment]
        await setting.ask(LOCAL, None, Request(host=LOCAL, body=CHAT), plain_port=plain.port)
        assert setting.forward.asked == [f"CONNECT {LOCAL}:{plain.port}"]
        assert keys_of(plain) == {None}
