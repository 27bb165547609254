"""Vision calls as a section of the request's page."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from mitmproxy import contentviews
from mitmproxy.addons.view import View
from mitmproxy.http import HTTPFlow

from hunyuan_fix.exchange import KEY, Exchange
from hunyuan_fix.views import vision_calls
from tests.kept_flows import saved_and_read
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Trust, json_answer, run_proxy
from tests.strategies import json_values
from tests.vision_server import image_part, png, text_part
from tests.waiting import until

KEY_SENT = "sk-only-the-endpoint-may-know"


def see(request: Arrived) -> Answer:
    said = "a cat" if "vision" in request.json["model"] else "ok"
    message = {"role": "assistant", "content": said}
    usage = {"prompt_tokens": 812, "completion_tokens": 96}
    return json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage})


@pytest.fixture
async def flow(trust: Trust, endpoint: Endpoint) -> HTTPFlow:
    """An exchange with three images, two of them the same."""
    view = View()
    endpoint.answer = see
    parts = [text_part("what is this?"), *(image_part(png(name)) for name in "aab")]
    body = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "x"}, {"role": "user", "content": parts}]}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", view) as proxy, proxy.client() as client:
        await client.post("/chat/completions", json=body, headers={"authorization": f"Bearer {KEY_SENT}"})
        flow = view[0]
        await until(lambda: not flow.live)
    assert isinstance(flow, HTTPFlow)
    return flow


def page(flow: HTTPFlow) -> str:
    return contentviews.prettify_message(flow.request, flow, "Hunyuan changes").text


async def test_each_image_has_a_line_and_each_call_its_prompt_and_answer(flow: HTTPFlow) -> None:
    text = page(flow)
    head = text.index("─── vision calls: model hunyuan-vision-1.5-instruct")
    lines = text[head:].splitlines()[1:4]
    assert [line.split("  ")[0] for line in lines] == [f"/messages/1/content/{number}" for number in (1, 2, 3)]
    assert ["called" in lines[0], "known from before" in lines[1], "called" in lines[2]] == [True] * 3
    assert all("HTTP 200" in lines[number] and "812 + 96 tokens" in lines[number] for number in (0, 2))
    assert head < text.index("─── diff ───"), "what is read at a glance stands above"
    assert text.count("─── vision prompt: /messages/1/content/1, /messages/1/content/3 ───") == 1
    assert "what is this?" in text[text.index("─── vision prompt") :]
    assert text.count("─── vision answer: ") == 2
    assert '"content": "a cat"' in " ".join(text[text.index("─── vision answer") :].split())
    assert KEY_SENT not in text


async def test_a_saved_flow_shows_them_too(flow: HTTPFlow) -> None:
    read = saved_and_read(flow)
    assert isinstance(read, HTTPFlow)
    assert page(read) == page(flow)
    assert KEY_SENT not in str(read.metadata[KEY])


def test_without_images_there_is_no_section() -> None:
    assert vision_calls.calls(Exchange(), {}) == []
    assert vision_calls.words(Exchange()) == []


def test_what_failed_says_how() -> None:
    exchange = Exchange()
    called = {"at": "/messages/0/content/0", "how": "called", "outcome": "vision_unavailable", "ms": 4100.0, "tries": 3}
    exchange.notes["vision"] = {"model": "m", "ms": 4100.0, "calls": [{**called, "status": 503}], "more": 2}
    assert vision_calls.calls(exchange, {"/messages/0/content/0": "/messages/4/content/0"}) == [
        "─── vision calls: model m, 4,100 ms in all ───",
        "/messages/4/content/0  called  4,100 ms  HTTP 503  3 tries  ! vision_unavailable",
        "2 more images",
    ]


@given(json_values, json_values)
def test_a_note_from_a_file_may_say_anything(value: Any, other: Any) -> None:
    exchange = Exchange()
    for note in (
        value,
        {"calls": value},
        {"calls": [value, {"at": other, "ms": other, "tokens": value}], "prompts": value},
    ):
        exchange.notes["vision"] = json.loads(json.dumps(note))
        vision_calls.calls(exchange, {})
        vision_calls.words(exchange)
