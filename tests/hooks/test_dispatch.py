"""A slot is given back on every way out of an exchange, with and without the relay. Real mitmproxy, real sockets."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from mitmproxy import http

from hunyuan_fix.relay import Job, Relay
from hunyuan_fix.steps.base import PATIENCE
from hunyuan_fix.upstream.circuit_breaker import Breaker, CircuitOpen
from hunyuan_fix.upstream.gate import Gate as CallGate
from scripts.lib.processes import free_port
from tests.http2_client import Http2Client
from tests.proxying import (
    LOCAL,
    Answer,
    Arrived,
    Endpoint,
    Proxy,
    Trust,
    chat_answer,
    json_answer,
    run_endpoint,
    run_proxy,
    stream_answer,
)
from tests.vision_server import image_part, png
from tests.waiting import until

BODY = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

ways = pytest.mark.parametrize("retry", ["vision", "all"])
versions = pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])


@asynccontextmanager
async def one_slot(
    trust: Trust, retry: str, *beside: object, target: str = "", **options: str
) -> AsyncIterator[tuple[Endpoint, Proxy]]:
    """An endpoint, and a proxy that lets one call at a time through to it."""
    async with run_endpoint(trust, tls=False) as endpoint:
        settings: dict[str, Any] = {
            "hunyuan_concurrency": "1",
            "hunyuan_retry": retry,
            "hunyuan_retry_tries": "1",
            **options,
        }
        where = target or f"http://{LOCAL}:{endpoint.port}"
        async with run_proxy(trust, where, *beside, **settings) as proxy:
            yield endpoint, proxy


def taken(proxy: Proxy) -> int:
    """Slots that calls hold, and calls that wait for one."""
    queues = proxy.addon.runtime.admission.state().queues
    return sum(queue.under_way + queue.waiting for queue in queues)


async def ask(proxy: Proxy, http2: bool = False, **more: object) -> httpx.Response:
    async with proxy.client(http2=http2) as client:
        return await client.post("/chat/completions", json={**BODY, **more})


class Gate:
    """An endpoint's answer that waits until the test lets it go."""

    def __init__(self) -> None:
        self.opened = asyncio.Event()

    async def __call__(self, _: Arrived) -> Answer:
        await self.opened.wait()
        return chat_answer("ok")


@ways
@versions
@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (chat_answer("ok"), 200),
        (stream_answer(EVENT, END), 200),
        (json_answer({"error": {"message": "no", "code": "1001"}}, status=400), 400),
        (json_answer({"error": {"message": "late", "code": "2003"}}, status=400), 429),
        (json_answer({"error": {"message": "down"}}, status=500), 500),
    ],
    ids=["whole", "stream", "refused", "limited", "failed"],
)
async def test_an_answer_gives_it_back(trust: Trust, retry: str, http2: bool, answer: Answer, status: int):
    async with one_slot(trust, retry) as (endpoint, proxy):
        endpoint.answer = answer
        for _ in range(2):
            assert (await ask(proxy, http2)).status_code == status
        await until(lambda: not taken(proxy))
        assert not proxy.addon.process.dispatcher.under_way


@ways
@versions
async def test_an_endpoint_that_is_not_there_gives_it_back(trust: Trust, retry: str, http2: bool):
    gone = f"http://{LOCAL}:{free_port()}"
    async with one_slot(trust, retry, target=gone, hunyuan_breaker_failures="0") as (_, proxy):
        for _ in range(2):
            answer = await ask(proxy, http2)
            assert answer.status_code == 502
            assert answer.json()["error"]["code"] == "upstream_unreachable"
        await until(lambda: not taken(proxy))
        assert not proxy.addon.process.dispatcher.under_way


