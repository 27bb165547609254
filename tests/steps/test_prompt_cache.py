"""The prompt-cache ledger through a real mitmproxy: in the exchange, in `hunyuan.stats`, in the views, in the log."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from mitmproxy import http

from hunyuan_fix.exchange import KEY, Exchange
from hunyuan_fix.observe import prompts
from hunyuan_fix.observe.prompt_cache import NAME
from hunyuan_fix.steps.prompt_cache import BREAKS, INPUT_TOKENS
from hunyuan_fix.views.contentviews import ChatTranscript, HunyuanChanges
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, json_answer, run_proxy, stream_answer

LONG = "a long text " * 400


class Keeper:
    """An addon beside ours that keeps the flows."""

    def __init__(self) -> None:
        self.flows: list[http.HTTPFlow] = []

    def request(self, flow: http.HTTPFlow) -> None:
        self.flows.append(flow)


@pytest.fixture
def keeper() -> Keeper:
    return Keeper()


@pytest.fixture
async def proxy(
    request: pytest.FixtureRequest, trust: Trust, endpoint: Endpoint, keeper: Keeper
) -> AsyncIterator[Proxy]:
    """A proxy; its parameter is `hunyuan_translate`."""
    target, translate = f"https://{LOCAL}:{endpoint.port}", getattr(request, "param", "auto")
    hosts = f"{LOCAL}=tokenhub"
    async with run_proxy(trust, target, keeper, hunyuan_hosts=hosts, hunyuan_translate=translate) as running:
        yield running


def used(input: int, cached: int | None, **beside: Any) -> Any:
    """An answer that used so many tokens."""
    usage = {"prompt_tokens": input, "completion_tokens": 5, "total_tokens": input + 5}
    usage |= {} if cached is None else {"cache_read_tokens": cached}
    message = {"role": "assistant", "content": "yes", **beside}
    answer = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage}

    def answered(_: Arrived) -> Answer:
        return json_answer(answer)

    return answered


async def ask(proxy: Proxy, *texts: str, headers: dict[str, str] | None = None, **fields: Any) -> None:
    """A chat request with these texts of the user's and the assistant's in turn."""
    messages = [{"role": ("user", "assistant")[number % 2], "content": text} for number, text in enumerate(texts)]
    async with proxy.client() as client:
        body = {"model": "hy3", "messages": messages, **fields}
        sent = {"authorization": "Bearer sk-1", "x-session-id": "s", **(headers or {})}
        response = await client.post("/chat/completions", json=body, headers=sent)
        assert response.status_code == 200, response.text


def note_of(flow: http.HTTPFlow) -> Any:
    return flow.metadata[KEY]["notes"].get(NAME)


async def test_what_was_cached_is_in_the_exchange_and_counted(proxy: Proxy, endpoint: Endpoint, keeper: Keeper) -> None:
    endpoint.answer = used(9000, 8000)
    await ask(proxy, LONG)
    assert note_of(keeper.flows[0]) == {"input": 9000, "cached": 8000}
    endpoint.answer = used(500, None)
    await ask(proxy, LONG)
    assert note_of(keeper.flows[1]) is None
    metrics = proxy.addon.runtime.metrics
    assert metrics.value(INPUT_TOKENS, "read") == 8000
    assert metrics.value(INPUT_TOKENS, "missed") == 1000
    assert metrics.value(INPUT_TOKENS, "unknown") == 500


async def test_the_breaker_is_named_everywhere_and_nothing_that_was_said(
    proxy: Proxy, endpoint: Endpoint, keeper: Keeper, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hunyuan_fix")
    endpoint.answer = used(9000, 0)
    await ask(proxy, f"hunter2 {LONG}", "yes", "go on")
    endpoint.answer = used(9500, 1000)
    await ask(proxy, f"hunter3 {LONG}", "yes", "go on", "yes", "on")
    line = "prompt cache: 1,000 of 9,500 input tokens cached; broken at /messages/0: content edited (the client)"
    assert note_of(keeper.flows[1])["by"] == "client"
    assert note_of(keeper.flows[1])["pointer"] == "/messages/0"
    assert note_of(keeper.flows[1])["missed"] == 8000
    assert f"POST /v1/chat/completions: model=hy3 {line}" in caplog.text
    stats = proxy.addon.stats()
    assert stats.splitlines()[-1] == f"model=hy3 {line}"
    assert 'hunyuan_prompt_cache_breaks_total{by="client"} 1' in stats
    for flow, of in ((keeper.flows[1], "request"), (keeper.flows[1], "response")):
        message = getattr(flow, of)
        metadata = type("Metadata", (), {"flow": flow, "http_message": message, "content_type": None})()
        view = HunyuanChanges() if of == "request" else ChatTranscript()
        assert line in view.prettify(message.content or b"", metadata)
    assert "hunter" not in caplog.text + stats + json.dumps(keeper.flows[1].metadata[KEY]["notes"])
    assert proxy.addon.runtime.metrics.value(BREAKS, "client") == 1


async def test_what_a_rule_broke_is_ours(proxy: Proxy, endpoint: Endpoint, keeper: Keeper) -> None:
    endpoint.answer = used(9000, 0)
    await ask(proxy, LONG, "yes", "go on", tools=None)
    endpoint.answer = used(9500, 0)
    # Two messages of one role are one for this endpoint: the second turn changes what the first one sent.
    async with proxy.client() as client:
        messages = [
            {"role": "user", "content": LONG},
            {"role": "assistant", "content": "yes"},
            {"role": "user", "content": "go on"},
            {"role": "user", "content": "please"},
        ]
        headers = {"authorization": "Bearer sk-1", "x-session-id": "s"}
        await client.post("/chat/completions", json={"model": "hy3", "messages": messages}, headers=headers)
    assert endpoint.arrived[-1].json["messages"][2]["content"] != "go on"
    note = note_of(keeper.flows[1])
    assert (note["by"], note["pointer"]) == ("hunyuan-fix", "/messages/2")
    assert "merge" in note["broken"]


async def test_another_caller_and_another_session_are_other_turns(
    proxy: Proxy, endpoint: Endpoint, keeper: Keeper
) -> None:
    endpoint.answer = used(9000, 0)
    await ask(proxy, f"1 {LONG}", "yes", "go on")
    await ask(proxy, f"2 {LONG}", "yes", "go on", "yes", headers={"x-session-id": "t"})
    await ask(proxy, f"3 {LONG}", "yes", "go on", "yes", headers={"authorization": "Bearer sk-2"})
    assert all("broken" not in note_of(flow) for flow in keeper.flows)


async def test_small_requests_are_not_looked_at(
    proxy: Proxy, endpoint: Endpoint, keeper: Keeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked: list[object] = []
    original = prompts.prompt_of

    def looking(body: Any) -> Any:
        looked.append(body)
        return original(body)

    monkeypatch.setattr(prompts, "prompt_of", looking)
    endpoint.answer = used(20, 10)
    await ask(proxy, "hello")
    assert not looked
    assert note_of(keeper.flows[0]) == {"input": 20, "cached": 10}
    await ask(proxy, LONG)
    assert len(looked) == 1, "once where nothing is changed"


@pytest.mark.parametrize("proxy", ["auto", "always"], indirect=True)
async def test_a_prompt_of_another_format_is_looked_at_as_it_came_and_as_it_left(
    proxy: Proxy, endpoint: Endpoint, keeper: Keeper
) -> None:
    headers = {"x-api-key": "sk-1", "x-claude-code-session-id": "s"}
    for number, texts in enumerate((["a"], ["a", "b"], ["other", "b", "c"])):
        endpoint.answer = used(9000 + number, 0 if number != 1 else 8900)
        messages = [
            said
            for text in texts
            for said in (
                {"role": "user", "content": f"{text} {LONG}"},
                {"role": "assistant", "content": [{"type": "text", "text": "yes"}]},
            )
        ][:-1]
        async with proxy.client() as client:
            body = {"model": "kimi-k2.6", "max_tokens": 50, "system": LONG, "messages": messages}
            response = await client.post("/messages", json=body, headers=headers)
            assert response.status_code == 200, response.text
    notes = [note_of(flow) for flow in keeper.flows]
    assert "broken" not in notes[1]
    assert (notes[2]["by"], notes[2]["pointer"]) == ("client", "/messages/0")


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_observed_is_told_too(trust: Trust, endpoint: Endpoint, keeper: Keeper, stream: bool) -> None:
    target, hosts = f"https://{LOCAL}:{endpoint.port}", f"{LOCAL}=tokenhub"
    async with run_proxy(trust, target, keeper, hunyuan_hosts=hosts, hunyuan_mode="observe") as proxy:
        for number, cached in enumerate((0, 1000)):
            answer = used(9000 + number, cached)
            if stream:
                chunk = {
                    "choices": [],
                    "usage": {"prompt_tokens": 9000, "completion_tokens": 5, "cached_tokens": cached},
                }
                data = [b"data: " + json.dumps(chunk).encode() + b"\n\n", b"data: [DONE]\n\n"]
                answer = lambda _, data=data: stream_answer(*data)  # noqa: E731
            endpoint.answer = answer
            texts = (f"{number} {LONG}", "yes", "go on", "yes", "on")[: 3 + 2 * number]
            await ask(proxy, *texts, stream=stream, user="me")
        assert note_of(keeper.flows[1])["pointer"] == "/messages/0"
        assert note_of(keeper.flows[1])["by"] == "client"


async def test_a_saved_exchange_has_no_prompt(proxy: Proxy, endpoint: Endpoint, keeper: Keeper) -> None:
    endpoint.answer = used(9000, 0)
    await ask(proxy, LONG)
    exchange = Exchange.from_plain(keeper.flows[0].metadata[KEY])
    assert exchange is not None
    assert exchange.prompt is None
    assert exchange.usage == {"input": 9000, "cached": 0, "output": 5}


async def test_the_end_of_an_exchange_tells_what_broke_its_cache(
    proxy: Proxy, endpoint: Endpoint, keeper: Keeper
) -> None:
    told: list[dict[str, Any]] = []
    sink = type("Sink", (), {"name": "told", "kinds": ["done"], "hear": lambda _, event: told.append(event.data)})
    proxy.addon.runtime.sinks.add(sink())
    endpoint.answer = used(9000, 0)
    await ask(proxy, f"hunter2 {LONG}", "yes", "go on")
    endpoint.answer = used(9500, 1000)
    await ask(proxy, f"hunter3 {LONG}", "yes", "go on", "yes", "on")
    assert told[0]["prompt_cache"] == {}
    assert told[1]["prompt_cache"] == {
        "before": told[0]["id"],
        "what": "content edited",
        "pointer": "/messages/0",
        "by": "client",
        "rules": [],
        "missed": 8000,
    }
    assert "hunter" not in json.dumps(told)


async def test_a_subagent_is_a_conversation_of_its_own(proxy: Proxy, endpoint: Endpoint, keeper: Keeper) -> None:
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
    endpoint.answer = used(9000, 8900)
    await ask(proxy, LONG, "yes", "on", "yes", "on", tools=tools)
    await ask(proxy, f"a task {LONG}", tools=tools, headers={"x-claude-code-agent-id": "1"})
    await ask(proxy, LONG, "yes", "on", "yes", "on", "yes", "on", tools=tools)
    notes = [note_of(flow) for flow in keeper.flows]
    assert "before" not in notes[1] and "compacted" not in notes[1]
    assert notes[2]["before"] == keeper.flows[0].id
