"""SIGTERM, on a real mitmdump with real streams: what is under way ends in peace, what comes new is sent elsewhere."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import socketserver
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.served import Served, serve
from tests.http2_client import WINDOW, Http2Client
from tests.kept_flows import read
from tests.proxying import Answer, Arrived, Endpoint, Trust, chat_answer, run_endpoint
from tests.vision_server import image_part, png

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM that could be caught")

BODY = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}], "user": "me"}
STREAMED = {**BODY, "stream": True}
EVENT = 'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}]}\n\n'
BEGINNING = (EVENT % ("你", "null")).encode()
REST = (EVENT % ("好", '"stop"')).encode() + b"data: [DONE]\n\n"
STAY = ("--set", "hunyuan_drain_timeout=100")
"""So long that a test that waits for its end fails."""

both_versions = pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])


@dataclass(slots=True)
class Held:
    """Answers to streamed requests and vision calls that wait for their end until `release` is set."""

    release: asyncio.Event = field(default_factory=asyncio.Event)
    whole: bool = False
    """All other answers wait, too."""
    large: str = ""
    """The text of all other answers, and of a stream's beginning if it isn't empty."""

    async def answer(self, request: Arrived) -> Answer:
        if "vision" in request.json["model"]:
            await self.release.wait()
            return chat_answer("a cat")
        if not request.json.get("stream"):
            if self.whole:
                await self.release.wait()
            return chat_answer(self.large or "ok")
        return Answer(headers={"content-type": "text/event-stream"}, chunks=self._stream())

    async def _stream(self) -> AsyncIterator[bytes]:
        yield (EVENT % (self.large, "null")).encode() if self.large else BEGINNING
        await self.release.wait()
        yield REST


@dataclass(frozen=True, slots=True)
class Holding(Served):
    """mitmdump before an endpoint that holds its answers."""

    held: Held
    endpoint: Endpoint

    async def tell(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Send the signal, and wait until the ports are closed."""
        self.process.signal(number)
        await self.until(r"reverse proxy to \S+ at \S+ stopped")


@asynccontextmanager
async def holding(trust: Trust, *arguments: str) -> AsyncIterator[Holding]:
    held = Held()
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = held.answer
        async with serve(trust, endpoint, *arguments) as served:
            try:
                yield Holding(trust, served.process, served.port, served.reverse_port, held, endpoint)
            finally:
                held.release.set()


@asynccontextmanager
async def streaming(client: httpx.AsyncClient) -> AsyncIterator[tuple[httpx.Response, AsyncIterator[bytes]]]:
    """A stream whose beginning has arrived, and the rest of it."""
    async with client.stream("POST", "/chat/completions", json=STREAMED) as answer:
        rest = answer.aiter_bytes()
        assert await anext(rest) == BEGINNING
        yield answer, rest


@both_versions
async def test_a_stream_under_way_ends_and_new_requests_are_refused(trust: Trust, http2: bool):
    async with holding(trust, *STAY) as served, served.client(http2=http2) as early, served.client() as idle:
        assert (await idle.post("/chat/completions", json=BODY)).status_code == 200
        async with streaming(early) as (answer, rest):
            await served.tell()
            await served.until(r"requests under way have 100 seconds to finish \(1 now\)")
            # HTTP/2: on the connection of the stream itself. HTTP/1.1: on one that was kept open.
            refused = await (early if http2 else idle).post("/chat/completions", json=BODY)
            assert refused.status_code == 503
            assert refused.json()["error"]["code"] == "proxy_shutting_down"
            assert refused.headers["retry-after"] == "2"
            assert refused.headers.get("connection") == (None if http2 else "close")
            async with served.client() as new:
                with pytest.raises(httpx.ConnectError):
                    await new.post("/chat/completions", json=BODY)
            served.held.release.set()
            assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
            assert b"".join([chunk async for chunk in rest]) == REST
        assert await served.ended() == 0
        assert "Requests cut" not in served.process.output
        assert "Traceback" not in said(served)
        assert len(served.endpoint.arrived) == 2


