"""Many clients, one account: the endpoint allows five calls at once and answers the sixth with an error."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.end_to_end.processes import KEY, LEGACY, Certificates, Proxy, Simulator, run_proxy, run_simulator
from tests.end_to_end.requests import MODEL, good_request, image, tool
from tests.redis_server import RedisServer

CLIENTS = 50
ALLOWED = 5


@pytest.fixture(scope="module")
def slow(certificates: Certificates) -> Iterator[Simulator]:
    """An endpoint that takes its time, so that calls overlap."""
    arguments = ["--concurrency", str(ALLOWED), "--first-byte-delay", "0.03"]
    with run_simulator(certificates, *arguments, hosts=[LEGACY]) as running:
        yield running


@pytest.fixture
def endpoint(slow: Simulator) -> Simulator:
    slow.reset()
    return slow


@pytest.fixture(scope="module", params=["vision", "all"])
def queueing(certificates: Certificates, slow: Simulator, request: pytest.FixtureRequest) -> Iterator[Proxy]:
    """A proxy that queues: in the hook, and under `hunyuan_retry=all` in the relay."""
    redirects = {f"{LEGACY}:443": slow.port}
    with run_proxy(certificates, redirects, "--set", f"hunyuan_retry={request.param}") as running:
        yield running


async def statuses(base_url: str, bodies: list[dict[str, Any]], verify: Any = True) -> Counter[int]:
    """What as many clients get as there are bodies, all at once, each on a connection of its own."""
    headers = {"authorization": f"Bearer {KEY}"}

    async def status(body: dict[str, Any]) -> int:
        async with httpx.AsyncClient(trust_env=False, timeout=60, verify=verify, headers=headers) as client:
            answer = await client.post(f"{base_url}/chat/completions", json=body)
            return answer.status_code

    return Counter(await asyncio.gather(*map(status, bodies)))


def several(stream: bool) -> list[dict[str, Any]]:
    return [{**good_request(f"[[sim:say {number}]]"), "stream": stream} for number in range(CLIENTS)]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_fifty_clients_and_no_error(queueing: Proxy, endpoint: Simulator, stream: bool) -> None:
    assert await statuses(queueing.reverse_url, several(stream)) == {200: CLIENTS}
    # One more would have been an error; how many overlap at the most, the machine decides too.
    assert 1 < endpoint.stats()["max_concurrency"] <= ALLOWED


async def test_without_the_addon_most_fail(endpoint: Simulator) -> None:
    counts = await statuses(endpoint.base_url, several(False), endpoint.verify)
    assert counts[400] > CLIENTS // 2


async def test_parents_that_wait_for_their_images_do_not_block_each_other(queueing: Proxy, endpoint: Simulator) -> None:
    """More parents than slots, each with several images: nobody holds a slot while waiting for another."""
    bodies = [
        {
            "model": MODEL,
            "tools": [tool()],
            "messages": [{"role": "user", "content": [image(f"[[sim:say {parent}.{number}]]") for number in range(3)]}],
        }
        for parent in range(2 * ALLOWED)
    ]
    assert await statuses(queueing.reverse_url, bodies) == {200: len(bodies)}
    assert endpoint.stats()["vision_calls"] == 3 * len(bodies)


async def test_the_limit_holds_over_all_workers(
    certificates: Certificates, slow: Simulator, endpoint: Simulator, redis_server: RedisServer
) -> None:
    redirects = {f"{LEGACY}:443": slow.port}
    with (
        run_proxy(certificates, redirects, store=redis_server.url, unhurried=True) as first,
        run_proxy(certificates, redirects, store=redis_server.url, unhurried=True) as second,
    ):
        half = CLIENTS // 2
        counts = await asyncio.gather(
            statuses(first.reverse_url, several(False)[:half]), statuses(second.reverse_url, several(False)[half:])
        )
    assert list(counts) == [Counter({200: half})] * 2
    # One more would have been an error; how many overlap at the most, the machine decides too.
    assert 1 < endpoint.stats()["max_concurrency"] <= ALLOWED