@ways
@versions
async def test_a_client_that_leaves_gives_its_place_in_the_queue_up(trust: Trust, retry: str, http2: bool):
    gate = Gate()
    async with one_slot(trust, retry) as (endpoint, proxy):
        endpoint.answer = gate
        first = asyncio.create_task(ask(proxy))
        await until(lambda: endpoint.arrived)
        leaving = asyncio.create_task(ask(proxy, http2))
        await until(lambda: taken(proxy) == 2)
        leaving.cancel()
        await asyncio.wait({leaving})
        await until(lambda: taken(proxy) == 1)
        gate.opened.set()
        assert (await first).status_code == 200
        await until(lambda: not taken(proxy))
        assert len(endpoint.arrived) == 1


@ways
@versions
async def test_a_client_that_leaves_while_its_call_is_under_way(trust: Trust, retry: str, http2: bool):
    gate = Gate()
    async with one_slot(trust, retry) as (endpoint, proxy):
        endpoint.answer = gate
        leaving = asyncio.create_task(ask(proxy, http2))
        await until(lambda: endpoint.arrived)
        leaving.cancel()
        await asyncio.wait({leaving})
        await until(lambda: not taken(proxy))
        endpoint.answer = chat_answer("ok")
        assert (await ask(proxy)).status_code == 200
        gate.opened.set()


@ways
@versions
async def test_a_client_that_leaves_in_the_middle_of_a_stream(trust: Trust, retry: str, http2: bool):
    gone = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield EVENT
        await gone.wait()

    async with one_slot(trust, retry) as (endpoint, proxy):
        endpoint.answer = Answer(headers={"content-type": "text/event-stream"}, chunks=chunks())
        async with (
            proxy.client(http2=http2) as client,
            client.stream("POST", "/chat/completions", json={**BODY, "stream": True}) as answer,
        ):
            await anext(answer.aiter_raw())
            assert taken(proxy) == 1
        await until(lambda: not taken(proxy))
        gone.set()
        endpoint.answer = chat_answer("ok")
        assert (await ask(proxy)).status_code == 200


@ways
async def test_after_a_stream_reset_in_the_queue_nothing_is_sent(trust: Trust, retry: str):
    """HTTP/2: without the relay mitmproxy sees the reset when the hook has ended, with it at once."""
    gate = Gate()
    async with one_slot(trust, retry) as (endpoint, proxy):
        endpoint.answer = gate
        first = asyncio.create_task(ask(proxy))
        await until(lambda: endpoint.arrived)
        async with Http2Client(proxy) as client:
            reset = await client.post(BODY)
            await until(lambda: taken(proxy) == 2)
            await client.reset(reset)
            if retry == "all":
                await until(lambda: proxy.addon.runtime.relay.counts.abandoned == 1)
            other = await client.post({**BODY, "user": "other"})
            gate.opened.set()
            await client.ended(other)
        assert (await first).status_code == 200
        await until(lambda: not taken(proxy))
        assert len(endpoint.arrived) == 2
        assert not proxy.addon.tasks


class Killing:
    """A person, or another addon, who kills the flow at one of its hooks."""

    def __init__(self, hook: str) -> None:
        self.hook = hook
        self.armed = True

    def _kill(self, hook: str, flow: http.HTTPFlow) -> None:
        if self.armed and hook == self.hook:
            self.armed = False
            flow.kill()

    def request(self, flow: http.HTTPFlow) -> None:
        self._kill("request", flow)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        self._kill("responseheaders", flow)


@ways
@pytest.mark.parametrize("hook", ["request", "responseheaders"])
async def test_a_flow_that_is_killed_gives_it_back(trust: Trust, retry: str, hook: str):
    # A kill says nothing about the endpoint: a breaker that opens at the first failure stays closed.
    async with one_slot(trust, retry, Killing(hook), hunyuan_breaker_failures="1") as (endpoint, proxy):
        endpoint.answer = chat_answer("ok")
        with pytest.raises(httpx.HTTPError):
            await ask(proxy)
        await until(lambda: not taken(proxy))
        assert (await ask(proxy)).status_code == 200
        assert not proxy.addon.process.dispatcher.under_way


