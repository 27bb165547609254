"""The filters that docs/seeing.md names find what it says, among flows that went through the proxy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from mitmproxy import flowfilter
from mitmproxy.addons.view import View
from mitmproxy.flow import Flow

from tests.proxying import Endpoint, Trust, chat_answer, run_proxy
from tests.waiting import until

PAGE = (Path(__file__).parents[2] / "docs" / "seeing.md").read_text("utf-8")
FILTERS = re.findall(r"^\| `(~.*)` \|", PAGE, re.MULTILINE)
GOOD = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}
MERGED = {**GOOD, "messages": [{"role": "user", "content": "点这个按钮"}, {"role": "user", "content": "b"}]}


@pytest.fixture
async def flows(trust: Trust, endpoint: Endpoint) -> list[Flow]:
    """An untouched request; a changed one with a text; an untouched one with a header; one to another host."""
    view = View()
    endpoint.answer = chat_answer("hello")
    async with run_proxy(trust, f"https://localhost:{endpoint.port}", view) as proxy, proxy.client() as client:
        for body, headers in ((GOOD, {}), (MERGED, {}), (GOOD, {"x-team": "team-7"})):
            await client.post("/chat/completions", json=body, headers=headers)
        proxy.master.options.update(hunyuan_hosts="127.0.0.1")
        async with proxy.proxied(trust.of_proxy()) as proxied:
            await proxied.post(f"https://127.0.0.1:{endpoint.port}/v1/chat/completions", json=GOOD)
        await until(lambda: len(view) == 4 and not any(flow.live for flow in view))
    return list(view)


async def test_each_finds_what_it_says_and_nothing_else(flows: list[Flow]) -> None:
    found = {
        text: [number for number, flow in enumerate(flows) if flowfilter.match(text, flow)]
        for text in [*FILTERS, "merge", "~marked & ~comment merge & !~d 127.0.0.1"]
    }
    assert found == {
        "~comment merge": [1],
        "~marked": [1],
        "~bq 按钮": [1],
        "~hq team-7": [2],
        "~d 127.0.0.1": [3],
        "merge": [],
        "~marked & ~comment merge & !~d 127.0.0.1": [1],
    }
