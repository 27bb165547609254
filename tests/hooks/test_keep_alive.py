"""Keep-alive in silent streams, through a real mitmproxy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from mitmproxy.test import tflow

from hunyuan_fix.hooks import keep_alive
from hunyuan_fix.hooks.keep_alive import KeepAlive
from hunyuan_fix.hooks.mitmproxy_internals import replacements
from tests.dialects.anthropic import event_order
from tests.http2_client import Http2Client
from tests.kept_flows import read
from tests.matrix import VERSIONS, each
from tests.proxying import LOCAL, Answer, Endpoint, Proxy, Trust, run_proxy
from tests.waiting import until

PATH = "/messages"
QUESTION = {"role": "user", "content": "hi"}
ASKED = {"model": "hunyuan-turbos-latest", "max_tokens": 9, "stream": True, "messages": [QUESTION]}
PING = b'event: ping\ndata: {"type":"ping"}\n\n'
COMMENT = b": keep-alive\n\n"


def event(text: str, reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": reason}
    return b"data: %b\n\n" % json.dumps({"id": "1", "object": "chat.completion.chunk", "choices": [choice]}).encode()


WHOLE = event("hi") + event("you", "stop") + b"data: [DONE]\n\n"


async def test_a_stream_is_silent_for_as_long_as_it_may_be_and_no_longer(monkeypatch: pytest.MonkeyPatch):
    """Looks are a tenth of that time apart; what came between two of them may have come just after the first."""
    monkeypatch.setattr(keep_alive, "SILENCE", 600.0)
    told: list[int] = []
    look = 0
    monkeypatch.setattr(KeepAlive, "_tell", lambda *_: told.append(look))
    stream: Any = SimpleNamespace(passed=0)
    watching, flow, other = KeepAlive(), tflow.tflow(), tflow.tflow()
    flow.live = other.live = True
    watching.watch(flow, stream)
    timer = watching._timer
    watching.watch(other, SimpleNamespace(passed=1))  # type: ignore[arg-type]
    assert watching._timer is timer, "one for all streams"
    other.live = False
    for look in range(1, 41):
        stream.passed += look in (5, 6) or look - 1 in told
        watching._look()
        assert watching.watched == 1
    assert told == [6 + 9, 6 + 9 + 10, 6 + 9 + 20]
    flow.live = False
    watching._look()
    assert (watching.watched, watching._timer) == (0, None)
    assert timer
    timer.cancel()


class Silent:
    """An endpoint's stream that says so many bytes of `whole`, then nothing until it is released."""

    def __init__(self, endpoint: Endpoint, said: int, whole: bytes = WHOLE) -> None:
        self.released = asyncio.Event()
        self._said, self._whole = said, whole
        endpoint.answer = lambda _: Answer(headers={"content-type": "text/event-stream"}, chunks=self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        if self._said:
            yield self._whole[: self._said]
        await self.released.wait()
        yield self._whole[self._said :]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keep_alive, "SILENCE", 0.05)


async def heard(client: httpx.AsyncClient, silent: Silent, sign: bytes, path: str = PATH) -> bytes:
    """All that a client hears which lets its endpoint go on after three signs."""
    got = bytearray()
    async with client.stream("POST", path, json=ASKED) as answer:
        assert answer.status_code == 200
        async for piece in answer.aiter_raw():
            got += piece
            if got.count(sign) >= 3:
                silent.released.set()
    return bytes(got)


@each("tunnel", {"reverse proxy": False, "in a tunnel": True}, http2=VERSIONS)
async def test_a_silent_stream_has_pings_between_its_events(
    trust: Trust, endpoint: Endpoint, proxy: Proxy, tunnel: bool, http2: bool
):
    """The endpoint falls silent in the middle of an event."""
    silent, path = Silent(endpoint, len(event("hi")) + 30), PATH
    client = proxy.client(http2=http2)
    if tunnel:
        client = proxy.proxied(trust.of_proxy(http2=http2), http1=not http2, http2=http2)
        path = f"https://{LOCAL}:{endpoint.port}/v1/messages"
    async with client:
        got = await heard(client, silent, PING, path)
    said = event_order.read(got)
    assert said.complete
    assert said.message
    assert said.message["content"] == [{"type": "text", "text": "hiyou"}]
    assert got.index(b"hi") < got.index(PING) < got.rindex(PING) < got.index(b"you")