@ways
@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"hunyuan_queue_max": "0"}, "proxy_queue_full"),
        ({"hunyuan_queue_timeout": "0.05"}, "proxy_queue_timeout"),
    ],
)
async def test_a_queue_too_long_or_a_wait_too_long_is_a_429(
    trust: Trust, retry: str, options: dict[str, str], code: str
):
    gate = Gate()
    async with one_slot(trust, retry, **options) as (endpoint, proxy):
        endpoint.answer = gate
        first = asyncio.create_task(ask(proxy))
        await until(lambda: endpoint.arrived)
        refused = await ask(proxy)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, code)
        assert int(refused.headers["retry-after"]) >= 1
        gate.opened.set()
        assert (await first).status_code == 200


@ways
async def test_no_limit_at_all(trust: Trust, retry: str):
    gate = Gate()
    async with one_slot(trust, retry, hunyuan_concurrency="0") as (endpoint, proxy):
        endpoint.answer = gate
        asking = [asyncio.create_task(ask(proxy)) for _ in range(8)]
        await until(lambda: len(endpoint.arrived) == len(asking))
        gate.opened.set()
        assert {(await one).status_code for one in asking} == {200}


@pytest.mark.parametrize(("scope", "at_once"), [("key", 2), ("profile", 1)])
async def test_what_counts_as_an_account(trust: Trust, scope: str, at_once: int):
    gate = Gate()
    async with one_slot(trust, "vision", hunyuan_concurrency_scope=scope) as (endpoint, proxy):
        endpoint.answer = gate

        async def with_key(key: str) -> httpx.Response:
            async with proxy.client(headers={"authorization": f"Bearer {key}"}) as client:
                return await client.post("/chat/completions", json=BODY)

        asking = [asyncio.create_task(with_key(key)) for key in ("sk-one", "sk-two")]
        await until(lambda: taken(proxy) == 2)
        await until(lambda: len(endpoint.arrived) == at_once)
        assert len(proxy.addon.runtime.admission.state().queues) == at_once
        gate.opened.set()
        assert {(await one).status_code for one in asking} == {200}


@versions
async def test_the_flow_shows_where_its_request_really_went(trust: Trust, http2: bool):
    class Watching:
        def __init__(self) -> None:
            self.seen: list[tuple[str, str]] = []

        def responseheaders(self, flow: http.HTTPFlow) -> None:
            self.seen.append(("responseheaders", flow.request.url))

        def response(self, flow: http.HTTPFlow) -> None:
            self.seen.append(("response", flow.request.url))
            assert not any("relay" in name.lower() for name in flow.request.headers)

        def error(self, flow: http.HTTPFlow) -> None:
            self.seen.append(("error", flow.request.url))

    watching = Watching()
    async with one_slot(trust, "all", watching) as (endpoint, proxy):
        endpoint.answer = chat_answer("ok")
        assert (await ask(proxy, http2)).status_code == 200
        url = f"http://{LOCAL}:{endpoint.port}/v1/chat/completions"
    assert watching.seen == [("responseheaders", url), ("response", url)]


async def test_while_it_waits_the_flow_shows_no_relay(trust: Trust):
    """Whoever saves or exports a flow that is under way finds neither the secret nor the detour."""
    gate = Gate()
    flows: list[http.HTTPFlow] = []

    class Collecting:
        def request(self, flow: http.HTTPFlow) -> None:
            flows.append(flow)

    async with one_slot(trust, "all", Collecting()) as (endpoint, proxy):
        endpoint.answer = gate
        asking = asyncio.create_task(ask(proxy))
        await until(lambda: endpoint.arrived)
        (flow,) = flows
        assert flow.response is None
        assert flow.request.url == f"http://{LOCAL}:{endpoint.port}/v1/chat/completions"
        assert not any("relay" in name.lower() for name in flow.request.headers)
        gate.opened.set()
        assert (await asking).status_code == 200


