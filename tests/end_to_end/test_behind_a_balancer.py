"""A real HAProxy in TCP mode before a real mitmdump: every client has a loopback address there.

What is shown first is the attack: a client on another machine is lent the key. `hunyuan_trust_loopback=false` ends it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.access.client_tokens import digest_of
from scripts.lib.processes import free_port
from tests.end_to_end.processes import LEGACY, Certificates, Proxy, Simulator, run_proxy

LENT = "sk-the-lent-key"
TOKEN = f"hf-{'a' * 43}"
ADMIN_TOKEN = "t" * 40
CHAT = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}

type Balanced = Callable[..., int]


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    path = tmp_path / "clients.toml"
    path.touch(0o600)
    path.write_text(f'[clients.alice]\nhash = "sha256:{digest_of(TOKEN).hex()}"\n')
    return path


@contextmanager
def running(certificates: Certificates, simulator: Simulator, *options: str, **variables: str) -> Iterator[Proxy]:
    """The proxy, with a key to lend."""
    given = [word for option in options for word in ("--set", option)]
    redirects = {f"{LEGACY}:443": simulator.port}
    environment = {"HUNYUAN_API_KEY": LENT, **variables}
    with run_proxy(certificates, redirects, *given, environment=environment) as started:
        yield started


def asked(way: str, port: int, proxy: Proxy, body: object = CHAT, **headers: str) -> httpx.Response:
    """The answer to a client that comes by the balancer's `port`, in one of the ways."""
    if way == "reverse":
        with httpx.Client(trust_env=False, timeout=30) as client:
            return client.post(f"http://127.0.0.1:{port}/v1/chat/completions", json=body, headers=headers)
    trusted = proxy.certificates.proxy_trusted()
    with httpx.Client(proxy=f"http://127.0.0.1:{port}", verify=trusted, trust_env=False, timeout=30) as client:
        return client.post(f"https://{LEGACY}/v1/chat/completions", json=body, headers=headers)


def behind(way: str, proxy: Proxy) -> int:
    return proxy.reverse_port if way == "reverse" else proxy.port


def keys_seen(simulator: Simulator) -> list[str]:
    return [dict(request["headers"]).get("authorization", "") for request in simulator.requests()]


def code(answer: httpx.Response) -> Any:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize("way", ["reverse", "regular"])
def test_without_the_option_a_stranger_is_lent_the_key(
    certificates: Certificates, simulator: Simulator, tokens: Path, haproxy: Balanced, way: str
):
    """The attack. The proxy listens on loopback alone, and can't know that others reach it."""
    with running(certificates, simulator, f"hunyuan_client_tokens_file={tokens}") as proxy:
        answer = asked(way, haproxy(behind(way, proxy)), proxy)
        assert answer.status_code == 200
        assert keys_seen(simulator) == [f"Bearer {LENT}"]


@pytest.mark.parametrize("way", ["reverse", "regular"])
def test_with_it_the_key_goes_by_token_alone(
    certificates: Certificates, simulator: Simulator, tokens: Path, haproxy: Balanced, way: str
):
    options = (f"hunyuan_client_tokens_file={tokens}", "hunyuan_trust_loopback=false")
    with running(certificates, simulator, *options) as proxy:
        balanced = haproxy(behind(way, proxy))
        direct = behind(way, proxy)
        for port in (balanced, direct):
            for headers in ({}, {"authorization": "Bearer hunyuan-fix"}, {"authorization": "Bearer sk-own"}):
                assert code(asked(way, port, proxy, **headers)) == (401, "invalid_api_key"), headers
        assert not simulator.requests()
        for port in (balanced, direct):
            assert asked(way, port, proxy, authorization=f"Bearer {TOKEN}").status_code == 200
        assert keys_seen(simulator) == [f"Bearer {LENT}"] * 2


def test_with_it_a_tunnel_leads_to_the_endpoints_only(
    certificates: Certificates, simulator: Simulator, tokens: Path, haproxy: Balanced
):
    """Neither another host nor the admin server, which trusts nobody for the proxy's address either."""
    admin = free_port()
    options = (
        f"hunyuan_client_tokens_file={tokens}",
        "hunyuan_trust_loopback=false",
        f"hunyuan_admin=127.0.0.1:{admin}",
    )
    with running(certificates, simulator, *options) as proxy:
        port = haproxy(proxy.port)
        with httpx.Client(proxy=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as client:
            with pytest.raises(httpx.ProxyError, match="403"):
                client.get("https://other.example/")
            answer = client.get(f"http://127.0.0.1:{admin}/status")
        assert code(answer) == (403, "host_not_allowed")
        proxy.process.wait_for("The admin server answers probes only")


def test_the_admin_server_behind_it_needs_its_token(
    certificates: Certificates, simulator: Simulator, tokens: Path, haproxy: Balanced
):
    admin = free_port()
    options = (f"hunyuan_client_tokens_file={tokens}", f"hunyuan_admin=127.0.0.1:{admin}")
    with running(certificates, simulator, *options), httpx.Client(trust_env=False, timeout=30) as client:
        assert client.get(f"http://127.0.0.1:{haproxy(admin)}/status").status_code == 200, "the attack"
    with (
        running(certificates, simulator, *options, "hunyuan_trust_loopback=false", HUNYUAN_ADMIN_TOKEN=ADMIN_TOKEN),
        httpx.Client(base_url=f"http://127.0.0.1:{haproxy(admin)}", trust_env=False, timeout=30) as client,
    ):
        assert code(client.get("/status")) == (401, "admin_token_required")
        assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
        assert client.get("/status", headers={"authorization": f"Bearer {ADMIN_TOKEN}"}).status_code == 200


def test_without_tokens_or_a_password_the_start_is_refused(certificates: Certificates, simulator: Simulator):
    with (
        pytest.raises(AssertionError, match="hunyuan_trust_loopback=false: clients on this machine count as those"),
        running(certificates, simulator, "hunyuan_trust_loopback=false"),
    ):
        pass


@pytest.mark.parametrize("version", ["send-proxy", "send-proxy-v2"])
@pytest.mark.parametrize("way", ["reverse", "regular"])
def test_a_balancer_that_sends_the_proxy_protocol_is_told_what_to_do(
    certificates: Certificates, simulator: Simulator, haproxy: Balanced, way: str, version: str
):
    with running(certificates, simulator) as proxy:
        port = haproxy(behind(way, proxy), version)
        answered = asyncio.run(_raw(port))
        assert b" 200 " not in answered.partition(b"\r\n")[0]
        proxy.process.wait_for("begins with the PROXY protocol, which isn't read here.*hunyuan_trust_loopback=false")
        assert not simulator.requests()


async def _raw(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = json.dumps(CHAT).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    try:
        async with asyncio.timeout(30):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()
