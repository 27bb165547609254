"""The fault proxy does to a connection what it is told to: else the tests that rely on it would prove nothing."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator

import pytest
import trustme

from tests.fault_proxy import (
    DEAF,
    GOOD,
    HTML_502,
    Fault,
    FaultProxy,
    chunked,
    drip,
    fault_proxy,
    half_close,
    http_answer,
    reset,
    says,
    stall,
    truncated_gzip,
)
from tests.waiting import until

REQUEST = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody"
ANSWER = http_answer(b'{"answer": "one that is good"}')


class Endpoint:
    """Answers each request with `ANSWER`, and keeps what it got."""

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.open = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while data := await reader.read(1 << 16):
                self.got.append(data)
                writer.write(ANSWER)
        except ConnectionError:
            pass
        finally:
            self.open -= 1
            writer.close()


@pytest.fixture
async def endpoint() -> AsyncIterator[tuple[Endpoint, int]]:
    served = Endpoint()
    server = await asyncio.start_server(served.serve, "127.0.0.1", 0)
    yield served, server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def proxy(endpoint: tuple[Endpoint, int]) -> AsyncIterator[FaultProxy]:
    async with fault_proxy(endpoint[1]) as running:
        yield running


async def ask(proxy: FaultProxy) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(REQUEST)
    return reader, writer


async def silent(reader: asyncio.StreamReader) -> bool:
    """Whether nothing comes, while the other side has had every chance to send."""
    reading = asyncio.ensure_future(reader.read(1))
    done, _ = await asyncio.wait({reading}, timeout=0.05)
    reading.cancel()
    await asyncio.wait({reading})
    return not done


async def test_without_a_fault_everything_passes(proxy: FaultProxy, endpoint: tuple[Endpoint, int]):
    reader, writer = await ask(proxy)
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    assert endpoint[0].got == [REQUEST]
    assert (proxy.accepted, proxy.open) == (1, 1)
    writer.write(REQUEST)
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    writer.close()
    await until(lambda: proxy.open == endpoint[0].open == 0)


@pytest.mark.parametrize("after", [0, 1, 40, len(ANSWER) - 1])
async def test_reset(proxy: FaultProxy, endpoint: tuple[Endpoint, int], after: int):
    proxy.program(reset(after))
    reader, _ = await ask(proxy)
    assert await reader.readexactly(after) == ANSWER[:after]
    with pytest.raises(ConnectionResetError):
        await reader.read()
    assert endpoint[0].got == [REQUEST]
    await until(lambda: proxy.open == endpoint[0].open == 0)


async def test_half_close_leaves_the_other_direction_open(proxy: FaultProxy, endpoint: tuple[Endpoint, int]):
    proxy.program(half_close(20))
    reader, writer = await ask(proxy)
    assert await reader.read() == ANSWER[:20]
    writer.write(REQUEST)
    await until(lambda: len(endpoint[0].got) == 2)
    assert proxy.open == 1
    writer.close()
    await until(lambda: proxy.open == endpoint[0].open == 0)


@pytest.mark.parametrize("after", [0, 20])
async def test_stall(proxy: FaultProxy, endpoint: tuple[Endpoint, int], after: int):
    proxy.program(stall(after))
    reader, writer = await ask(proxy)
    assert await reader.readexactly(after) == ANSWER[:after]
    await until(lambda: bool(endpoint[0].got))
    assert await silent(reader)
    assert proxy.open == 1
    writer.close()
    await until(lambda: proxy.open == endpoint[0].open == 0)


async def test_drip(proxy: FaultProxy):
    pauses = 0

    async def pause() -> None:
        nonlocal pauses
        pauses += 1

    proxy.program(drip(3, pause))
    reader, writer = await ask(proxy)
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    writer.close()
    await until(lambda: proxy.open == 0)
    assert pauses == -(-len(ANSWER) // 3)


async def test_a_deaf_connection_takes_no_more_than_fits_into_the_buffers(proxy: FaultProxy):
    proxy.program(DEAF)
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(b"x" * 2**25)
    sending = asyncio.ensure_future(writer.drain())
    done, _ = await asyncio.wait({sending}, timeout=0.1)
    assert not done
    proxy.listen_again()
    await sending
    writer.close()
    await until(lambda: proxy.open == 0)


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (says(HTML_502), HTML_502),
        (says(ANSWER, after=30), ANSWER[:30]),
        (says(http_answer(b"{}", length=7)), http_answer(b"{}", length=7)),
        (says(chunked(b"a", b"bc", complete=False)), b"1\r\na\r\n2\r\nbc\r\n"),
    ],
)
async def test_says(proxy: FaultProxy, endpoint: tuple[Endpoint, int], fault: Fault, expected: bytes):
    proxy.program(fault)
    reader, writer = await ask(proxy)
    assert await reader.read() == expected
    assert endpoint[0].got == []
    writer.close()
    await until(lambda: proxy.open == 0)


async def test_an_answer_waits_for_the_whole_request(proxy: FaultProxy):
    proxy.program(says(HTML_502))
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    writer.write(REQUEST[:-1])
    assert await silent(reader)
    writer.write(REQUEST[-1:])
    assert await reader.read() == HTML_502
    writer.close()


async def test_the_order_of_what_is_programmed(proxy: FaultProxy):
    proxy.program(reset(), says(HTML_502), times=2)
    proxy.always(says(ANSWER))
    ends: list[bytes] = []
    for _ in range(5):
        reader, writer = await ask(proxy)
        try:
            ends.append(await reader.read())
        except ConnectionResetError:
            ends.append(b"reset")
        writer.close()
    assert ends == [b"reset", HTML_502, b"reset", HTML_502, ANSWER]
    proxy.program(reset())
    proxy.always(reset())
    proxy.reset()
    reader, writer = await ask(proxy)
    assert await reader.readexactly(len(ANSWER)) == ANSWER
    writer.close()


async def test_truncated_gzip():
    head, _, body = truncated_gzip(b"something " * 50).partition(b"\r\n\r\n")
    assert b"content-length: %d\r\n" % len(body) in head
    with pytest.raises((EOFError, zlib.error)):
        gzip.decompress(body)


async def test_with_tls(endpoint: tuple[Endpoint, int]):
    """Faults show in the TLS connection as they do in a plain one."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(client)
    async with fault_proxy(endpoint[1], server) as proxy:
        proxy.program(GOOD, reset(10))
        for expected in (ANSWER, ANSWER[:10]):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", proxy.port, ssl=client, server_hostname="localhost"
            )
            writer.write(REQUEST)
            assert await reader.readexactly(len(expected)) == expected
        with pytest.raises(ConnectionResetError):
            await reader.read()
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection("127.0.0.1", proxy.port, ssl=ssl.create_default_context())


async def test_it_hangs_up_on_who_waits(proxy: FaultProxy, endpoint: tuple[Endpoint, int]):
    """As an endpoint does with connections that were not used for a while."""
    reader, writer = await ask(proxy)
    await reader.readexactly(len(ANSWER))
    await proxy.hang_up()
    assert proxy.open == 0
    assert await reader.read() == b""
    writer.close()
    await until(lambda: endpoint[0].open == 0)


async def test_it_ends_with_connections_open(endpoint: tuple[Endpoint, int]):
    async with fault_proxy(endpoint[1]) as proxy:
        proxy.program(stall())
        reader, writer = await ask(proxy)
        await until(lambda: bool(endpoint[0].got))
    assert await reader.read() == b""
    writer.close()
    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.1", proxy.port))
