"""Streamed calls and their connections, against real servers; `post` has its tests in test_outgoing.py."""

from __future__ import annotations

import asyncio
import gzip
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from OpenSSL import crypto

from hunyuan_fix.upstream import client, connection
from hunyuan_fix.upstream.client import CallFailed, CallTimedOut, HttpClient, Transport
from tests.streaming_server import StreamingServer, streaming_server


@pytest.fixture
async def calls() -> AsyncIterator[HttpClient]:
    made = HttpClient()
    yield made
    await made.aclose()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=["http/1.1", "h2"])
async def streaming(
    request: pytest.FixtureRequest, authority: trustme.CA, tmp_path: Path
) -> AsyncIterator[StreamingServer]:
    async with streaming_server(authority, tmp_path, request.param) as running:
        yield running


@pytest.fixture
async def trusting(authority: trustme.CA, tmp_path: Path, streaming: StreamingServer) -> AsyncIterator[HttpClient]:
    """Closed before the server is, which waits for its clients' farewells."""
    assert streaming.url
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    made = HttpClient(Transport(trusted_ca=str(tmp_path / "ca.pem")))
    yield made
    await made.aclose()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def descriptors_fall_to(count: int) -> None:
    """The server's sockets are in this process too: two for each connection."""
    async with asyncio.timeout(10):
        while descriptors() > count:
            await asyncio.sleep(0.01)


async def read(calls: HttpClient, url: str, silence: float = 10.0) -> bytes:
    async with calls.stream("POST", url, [], b"{}", silence=silence) as answer:
        return b"".join([chunk async for chunk in answer.chunks()])


