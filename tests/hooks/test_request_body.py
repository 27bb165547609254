"""Requests that cost too much, over a real socket: refused with an error that says why, while others are served."""

from __future__ import annotations

import asyncio
import gzip
import json
import threading
from typing import Any

import pytest

from hunyuan_fix import rules
from hunyuan_fix.answers import whole_body
from hunyuan_fix.dialects.anthropic import Anthropic
from hunyuan_fix.exchange import Changes, JsonObject
from hunyuan_fix.rules.places import Track
from hunyuan_fix.workers import LIGHT, THREADS, Checkpoint
from tests.proxying import Endpoint, Proxy, chat_answer

GOOD = b'{"model":"hunyuan-lite","messages":[{"role":"user","content":"hi"}]}'
LISTS = b'{"messages":[' + b"[]," * 20_000_000 + b"0]}"


@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings"])
@pytest.mark.parametrize(
    ("body", "encoding", "code"),
    [
        (gzip.compress(LISTS, 1), "gzip", "request_too_large"),
        (gzip.compress(LISTS, 1), "", "request_too_large"),
        (LISTS[:3_000_000], "", "request_too_complex"),
        (b'{"messages":["' + rb"\ud800" * 100_001 + b'"]}', "", "request_too_complex"),
        (gzip.compress(bytes(60_000_000), 1), "gzip", "request_too_large"),
    ],
    ids=["packed lists", "packed lists, undeclared", "lists", "halves", "zeros"],
)
async def test_what_costs_too_much_is_refused(
    proxy: Proxy, endpoint: Endpoint, path: str, body: bytes, encoding: str, code: str
) -> None:
    headers = {"content-encoding": encoding} if encoding else {}
    async with proxy.client() as client:
        answer = await client.post(path, content=body, headers=headers)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == code
        assert endpoint.arrived == []
        assert (await client.post("/chat/completions", content=GOOD)).status_code == 200
    assert [arrived.body for arrived in endpoint.arrived] == [GOOD]


async def test_a_large_honest_history_passes(proxy: Proxy, endpoint: Endpoint) -> None:
    turn = [{"role": "user", "content": "Frage, " * 1000}, {"role": "assistant", "content": '{"a": [1, 2]}' * 500}]
    body = json.dumps({"model": "hunyuan-lite", "messages": [*turn * 1000, turn[0]]}).encode()
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", content=body)
    assert answer.status_code == 200
    assert len(endpoint.arrived[0].json["messages"]) <= 40


async def test_small_requests_are_served_while_costly_ones_are_worked_on(
    proxy: Proxy, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rules over the costly bodies don't end before the small request has been answered."""
    served, all_taken, apply_chat = threading.Event(), threading.Event(), rules.apply_chat
    begun = threading.Barrier(THREADS, action=all_taken.set)

    def slow(body: JsonObject, context: rules.RuleContext, checkpoint: Checkpoint, track: Track | None) -> Changes:
        if len(body["messages"]) > 1:
            begun.wait(10)
            assert served.wait(10)
        return apply_chat(body, context, checkpoint, track)

    monkeypatch.setattr(rules, "apply_chat", slow)
    message = {"role": "user", "content": "x"}
    costly = json.dumps({"model": "hunyuan-lite", "messages": [message] * 40_000}).encode()
    middling = json.dumps({"model": "hunyuan-lite", "messages": [{**message, "content": "x" * 300_000}]}).encode()
    async with proxy.client() as client:
        waiting = [asyncio.ensure_future(client.post("/chat/completions", content=costly)) for _ in range(THREADS * 2)]
        assert await asyncio.to_thread(all_taken.wait, 10)
        for body in (GOOD, middling):
            assert (await client.post("/chat/completions", content=body)).status_code == 200
        served.set()
        assert [(await answer).status_code for answer in waiting] == [200] * len(waiting)
    assert proxy.addon.runtime.failures == 0


async def test_a_large_answer_is_read_in_a_thread(
    proxy: Proxy, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: list[bool] = []
    repair = whole_body.repair_answer

    def noted(*given: Any) -> Any:
        where.append(threading.current_thread() is threading.main_thread())
        return repair(*given)

    monkeypatch.setattr(whole_body, "repair_answer", noted)
    for size in (10, LIGHT):
        endpoint.answer = chat_answer("x" * size)
        async with proxy.client() as client:
            response = await client.post("/chat/completions", content=GOOD)
        assert response.json()["choices"][0]["message"]["content"] == "x" * size
    assert where == [True, False]


async def test_a_large_request_is_translated_in_a_thread(
    proxy: Proxy, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    where: list[bool] = []
    to_chat = Anthropic.to_chat

    def noted(*given: Any) -> Any:
        where.append(threading.current_thread() is threading.main_thread())
        return to_chat(*given)

    monkeypatch.setattr(Anthropic, "to_chat", noted)
    endpoint.answer = chat_answer("hello")
    blocks = [{"type": "text", "text": "x"}]
    codes = []
    async with proxy.client() as client:
        for content in (blocks, blocks * 40_000, [*blocks * 40_000, 5]):
            asked = {"model": "claude-x", "max_tokens": 9, "messages": [{"role": "user", "content": content}]}
            codes.append((await client.post("/messages", json=asked)).status_code)
    assert where == [True, False, False]
    assert codes == [200, 200, 400]
    assert [len(arrived.json["messages"]) for arrived in endpoint.arrived] == [1, 1]
