"""Answers by id, through a real mitmproxy: continued, read, listed, deleted, and for their own key alone."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, chat_answer, run_proxy, stream_answer

MODEL = "hunyuan-turbos-latest"


@pytest.fixture
async def proxy(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as running:
        endpoint.answer = echoing
        yield running


def echoing(arrived: Arrived) -> Answer:
    """An answer that says how many messages came."""
    said = f"answer to {len(arrived.json['messages'])}"
    if not arrived.json.get("stream"):
        return chat_answer(said)
    chunk = {"id": "1", "choices": [{"index": 0, "delta": {"content": said}}]}
    end = {"id": "1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    return stream_answer(*(f"data: {json.dumps(each)}\n\n".encode() for each in (chunk, end)), b"data: [DONE]\n\n")


async def ask(client: httpx.AsyncClient, said: Any, **fields: Any) -> dict[str, Any]:
    response = await client.post("/responses", json={"model": MODEL, "input": said, **fields})
    assert response.status_code == 200, response.text
    if fields.get("stream"):
        events = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
        whole: dict[str, Any] = events[-1]["response"]
        return whole
    answer: dict[str, Any] = response.json()
    return answer


def messages(endpoint: Endpoint) -> list[tuple[str, str]]:
    return [(message["role"], message["content"]) for message in endpoint.arrived[-1].json["messages"]]


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer_is_continued_by_its_id(proxy: Proxy, endpoint: Endpoint, stream: bool) -> None:
    async with proxy.client() as client:
        first = await ask(client, "one", stream=stream)
        second = await ask(client, "two", stream=stream, previous_response_id=first["id"])
        await ask(client, "three", previous_response_id=second["id"])
        assert messages(endpoint) == [
            ("user", "one"),
            ("assistant", "answer to 1"),
            ("user", "two"),
            ("assistant", "answer to 3"),
            ("user", "three"),
        ]
        await ask(client, "another end", previous_response_id=first["id"])
        assert len(messages(endpoint)) == 3, "a conversation can branch"
