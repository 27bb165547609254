"""Batches of an embeddings request, against a small real HTTP server."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.admission import Account, Admission
from hunyuan_fix.circuit import Verdict
from hunyuan_fix.exchange import JsonObject, Response
from hunyuan_fix.upstream.calls import Calls
from hunyuan_fix.upstream.circuit_breaker import Breaker
from hunyuan_fix.upstream.client import HttpClient
from hunyuan_fix.upstream.embedding_batches import EmbeddingBatches
from hunyuan_fix.upstream.gate import Gate
from hunyuan_fix.upstream.target import Target
from hunyuan_fix.upstream.timing import Timing
from tests.vision_server import Received, Reply, VisionServer, error, never, vision_server


def vectors(received: Received) -> Reply:
    """Every text becomes a vector of its number."""
    inputs = received.body["input"]
    data = [{"object": "embedding", "index": i, "embedding": [float(text)]} for i, text in enumerate(inputs)]
    usage = {"prompt_tokens": len(inputs), "total_tokens": len(inputs)}
    return Reply(body=json.dumps({"object": "list", "data": data, "usage": usage}).encode())


async def embed(received: Received) -> Reply:
    return vectors(received)


def bodies(count: int, size: int = 2) -> list[JsonObject]:
    return [
        {"model": "hunyuan-embedding", "input": [str(start + i) for i in range(size)]}
        for start in range(0, count * size, size)
    ]


@pytest.fixture
async def server() -> AsyncIterator[VisionServer]:
    async with vision_server() as running:
        running.handler = embed
        yield running


@pytest.fixture
async def http_client() -> AsyncIterator[HttpClient]:
    calls = HttpClient()
    yield calls
    await calls.aclose()


async def send(
    http_client: HttpClient,
    url: str,
    parts: Sequence[JsonObject],
    seconds: float = 10,
    concurrency: int = 3,
    tries: int = 1,
    patience: float = 60.0,
    waits: list[float] | None = None,
    gate: Gate | None = None,
) -> JsonObject | Response:
    """`waits` notes the waits between tries, which take no time."""

    async def sleep(wait: float) -> None:
        if waits is not None:
            waits.append(wait)

    upstream = Target(url, {"Authorization": "Bearer sk-test"}, Account("hunyuan:1", 2))
    batches = EmbeddingBatches(Calls(http_client, gate, Timing(sleep=sleep, jitter=lambda: 1.0)))
    profile = profiles.load("hunyuan")
    return await batches.send(parts, upstream, profile, seconds, concurrency, tries=tries, patience=patience)


def refused(result: JsonObject | Response) -> tuple[int, Any]:
    assert isinstance(result, Response)
    return result.status, json.loads(result.body)["error"]


async def test_the_answers_are_joined_in_order(server: VisionServer, http_client: HttpClient) -> None:
    later = asyncio.Event()

    async def first_comes_last(received: Received) -> Reply:
        if received.body["input"][0] == "0":
            await later.wait()
        elif len(server.received) == 5:
            later.set()
        return vectors(received)

    server.handler = first_comes_last
    result = await send(http_client, server.url, bodies(5))
    assert isinstance(result, dict)
    assert [item["embedding"] for item in result["data"]] == [[float(i)] for i in range(10)]
    assert [item["index"] for item in result["data"]] == list(range(10))
    assert result["usage"] == {"prompt_tokens": 10, "total_tokens": 10}


async def test_calls_go_to_the_same_base_url_with_the_same_key(server: VisionServer, http_client: HttpClient) -> None:
    await send(http_client, server.url + "/", bodies(2))
    assert {received.target for received in server.received} == {"/v1/embeddings"}
    assert {received.headers["authorization"] for received in server.received} == {"Bearer sk-test"}


async def test_no_more_calls_at_a_time_than_allowed(server: VisionServer, http_client: HttpClient) -> None:
    release = asyncio.Event()

    async def held(received: Received) -> Reply:
        await release.wait()
        return vectors(received)

    server.handler = held
    sending = asyncio.create_task(send(http_client, server.url, bodies(6), concurrency=2))
    await server.until(lambda: server.running == 2)
    release.set()
    await sending
    assert server.most_running == 2
    assert len(server.received) == 6


async def test_an_error_of_one_is_the_answer_to_all(server: VisionServer, http_client: HttpClient) -> None:
    async def one_fails(received: Received) -> Reply:
        if received.body["input"][0] == "0":
            await server.until(lambda: server.running == 2)
            return error(400, "1001")
        return await never(received)

    server.handler = one_fails
    status, wrong = refused(await send(http_client, server.url, bodies(9), concurrency=2))
    assert (status, wrong["code"]) == (400, "1001")
    await server.until(lambda: len(server.dropped) == 1)
    assert len(server.received) == 2


async def test_a_rate_limit_gets_its_honest_status(server: VisionServer, http_client: HttpClient) -> None:
    server.replies(error(400, "2003", retry_after="7"))
    result = await send(http_client, server.url, bodies(2))
    assert refused(result)[0] == 429
    assert isinstance(result, Response)
    assert result.headers["retry-after"] == "7"


async def test_another_error_passes_as_it_came(server: VisionServer, http_client: HttpClient) -> None:
    reply = error(500, "2000", retry_after="3")
    server.replies(reply)
    result = await send(http_client, server.url, bodies(2))
    headers = {"content-type": "application/json", "retry-after": "3"}
    assert result == Response(500, headers, reply.body)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"<html>"),
        Reply(body=b"[]"),
        Reply(body=b'{"data": {}}'),
        Reply(body=b'{"data": [{"embedding": [1.0]}]}'),
        Reply(status=302, body=b"{}"),
    ],
)
async def test_an_answer_that_is_none(server: VisionServer, http_client: HttpClient, reply: Reply) -> None:
    server.replies(reply)
    assert refused(await send(http_client, server.url, bodies(2)))[0] == 502


async def test_nobody_there(http_client: HttpClient) -> None:
    async with vision_server() as gone:
        url = gone.url
    status, wrong = refused(await send(http_client, url, bodies(2)))
    assert (status, wrong["type"]) == (502, "server_error")


async def test_no_answer_in_time(server: VisionServer, http_client: HttpClient) -> None:
    server.handler = never
    assert refused(await send(http_client, server.url, bodies(2), seconds=0.05))[0] == 504


async def test_cancelling_ends_the_calls(server: VisionServer, http_client: HttpClient) -> None:
    server.handler = never
    sending = asyncio.create_task(send(http_client, server.url, bodies(4), concurrency=2))
    await server.until(lambda: server.running == 2)
    sending.cancel()
    await server.until(lambda: len(server.dropped) == 2)
    with pytest.raises(asyncio.CancelledError):
        await sending
    assert len(server.received) == 2


@pytest.mark.parametrize(
    "reply",
    [error(400, "2003"), error(429), error(500), Reply(502), Reply(503), Reply(504), error(408), Reply(body=b"[]")],
)
async def test_what_may_pass_is_tried_again(server: VisionServer, http_client: HttpClient, reply: Reply) -> None:
    async def first_fails(received: Received) -> Reply:
        return reply if len(server.received) == 1 else vectors(received)

    server.handler = first_fails
    waits: list[float] = []
    result = await send(http_client, server.url, bodies(3), concurrency=1, tries=2, waits=waits)
    assert isinstance(result, dict)
    assert [item["embedding"] for item in result["data"]] == [[float(i)] for i in range(6)]
    assert (len(server.received), waits) == (4, [1.0])


@pytest.mark.parametrize("reply", [error(400, "1001"), error(401), error(400, "3008"), Reply(302, b"{}"), Reply(501)])
async def test_what_will_not_pass_is_not(server: VisionServer, http_client: HttpClient, reply: Reply) -> None:
    server.replies(reply)
    assert isinstance(await send(http_client, server.url, bodies(2), concurrency=1, tries=3), Response)
    assert len(server.received) == 1


async def test_a_further_try_is_logged(
    server: VisionServer, http_client: HttpClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hunyuan_fix")
    server.replies(error(429), error(429))
    await send(http_client, server.url, bodies(1), tries=2)
    assert [record.getMessage() for record in caplog.records if record.name == "hunyuan_fix"] == [
        "embeddings call: HTTP 429 (try 1 of 2)",
        "embeddings call: HTTP 429 (try 2 of 2)",
    ]


async def test_the_last_error_is_the_answer(server: VisionServer, http_client: HttpClient) -> None:
    server.replies(error(500), error(400, "2003", retry_after="7"))
    waits: list[float] = []
    result = await send(http_client, server.url, bodies(1), tries=3, waits=waits)
    assert refused(result)[0] == 429
    assert waits == [1.0, 7.0]


async def test_a_wait_that_is_too_long_is_left_to_the_client(server: VisionServer, http_client: HttpClient) -> None:
    server.replies(error(429, retry_after="90"))
    waits: list[float] = []
    assert refused(await send(http_client, server.url, bodies(1), tries=3, waits=waits))[0] == 429
    assert waits == []


@pytest.fixture
def admission() -> Admission:
    made = Admission()
    made.configure(queue_max=100, queue_timeout=60.0, leases=None)
    return made


async def test_batches_take_slots_of_their_account(
    server: VisionServer, http_client: HttpClient, admission: Admission
) -> None:
    gate = Gate(admission, Breaker())
    results = await asyncio.gather(*(send(http_client, server.url, bodies(5), gate=gate) for _ in range(4)))
    assert all(isinstance(result, dict) for result in results)
    assert (admission.state().admitted, admission.state().queues) == (20, ())
    assert server.most_running == 2


async def test_a_queue_that_is_too_long(server: VisionServer, http_client: HttpClient, admission: Admission) -> None:
    gate = Gate(admission, Breaker())
    until = asyncio.get_running_loop().time() + 60
    passages = [await gate.enter(server.url, Account("hunyuan:1", 2), until=until) for _ in range(2)]
    result = await send(http_client, server.url, bodies(2), gate=gate, tries=3, patience=0.02)
    assert refused(result)[0] == 429
    assert server.received == []
    for passage in passages:
        passage.leave(Verdict.UP)


async def test_an_endpoint_that_is_down(server: VisionServer, http_client: HttpClient, admission: Admission) -> None:
    server.replies(Reply(503))
    gate = Gate(admission, Breaker(failures=1, seconds=30.0))
    waits: list[float] = []
    status, wrong = refused(await send(http_client, server.url, bodies(1), gate=gate, tries=2, waits=waits))
    assert (status, wrong["code"]) == (503, "upstream_down")
    status, wrong = refused(await send(http_client, server.url, bodies(1), gate=gate, tries=3))
    assert (status, wrong["code"]) == (503, "upstream_down")
    assert len(server.received) == 1
    assert admission.state().queues == ()
