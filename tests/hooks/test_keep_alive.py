"""Keep-alive in silent streams, through a real mitmproxy."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from mitmproxy.test import tflow

from hunyuan_fix.hooks.keep_alive import KeepAlive
from hunyuan_fix.hooks.mitmproxy_internals import replacements
from tests.dialects.anthropic import event_order
from tests.dialects.tencent_cloud.native_clients import events
from tests.http2_client import Http2Client
from tests.kept_flows import read
from tests.matrix import VERSIONS, each
from tests.proxying import LOCAL, Answer, Endpoint, Proxy, Trust, run_proxy
from tests.waiting import until

PATH, CHAT = "/messages", "/chat/completions"
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
    told: list[int] = []
    look = 0
    monkeypatch.setattr(KeepAlive, "_tell", lambda *_: told.append(look))
    stream: Any = SimpleNamespace(passed=0)
    watching, flow, other = KeepAlive(), tflow.tflow(), tflow.tflow()
    watching.silence = 600.0
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

    def __init__(
        self, endpoint: Endpoint, said: int, whole: bytes = WHOLE, headers: Mapping[str, str] | None = None
    ) -> None:
        self.released = asyncio.Event()
        self._said, self._whole = said, whole
        named = {"content-type": "text/event-stream", **(headers or {})}
        endpoint.answer = lambda _: Answer(headers=named, chunks=self._chunks())

    async def _chunks(self) -> AsyncIterator[bytes]:
        if self._said:
            yield self._whole[: self._said]
        await self.released.wait()
        yield self._whole[self._said :]


SOON = 0.05
"""Seconds of silence, in all tests that don't say otherwise."""


def run_soon(trust: Trust, endpoint: Endpoint, **options: Any):
    return run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **{"hunyuan_heartbeat": str(SOON), **options})


@pytest.fixture
async def proxy(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    async with run_soon(trust, endpoint) as running:
        yield running


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


NATIVE_COMMENT = b": keep-alive\n"


async def test_tencent_clouds_sdk_gets_a_line_that_it_skips(endpoint: Endpoint, proxy: Proxy):
    """Without a blank line, which it would take for an event without data; before the first event and between two."""
    native = {"Model": "hunyuan-lite", "Stream": True, "Messages": [{"Role": "user", "Content": "hi"}]}
    named = {"x-tc-action": "ChatCompletions", "x-tc-version": "2023-09-01", "x-tc-timestamp": str(int(time.time()))}
    for said in (0, len(event("hi")) + 30):
        silent, got = Silent(endpoint, said), bytearray()
        async with proxy.client() as client:
            root = client.base_url.copy_with(path="/")
            async with client.stream("POST", root, json=native, headers=named) as answer:
                assert answer.headers["content-type"] == "text/event-stream"
                async for piece in answer.aiter_raw():
                    got += piece
                    if got.count(NATIVE_COMMENT) >= 3:
                        silent.released.set()
        assert COMMENT not in got
        read = events([bytes(got)])
        assert "".join(one["Choices"][0]["Delta"]["Content"] for one in read) == "hiyou"


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
    async with run_soon(trust, endpoint, save_stream_file=str(file)) as proxy, proxy.client() as client:
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
        "messages under observe": (PATH, {"hunyuan_mode": "observe"}, True, {}),
        "chat under observe": (CHAT, {"hunyuan_mode": "observe"}, True, {}),
        "chat under off": (CHAT, {"hunyuan_mode": "off"}, True, {}),
        "switched off": (CHAT, {"hunyuan_heartbeat": "0"}, True, {}),
        "an unknown mitmproxy": (PATH, {}, False, {}),
        "a coding that can't be undone": (CHAT, {}, True, {"content-encoding": "exotic"}),
        "no dialect": ("/audio/speech", {}, True, {}),
        "a whole answer": (CHAT, {}, True, {"content-type": "application/json"}),
    },
)
async def test_others_hear_what_their_endpoint_says(
    trust: Trust, endpoint: Endpoint, case: tuple[str, dict[str, str], bool, dict[str, str]]
):
    """What passes unread may be in the middle of an event, or is no stream."""
    path, options, replaced, headers = case
    silent = Silent(endpoint, len(event("hi")), headers=headers)
    async with run_soon(trust, endpoint, **options) as proxy:
        if not replaced:
            replacements.release(proxy.addon, replacements.KEEPING_ALIVE)
        asked = {**ASKED, "stream": "content-type" not in headers}
        async with proxy.client() as client:
            asyncio.get_running_loop().call_later(5 * SOON, silent.released.set)
            async with client.stream("POST", path, json=asked) as answer:
                assert proxy.addon.process.keep_alive.watched == (not replaced)
                got = b"".join([piece async for piece in answer.aiter_raw()])
    assert b"ping" not in got
    assert b"keep-alive" not in got
    assert got.endswith(b"\n\n") or b"error" in got


