"""The real mitmproxy before a relay: in every mode, for HTTP/1.1 and HTTP/2 clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
import pytest
from h2.connection import H2Connection
from mitmproxy import ctx, http
from mitmproxy.options import Options
from mitmproxy.test import tflow
from mitmproxy.tools.dump import DumpMaster

from hunyuan_fix.hooks import detour
from hunyuan_fix.relay import RELAY_HEADER, TRIES_HEADER
from scripts.lib.processes import free_port
from tests.proxying import Trust, trust
from tests.relay.rig import END, GOOD, STREAM, Connection, Rig, answers, piece, resets, silent, streams

__all__ = ["trust"]

HOST = "api.example.test"
"""Nobody answers there: a call that doesn't go by the relay fails."""
EVENT = b'data: {"choices":[]}\n\n'


@dataclass(frozen=True, slots=True)
class Way:
    """How a client comes to the proxy."""

    mode: str
    """`closed` stands for a port on which nobody listens."""
    http2: bool = False
    tls: bool = True

    @property
    def reverse(self) -> bool:
        return self.mode.startswith("reverse")


WAYS = {
    "regular": Way("regular"),
    "regular, HTTP/2": Way("regular", http2=True),
    "regular, plain": Way("regular", tls=False),
    "upstream": Way("upstream:http://127.0.0.1:{closed}"),
    "upstream, HTTP/2": Way("upstream:http://127.0.0.1:{closed}", http2=True),
    "upstream, plain": Way("upstream:http://127.0.0.1:{closed}", tls=False),
    "reverse": Way(f"reverse:https://{HOST}"),
    "reverse, HTTP/2": Way(f"reverse:https://{HOST}", http2=True),
    "reverse, plain": Way(f"reverse:http://{HOST}", tls=False),
}


@dataclass(slots=True)
class Diverting:
    """An addon that sends everything by the relay."""

    rig: Rig
    seen: list[tuple[str, str, str | None, bool]] = field(default_factory=list)
    """Hook, URL, host header, and whether the relay's header was still there."""

    def load(self, _loader: object) -> None:
        ctx.options.connection_strategy = "lazy"

    def request(self, flow: http.HTTPFlow) -> None:
        secret = self.rig.relay.take(self.rig.job(streamed=True))
        detour.divert(flow, self.rig.relay.port, secret)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        assert flow.response
        flow.response.stream = flow.response.headers["content-type"].startswith("text/event-stream")
        self._end("responseheaders", flow)

    def response(self, flow: http.HTTPFlow) -> None:
        self._end("response", flow)

    def error(self, flow: http.HTTPFlow) -> None:
        self._end("error", flow)

    def _end(self, hook: str, flow: http.HTTPFlow) -> None:
        detour.restore(flow)
        request = flow.request
        assert detour.KEY not in flow.metadata
        self.seen.append((hook, request.url, request.host_header, RELAY_HEADER in request.headers))


@dataclass(frozen=True, slots=True)
class Proxy:
    addon: Diverting
    client: httpx.AsyncClient
    base: str
    real: str
    """What the flow must show."""

    def posted(self) -> httpx.Request:
        return self.client.build_request("POST", f"{self.base}/v1/chat/completions", content=b'{"a":1}')


@asynccontextmanager
async def proxied(rig: Rig, trust: Trust, way: Way) -> AsyncIterator[Proxy]:
    spec = way.mode.format(closed=free_port()) + "@127.0.0.1:0"
    master = DumpMaster(Options(confdir=str(trust.confdir), mode=[spec]), with_termlog=False, with_dumper=False)
    addon = Diverting(rig)
    master.addons.add(addon)
    running = asyncio.create_task(master.run())
    servers = master.addons.get("proxyserver").servers
    while not (list(servers) and next(iter(servers)).listen_addrs):
        await asyncio.sleep(0.005)
    port = next(iter(servers)).listen_addrs[0][1]
    scheme = "https" if way.tls else "http"
    client = httpx.AsyncClient(
        proxy=None if way.reverse else f"http://127.0.0.1:{port}",
        verify=trust.of_proxy(http2=way.http2),
        http1=not way.http2,
        http2=way.http2,
        trust_env=False,
        timeout=30,
    )
    base = f"{scheme}://localhost:{port}" if way.reverse else f"{scheme}://{HOST}"
    try:
        async with client:
            yield Proxy(addon, client, base, f"{scheme}://{HOST}/v1/chat/completions")
    finally:
        master.shutdown()
        await asyncio.wait({running})