def said(served: Holding) -> str:
    """What mitmdump said, without what Python 3.12.1 alone says when it ends with connections open."""
    known = r"Exception in callback StreamReaderProtocol\.connection_made.*?asyncio\.exceptions\.CancelledError\n"
    return re.sub(known, "", served.process.output, flags=re.DOTALL)


async def test_a_request_whose_images_are_described_gets_its_answer(trust: Trust):
    with_image = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": [image_part(png("a cat"))]}]}
    async with holding(trust, *STAY) as served, served.client() as client:
        asking = asyncio.create_task(client.post("/chat/completions", json=with_image))
        while not served.endpoint.arrived:
            await asyncio.sleep(0.01)
        await served.tell()
        served.held.release.set()
        answer = await asking
        assert answer.status_code == 200
        assert "cascade" in answer.headers["x-hunyuan-fix"]
        assert await served.ended() == 0
    assert "a cat" in str(served.endpoint.arrived[-1].json["messages"])


# An exchange is over for the addon long before its last bytes have left mitmproxy.


@both_versions
async def test_a_large_answer_reaches_its_client_whole(trust: Trust, http2: bool):
    async with holding(trust, *STAY) as served, served.client(http2=http2) as client:
        served.held.large = "long " * 6_000_000
        async with client.stream("POST", "/chat/completions", json=BODY) as answer:
            await served.until("-> 200")
            await served.tell()
            content = b"".join([chunk async for chunk in answer.aiter_bytes()])
        assert served.held.large in content.decode()
        assert await served.ended() == 0
        assert "Requests cut" not in served.process.output


async def test_over_http_2_the_client_says_how_fast_it_goes(trust: Trust):
    async with holding(trust, *STAY) as served:
        served.held.large = "long " * 200_000
        async with Http2Client(served, hesitant=True) as client:
            stream = await client.post(BODY)
            await client.begun(stream, WINDOW)
            await served.until("-> 200")
            await served.tell()
            await asyncio.sleep(0.3)  # it is busy; the proxy has nothing to do meanwhile
            await client.take_all()
            assert served.held.large.encode() in await client.ended(stream)
        assert await served.ended() == 0
        assert "Requests cut" not in served.process.output


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_at_once(trust: Trust, second: signal.Signals):
    async with holding(trust, *STAY) as served, served.client() as client, streaming(client) as (_, rest):
        await served.tell()
        await served.until("requests under way")
        served.process.signal(second)
        with pytest.raises(httpx.RemoteProtocolError):
            assert [chunk async for chunk in rest] == []
        assert await served.ended() == 0
        assert "Requests cut while under way: 1." in served.process.output
        assert "Traceback" not in said(served)


async def test_what_takes_too_long_is_cut(trust: Trust):
    short = ("--set", "hunyuan_drain_timeout=0.2")
    async with holding(trust, *short) as served, served.client() as client, streaming(client) as (_, rest):
        await served.tell()
        with pytest.raises(httpx.RemoteProtocolError):
            assert [chunk async for chunk in rest] == []
        assert await served.ended() == 0
        assert "Requests cut while under way: 1." in served.process.output


# What is cut is told so, where the addon has the connection to the endpoint.

CUT = ("--set", "hunyuan_retry=all", "--set", "hunyuan_drain_timeout=0.2")


@both_versions
@pytest.mark.parametrize("again", [False, True], ids=["by the time", "by a second signal"])
async def test_a_stream_that_is_cut_ends_with_an_error_event(trust: Trust, http2: bool, again: bool):
    options = ("--set", "hunyuan_retry=all", *STAY) if again else CUT
    async with holding(trust, *options) as served, served.client(http2=http2) as client:
        async with streaming(client) as (answer, rest):
            await served.tell()
            if again:
                await served.until("requests under way")
                served.process.signal(signal.SIGTERM)
            # To the end: httpx raises for a message without one.
            event = b"".join([chunk async for chunk in rest]).decode()
        assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
        assert event.endswith("\n\n")
        error = json.loads(event.removeprefix("data: "))["error"]
        assert (error["type"], error["code"]) == ("server_error", "proxy_shutting_down")
        assert await served.ended() == 0
        assert "Requests cut while under way: 1." in served.process.output
        assert "Traceback" not in said(served)


