"""The `Host` that came over a socket to a reverse port, and to whom the key is lent for it. Real mitmproxy."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import h2.config
import h2.connection
import h2.events
import pytest
from mitmproxy import http

from hunyuan_fix.hooks.mitmproxy_internals import sent_host
from tests.proxying import LOCAL, Endpoint, Proxy, Trust, chat_answer, run_proxy
from tests.waiting import until

KEY = "sk-lent"
CHAT = b'{"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}'


class Watching:
    def __init__(self) -> None:
        self.sent: list[tuple[str, ...]] = []

    def requestheaders(self, flow: http.HTTPFlow) -> None:
        self.sent.append(sent_host.of(flow.request))


@pytest.fixture
def watching() -> Watching:
    return Watching()


@pytest.fixture
async def proxy(
    trust: Trust, endpoint: Endpoint, watching: Watching, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Proxy]:
    monkeypatch.setenv("HUNYUAN_API_KEY", KEY)
    endpoint.answer = chat_answer("hi")
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", watching) as running:
        yield running


async def over_http1(proxy: Proxy, *lines: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.reverse_port)
    head = "\r\n".join(["POST /v1/chat/completions HTTP/1.1", *lines, f"Content-Length: {len(CHAT)}", "", ""])
    writer.write(head.encode() + CHAT)
    assert b" 200 " in await reader.readline()
    writer.close()


async def over_http2(proxy: Proxy, *headers: tuple[str, str]) -> None:
    context = proxy.trust.of_proxy(http2=True)
    context.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.reverse_port, ssl=context, server_hostname=LOCAL)
    spoken = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, validate_outbound_headers=False))
    spoken.initiate_connection()
    spoken.send_headers(1, [(":method", "POST"), (":scheme", "https"), (":path", "/v1/chat/completions"), *headers])
    spoken.send_data(1, CHAT, end_stream=True)
    events: list[h2.events.Event] = []
    while not any(isinstance(event, h2.events.StreamEnded) for event in events):
        writer.write(spoken.data_to_send())
        data = await reader.read(65536)
        assert data
        events += spoken.receive_data(data)
    writer.close()


HOSTS = [
    ("127.0.0.1", True),
    ("127.0.0.1:8081", True),
    ("localhost:8081", True),
    ("localhost.", True),
    ("app.localhost", True),
    ("[::1]:8081", True),
    ("[::1]", True),
    (f"{socket.gethostname()}:8081", True),
    ("api.hunyuan.cloud.tencent.com", True),
    ("evil.example", False),
    ("evil.example:8081", False),
    ("127.0.0.1.evil.example", False),
    ("0.0.0.0:8081", False),
]


@pytest.mark.parametrize(("host", "lent"), HOSTS)
@pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])
async def test_what_a_reverse_port_is_addressed_as_decides_of_the_key(
    proxy: Proxy, endpoint: Endpoint, watching: Watching, host: str, lent: bool, http2: bool
):
    if http2:
        await over_http2(proxy, (":authority", host))
    else:
        await over_http1(proxy, f"Host: {host}")
    await until(lambda: endpoint.arrived)
    assert watching.sent == [(host,)]
    assert endpoint.arrived[0].headers.get("authorization") == (f"Bearer {KEY}" if lent else None)


@pytest.mark.parametrize(("host", "lent"), [("evil.example", False), (LOCAL, True)])
async def test_over_http2_a_host_header_may_stand_for_the_authority(
    proxy: Proxy, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, host: str, lent: bool
):
    """(Both, with two names, are refused by h2, which mitmproxy reads HTTP/2 with.)"""
    await over_http2(proxy, ("host", host))
    assert (KEY in str(endpoint.arrived)) is lent
    assert ("gets no key: it was addressed to a host that is not this proxy" in caplog.text) is not lent


@pytest.mark.parametrize("hosts", [("evil.example", LOCAL), (LOCAL, "evil.example")])
async def test_every_one_of_several_counts(proxy: Proxy, endpoint: Endpoint, hosts: tuple[str, str]):
    await over_http1(proxy, *(f"Host: {host}" for host in hosts))
    assert KEY not in str(endpoint.arrived)


async def test_what_came_is_kept_where_the_option_keeps_it_too(proxy: Proxy, endpoint: Endpoint):
    proxy.master.options.update(keep_host_header=True)
    await over_http1(proxy, "Host: evil.example")
    assert endpoint.arrived[0].headers["host"] == "evil.example"
    assert "authorization" not in endpoint.arrived[0].headers


def test_of_a_request_that_nobody_has_noted_nothing_is_known():
    assert sent_host.of(http.Request.make("GET", "http://localhost/")) == ()