@pytest.fixture(params=WAYS)
async def proxy(request: pytest.FixtureRequest, rig: Rig, trust: Trust) -> AsyncIterator[Proxy]:
    async with proxied(rig, trust, WAYS[request.param]) as running:
        yield running


async def test_call_goes_by_the_relay_and_the_flow_shows_where_to(proxy: Proxy, rig: Rig) -> None:
    rig.endpoint.plays(answers(), resets, answers())
    first = await proxy.client.send(proxy.posted())
    second = await proxy.client.send(proxy.posted())
    assert (first.status_code, first.content) == (200, GOOD)
    assert (second.status_code, second.content, second.headers[TRIES_HEADER]) == (200, GOOD, "2")
    shown = [("responseheaders", proxy.real, HOST, False), ("response", proxy.real, HOST, False)]
    assert proxy.addon.seen == shown * 2
    asked = rig.endpoint.asked[0]
    assert asked.line == "POST /v1/chat/completions HTTP/1.1"
    assert asked.body == b'{"a":1}'
    assert asked.headers["host"] == f"127.0.0.1:{rig.endpoint.port}"
    assert RELAY_HEADER not in asked.headers


async def test_first_event_arrives_before_the_second_is_sent(proxy: Proxy, rig: Rig) -> None:
    seen = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.send(STREAM, piece(EVENT))
        await seen.wait()
        await connection.send(piece(b"data: [DONE]\n\n"), END)

    rig.endpoint.plays(script)
    answer = await proxy.client.send(proxy.posted(), stream=True)
    chunks = answer.aiter_raw()
    assert await anext(chunks) == EVENT
    seen.set()
    assert b"".join([chunk async for chunk in chunks]) == b"data: [DONE]\n\n"
    assert proxy.addon.seen[-1] == ("response", proxy.real, HOST, False)


async def test_stream_that_breaks_ends_properly(proxy: Proxy, rig: Rig) -> None:
    seen = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.send(STREAM, piece(EVENT + b"data: {"))
        await seen.wait()
        await connection.reset()

    rig.endpoint.plays(script)
    answer = await proxy.client.send(proxy.posted(), stream=True)
    chunks = answer.aiter_raw()
    assert await anext(chunks) == EVENT
    seen.set()
    rest = b"".join([chunk async for chunk in chunks])
    assert json.loads(rest.removeprefix(b"data: "))["error"]["code"] == "stream_broken"
    assert proxy.addon.seen[-1][0] == "response"


async def test_failed_connection_is_one_error(proxy: Proxy, rig: Rig) -> None:
    rig.endpoint.plays(resets)
    answer = await proxy.client.send(proxy.posted())
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_unreachable"
    assert len(rig.endpoint.asked) == 3


async def gone(rig: Rig) -> None:
    await rig.endpoint.until(lambda: rig.endpoint.connections == 0)
    while rig.relay.under_way or rig.http_client.busy:
        await asyncio.sleep(0)


async def test_client_that_leaves_before_the_answer_ends_the_call(proxy: Proxy, rig: Rig) -> None:
    rig.endpoint.plays(silent)
    asking = asyncio.create_task(proxy.client.send(proxy.posted()))
    await rig.endpoint.until(lambda: len(rig.endpoint.asked) == 1)
    asking.cancel()
    await asyncio.wait({asking})
    await proxy.client.aclose()  # httpx keeps an HTTP/2 connection whose request was cancelled
    await gone(rig)
    while not proxy.addon.seen:
        await asyncio.sleep(0)
    assert proxy.addon.seen == [("error", proxy.real, HOST, False)]


