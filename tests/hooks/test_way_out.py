"""Requests of a reverse port leave by `hunyuan_outgoing_proxy`, encrypted end to end; nothing else does."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.proxying import LOCAL, Endpoint, Proxy, Trust, chat_answer, run_endpoint, run_proxy
from tests.tunnels import ForwardProxy, issued, names

HOST = "zenmux.ai"
CHAT = {"model": "kimi-k2.5", "messages": [{"role": "user", "content": "hi"}]}
KEY = {"authorization": "Bearer sk-own"}


@asynccontextmanager
async def behind(
    trust: Trust, folder: Path, login: str = "", **options: Any
) -> AsyncIterator[tuple[Proxy, Endpoint, ForwardProxy]]:
    """A proxy before zenmux.ai, which is reached by a company's proxy."""
    forward = ForwardProxy()
    async with AsyncExitStack() as stack:
        endpoint = await stack.enter_async_context(run_endpoint(issued(trust, folder / "zenmux", HOST)))
        endpoint.answer = chat_answer("hi")
        server = await stack.enter_async_context(await asyncio.start_server(forward, "127.0.0.1", 0))
        forward.port = server.sockets[0].getsockname()[1]
        stack.enter_context(names({HOST: endpoint.port}))
        made = {
            "hunyuan_upstream": f"https://{HOST}/api/v1",
            "hunyuan_outgoing_proxy": f"http://{login}127.0.0.1:{forward.port}",
        }
        target = "https://tokenhub.tencentmaas.com"
        proxy = await stack.enter_async_context(run_proxy(trust, target, **{**made, **options}))
        yield proxy, endpoint, forward


@pytest.mark.parametrize("retry", ["off", "all"])
@pytest.mark.parametrize("path", ["/chat/completions", "/messages", "/models", "/files"])
async def test_every_request_goes_through_it(trust: Trust, tmp_path: Path, retry: str, path: str):
    async with behind(trust, tmp_path, hunyuan_retry=retry) as (proxy, endpoint, forward), proxy.client() as client:
        for _ in range(2):
            if path == "/models":
                answer = await client.get(path, headers=KEY)
            else:
                answer = await client.post(path, json={**CHAT, "max_tokens": 9}, headers=KEY)
            assert answer.status_code == 200
    assert len(endpoint.arrived) == 2
    assert {request.headers["authorization"] for request in endpoint.arrived} == {"Bearer sk-own"}
    assert set(forward.asked) == {f"CONNECT {HOST}:443"}
    assert "sk-own" not in str(forward.heads)
    assert "Proxy-Authorization" not in str(forward.heads)


@pytest.mark.parametrize("retry", ["off", "all"])
async def test_it_signs_in_at_the_proxy_and_nowhere_else(trust: Trust, tmp_path: Path, retry: str):
    options = {"hunyuan_retry": retry}
    async with (
        behind(trust, tmp_path, "us%40er:p%3Aw@", **options) as (proxy, endpoint, forward),
        proxy.client() as client,
    ):
        answer = await client.post("/chat/completions", json=CHAT, headers=KEY)
    assert answer.status_code == 200
    login = base64.b64encode(b"us@er:p:w").decode()
    assert f"proxy-authorization: basic {login}".lower() in forward.heads[0].lower()
    assert login not in str(endpoint.arrived)


async def test_a_local_endpoint_is_reached_without_it(trust: Trust, tmp_path: Path):
    async with run_endpoint(trust) as local:
        local.answer = chat_answer("hi")
        upstream = f"https://{LOCAL}:{local.port}/v1"
        async with behind(trust, tmp_path, hunyuan_upstream=upstream) as (proxy, _, forward), proxy.client() as client:
            answer = await client.post("/chat/completions", json=CHAT, headers=KEY)
    assert (answer.status_code, len(local.arrived), forward.asked) == (200, 1, [])


async def test_the_proxy_port_goes_its_own_way(trust: Trust, tmp_path: Path):
    """For it mitmproxy has a mode of its own. What goes by the relay is the addon's own call."""
    async with (
        behind(trust, tmp_path, hunyuan_mend="off") as (proxy, endpoint, forward),
        proxy.proxied(trust.of_proxy()) as client,
    ):
        answer = await client.post(f"https://{HOST}/api/v1/chat/completions", json=CHAT, headers=KEY)
    assert (answer.status_code, len(endpoint.arrived), forward.asked) == (200, 1, [])


async def test_no_other_proxy_gets_its_login(trust: Trust, tmp_path: Path):
    """That of mitmproxy's upstream mode is another one, with a login of its own."""
    other = ForwardProxy()
    async with await asyncio.start_server(other, "127.0.0.1", 0) as server:
        other.port = server.sockets[0].getsockname()[1]
        modes = [f"upstream:http://127.0.0.1:{other.port}"]
        async with behind(trust, tmp_path, "us:er@", more_modes=modes, hunyuan_mend="off") as (
            proxy,
            endpoint,
            forward,
        ):
            through = f"http://127.0.0.1:{proxy.ports['upstream']}"
            async with httpx.AsyncClient(proxy=through, verify=trust.of_proxy(), trust_env=False, timeout=30) as client:
                answer = await client.post(f"https://{HOST}/api/v1/chat/completions", json=CHAT, headers=KEY)
    assert (answer.status_code, len(endpoint.arrived), forward.asked) == (200, 1, [])
    assert other.asked == [f"CONNECT {HOST}:443"]
    assert "authorization" not in str(other.heads).lower()


async def test_a_proxy_that_is_down_is_an_error_in_the_clients_format(trust: Trust, tmp_path: Path):
    async with (
        behind(trust, tmp_path, hunyuan_outgoing_proxy="http://127.0.0.1:9") as (proxy, endpoint, _),
        proxy.client() as client,
    ):
        answer: httpx.Response = await client.post("/chat/completions", json=CHAT, headers=KEY)
    assert answer.status_code == 502
    assert answer.json()["error"]["code"]
    assert not endpoint.arrived