@ways
async def test_a_flow_that_is_killed_in_the_queue_is_not_sent(trust: Trust, retry: str):
    gate = Gate()
    flows: list[http.HTTPFlow] = []

    class Collecting:
        def requestheaders(self, flow: http.HTTPFlow) -> None:
            flows.append(flow)

    async with one_slot(trust, retry, Collecting()) as (endpoint, proxy):
        endpoint.answer = gate
        first = asyncio.create_task(ask(proxy))
        await until(lambda: endpoint.arrived)
        second = asyncio.create_task(ask(proxy))
        await until(lambda: taken(proxy) == 2)
        flows[1].kill()
        gate.opened.set()
        assert (await first).status_code == 200
        with pytest.raises(httpx.HTTPError):
            await second
        await until(lambda: not taken(proxy))
        assert len(endpoint.arrived) == 1
        assert not proxy.addon.process.dispatcher.under_way


@ways
async def test_the_wait_in_the_queue_is_told(trust: Trust, retry: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    gate = Gate()
    async with one_slot(trust, retry) as (endpoint, proxy):
        endpoint.answer = gate
        first = asyncio.create_task(ask(proxy))
        await until(lambda: endpoint.arrived)
        second = asyncio.create_task(ask(proxy))
        await until(lambda: taken(proxy) == 2)
        await asyncio.sleep(0.01)  # what is measured
        gate.opened.set()
        assert {(await one).status_code for one in (first, second)} == {200}
        await until(lambda: not taken(proxy))
    waited = [int(found[1]) for line in caplog.messages if (found := re.search(r"queue_ms=(\d+)", line))]
    assert max(waited) >= 10


@ways
@versions
async def test_what_waits_when_the_process_ends_is_told_so(trust: Trust, retry: str, http2: bool):
    gate = Gate()
    async with one_slot(trust, retry, hunyuan_drain_timeout="0.05") as (endpoint, proxy):
        endpoint.answer = gate
        first = asyncio.create_task(ask(proxy))
        await until(lambda: endpoint.arrived)
        second = asyncio.create_task(ask(proxy, http2))
        await until(lambda: taken(proxy) == 2)
        proxy.master.shutdown()
        refused = await second
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "proxy_shutting_down")
        assert int(refused.headers["retry-after"]) >= 1
        if retry == "all":
            assert (await first).json()["error"]["code"] == "proxy_shutting_down"
        gate.opened.set()
        if retry == "vision":
            # mitmproxy's own call goes on for as long as its process lives (end_to_end/test_shutdown.py).
            assert (await first).status_code == 200


async def test_finished_cascades_go_ahead_of_new_arrivals(trust: Trust):

    seen: list[str] = []
    gate, described = asyncio.Event(), asyncio.Event()

    async def answer(request: Arrived) -> Answer:
        seen.append("vision" if "vision" in request.json["model"] else str(request.json["messages"][-1]["content"])[:5])
        await (described if "vision" in request.json["model"] else gate).wait()
        return chat_answer("ok")

    with_image = {**BODY, "messages": [{"role": "user", "content": [image_part(png("a cat"))]}]}
    async with one_slot(trust, "vision") as (endpoint, proxy):
        endpoint.answer = answer
        async with proxy.client() as client:
            cascading = asyncio.create_task(client.post("/chat/completions", json=with_image))
            await until(lambda: seen == ["vision"])
            newcomers = [asyncio.create_task(ask(proxy)) for _ in range(2)]
            await until(lambda: taken(proxy) == 3)
            gate.set()
            described.set()
            assert (await cascading).status_code == 200
            assert {(await one).status_code for one in newcomers} == {200}
    assert seen[0] == "vision"
    assert seen[1:].index(next(text for text in seen[1:] if text != "hi")) <= 1


