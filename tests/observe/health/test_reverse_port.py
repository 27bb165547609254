"""`GET /health`: the proxy's own, where its port stands for an endpoint, and no server's behind it."""

from __future__ import annotations

import pytest

from hunyuan_fix.observe.health import reverse_port
from tests.proxying import LOCAL, Endpoint, Trust, json_answer, run_proxy


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/health", b'{"status":"ok","service":"hunyuan-fix"}'),
        ("HEAD", "/health", b""),
        ("POST", "/health", None),
        ("GET", "/healthz", None),
        ("GET", "/v1/health", None),
    ],
)
def test_what_is_asked_for(method: str, path: str, body: bytes | None):
    answer = reverse_port.answered_here(method, path)
    assert (answer and (answer.status, answer.body)) == (None if body is None else (200, body))


async def test_a_port_that_is_led_elsewhere_answers_itself(trust: Trust, endpoint: Endpoint):
    upstream = f"https://{LOCAL}:{endpoint.port}/v1"
    async with (
        run_proxy(trust, "https://tokenhub.tencentmaas.com", hunyuan_upstream=upstream) as proxy,
        proxy.client() as client,
    ):
        url = f"http://{LOCAL}:{proxy.reverse_port}/health?x=1"
        answer = await client.get(url)
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "service": "hunyuan-fix"})
    assert not endpoint.arrived


async def test_a_server_behind_the_port_keeps_its_own(trust: Trust, endpoint: Endpoint):
    endpoint.answer = json_answer({"mine": True})
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as proxy, proxy.client() as client:
        answer = await client.get(f"http://{LOCAL}:{proxy.reverse_port}/health")
    assert answer.json() == {"mine": True}


async def test_a_tunnel_to_a_host_keeps_its_own(trust: Trust, endpoint: Endpoint):
    endpoint.answer = json_answer({"mine": True})
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as proxy,
        proxy.proxied(trust.of_proxy()) as client,
    ):
        answer = await client.get(f"https://{LOCAL}:{endpoint.port}/health")
    assert answer.json() == {"mine": True}


async def test_while_the_proxy_ends_it_says_so(trust: Trust, endpoint: Endpoint):
    upstream = f"https://{LOCAL}:{endpoint.port}/v1"
    async with run_proxy(trust, "https://tokenhub.tencentmaas.com", hunyuan_upstream=upstream) as proxy:
        proxy.addon.process.draining.begin()
        async with proxy.client() as client:
            answer = await client.get(f"http://{LOCAL}:{proxy.reverse_port}/health")
    assert answer.status_code == 503
