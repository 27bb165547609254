from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme

from hunyuan_fix.upstream import client
from hunyuan_fix.upstream.client import CallFailed, CallTimedOut, HttpClient, Transport
from tests.vision_server import Received, Reply, VisionServer, chat, never, vision_server


@pytest.fixture
async def server() -> AsyncIterator[VisionServer]:
    async with vision_server() as running:
        yield running


@pytest.fixture
async def calls() -> AsyncIterator[HttpClient]:
    made = HttpClient()
    yield made
    await made.aclose()


async def post(calls: HttpClient, server: VisionServer, **headers: str) -> int:
    answer = await calls.post(f"{server.url}/chat/completions", b'{"a":1}', headers, 10.0)
    return answer.status


async def test_call(calls: HttpClient, server: VisionServer) -> None:
    server.replies(Reply(429, b'{"error":{}}', {"retry-after": "3", "x-request-id": "r1"}))
    answer = await calls.post(f"{server.url}/chat/completions", b'{"a":1}', {"authorization": "Bearer k"}, 10)
    assert (answer.status, answer.body) == (429, b'{"error":{}}')
    assert answer.headers["retry-after"] == "3"
    (received,) = server.received
    assert received.target == "/v1/chat/completions"
    assert received.body == {"a": 1}
    assert received.headers["content-type"] == "application/json"
    assert received.headers["authorization"] == "Bearer k"
    assert received.headers[client.LOOP_GUARD] == "1"


async def test_connection_is_kept(calls: HttpClient, server: VisionServer) -> None:
    server.replies(chat("x"))
    for _ in range(3):
        await post(calls, server)
    assert server.connections == 1


async def test_nothing_leaves_offline(calls: HttpClient, server: VisionServer) -> None:
    server.replies(chat("x"))
    calls.configure(Transport(offline=True))
    with pytest.raises(CallFailed, match="nothing is sent"):
        await post(calls, server)
    assert (server.connections, server.received) == (0, [])


async def test_environment_proxies_are_not_used(
    calls: HttpClient, server: VisionServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docs/facts/mitmproxy.md#own-proxy: the addon would call itself."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    server.replies(chat("x"))
    assert await post(calls, server) == 200


async def test_redirects_are_not_followed(calls: HttpClient, server: VisionServer) -> None:
    server.replies(Reply(307, headers={"location": f"{server.url}/elsewhere"}))
    assert await post(calls, server, authorization="Bearer k") == 307
    assert len(server.received) == 1


async def test_header_bytes_are_sent_as_they_came(calls: HttpClient, server: VisionServer) -> None:
    server.replies(chat("x"))
    await post(calls, server, authorization="Bearer \udcffé")
    assert server.received[0].headers["authorization"] == "Bearer \udcffé"


async def test_header_that_cannot_be_sent_is_not_told(calls: HttpClient, server: VisionServer) -> None:
    with pytest.raises(CallFailed) as caught:
        await post(calls, server, authorization="Bearer secret\r\nx: y")
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_not_connected(calls: HttpClient) -> None:
    listener = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    listener.close()
    with pytest.raises(CallFailed):
        await calls.post(f"http://127.0.0.1:{port}/v1", b"{}", {}, 10)


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "nothing", "http://[::"])
async def test_address_that_is_none(calls: HttpClient, url: str) -> None:
    with pytest.raises(CallFailed):
        await calls.post(url, b"{}", {}, 10)


