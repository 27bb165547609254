"""Requests that try to be another request: paths, hosts, methods and framing in every disguise."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from hunyuan_fix.observe.admin import live
from tests.observe.admin.serving import BEARER, TOKEN, an_exchange, asking, raw, rooms, serving

OWN = b"Host: localhost\r\n"
LAST = b"Connection: close\r\n"
SECRET = "content-of-a-conversation"


def answers(read: bytes) -> list[tuple[int, bytes]]:
    """Statuses and bodies of answers that follow each other."""
    found = []
    while read:
        head, _, read = read.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next((int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")), 0)
        found.append((int(head.split()[1]), read[:length]))
        read = read[length:]
    return found


TARGETS = [
    *("//status", "/status/", "/./status", "/x/../status", "/%2e/status", "/%73tatus", "/status%00", "/status\0"),
    *("/status;x", "/status%3f", "/status#x", "/STATUS", "\\status", "/healthz/../status", "/healthz%2f..%2fstatus"),
    *("/healthz;/status", "/healthz/status", "//healthz", "/healthz%00", "http://localhost/status", "*", "status"),
    *("//localhost/status", "/api/exchanges/", "/api/exchanges/%2e%2e", "/api/exchanges/a/b", "/api/exchanges/%00"),
    *("/api/exchanges/%ff", "/api/exchanges/..%2f..%2fstatus", "/\u00e9", "/status%0d%0aset-cookie:%20a=1"),
    "/api/exchanges/" + "a" * 4000,
]


@pytest.mark.parametrize("token", ["", TOKEN])
@pytest.mark.parametrize("target", TARGETS)
async def test_a_path_in_disguise_is_no_path(target: str, token: str) -> None:
    """Neither past the token, nor to what another spelling of the path has."""
    async with serving(token=token) as admin:
        request = b"GET " + target.encode() + b" HTTP/1.1\r\n" + OWN + LAST + b"\r\n"
        ((status, body),) = answers(await raw(admin, request))
        assert status in ((400, 401) if token else (400, 404)), body
        assert json.loads(body)["error"]["code"].startswith("admin_")
        assert len(body) < 2000


HOSTS = [
    *(b"localhost\0.evil.example", b"localhost evil.example", b"evil.example/localhost", b"localhost@evil.example"),
    *(b"evil.example#localhost", b"localhost:80:80", b"localhost:evil.example", b"[::1].evil.example", b"\xff", b"*"),
    *(b"127.0.0.1.evil.example", b"127.1", b"0x7f.1", b"2130706433", b"0", b"0.0.0.0", b"[::]", b"xn--localhost-"),
    *(b"localhost,evil.example", b"evil.example,localhost", b"evillocalhost", b"localhost\r\n evil.example"),
    *(b"evil.example\r\nX-Forwarded-Host: localhost", b"evil.example\r\nForwarded: host=localhost;for=127.0.0.1"),
]


@pytest.mark.parametrize("host", HOSTS)
async def test_a_host_in_disguise_is_another_host(host: bytes) -> None:
    """A page whose name resolves to this machine reads nothing, whatever it is called."""
    async with serving() as admin:
        ((status, body),) = answers(
            await raw(admin, b"GET /status HTTP/1.1\r\nHost: " + host + b"\r\n" + LAST + b"\r\n")
        )
        assert status in (400, 403)
        assert json.loads(body)["error"]["code"] in ("admin_host_not_allowed", "admin_bad_request")


@pytest.mark.parametrize("method", ["OPTIONS", "TRACE", "CONNECT", "PUT", "DELETE", "PATCH", "get", "GETT", "A" * 4000])
async def test_other_methods_do_nothing(method: str) -> None:
    async with serving() as admin:
        for path in ("/status", "/signout", "/api/events"):
            request = f"{method} {path} HTTP/1.1\r\n".encode() + OWN + LAST + b"\r\n"
            ((status, body),) = answers(await raw(admin, request))
            assert status in (400, 405)
            assert len(body) < 2000


async def test_head_of_every_path_has_no_body_and_listens_to_nothing() -> None:
    async with serving() as admin:
        for path in (b"/status", b"/api/events", b"/openapi.json", b"/nothing", b"/signout"):
            read = await raw(admin, b"HEAD " + path + b" HTTP/1.1\r\n" + OWN + LAST + b"\r\n")
            assert read.endswith(b"\r\n\r\n")
        assert len(admin.live) == 0


@pytest.mark.parametrize(
    "hidden",
    [
        b"POST /signin HTTP/1.1\r\n" + OWN + b"Content-Length: 5\r\nContent-Length: 0\r\n\r\n",
        b"POST /signin HTTP/1.1\r\n" + OWN + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /signin HTTP/1.1\r\n" + OWN + b"Transfer-Encoding: identity\r\n\r\n",
        b"POST /signin HTTP/1.1\r\n" + OWN + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        b"POST /signin HTTP/1.1\r\n" + OWN + b"Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n",
        b"POST /signin HTTP/1.1\r\n" + OWN + b"Content-Length: +0\r\n\r\n",
        b"POST /signin HTTP/1.1\r\n" + OWN + b"Content-Length : 0\r\n\r\n",
    ],
)
async def test_of_a_request_with_two_lengths_nothing_behind_it_is_heard(hidden: bytes) -> None:
    async with serving(token=TOKEN) as admin:
        behind = b"GET /status HTTP/1.1\r\n" + OWN + f"Authorization: Bearer {TOKEN}\r\n".encode() + LAST + b"\r\n"
        assert [status for status, _ in answers(await raw(admin, hidden + behind))] == [400]


async def test_requests_behind_each_other_are_answered_in_their_order_each_for_itself() -> None:
    bearer = f"Authorization: Bearer {TOKEN}\r\n".encode()
    async with serving(token=TOKEN) as admin:
        asked = [
            b"GET /metrics HTTP/1.1\r\n" + OWN + bearer + b"\r\n",
            b"GET /metrics HTTP/1.1\r\n" + OWN + b"\r\n",
            b"POST /signin HTTP/1.1\r\n" + OWN + b"Content-Length: 5\r\n\r\nGET /",
            b"GET /healthz HTTP/1.1\r\n" + LAST + b"\r\n",
        ]
        assert [status for status, _ in answers(await raw(admin, b"".join(asked)))] == [200, 401, 400, 200]


async def test_of_many_who_sign_in_by_one_link_at_once_one_does() -> None:
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        form = {"once": admin.link().partition("once=")[2]}
        told = await asyncio.gather(
            *(client.post("/signin", data=form, headers={"origin": admin.url}) for _ in range(8))
        )
        assert sorted(answer.status_code for answer in told) == [303, *[401] * 7]


@pytest.mark.parametrize(
    "query",
    [
        *("limit=1e308", "limit=-1", "limit=NaN", "slow=Infinity", "before=%00", "client=%ff", "client=", "a" * 9000),
        *(
            "&".join(["limit=1"] * 60),
            "limit=1&limit=2",
            "limit=1%00",
            "limit=%D9%A1",
            "session=" + "s" * 5000,
            "%00=1",
        ),
    ],
)
async def test_a_query_that_is_none_is_refused_in_few_words(query: str) -> None:
    async with serving() as admin:
        request = f"GET /api/exchanges?{query} HTTP/1.1\r\n".encode() + OWN + LAST + b"\r\n"
        ((status, body),) = answers(await raw(admin, request))
        assert status in (400, 404), body
        assert len(body) < 2000


async def test_listeners_that_never_read_hold_a_bounded_part_of_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "GATHERED", 0.01)
    shown = rooms()
    async with serving(shown=shown) as admin, asking(admin) as client:
        assert admin.address is not None and admin._server is not None
        held = []
        for _ in range(live.MOST):
            _, writer = await asyncio.open_connection(admin.address.host, admin.address.port, limit=1)
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(b"GET /api/events HTTP/1.1\r\n" + OWN + b"\r\n")
            held.append(writer)
        async with asyncio.timeout(30):
            while len(admin.live) < live.MOST:
                await asyncio.sleep(0.01)
        for _ in range(60):
            for _ in range(100):
                an_exchange(shown.exchanges, failure="x" * 2000)
            await asyncio.sleep(0.02)
            assert max(len(stream._write_buffer) for stream in admin._server._server.streams) < 2 << 20
        assert (await client.get("/healthz")).status_code == 200
        for writer in held:
            writer.close()


async def test_nothing_that_is_refused_is_logged_or_costs_a_place(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(token=TOKEN) as admin, asking(admin) as client:
        for _ in range(300):
            await raw(admin, f"GET /{SECRET} HTTP/1.1\r\nHost: {SECRET}\r\nConnection: close\r\n\r\n".encode())
        assert (await client.get("/status", headers=BEARER)).status_code == 200
        assert admin._server is not None and len(admin._server._server.streams) <= 1
    assert SECRET not in "".join(record.getMessage() for record in caplog.records if record.name != "asyncio")