async def test_client_that_leaves_in_the_middle_ends_the_call(proxy: Proxy, rig: Rig) -> None:
    async def script(connection: Connection) -> None:
        await connection.send(STREAM, piece(EVENT))
        await connection.until_closed()

    rig.endpoint.plays(script)
    answer = await proxy.client.send(proxy.posted(), stream=True)
    assert await anext(answer.aiter_raw()) == EVENT
    await answer.aclose()
    await proxy.client.aclose()
    await gone(rig)
    while proxy.addon.seen[-1][0] != "error":
        await asyncio.sleep(0)
    assert proxy.addon.seen[-1] == ("error", proxy.real, HOST, False)


async def test_http2_streams_side_by_side(rig: Rig, trust: Trust) -> None:
    """Each has a connection of its own to the relay, and none is left over."""
    everybody = asyncio.Barrier(5)

    async def script(connection: Connection) -> None:
        await everybody.wait()
        await connection.send(STREAM, piece(EVENT), END)

    rig.endpoint.plays(script)
    async with proxied(rig, trust, WAYS["regular, HTTP/2"]) as proxy:
        sent = [proxy.client.send(proxy.posted()) for _ in range(5)]
        assert [answer.content for answer in await asyncio.gather(*sent)] == [EVENT] * 5


async def test_http2_stream_reset_ends_the_call(rig: Rig, trust: Trust) -> None:
    """The client's connection stays open: only mitmproxy's connection to the relay is closed.

    The request names no length, as HTTP/2 allows; its body arrives all the same.
    """
    rig.endpoint.plays(silent)
    async with proxied(rig, trust, WAYS["reverse, HTTP/2"]) as proxy:
        address = httpx.URL(proxy.base)
        context = trust.of_proxy(http2=True)
        context.set_alpn_protocols(["h2"])
        _, writer = await asyncio.open_connection(address.host, address.port, ssl=context)
        spoken = H2Connection()
        spoken.initiate_connection()
        spoken.send_headers(
            1, [(":method", "POST"), (":scheme", "https"), (":authority", HOST), (":path", "/v1/chat/completions")]
        )
        spoken.send_data(1, b"{}", end_stream=True)
        writer.write(spoken.data_to_send())
        await rig.endpoint.until(lambda: len(rig.endpoint.asked) == 1)
        assert rig.endpoint.asked[0].body == b"{}"
        spoken.reset_stream(1)
        writer.write(spoken.data_to_send())
        await gone(rig)
        assert not writer.transport.is_closing()
        writer.close()


async def test_chunked_request(rig: Rig, trust: Trust) -> None:
    rig.endpoint.plays(streams(EVENT))

    async def body() -> AsyncIterator[bytes]:
        yield b'{"a":'
        yield b"1}"

    async with proxied(rig, trust, WAYS["regular, plain"]) as proxy:
        answer = await proxy.client.post(f"{proxy.base}/v1/chat/completions", content=body())
    assert answer.content == EVENT
    assert rig.endpoint.asked[0].body == b'{"a":1}'
    assert "transfer-encoding" not in rig.endpoint.asked[0].headers


def test_restore_is_for_diverted_flows_only() -> None:
    flow = tflow.tflow()
    before = flow.request.get_state()
    detour.restore(flow)
    assert flow.request.get_state() == before


@pytest.mark.parametrize("framing", [None, "content-length", "transfer-encoding"])
def test_restore_undoes_divert_and_again_changes_nothing(framing: str | None) -> None:
    flow = tflow.tflow()
    flow.request.trailers = None
    flow.request.headers.pop("content-length", None)
    if framing:
        flow.request.headers[framing] = "7"
    before = flow.request.get_state()
    detour.divert(flow, 1234, "secret")
    assert flow.request.url.startswith("http://127.0.0.1:1234/")
    assert flow.server_conn.address == ("127.0.0.1", 1234)
    assert ("content-length" in flow.request.headers) == (framing != "transfer-encoding")
    assert json.loads(json.dumps(flow.metadata)) == flow.metadata
    assert "secret" not in json.dumps(flow.metadata)
    for _ in range(2):
        detour.restore(flow)
        assert flow.request.get_state() == before


def test_trailers_do_not_go_along() -> None:
    flow = tflow.tflow()
    flow.request.trailers = http.Headers(x="1")
    detour.divert(flow, 1234, "secret")
    assert flow.request.trailers is None