@both_versions
@pytest.mark.parametrize("waits", ["for the endpoint", "for a slot", "for its image"])
async def test_a_whole_answer_that_is_cut_is_an_honest_error(trust: Trust, http2: bool, waits: str):
    options = (*CUT, "-v", "--set", "hunyuan_concurrency=1")
    async with holding(trust, *options) as served, served.client(http2=http2) as client:
        served.held.whole = True
        content: Any = [image_part(png("a cat"))] if waits == "for its image" else "hi"
        body = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": content}]}
        asking = [asyncio.create_task(client.post("/chat/completions", json=body))]
        while not served.endpoint.arrived:
            await asyncio.sleep(0.01)
        if waits == "for a slot":
            asking.append(asyncio.create_task(client.post("/chat/completions", json=body)))
            await served.until(r"(?s)client connect.*client connect" if not http2 else "client connect")
            await asyncio.sleep(0.1)  # nothing tells that the second is in the queue
        await served.tell()
        for answer in await asyncio.gather(*asking):
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "proxy_shutting_down"
            assert answer.headers["retry-after"] == "2"
        assert await served.ended() == 0
        assert "Traceback" not in said(served)
        assert len(served.endpoint.arrived) == 1


async def test_a_client_that_is_slow_to_read_hears_of_it_too(trust: Trust):
    async with holding(trust, *CUT) as served, Http2Client(served, hesitant=True) as client:
        served.held.large = "long " * 100_000
        stream = await client.post(STREAMED)
        await client.begun(stream, WINDOW)
        await served.tell()
        await served.until("Requests cut")
        await asyncio.sleep(0.5)  # it is busy; the proxy waits for it
        await client.take_all()
        assert b'"proxy_shutting_down"' in (await client.ended(stream)).rpartition(b"data: ")[2]
        assert await served.ended() == 0


async def test_a_client_that_reads_nothing_more_does_not_hold_up_the_end(trust: Trust):
    async with holding(trust, *CUT) as served, Http2Client(served, hesitant=True) as client:
        served.held.large = "long " * 200_000
        stream = await client.post(STREAMED)
        await client.begun(stream, WINDOW)
        await served.tell()
        assert await served.ended() == 0
        assert "Requests cut while under way: 1." in served.process.output


async def test_tunnels_go_on_but_nobody_waits_for_them(trust: Trust):
    with echo() as port:
        async with holding(trust, *STAY) as served, served.client() as client:
            reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
            writer.write(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\n".encode())
            assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
            async with streaming(client) as (_, rest):
                await served.tell()
                writer.write(b"still there?")
                assert await reader.readexactly(12) == b"still there?"
                served.held.release.set()
                assert b"".join([chunk async for chunk in rest]) == REST
            assert await reader.read() == b""
            assert await served.ended() == 0
            writer.close()


@contextmanager
def echo() -> Iterator[int]:
    """The port of a server that speaks no HTTP: it sends back what it gets."""

    class Echo(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            connection: socket.socket = self.request
            while data := connection.recv(1024):
                connection.sendall(data)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


async def test_what_ends_while_draining_and_what_is_cut_is_in_the_file(trust: Trust, tmp_path: Path):
    file = tmp_path / "flows"
    async with holding(trust, "-w", str(file), *STAY) as served, served.client() as client:
        async with streaming(client) as (_, rest):
            await served.tell()
            served.held.release.set()
            assert b"".join([chunk async for chunk in rest]) == REST
        assert await served.ended() == 0
    (flow,) = read(file)
    assert bodies(flow) == BEGINNING + REST

    short = ("--set", "hunyuan_drain_timeout=0.2")
    async with holding(trust, "-w", str(file), *short) as served, served.client() as client, streaming(client):
        await served.tell()
        assert await served.ended() == 0
    (flow,) = read(file)
    assert bodies(flow) == BEGINNING


def bodies(flow: Any) -> bytes | None:
    """The streamed answer as it was kept."""
    assert flow.response
    kept: bytes | None = flow.response.raw_content
    return kept