async def test_the_time_of_the_cascade_counts_towards_the_deadline_of_retries(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
):
    """The client waits from the moment that its request came in, not from the relay's begin."""
    described = 0.2
    jobs: list[Job] = []
    take = Relay.take

    def taken_down(self: Relay, job: Job) -> str:
        jobs.append(job)
        return take(self, job)

    async def answer(request: Arrived) -> Answer:
        if "vision" in request.json["model"]:
            await asyncio.sleep(described)  # what is measured
        return chat_answer("ok")

    monkeypatch.setattr(Relay, "take", taken_down)
    with_image: dict[str, Any] = {**BODY, "messages": [{"role": "user", "content": [image_part(png("a cat"))]}]}
    async with one_slot(trust, "all", hunyuan_retry_deadline="50") as (endpoint, proxy):
        endpoint.answer = answer
        assert (await ask(proxy, **with_image)).status_code == 200
    (job,) = jobs
    assert job.deadline <= 50 - described


@ways
async def test_cascade_and_queue_end_before_a_client_gives_up(
    trust: Trust, retry: str, monkeypatch: pytest.MonkeyPatch
):
    """Clients drop a silent upstream after 120 s: whatever the queue's own patience, a request's ends before."""
    assert PATIENCE == 110
    monkeypatch.setattr("hunyuan_fix.hooks.dispatch.PATIENCE", 0.05)
    gate = Gate()
    async with one_slot(trust, retry, hunyuan_queue_timeout="600") as (endpoint, proxy):
        endpoint.answer = gate
        first = asyncio.create_task(ask(proxy))
        await until(lambda: endpoint.arrived)
        refused = await ask(proxy)
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "proxy_queue_timeout")
        gate.opened.set()
        assert (await first).status_code == 200


async def test_the_time_of_the_cascade_counts_towards_the_patience_of_the_queue(
    trust: Trust, monkeypatch: pytest.MonkeyPatch
):
    untils: list[float] = []
    asked: list[float] = []
    enter = CallGate.enter

    async def entered(self: CallGate, *given: Any, until: float, **more: Any) -> Any:
        untils.append(until)
        return await enter(self, *given, until=until, **more)

    async def answer(request: Arrived) -> Answer:
        if "vision" in request.json["model"]:
            asked.append(time.monotonic())
            await asyncio.sleep(0.1)  # what is measured
        return chat_answer("ok")

    monkeypatch.setattr(CallGate, "enter", entered)
    with_image: dict[str, Any] = {**BODY, "messages": [{"role": "user", "content": [image_part(png("a cat"))]}]}
    async with one_slot(trust, "vision") as (endpoint, proxy):
        endpoint.answer = answer
        assert (await ask(proxy, **with_image)).status_code == 200
    assert untils[-1] <= asked[0] + PATIENCE


async def test_the_breaker_hears_of_an_answer_at_its_headers(trust: Trust):
    """A probe that streams for minutes must not keep everybody else out so long."""
    ends = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield EVENT
        await ends.wait()
        yield END

    async with one_slot(trust, "vision", hunyuan_breaker_failures="1", hunyuan_breaker_seconds="0.001") as (
        endpoint,
        proxy,
    ):
        breaker = proxy.addon.runtime.breaker
        endpoint.answer = json_answer({"error": {"message": "down"}}, status=503)
        await ask(proxy)
        assert breaker.open()
        endpoint.answer = Answer(headers={"content-type": "text/event-stream"}, chunks=chunks())
        await until(lambda: not spared(breaker))
        async with proxy.client() as client, client.stream("POST", "/chat/completions", json=BODY) as probe:
            assert probe.status_code == 200
            await until(lambda: not breaker.open())
            ends.set()
            await probe.aread()


def spared(breaker: Breaker) -> bool:
    """Whether a call to any upstream would be turned away now."""
    try:
        for upstream in breaker.open():
            breaker.look(upstream)
    except CircuitOpen:
        return True
    return False
