"""What a client can make large, slow or many has a bound, and costs others nothing."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress
from typing import Any

import pytest

from hunyuan_fix.observe.admin import live, server
from tests.observe.admin.serving import TOKEN, asking, raw, rooms, serving

HOST = b"Host: localhost\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /status HTTP/1.1\r\nHost: localhost\r\nX-Large: " + b"a" * (1 << 20) + b"\r\n\r\n",
        b"GET /" + b"a" * (1 << 20) + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /status HTTP/1.1\r\nHost: localhost\r\n" + b"X-A: b\r\n" * 100_000 + b"\r\n",
        b"POST /signin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n" + b"a" * 1_000_000,
        b"POST /signin HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n" + b"ffff\r\n" + b"a" * 70_000,
        b"POST /signin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc",
        b"POST /signin HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /status HTTP/9.9\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET /status\r\n\r\n",
    ],
    ids=["header", "path", "headers", "body", "chunks", "smuggled", "negative", "version", "tls", "no version"],
)
async def test_what_is_too_large_or_no_http_ends_the_connection_alone(
    request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        async with asyncio.timeout(30):
            answer = await raw(admin, request_)
        assert answer == b"" or said_in_words(answer) == (400, "admin_bad_request"), answer[:200]
        assert (await client.get("/readyz")).status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def said_in_words(answer: bytes) -> tuple[int, str]:
    """Status and code of an error, which is all of `answer`."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"\r\ncontent-length: %d\r\n" % len(body) in head.lower() + b"\r\n"
    assert b"nosniff" in head
    return int(head.split()[1]), str(json.loads(body)["error"]["code"])


async def test_what_is_no_http_is_said_in_words_and_not_quoted() -> None:
    async with serving(token=TOKEN) as admin:
        for request_ in (TOKEN.encode() + b"\r\n\r\n", b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n"):
            answer = await raw(admin, request_)
            assert said_in_words(answer) == (400, "admin_bad_request")
            assert TOKEN.encode() not in answer


async def test_a_request_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.Server.__init__, "__kwdefaults__", {"patience": 0.2})
    beginnings = (
        b"",
        b"GET /status HTTP/1.1\r\nHost:",
        b"POST /signin HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\na",
        b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n",  # and nothing after that
    )
    async with serving() as admin:
        async with asyncio.timeout(30):
            answers = await asyncio.gather(*(raw(admin, beginning) for beginning in beginnings))
        assert [answer[:15] for answer in answers] == [b"", b"", b"", b"HTTP/1.1 200 OK"]


async def test_a_client_that_takes_no_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server.Server.__init__, "__kwdefaults__", {"patience": 0.2})
    shown = rooms()
    shown.metrics = lambda _: ("text/plain", b"a" * 20_000_000)
    async with serving(shown=shown) as admin, asking(admin) as client:
        assert admin.address is not None and admin._server is not None
        _, writer = await asyncio.open_connection(admin.address.host, admin.address.port, limit=1)
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        streams = admin._server._server.streams
        await until(lambda: len(streams) == 1)
        await until(lambda: not streams)
        assert (await client.get("/healthz")).status_code == 200
        writer.close()


async def test_a_thousand_listeners_are_a_few_and_probes_are_heard() -> None:
    async with serving() as admin:
        assert admin.address is not None
        held: list[Any] = []

        async def listen() -> bytes:
            with suppress(OSError):
                reader, writer = await asyncio.open_connection(admin.address.host, admin.address.port)  # type: ignore[union-attr]
                held.append(writer)
                writer.write(b"GET /api/events HTTP/1.1\r\n" + HOST + b"\r\n")
                return await reader.read(12)
            return b""

        for _ in range(10):
            async with asyncio.timeout(60):
                said = await asyncio.gather(*(listen() for _ in range(100)))
            assert set(said) <= {b"HTTP/1.1 200", b"HTTP/1.1 503", b""}
        assert len(admin.live) == live.MOST
        assert admin._server is not None and len(admin._server._server.streams) <= server.MOST_CONNECTIONS
        async with asking(admin) as client:
            assert (await client.get("/readyz")).status_code == 200
        for writer in held:
            writer.close()
        await until(lambda: len(admin.live) == 0)


async def test_connections_that_say_nothing_keep_no_probe_out() -> None:
    async with serving() as admin, asking(admin) as client:
        assert admin.address is not None
        held = [
            await asyncio.open_connection(admin.address.host, admin.address.port)
            for _ in range(server.MOST_CONNECTIONS + 20)
        ]
        assert (await client.get("/healthz")).status_code == 200
        for _, writer in held:
            writer.close()


async def test_nothing_of_a_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        once = admin.link().partition("once=")[2]
        await client.get("/status", headers={"authorization": f"Bearer {TOKEN}"})
        await client.get(f"/signin?once={once}&other={TOKEN}")
        await client.post("/signin", data={"once": once})
        await client.get(f"/nothing/{TOKEN}", headers={"cookie": f"hunyuan_admin={TOKEN}"})
        for line in (b"Authorization Bearer " + TOKEN.encode(), b"Content-Length: " + TOKEN.encode()):
            await raw(admin, b"POST /signin HTTP/1.1\r\n" + HOST + line + b"\r\n\r\n")
        await raw(admin, TOKEN.encode() + b"\r\n\r\n")
    own = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore"))]
    assert not [line for line in own if TOKEN in line or once in line]


async def until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)
