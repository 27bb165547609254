"""A recording through a real mitmproxy: replayed in every format without an endpoint, and nothing is sent."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event
from scripts.lib.processes import free_port
from tests.cached_answers import ASKED, CHAT, MESSAGES, MODEL, RESPONSES, TOOLS, answering, native
from tests.proxying import LOCAL, Endpoint, Proxy, Trust, json_answer, run_endpoint, run_proxy, stream_answer

NATIVE: dict[str, Any] = {"hunyuan_profile": "tokenhub"}
WORDS = "words that nobody else may read"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "agent.jsonl"


def body(path: str, said: Any = ASKED, **more: Any) -> dict[str, Any]:
    if path == RESPONSES:
        return {"model": MODEL, "input": said, "store": False, **more}
    if path == MESSAGES:
        return {"model": MODEL, "max_tokens": 500, "messages": said, **more}
    return {"model": MODEL, "messages": said, "tools": TOOLS, **more}


@asynccontextmanager
async def recording(trust: Trust, path: Path, **options: Any) -> AsyncIterator[tuple[Endpoint, httpx.AsyncClient]]:
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = native if "hunyuan_profile" in options else answering()
        given = {"hunyuan_answer_cache": "record", "hunyuan_recording": str(path), **options}
        key = {"authorization": "Bearer sk-1abcdefghijklmnopqrstuv"}
        async with (
            run_proxy(trust, f"http://{LOCAL}:{endpoint.port}", **given) as proxy,
            proxy.client(headers=key) as client,
        ):
            yield endpoint, client


@asynccontextmanager
async def replaying(
    trust: Trust, path: Path, port: int | None = None, **options: Any
) -> AsyncIterator[tuple[Proxy, httpx.AsyncClient]]:
    """There is no endpoint: nothing listens on its port, or whatever the test has put there."""
    given = {"hunyuan_answer_cache": "replay", "hunyuan_recording": str(path), **options}
    url = f"http://{LOCAL}:{port or free_port()}"
    async with run_proxy(trust, url, **given) as proxy, proxy.client() as client:
        yield proxy, client


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("options", [{}, NATIVE], ids=["translated", "native"])
async def test_every_format_replays_without_an_endpoint_or_a_key(
    trust: Trust, path: Path, streamed: bool, options: dict[str, Any]
) -> None:
    paths = (MESSAGES, RESPONSES) if options else (CHAT, MESSAGES, RESPONSES)
    model = {"model": "hy3"} if options else {}
    asked = [
        (to, body(to, [{"role": "user", "content": f"{to} {n}"}], stream=streamed, **model))
        for to in paths
        for n in "12"
    ]
    async with recording(trust, path, **options) as (endpoint, client):
        for to, sent in asked:
            assert (await client.post(to, json=sent)).status_code == 200
        assert len(endpoint.arrived) == len(asked)
    assert "sk-1abc" not in path.read_text()
    runs = []
    for _ in range(2):
        async with replaying(trust, path, **options) as (proxy, client):
            answers = [await client.post(to, json=sent) for to, sent in asked]
            assert [answer.status_code for answer in answers] == [200] * len(asked)
            runs.append([answer.content for answer in answers])
            assert proxy.addon.runtime.recordings.report.left == 0
    assert runs[0] == runs[1], "the same bytes"
    for said in runs[0]:
        assert "Answer" in said.decode()


async def test_a_run_with_tools_goes_on_with_the_ids_of_the_replay(trust: Trust, path: Path) -> None:
    async def agent(client: httpx.AsyncClient) -> list[Any]:
        history: list[Any] = list(ASKED)
        for _ in range(3):
            answer = await client.post(CHAT, json=body(CHAT, history))
            assert answer.status_code == 200, answer.text
            message = answer.json()["choices"][0]["message"]
            (call,) = message["tool_calls"]
            history += [message, {"role": "tool", "tool_call_id": call["id"], "content": "text"}]
        return history

    async with recording(trust, path) as (_, client):
        await agent(client)
    runs = []
    for _ in range(2):
        async with replaying(trust, path) as (_, client):
            runs.append(await agent(client))
    assert runs[0] == runs[1]


async def test_a_conversation_by_id_goes_on_in_a_replay(trust: Trust, path: Path) -> None:
    async def agent(client: httpx.AsyncClient) -> list[str]:
        texts, before = [], None
        for question in ("one", "two", "three"):
            sent = {"model": MODEL, "input": question, "previous_response_id": before}
            answer = await client.post(RESPONSES, json=sent)
            assert answer.status_code == 200, answer.text
            before = answer.json()["id"]
            texts.append(f"{before} {answer.json()['output']}")
        return texts

    async with recording(trust, path) as (endpoint, client):
        endpoint.answer = answering({"content": "said"}, "stop")
        await agent(client)
    runs = []
    for _ in range(2):
        async with replaying(trust, path) as (_, client):
            runs.append(await agent(client))
    assert runs[0] == runs[1]


async def test_a_miss_says_what_differs_in_each_format_and_no_log_has_it(
    trust: Trust, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with recording(trust, path) as (_, client):
        for to in (CHAT, MESSAGES, RESPONSES):
            assert (await client.post(to, json=body(to))).status_code == 200
    told: list[Event] = []
    async with replaying(trust, path) as (proxy, client):
        proxy.addon.runtime.sinks.add(Hearing(told))
        for to in (CHAT, MESSAGES, RESPONSES):
            for streamed in (False, True):
                other = [{"role": "user", "content": f"What is in b.txt? {WORDS}"}]
                answer = await client.post(to, json=body(to, other, stream=streamed))
                assert answer.status_code == 400
                assert answer.headers["x-should-retry"] == "false"
                said = answer.json()["error"]["message"]
                assert "(role user) differs" in said
                assert "recorded was “…What is in a.txt?”" in said.replace("was “What", "was “…What")
                assert WORDS in said
        chinese = await client.post(CHAT, json=body(CHAT, other), headers={"accept-language": "zh"})
        assert "录制" in chinese.json()["error"]["message"]
        numbers = proxy.addon.stats()
    assert WORDS not in caplog.text
    assert WORDS not in json.dumps(numbers, default=str)
    assert WORDS not in repr([event.data for event in told])
    assert {event.data["error"] for event in told if event.kind == events.DONE and event.data.get("error")} == {
        "not_recorded"
    }


class Hearing:
    """Hears everything that is told of exchanges."""

    name = "hearing"
    kinds = events.KINDS

    def __init__(self, told: list[Event]) -> None:
        self._told = told

    def hear(self, event: Event) -> None:
        self._told.append(event)


async def test_nothing_is_sent_while_a_recording_is_replayed(trust: Trust, path: Path) -> None:
    """An endpoint listens here, and gets nothing, by whatever way it is asked for."""
    async with recording(trust, path) as (_, client):
        assert (await client.post(CHAT, json=body(CHAT))).status_code == 200
    async with run_endpoint(trust, tls=False) as endpoint:
        url = f"http://{LOCAL}:{endpoint.port}"
        vision = {"hunyuan_vision_upstream": f"{url}/v1", "hunyuan_retry": "all", "hunyuan_mend": "on"}
        async with replaying(trust, path, endpoint.port, **vision) as (proxy, client):
            for to, sent in [
                (CHAT, body(CHAT, [{"role": "user", "content": "other"}])),
                (CHAT, {"messages": "no list"}),
                (CHAT, body(CHAT, [{"role": "user", "content": [image()]}])),
                ("/embeddings", {"model": "hunyuan-embedding", "input": ["a"]}),
                ("/images/generations", {"prompt": "a"}),
                ("/anything", {}),
            ]:
                for headers in ({}, {"authorization": "Bearer sk-own"}, {"x-hunyuan-mode": "off"}):
                    answer = await client.post(to, json=sent, headers=headers)
                    assert answer.status_code == 400, (to, answer.text)
                    assert answer.headers["x-should-retry"] == "false"
            assert (await client.post(CHAT, content=b"no JSON")).status_code == 400
            observed = await client.post(CHAT, json=body(CHAT), headers={"x-hunyuan-mode": "observe"})
            assert observed.status_code == 400
            assert (await client.get("/files")).status_code == 400
            preflight = {"origin": "http://a.example", "access-control-request-method": "POST"}
            await client.options(CHAT, headers=preflight)
            models = await client.get("/models")
            assert models.status_code == 200
            assert models.json()["data"]
            assert (await client.post(CHAT, json=body(CHAT))).status_code == 200, "what is recorded is still there"
            async with httpx.AsyncClient(proxy=f"http://127.0.0.1:{proxy.port}", trust_env=False) as direct:
                assert (await direct.post(f"{url}/v1/chat/completions", json={})).status_code in (400, 502)
                assert (await direct.get(f"http://127.0.0.1:{endpoint.port}/other")).status_code == 502
                with pytest.raises(httpx.HTTPError):
                    await direct.get(f"https://127.0.0.1:{endpoint.port}/tunnel")
            assert proxy.addon.runtime.http_client.transport.offline, "calls of the proxy's own"
    assert endpoint.arrived == []


def image() -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}


async def test_counts_of_tokens_are_made_here(trust: Trust, path: Path) -> None:
    async with recording(trust, path) as (_, client):
        assert (await client.post(CHAT, json=body(CHAT))).status_code == 200
    async with replaying(trust, path) as (_, client):
        counted = await client.post(f"{MESSAGES}/count_tokens", json=body(MESSAGES))
        assert counted.json()["input_tokens"] > 0


async def test_what_fails_is_not_recorded_and_what_is_cut_is(trust: Trust, path: Path) -> None:
    """An agent goes on after a cut answer; after a failed one it asks again, and in a replay nothing fails."""
    async with recording(trust, path) as (endpoint, client):
        endpoint.answer = json_answer({"error": {"message": "too busy", "code": "engine_overloaded"}}, 429)
        assert (await client.post(CHAT, json=body(CHAT))).status_code == 429
        endpoint.answer = stream_answer(b'data: {"choices": [{"index": 0, "delta": {"content": "br"}}]}\n\n')
        assert "br" in (await client.post(CHAT, json=body(CHAT, stream=True))).text
        endpoint.answer = answering({"content": "half an ans"}, "length")
        assert (await client.post(CHAT, json=body(CHAT))).status_code == 200
    async with replaying(trust, path) as (proxy, client):
        (choice,) = (await client.post(CHAT, json=body(CHAT))).json()["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == ("half an ans", "length")
        assert proxy.addon.runtime.recordings.report.left == 0
