"""Native requests through a real mitmproxy: what is noted of them, and of their errors, which have HTTP 200."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.observe.statistics import EXCHANGES
from tests.proxying import LOCAL, Answer, Endpoint, Proxy, Trust, chat_answer, json_answer, run_proxy
from tests.waiting import until

ASKED = {"Model": "hunyuan-lite", "Messages": [{"Role": "user", "Content": "hi"}]}
LABELS = ("hunyuan", "tencent-cloud", "hunyuan-lite")


@pytest.fixture
async def proxy(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as running:
        yield running


async def post(proxy: Proxy, body: Any = ASKED, action: str = "ChatCompletions", **headers: str) -> dict[str, Any]:
    named = {"x-tc-action": action, "x-tc-version": "2023-09-01", "x-tc-timestamp": str(int(time.time()))}
    sent = {**named, "authorization": "SKIP", **{name.replace("_", "-"): value for name, value in headers.items()}}
    async with proxy.client() as client:
        answer = await client.post(client.base_url.copy_with(path="/"), json=body, headers=sent)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-tc-requestid"] == answer.json()["Response"]["RequestId"]
    return dict(answer.json()["Response"])


@pytest.mark.parametrize(
    ("status", "code", "counted"),
    [(429, "RequestLimitExceeded", "4xx"), (500, "InternalError", "5xx"), (401, "AuthFailure.SignatureFailure", "4xx")],
)
async def test_an_error_counts_as_what_it_means(
    proxy: Proxy, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, status: int, code: str, counted: str
) -> None:
    caplog.set_level(logging.INFO)
    error = {"error": {"message": "no", "type": "t", "code": None}}
    endpoint.answer = lambda _: Answer(status, {"content-type": "application/json"}, [json.dumps(error).encode()])
    said = await post(proxy)
    assert said["Error"]["Code"] == code
    metrics = proxy.addon.runtime.metrics
    await until(lambda: metrics.value(EXCHANGES, *LABELS, counted) == 1)
    assert metrics.value(EXCHANGES, *LABELS, "2xx") == 0
    (line,) = [message for message in caplog.messages if message.startswith("POST /")]
    assert "dialect=tencent-cloud" in line


async def test_a_good_answer_counts_as_one(proxy: Proxy, endpoint: Endpoint) -> None:
    endpoint.answer = lambda _: chat_answer("hello")
    said = await post(proxy)
    assert said["Choices"][0]["Message"]["Content"] == "hello"
    metrics = proxy.addon.runtime.metrics
    await until(lambda: metrics.value(EXCHANGES, *LABELS, "2xx") == 1)
    (arrived,) = endpoint.arrived
    assert "authorization" not in arrived.headers
    assert not [name for name in arrived.headers if name.startswith("x-tc-")]


async def test_content_types_have_no_parameters(proxy: Proxy, endpoint: Endpoint) -> None:
    """The vendor's SDK reads neither an error nor a stream that has one."""
    whole = {"choices": [{"index": 0, "message": {"content": "hi"}, "finish_reason": "stop"}]}
    whole_type, stream_type = "application/json; charset=utf-8", "text/event-stream; charset=utf-8"
    endpoint.answer = lambda _: Answer(headers={"content-type": whole_type}, chunks=[json.dumps(whole).encode()])
    assert (await post(proxy))["Choices"]
    said = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n'
    endpoint.answer = lambda _: Answer(headers={"content-type": stream_type}, chunks=[said, b"data: [DONE]\n\n"])
    named = {"x-tc-action": "ChatCompletions", "x-tc-version": "2023-09-01", "x-tc-timestamp": str(int(time.time()))}
    async with proxy.client() as client:
        root = client.base_url.copy_with(path="/")
        answer = await client.post(root, json={**ASKED, "Stream": True}, headers=named)
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["x-tc-requestid"]


async def test_vectors_that_need_several_calls_are_one_native_answer(proxy: Proxy, endpoint: Endpoint) -> None:
    def vectors(request: Any) -> Answer:
        texts = request.json["input"]
        data = [{"object": "embedding", "index": index, "embedding": [0.5]} for index in range(len(texts))]
        return json_answer({"data": data, "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)}})

    endpoint.answer = vectors
    said = await post(proxy, {"InputList": [str(number) for number in range(120)]}, "GetEmbedding")
    assert [item["Index"] for item in said["Data"]] == list(range(120))
    assert said["Usage"] == {"PromptTokens": 120, "TotalTokens": 120}
    assert len(endpoint.arrived) == 3


@pytest.mark.parametrize("answer", [{"choices": []}, {"error": {"message": "x"}}, {"choices": "nonsense"}, []])
@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_that_is_none_is_an_error(proxy: Proxy, endpoint: Endpoint, answer: Any, stream: bool) -> None:
    endpoint.answer = lambda _: json_answer(answer)
    said = await post(proxy, {**ASKED, "Stream": stream})
    assert said["Error"]["Code"]


async def test_an_endpoint_that_is_not_there(trust: Trust, endpoint: Endpoint, tmp_path: Path) -> None:
    async with run_proxy(trust, f"https://{LOCAL}:1") as running:
        said = await post(running)
    assert said["Error"]["Code"] == "InternalError"
