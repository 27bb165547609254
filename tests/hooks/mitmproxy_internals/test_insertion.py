"""What an insertion relies on in mitmproxy. On the wire: tests/hooks/test_keep_alive.py."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.proxy.server import ConnectionHandler

from hunyuan_fix.hooks.mitmproxy_internals import insertion, replacements
from tests.matrix import VERSIONS, each
from tests.proxying import LOCAL, Answer, Endpoint, Proxy, Trust, run_proxy, stream_answer
from tests.waiting import until


class Streaming:
    """An add-on that streams all answers, and keeps the flow."""

    flow: HTTPFlow

    def responseheaders(self, flow: HTTPFlow) -> None:
        self.flow = flow
        assert flow.response
        flow.response.stream = True


class Slow:
    """Chunks of an answer, each after the test has let it go."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks
        self.gates = [asyncio.Event() for _ in chunks]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk, gate in zip(self._chunks, self.gates, strict=True):
            await gate.wait()
            yield chunk


def handler_of(proxy: Proxy, flow: HTTPFlow) -> ConnectionHandler:
    handler: ConnectionHandler = proxy.master.addons.get("proxyserver").connections[flow.client_conn.id]
    return handler


@each("http2", VERSIONS)
async def test_pieces_go_between_those_of_the_endpoint(trust: Trust, endpoint: Endpoint, http2: bool):
    slow, beside = Slow(b"one ", b"two "), Streaming()
    endpoint.answer = Answer(chunks=slow)
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", beside, hunyuan_hosts="other.example") as proxy:
        async with proxy.client(http2=http2) as client, client.stream("GET", "/files") as answer:
            pieces = answer.aiter_raw()
            handler = handler_of(proxy, beside.flow)
            await insertion.insert(handler, beside.flow, lambda: [b"before "])
            got = await anext(pieces)
            slow.gates[0].set()
            got += await anext(pieces)
            active = handler.timeout_watchdog.last_activity
            await insertion.insert(handler, beside.flow, lambda: [b"in ", b"between "])
            assert handler.timeout_watchdog.last_activity == active
            slow.gates[1].set()
            got += b"".join([piece async for piece in pieces])
            await insertion.insert(handler, beside.flow, lambda: pytest.fail("the answer is over"))
        assert got == b"before one in between two "


@each("http2", VERSIONS)
async def test_nothing_is_sent_before_the_headers(trust: Trust, endpoint: Endpoint, http2: bool):
    """The stream is known by then, and its client would take the pieces for the beginning of an answer."""
    slow = asyncio.Event()
    seen: list[HTTPFlow] = []

    class Asked:
        def request(self, flow: HTTPFlow) -> None:
            seen.append(flow)

    async def late(_: object) -> Answer:
        await slow.wait()
        return stream_answer(b"data: 1\n\n")

    endpoint.answer = late
    target = f"https://{LOCAL}:{endpoint.port}"
    async with (
        run_proxy(trust, target, Asked(), hunyuan_hosts="other.example") as proxy,
        proxy.client(http2=http2) as client,
    ):
        asking = asyncio.create_task(client.get("/files"))
        await until(lambda: endpoint.arrived)
        await insertion.insert(handler_of(proxy, seen[0]), seen[0], lambda: pytest.fail("no headers yet"))
        slow.set()
        assert (await asking).content == b"data: 1\n\n"


async def test_mitmproxy_itself_knows_no_such_event(trust: Trust, endpoint: Endpoint, caplog: pytest.LogCaptureFixture):
    """Without `handle_event` nothing is sent: for mitmproxy's own function the event would be a crash."""
    slow, beside = Slow(b"one"), Streaming()
    endpoint.answer = Answer(chunks=slow)
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", beside, hunyuan_hosts="other.example") as proxy:
        replacements.release(proxy.addon, replacements.KEEPING_ALIVE)
        async with proxy.client() as client, client.stream("GET", "/files") as answer:
            await insertion.insert(handler_of(proxy, beside.flow), beside.flow, lambda: pytest.fail("not in place"))
            slow.gates[0].set()
            assert await answer.aread() == b"one"
    assert "crashed" not in caplog.text