async def test_cut_answer(calls: HttpClient) -> None:
    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
        writer.close()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with listener:
        with pytest.raises(CallFailed):
            await calls.post(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1", b"{}", {}, 10)


async def test_time_is_for_the_whole_call(calls: HttpClient) -> None:
    """A server that sends a byte now and then never lets a read time out."""

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        try:
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.01)
        except ConnectionError:
            pass

    listener = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with listener:
        with pytest.raises(CallTimedOut):
            await calls.post(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1", b"{}", {}, 0.1)


async def test_answer_is_bounded(calls: HttpClient, server: VisionServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MAX_ANSWER", 1000)
    server.replies(Reply(body=bytes(1000)), Reply(body=bytes(1001)))
    assert await post(calls, server) == 200
    with pytest.raises(CallFailed, match="too large"):
        await post(calls, server)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


async def test_public_authorities_are_the_default(calls: HttpClient, tls: ssl.SSLContext) -> None:
    async with vision_server(tls) as server:
        with pytest.raises(CallFailed):
            await post(calls, server)


async def test_trusted_authority(calls: HttpClient, tls: ssl.SSLContext, authority: trustme.CA, tmp_path: Path) -> None:
    own, foreign = tmp_path / "own.pem", tmp_path / "foreign.pem"
    authority.cert_pem.write_to_path(str(own))
    trustme.CA().cert_pem.write_to_path(str(foreign))
    async with vision_server(tls) as server:
        server.replies(chat("x"))
        calls.configure(Transport(trusted_ca=str(own)))
        assert await post(calls, server) == 200
        calls.configure(Transport(trusted_ca=str(foreign)))
        with pytest.raises(CallFailed):
            await post(calls, server)
        calls.configure(Transport(trusted_ca=str(tmp_path / "absent.pem")))
        with pytest.raises(CallFailed):
            await post(calls, server)


async def test_insecure(calls: HttpClient, tls: ssl.SSLContext) -> None:
    calls.configure(Transport(insecure=True))
    async with vision_server(tls) as server:
        server.replies(chat("x"))
        assert await post(calls, server) == 200


async def test_proxy(calls: HttpClient, server: VisionServer) -> None:
    server.replies(chat("x"))
    calls.configure(Transport(proxy=server.url.removesuffix("/v1")))
    answer = await calls.post("http://api.example.invalid/v1/chat/completions", b"{}", {}, 10)
    assert answer.status == 200
    assert server.received[0].target == "http://api.example.invalid/v1/chat/completions"


async def test_new_transport_is_for_new_calls(calls: HttpClient, server: VisionServer) -> None:
    """The call under way ends as it began, then its connections are closed."""
    hold = asyncio.Event()

    async def held(_: Received) -> Reply:
        await hold.wait()
        return chat("x")

    server.handler = held
    under_way = asyncio.create_task(post(calls, server))
    await server.until(lambda: server.running == 1)
    calls.configure(Transport(proxy=server.url.removesuffix("/v1")))
    proxied = asyncio.create_task(post(calls, server))
    await server.until(lambda: server.running == 2)
    assert [received.target.startswith("http:") for received in server.received] == [False, True]
    hold.set()
    assert (await under_way, await proxied) == (200, 200)
    await server.until(lambda: server.connections == 1)


async def test_idle_connections_of_the_old_transport_are_closed(calls: HttpClient, server: VisionServer) -> None:
    server.replies(chat("x"))
    await post(calls, server)
    calls.configure(Transport(insecure=True))
    await post(calls, server)
    await server.until(lambda: server.connections == 1)


async def test_the_same_transport_keeps_its_connections(calls: HttpClient, server: VisionServer) -> None:
    server.replies(chat("x"))
    await post(calls, server)
    calls.configure(Transport())
    await post(calls, server)
    assert server.connections == 1


async def test_first_calls_at_once_share_a_client(calls: HttpClient, server: VisionServer) -> None:
    server.replies(chat("x"))
    assert await asyncio.gather(*(post(calls, server) for _ in range(5))) == [200] * 5
    await post(calls, server)
    await calls.aclose()
    await server.until(lambda: server.connections == 0)


async def test_cancelled_call_is_dropped(calls: HttpClient, server: VisionServer) -> None:
    server.handler = never
    under_way = asyncio.create_task(post(calls, server))
    await server.until(lambda: server.running == 1)
    under_way.cancel()
    await server.until(lambda: len(server.dropped) == 1)


async def test_calls_are_not_logged(calls: HttpClient, server: VisionServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.replies(chat("x"))
    await post(calls, server, authorization="Bearer secret")
    assert [record.name for record in caplog.records if record.name.startswith("http")] == []
