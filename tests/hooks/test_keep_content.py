"""What an exchange said, as the hooks take it from its flow: each way in which one can go."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hunyuan_fix.page.content import Content
from scripts.lib.processes import free_port
from tests.proxying import Answer, Endpoint, Proxy, Trust, chat_answer, json_answer, run_proxy
from tests.waiting import until

KEY = "sk-own-key-1234567890"
CHAT = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hello"}]}
BAD = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}
CHUNK = b'data: {"id":"1","choices":[{"index":0,"delta":{"content":"%b"},"finish_reason":null}]}\n\n'
END = b'data: {"id":"1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


@pytest.fixture
async def keeping(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    admin = f"127.0.0.1:{free_port()}"
    async with run_proxy(trust, f"https://localhost:{endpoint.port}", hunyuan_admin=admin) as running:
        yield running


async def ask(proxy: Proxy, body: Any, path: str = "/chat/completions", **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    given = {"content-type": "application/json", "authorization": f"Bearer {KEY}", **named}
    async with proxy.client() as client:
        return await client.post(path, content=content, headers=given)


async def last(proxy: Proxy) -> Content:
    """What the last exchange said; it is over."""
    contents = proxy.addon.runtime.contents
    await until(lambda: len(contents) > 0)
    found = contents.get(next(contents.ids()))
    assert found is not None
    return found


async def test_one_that_is_rewritten(keeping: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = chat_answer("hi")
    answer = await ask(keeping, BAD, cookie="a=verysecretcookie", x_custom="no", user_agent="me/1")
    found = await last(keeping)
    assert json.loads(found.came or b"") == BAD
    assert found.sent == endpoint.arrived[0].body != found.came
    assert found.answer == answer.content
    assert (found.status, found.streamed, found.under_way, found.why) == (200, False, False, "")
    assert found.url == f"http://localhost:{keeping.reverse_port}/v1/chat/completions"
    assert (found.proxy, found.before_key) == ("", "authorization: Bearer ")
    shown = {"accept", "accept-encoding", "content-type", "user-agent"}
    assert {name.lower() for name, _ in found.headers} <= shown
    assert ("user-agent", "me/1") in found.headers
    assert found.exchange["model"] == "hunyuan-lite" and "original" not in found.exchange
    assert KEY not in repr(found) and "verysecret" not in repr(found)


async def test_one_that_is_fine_is_kept_once(keeping: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = chat_answer("hi")
    await ask(keeping, CHAT)
    found = await last(keeping)
    assert found.came is found.sent and json.loads(found.came or b"") == CHAT


async def test_bodies_that_come_packed_both_ways(keeping: Proxy, endpoint: Endpoint) -> None:
    said = json.dumps(
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "x"}, "finish_reason": "stop"}]}
    )
    packed = gzip.compress(said.encode())
    endpoint.answer = Answer(headers={"content-type": "application/json", "content-encoding": "gzip"}, chunks=[packed])
    for body in (CHAT, BAD):
        plain = json.dumps(body).encode()
        answer = await ask(keeping, gzip.compress(plain), content_encoding="gzip")
        found = await last(keeping)
        assert found.came == plain
        assert json.loads(found.answer or b"") == answer.json()


async def test_a_large_one_that_is_rewritten_has_what_came(keeping: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = chat_answer("hi")
    large = {**BAD, "user": "x" * (2 << 20)}
    await ask(keeping, large)
    found = await last(keeping)
    assert json.loads(found.came or b"") == large
    assert found.sent == endpoint.arrived[0].body != found.came
    assert keeping.addon.runtime.contents._held == 0


async def test_a_stream_can_be_looked_at_while_it_comes(keeping: Proxy, endpoint: Endpoint) -> None:
    go_on = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield CHUNK % b"first"
        await go_on.wait()
        yield CHUNK % b"second"
        yield END

    endpoint.answer = Answer(headers={"content-type": "text/event-stream"}, chunks=chunks())
    contents = keeping.addon.runtime.contents
    asking = asyncio.create_task(ask(keeping, {**BAD, "stream": True}))

    def live() -> Content | None:
        ids = [kept.id for kept in keeping.addon.runtime.last_exchanges.newest()]
        return contents.get(ids[0]) if ids else None

    await until(lambda: (found := live()) is not None and b"first" in (found.answer or b""))
    found = live()
    assert found is not None and found.under_way and found.streamed
    assert json.loads(found.came or b"")["messages"] == BAD["messages"] and found.sent == endpoint.arrived[0].body
    assert b"second" not in (found.answer or b"")
    assert list(contents.ids()) == []
    go_on.set()
    answer = await asking
    found = await last(keeping)
    assert found.answer == answer.content and b"second" in answer.content
    assert found.streamed and not found.under_way


@pytest.mark.parametrize("body", [b"", b"\x00\xff\xfe junk", b"[1,2]", b"{broken", b'"text"'])
async def test_what_is_no_request(keeping: Proxy, endpoint: Endpoint, body: bytes) -> None:
    endpoint.answer = json_answer({"error": {"message": "no"}}, 400)
    answer = await ask(keeping, body)
    found = await last(keeping)
    assert (found.came, found.answer, found.status) == (body, answer.content, answer.status_code)


async def test_one_that_the_proxy_refuses_itself_did_not_leave(trust: Trust, endpoint: Endpoint) -> None:
    given: dict[str, Any] = {"hunyuan_admin": f"127.0.0.1:{free_port()}", "hunyuan_max_body": "1k"}
    async with run_proxy(trust, f"https://localhost:{endpoint.port}", **given) as proxy:
        answer = await ask(proxy, {**CHAT, "user": "x" * 5000})
        found = await last(proxy)
        assert answer.status_code == 413
        assert (found.sent, found.status, found.answer) == (None, 413, answer.content)
        assert len(found.came or b"") > 5000


async def test_one_whose_endpoint_can_not_be_reached(keeping: Proxy, endpoint: Endpoint) -> None:
    async def torn() -> AsyncIterator[bytes]:
        yield CHUNK % b"first"
        raise ConnectionError

    endpoint.answer = Answer(headers={"content-type": "text/event-stream"}, chunks=torn())
    await ask(keeping, {**CHAT, "stream": True})
    found = await last(keeping)
    assert json.loads(found.came or b"")["messages"] == CHAT["messages"]
    assert b"first" in (found.answer or b"") and b"error" in (found.answer or b"")


async def test_an_error_that_quotes_the_key(keeping: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = json_answer({"error": {"message": f"wrong key {KEY}"}}, 401)
    answer = await ask(keeping, CHAT)
    assert KEY in answer.text  # it is the client's own
    found = await last(keeping)
    assert found.answer and KEY.encode() not in found.answer and b"****" in found.answer


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/messages", {"model": "hunyuan-lite", "max_tokens": 9, "messages": CHAT["messages"]}, {"x_api_key": KEY}),
        ("/responses", {"model": "hunyuan-lite", "input": "hello"}, {}),
        ("/embeddings", {"model": "hunyuan-embedding", "input": ["a", "b"]}, {}),
    ],
)
async def test_other_formats(keeping: Proxy, endpoint: Endpoint, path: str, body: Any, headers: dict[str, str]) -> None:
    endpoint.answer = chat_answer("hi")
    answer = await ask(keeping, body, path, **headers)
    found = await last(keeping)
    assert json.loads(found.came or b"") == body
    assert found.answer == answer.content
    assert found.sent == endpoint.arrived[-1].body


async def test_off_means_that_nothing_is_noted(trust: Trust, endpoint: Endpoint) -> None:
    endpoint.answer = chat_answer("hi")
    given: dict[str, Any] = {"hunyuan_admin": f"127.0.0.1:{free_port()}", "hunyuan_page_content": "false"}
    async with run_proxy(trust, f"https://localhost:{endpoint.port}", **given) as proxy:
        contents = proxy.addon.runtime.contents
        await ask(proxy, BAD)
        assert len(contents) == 0
        proxy.master.options.update(hunyuan_page_content="true")
        await ask(proxy, BAD)
        assert json.loads((await last(proxy)).came or b"") == BAD
        proxy.master.options.update(hunyuan_page_content="false")
        assert len(contents) == 0 and contents.size == 0


async def test_what_passes_unread_says_so(trust: Trust, endpoint: Endpoint) -> None:
    endpoint.answer = chat_answer("hi")
    given: dict[str, Any] = {"hunyuan_admin": f"127.0.0.1:{free_port()}", "hunyuan_mode": "off"}
    async with run_proxy(trust, f"https://localhost:{endpoint.port}", **given) as proxy:
        await ask(proxy, CHAT)
        found = await last(proxy)
        assert (found.came, found.why) == (None, "unread")


async def test_through_the_proxy(keeping: Proxy, endpoint: Endpoint, trust: Trust) -> None:
    endpoint.answer = chat_answer("hi")
    url = f"https://localhost:{endpoint.port}/v1/chat/completions?token=s3cretvalue&a=1"
    async with keeping.proxied(trust.of_proxy()) as client:
        await client.post(url, json=CHAT, headers={"authorization": f"Bearer {KEY}"})
    found = await last(keeping)
    assert found.url == f"https://localhost:{endpoint.port}/v1/chat/completions?token=[redacted]&a=1"
    assert found.proxy == f"http://127.0.0.1:{keeping.port}"