async def test_streamed_request(trusting: HttpClient, streaming: StreamingServer) -> None:
    sent = [
        (b"Authorization", b"Bearer \xff"),
        (b"X-Twice", b"1"),
        (b"X-Twice", b"2"),
        (b"Connection", b"keep-alive, X-Hop"),
        (b"X-Hop", b"1"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Host", b"elsewhere.example"),
        (b"Content-Length", b"999"),
        (b"TE", b"trailers"),
    ]
    async with trusting.stream("PUT", f"{streaming.url}/once", sent, b"x" * 200_000, silence=10) as answer:
        assert answer.status == 200
    (request,) = streaming.requests
    assert request.body == b"x" * 200_000
    got = [(name.lower(), value) for name, value in request.headers if not name.startswith(b":")]
    assert sorted(got) == sorted(
        [
            (b"authorization", b"Bearer \xff"),
            (b"x-twice", b"1"),
            (b"x-twice", b"2"),
            (b"host", streaming.url.removeprefix("https://").encode()),
            (b"content-length", b"200000"),
            (client.LOOP_GUARD.encode(), b"1"),
        ]
    )


async def test_streamed_answer_is_as_it_came(trusting: HttpClient, streaming: StreamingServer) -> None:
    streaming.body = gzip.compress(b"hello")
    streaming.headers = [(b"content-encoding", b"gzip"), (b"x-twice", b"1"), (b"x-twice", b"2")]
    async with trusting.stream("POST", f"{streaming.url}/once", [], b"{}", silence=10) as answer:
        headers = [(name.lower(), value) for name, value in answer.headers]
        assert [value for name, value in headers if name == b"x-twice"] == [b"1", b"2"]
        assert (b"content-encoding", b"gzip") in headers
        assert b"".join([chunk async for chunk in answer.chunks()]) == streaming.body
    posted = await trusting.post(f"{streaming.url}/once", b"{}", {}, 10)
    assert posted.body == b"hello"


async def test_http2_where_it_is_offered(trusting: HttpClient, streaming: StreamingServer) -> None:
    async with trusting.stream("POST", f"{streaming.url}/once", [], b"{}", silence=10) as answer:
        assert answer.http_version == ("HTTP/2" if streaming.requests[0].http_version == "2" else "HTTP/1.1")


async def test_chunks_come_as_they_are_sent(trusting: HttpClient, streaming: StreamingServer) -> None:
    async with trusting.stream("POST", f"{streaming.url}/drip", [], b"{}", silence=10) as answer:
        assert streaming.under_way == 1
        assert await anext(answer.chunks())
    await streaming.until(lambda: streaming.under_way == 0)


async def test_streamed_calls_share_connections(trusting: HttpClient, streaming: StreamingServer) -> None:
    for _ in range(5):
        assert await read(trusting, f"{streaming.url}/once") == b"hello"
    assert len({request.connection for request in streaming.requests}) == 1
    assert (trusting.busy, trusting.idle) == (0, 1)


async def test_one_call_at_a_time_on_a_connection(trusting: HttpClient, streaming: StreamingServer) -> None:
    """A call that is silent for too long ends no other, as it would on a shared HTTP/2 connection."""
    held = asyncio.create_task(read(trusting, f"{streaming.url}/silent"))
    await streaming.until(lambda: streaming.under_way == 1)
    with pytest.raises(CallTimedOut):
        await read(trusting, f"{streaming.url}/silent", silence=0.05)
    assert not held.done()
    assert len({request.connection for request in streaming.requests}) == 2
    held.cancel()
    await streaming.until(lambda: streaming.under_way == 0)


async def test_number_of_calls_is_not_limited(trusting: HttpClient, streaming: StreamingServer) -> None:
    calls = [asyncio.create_task(read(trusting, f"{streaming.url}/silent")) for _ in range(120)]
    await streaming.until(lambda: streaming.under_way == 120)
    for call in calls:
        call.cancel()
    await streaming.until(lambda: streaming.under_way == 0)
    assert trusting.busy == 0


async def test_no_more_connections_are_kept_than_allowed(
    trusting: HttpClient, streaming: StreamingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "MOST_IDLE", 3)
    await asyncio.gather(*(read(trusting, f"{streaming.url}/once") for _ in range(10)))
    assert (trusting.busy, trusting.idle) == (0, 3)


async def test_nothing_is_left_of_calls_that_did_not_end_well(trusting: HttpClient, streaming: StreamingServer) -> None:
    """200 calls: cancelled before the answer, in it, left in it by their caller, and silent for too long."""

    async def leave() -> None:
        async with trusting.stream("POST", f"{streaming.url}/drip", [], b"{}", silence=10) as answer:
            async for _ in answer.chunks():
                break

    async def silent() -> None:
        with pytest.raises(CallTimedOut):
            await read(trusting, f"{streaming.url}/silent", silence=0.01)

    await read(trusting, f"{streaming.url}/once")
    before = descriptors()
    for _ in range(10):
        cancelled = [asyncio.create_task(read(trusting, f"{streaming.url}/{path}")) for path in ["drip", "silent"] * 5]
        left = [asyncio.create_task(leave()) for _ in range(5)]
        late = [asyncio.create_task(silent()) for _ in range(5)]
        await asyncio.wait([*left, *late])
        for number, call in enumerate(cancelled):
            call.cancel()
            if number % 2:
                call.cancel()
        await asyncio.wait(cancelled)
        assert all(call.exception() is None for call in [*left, *late])
        assert trusting.busy == 0
    await streaming.until(lambda: streaming.under_way == 0)
    await descriptors_fall_to(before - 2)
    assert trusting.idle == 0  # the first one carried a call that didn't end well
    assert await read(trusting, f"{streaming.url}/once") == b"hello"


async def test_cancelling_at_any_moment_leaves_nothing(trusting: HttpClient, streaming: StreamingServer) -> None:
    """The call is cancelled after each number of the event loop's turns that it could take."""
    url = f"{streaming.url}/once"
    await read(trusting, url)
    before = descriptors()
    for turns in range(120):
        call = asyncio.create_task(read(trusting, url))
        for _ in range(turns):
            await asyncio.sleep(0)
        call.cancel()
        await asyncio.wait({call})
        assert trusting.busy == 0
    assert await read(trusting, url) == b"hello"
    assert trusting.idle == 1
    await descriptors_fall_to(before)


async def test_broken_answers_leave_nothing(calls: HttpClient) -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc")
        await writer.drain()
        writer.transport.abort()

    listener = await asyncio.start_server(reset, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    async with listener:
        for _ in range(200):
            with pytest.raises(CallFailed) as caught:
                await read(calls, url)
        assert caught.value.begun
        assert (calls.busy, calls.idle) == (0, 0)


async def test_connection_that_the_server_closed_is_not_used_again(calls: HttpClient) -> None:
    """Else the next call would fail, and a call that fails says that the endpoint is down."""
    may_close, closed = asyncio.Event(), asyncio.Event()

    async def once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        await may_close.wait()
        writer.close()
        await writer.wait_closed()
        closed.set()

    listener = await asyncio.start_server(once, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}/v1"
    async with listener:
        await read(calls, url)
        assert calls.idle == 1
        may_close.set()
        await closed.wait()
        assert await read(calls, url) == b"ok"


async def test_idle_connections_are_kept_for_a_while(
    streaming: StreamingServer, authority: trustme.CA, tmp_path: Path
) -> None:
    time = 0.0
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    calls = HttpClient(Transport(trusted_ca=str(tmp_path / "ca.pem")), clock=lambda: time)
    await read(calls, f"{streaming.url}/once")
    time += connection.KEPT_FOR
    await read(calls, f"{streaming.url}/once")
    time += connection.KEPT_FOR + 1
    await read(calls, f"{streaming.url}/once")
    first, second, third = (request.connection for request in streaming.requests)
    assert first == second != third
    await calls.aclose()


async def test_silence(trusting: HttpClient, streaming: StreamingServer) -> None:
    """It counts from byte to byte, not for the whole answer."""
    ends = asyncio.get_running_loop().time() + 0.7
    async with trusting.stream("POST", f"{streaming.url}/drip", [], b"{}", silence=0.5) as answer:
        async for _ in answer.chunks():
            if asyncio.get_running_loop().time() > ends:
                break
    with pytest.raises(CallTimedOut) as caught:
        await read(trusting, f"{streaming.url}/silent", silence=0.05)
    assert not caught.value.begun


async def test_the_caller_s_own_errors_stay_its_own(trusting: HttpClient, streaming: StreamingServer) -> None:
    with pytest.raises(ConnectionResetError):
        async with trusting.stream("POST", f"{streaming.url}/once", [], b"{}", silence=10):
            raise ConnectionResetError
    assert trusting.busy == 0


async def test_cookies_are_not_kept(trusting: HttpClient, streaming: StreamingServer) -> None:
    streaming.headers = [(b"set-cookie", b"a=b")]
    await read(trusting, f"{streaming.url}/once")
    await trusting.post(f"{streaming.url}/once", b"{}", {}, 10)
    await trusting.post(f"{streaming.url}/once", b"{}", {}, 10)
    assert not [name for request in streaming.requests for name, _ in request.headers if name == b"cookie"]


async def test_failures_are_told_apart(calls: HttpClient, streaming: StreamingServer) -> None:
    with pytest.raises(CallFailed, match="certificate not trusted"):
        await read(calls, f"{streaming.url}/once")

    async def plain(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(plain, "127.0.0.1", 0)
    address = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        with pytest.raises(CallFailed, match="TLS failed"):
            await read(calls, f"https://{address}")
    with pytest.raises(CallFailed, match="connection refused"):
        await read(calls, f"http://{address}")
    with pytest.raises(CallFailed, match="host name not found") as caught:
        await read(calls, "http://no_such_host./v1")
    assert not caught.value.begun
    for url in ("http://[", f"http://{'x' * 70}.example", "ftp://127.0.0.1", ""):
        with pytest.raises(CallFailed):
            await read(calls, url)


async def test_trusted_folder(streaming: StreamingServer, authority: trustme.CA, tmp_path: Path) -> None:
    folder = tmp_path / "trusted"
    folder.mkdir()
    certificate = crypto.load_certificate(crypto.FILETYPE_PEM, authority.cert_pem.bytes())
    authority.cert_pem.write_to_path(str(folder / f"{certificate.subject_name_hash():08x}.0"))
    calls = HttpClient(Transport(trusted_folder=str(folder)))
    assert await read(calls, f"{streaming.url}/once") == b"hello"
    await calls.aclose()


async def test_tunnel_through_a_proxy(streaming: StreamingServer, trusting: HttpClient) -> None:
    asked: list[bytes] = []

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        there, back = await asyncio.open_connection("127.0.0.1", int(streaming.url.rpartition(":")[2]))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(copy(reader, back), copy(there, writer))

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                target.write(data)
        target.close()

    listener = await asyncio.start_server(tunnel, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        authority = trusting.transport.trusted_ca
        calls = HttpClient(Transport(trusted_ca=authority, proxy=f"http://user:word@127.0.0.1:{port}"))
        for _ in range(2):
            assert await read(calls, f"{streaming.url}/once") == b"hello"
        await calls.aclose()
    assert len(asked) == 1
    assert asked[0].startswith(f"CONNECT {streaming.url.removeprefix('https://')} HTTP/1.1\r\n".encode())
    assert b"basic " in asked[0].lower()


async def test_a_client_certificate_and_versions_of_tls(authority: trustme.CA, tmp_path: Path) -> None:
    """As mitmproxy's own connections: an endpoint may ask who calls, and a company may allow no old TLS."""
    seen: list[tuple[object, str | None]] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        secured: ssl.SSLObject = writer.get_extra_info("ssl_object")
        await reader.readuntil(b"\r\n\r\n")
        seen.append((writer.get_extra_info("peercert"), secured.version()))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")
        await writer.drain()
        writer.close()

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=authority.cert_pem.bytes().decode())
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    own = authority.issue_cert("a.client")
    own.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "client.pem"))
    transport = Transport(str(tmp_path / "ca.pem"), client_certificate=str(tmp_path / "client.pem"))
    listener = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context)
    url = f"https://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        for newest, version in (("TLS1_2", "TLSv1.2"), ("UNBOUNDED", "TLSv1.3")):
            calls = HttpClient(replace(transport, oldest="TLS1_2", newest=newest, ciphers="ECDHE+AESGCM"))
            assert await read(calls, url) == b"hello"
            await calls.aclose()
            shown, spoken = seen.pop()
            assert "a.client" in str(shown)
            assert spoken == version
        calls = HttpClient(replace(transport, client_certificate=None))
        with pytest.raises(CallFailed):
            await read(calls, url)
        await calls.aclose()
        calls = HttpClient(replace(transport, ciphers="no such cipher"))
        with pytest.raises(CallFailed):
            await read(calls, url)
        await calls.aclose()