async def test_before_the_first_event_it_has_what_all_clients_take_first(endpoint: Endpoint, proxy: Proxy):
    async with proxy.client() as client:
        got = await heard(client, Silent(endpoint, 0), COMMENT)
    assert got.startswith(COMMENT * 3)
    assert event_order.read(got.replace(COMMENT, b"")).complete


async def test_each_silent_stream_of_a_connection_has_its_own(endpoint: Endpoint, proxy: Proxy):
    silent = Silent(endpoint, len(event("hi")))
    async with Http2Client(proxy) as client:
        streams = [await client.post(ASKED, PATH) for _ in range(3)]
        reading = asyncio.create_task(client.ended(streams[0]))
        await until(lambda: all(client.received.get(stream, b"").count(PING) >= 2 for stream in streams))
        silent.released.set()
        await reading
        for stream in streams:
            await client.ended(stream)
            assert event_order.read(bytes(client.received[stream])).complete


async def test_what_is_saved_is_what_the_client_got(trust: Trust, endpoint: Endpoint, tmp_path: Path):
    file = tmp_path / "flows"
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target, save_stream_file=str(file)) as proxy, proxy.client() as client:
        got = await heard(client, Silent(endpoint, len(event("hi"))), PING)
    (flow,) = read(file)
    assert flow.response
    assert flow.response.raw_content == got


async def test_a_client_that_leaves_is_watched_no_more(endpoint: Endpoint, proxy: Proxy):
    Silent(endpoint, len(event("hi")))
    got = bytearray()
    async with proxy.client() as client, client.stream("POST", PATH, json=ASKED) as answer:
        async for piece in answer.aiter_raw():
            got += piece
            if PING in got:
                break
    watching = proxy.addon.process.keep_alive
    await until(lambda: not watching.watched and watching._timer is None)
    assert not proxy.addon.process.finisher.under_way


@each(
    "case",
    {
        "chat": ("/chat/completions", "repair", True),
        "under observe": (PATH, "observe", True),
        "an unknown mitmproxy": (PATH, "repair", False),
    },
)
async def test_others_hear_what_their_endpoint_says(trust: Trust, endpoint: Endpoint, case: tuple[str, str, bool]):
    """Chat goes on as without the addon; what passes unchanged may be in the middle of an event."""
    path, mode, replaced = case
    silent = Silent(endpoint, len(event("hi")))
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_mode=mode) as proxy:
        if not replaced:
            replacements.release(proxy.addon, replacements.KEEPING_ALIVE)
        async with proxy.client() as client, client.stream("POST", path, json=ASKED) as answer:
            pieces = answer.aiter_raw()
            got = await anext(pieces)
            assert proxy.addon.process.keep_alive.watched == (not replaced)
            asyncio.get_running_loop().call_later(5 * keep_alive.SILENCE, silent.released.set)
            got += b"".join([piece async for piece in pieces])
    assert b"ping" not in got
    assert b"keep-alive" not in got
    assert got.endswith(b"\n\n")


async def test_a_silent_stream_in_the_endpoints_own_format_has_them_too(trust: Trust, endpoint: Endpoint):
    """The endpoint speaks Messages itself."""
    start: dict[str, Any] = {"type": "message_start", "message": {"model": "hy3", "content": []}}
    stop: dict[str, Any] = {"type": "message_stop"}
    given = [b"event: %b\ndata: %b\n\n" % (each["type"].encode(), json.dumps(each).encode()) for each in (start, stop)]
    silent = Silent(endpoint, len(given[0]) + 5, b"".join(given))
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_profile="tokenhub") as proxy,
        proxy.client(headers={"anthropic-version": "2023-06-01"}) as client,
    ):
        got = await heard(client, silent, PING)
    assert got.replace(PING, b"").startswith(given[0])