@each("http2", VERSIONS)
@each("said", {"nothing yet": 0, "half an event": 30, "an event": len(event("hi")), "more": len(event("hi")) + 40})
async def test_a_silent_chat_stream_has_comments_between_its_events(
    endpoint: Endpoint, proxy: Proxy, said: int, http2: bool
):
    async with proxy.client(http2=http2) as client:
        got = await heard(client, Silent(endpoint, said), COMMENT, CHAT)
    assert got.replace(COMMENT, b"") == WHOLE
    where = 0 if said < len(event("hi")) else len(event("hi"))
    assert got.startswith(WHOLE[:where] + COMMENT * 3)


async def test_a_packed_chat_stream_is_unpacked_for_them(endpoint: Endpoint, proxy: Proxy):
    packed = gzip.compress(WHOLE)
    async with proxy.client() as client:
        got = await heard(client, Silent(endpoint, 15, packed, {"content-encoding": "gzip"}), COMMENT, CHAT)
    assert got.replace(COMMENT, b"") == WHOLE


async def test_a_stream_that_the_relay_brings_has_them_once_it_has_begun(trust: Trust, endpoint: Endpoint):
    """Before its first event there may be another try, with another status."""
    silent = Silent(endpoint, len(event("hi")))
    async with run_soon(trust, endpoint, hunyuan_retry="all") as proxy, proxy.client() as client:
        got = await heard(client, silent, COMMENT, CHAT)
    assert got.replace(COMMENT, b"") == WHOLE
    assert got.startswith(event("hi"))


async def test_a_mark_of_byte_order_behind_a_comment_would_hide_an_event(endpoint: Endpoint, proxy: Proxy):
    async with proxy.client() as client:
        got = await heard(client, Silent(endpoint, 2, b"\xef\xbb\xbf" + WHOLE), COMMENT, CHAT)
    assert got.replace(COMMENT, b"") == WHOLE


async def test_behind_an_event_with_an_id_a_comment_has_no_blank_line(endpoint: Endpoint, proxy: Proxy):
    """`docs/facts/clients.md#comments-in-streams`."""
    numbered = b"".join(b"id: %d\n%b\n\n" % (number, text) for number, text in enumerate(WHOLE.split(b"\n\n")[:-1]))
    said = numbered.index(b"\n\n") + 2
    async with proxy.client() as client:
        got = await heard(client, Silent(endpoint, said, numbered), b"\n: keep-alive\n", CHAT)
    assert got.replace(b": keep-alive\n", b"") == numbered
    assert b"alive\n\n" not in got


async def test_the_option_holds_for_streams_under_way(endpoint: Endpoint, proxy: Proxy):
    silent = Silent(endpoint, len(event("hi")))
    async with proxy.client() as client, client.stream("POST", CHAT, json=ASKED) as answer:
        pieces = answer.aiter_raw()
        while COMMENT not in await anext(pieces):
            pass
        proxy.master.options.update(hunyuan_heartbeat="0")
        await until(lambda: not proxy.addon.process.keep_alive.watched)
        silent.released.set()
        assert b"".join([piece async for piece in pieces]).endswith(b"[DONE]\n\n")


async def test_a_silent_stream_in_the_endpoints_own_format_has_them_too(trust: Trust, endpoint: Endpoint):
    """The endpoint speaks Messages itself."""
    start: dict[str, Any] = {"type": "message_start", "message": {"model": "hy3", "content": []}}
    stop: dict[str, Any] = {"type": "message_stop"}
    given = [b"event: %b\ndata: %b\n\n" % (each["type"].encode(), json.dumps(each).encode()) for each in (start, stop)]
    silent = Silent(endpoint, len(given[0]) + 5, b"".join(given))
    async with (
        run_soon(trust, endpoint, hunyuan_profile="tokenhub") as proxy,
        proxy.client(headers={"anthropic-version": "2023-06-01"}) as client,
    ):
        got = await heard(client, silent, PING)
    assert got.replace(PING, b"").startswith(given[0])
