"""What a person sees of an exchange before its end: where it is, and what has come of its stream."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator

import pytest
from mitmproxy import contentviews
from mitmproxy.addons.view import View
from mitmproxy.flow import Flow
from mitmproxy.http import HTTPFlow, Message
from mitmproxy.test import tutils

from hunyuan_fix.hooks.mitmproxy_internals import replacements
from hunyuan_fix.hunyuan_fix import HunyuanFix
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Trust, chat_answer, run_proxy
from tests.waiting import until

ASKED = {"model": "hunyuan-lite", "stream": True, "messages": [{"role": "user", "content": "hi"}]}


def event(text: str) -> bytes:
    return b"data: " + json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode() + b"\n\n"


END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


def shown(message: Message | None, flow: HTTPFlow, view: str = "auto") -> str:
    assert message is not None
    return contentviews.prettify_message(message, flow, view).text


@pytest.mark.parametrize("mode", ["repair", "observe"])
async def test_a_running_stream_shows_what_has_come(trust: Trust, endpoint: Endpoint, mode: str) -> None:
    going, view = asyncio.Event(), View()

    async def pieces() -> AsyncIterator[bytes]:
        yield event("hel")
        await going.wait()
        yield event("lo") + END

    endpoint.answer = Answer(headers={"content-type": "text/event-stream"}, chunks=pieces())
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", view) as proxy, proxy.client() as client:
        calling = asyncio.ensure_future(client.post("/chat/completions", json=ASKED, headers={"x-hunyuan-mode": mode}))
        await until(lambda: len(view) and view[0].response and "hel" in shown(view[0].response, view[0]))
        flow = view[0]
        assert isinstance(flow, HTTPFlow)
        assert flow.response is not None
        text = shown(flow.response, flow)
        assert text.startswith("The stream is under way: 1 events, 0 s. Open this view again to see more.\n\n")
        assert text.endswith("─── assistant ───\nhel\n")
        assert event("hel").decode().strip() in shown(flow.response, flow, "Raw")
        assert flow.response.raw_content is None, "mitmproxy and other addons see what mitmproxy keeps: nothing"
        assert shown(flow.request, flow, "Hunyuan changes").splitlines()[0].endswith(", under way ───")
        going.set()
        await calling
        await until(lambda: not flow.live)
        text = shown(flow.response, flow)
        assert text == "─── assistant ───\nhello\nfinish reason: stop\n"


async def test_a_stream_that_is_not_kept_shows_nothing(trust: Trust, endpoint: Endpoint) -> None:
    going, view = asyncio.Event(), View()

    async def pieces() -> AsyncIterator[bytes]:
        yield event("hel")
        await going.wait()
        yield END

    endpoint.answer = Answer(headers={"content-type": "text/event-stream"}, chunks=pieces())
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target, view, hunyuan_keep_streams="0") as proxy, proxy.client() as client:
        calling = asyncio.ensure_future(client.post("/chat/completions", json=ASKED))
        await until(lambda: len(view) and view[0].response)
        assert shown(view[0].response, view[0]) == "Content is missing."
        going.set()
        await calling


async def test_a_page_is_told_of_a_stream_at_its_beginning(trust: Trust, endpoint: Endpoint) -> None:
    """mitmweb's page has a response's tab once mitmproxy's list says that the flow has changed."""
    going, view, told = asyncio.Event(), View(), []

    async def pieces() -> AsyncIterator[bytes]:
        yield event("hel")
        await going.wait()
        yield END

    def update(flow: Flow) -> None:
        told.append(isinstance(flow, HTTPFlow) and flow.response is not None)

    endpoint.answer = Answer(headers={"content-type": "text/event-stream"}, chunks=pieces())
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", view) as proxy, proxy.client() as client:
        view.sig_view_update.connect(update)
        calling = asyncio.ensure_future(client.post("/chat/completions", json=ASKED))
        await until(lambda: True in told)
        assert view[0].live
        going.set()
        await calling


async def test_a_request_that_waits_in_the_queue_says_so(trust: Trust, endpoint: Endpoint) -> None:
    held, view = asyncio.Event(), View()

    async def hold(_: Arrived) -> Answer:
        await held.wait()
        return chat_answer("done")

    endpoint.answer = hold
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target, view, hunyuan_concurrency="1") as proxy, proxy.client() as client:
        plain = {**ASKED, "stream": False}
        calls = [asyncio.ensure_future(client.post("/chat/completions", json=plain)) for _ in range(2)]
        await until(lambda: len(proxy.addon.runtime.admission.calls()) == 2)
        pages = [shown(flow.request, flow, "Hunyuan changes") for flow in view if isinstance(flow, HTTPFlow)]
        assert sorted("queued" in page for page in pages) == [False, True]
        assert all(", under way ───" in page for page in pages)
        held.set()
        await asyncio.gather(*calls)


def test_other_messages_are_mitmproxys_own() -> None:
    fix = HunyuanFix()
    replacements.want(fix, replacements.SHOWING)
    try:
        response = tutils.tresp(content=gzip.compress(b"x"))
        response.headers["content-encoding"] = "gzip"
        assert contentviews.get_data(response) == (b"x", "[decoded gzip]")  # type: ignore[attr-defined]
        response.raw_content = None
        response.stream = True
        assert contentviews.get_data(response) == (None, "")  # type: ignore[attr-defined]
    finally:
        replacements.release(fix, replacements.SHOWING)
