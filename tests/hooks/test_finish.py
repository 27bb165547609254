"""An exchange's end: what it writes, counts and charges, once, on every way out. On the wire: test_departure.py."""

from __future__ import annotations

import asyncio
import io
import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from mitmproxy import http
from mitmproxy.test import tflow, tutils

from hunyuan_fix import options
from hunyuan_fix.access.client_tokens import digest_of
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.hooks import exchanges
from hunyuan_fix.hooks.finish import Finisher
from hunyuan_fix.hooks.process import Process
from hunyuan_fix.observe import log
from hunyuan_fix.observe.statistics import EXCHANGES, OBSERVED
from hunyuan_fix.pipeline import Pipeline
from hunyuan_fix.route import Address, Routes
from hunyuan_fix.runtime import Runtime
from tests.proxying import (
    LOCAL,
    Answer,
    Arrived,
    Endpoint,
    Proxy,
    Trust,
    chat_answer,
    json_answer,
    run_endpoint,
    run_proxy,
    stream_answer,
)
from tests.waiting import until

pytestmark = pytest.mark.usefixtures("early_in_a_minute")

ALICE = f"hf-{'a' * 43}"
KEY = "sk-of-the-proxy"
LIMIT = 100_000
BODY = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}
ANSWER = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}]}
EVENTS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":300,"completion_tokens":45,"total_tokens":345}}\n\n',
    b"data: [DONE]\n\n",
)


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [message for message in caplog.messages if message.startswith("POST")]


# Charging a client's tokens


@pytest.fixture
def tokens_file(tmp_path: Path) -> str:
    file = tmp_path / "clients.toml"
    file.write_text(f'[clients.alice]\nhash = "sha256:{digest_of(ALICE).hex()}"\ntokens_per_minute = {LIMIT}\n')
    file.chmod(0o600)
    return str(file)


def vectors(request: Arrived) -> Answer:
    data = [
        {"index": index, "embedding": [0.5], "object": "embedding"} for index, _ in enumerate(request.json["input"])
    ]
    used = len(data)
    return json_answer({"object": "list", "data": data, "usage": {"prompt_tokens": used, "total_tokens": used}})


async def used(proxy: Proxy) -> int:
    """Tokens that Alice has used this minute, as the next answer tells her."""
    headers = await proxy.addon.runtime.limits.admit("alice")
    assert isinstance(headers, dict)
    return LIMIT - int(headers["x-ratelimit-remaining-tokens"])


async def asked(proxy: Proxy, path: str, body: dict[str, Any]) -> httpx.Response:
    async with proxy.client(headers={"authorization": f"Bearer {ALICE}"}) as client:
        return await client.post(path, json=body)


@pytest.mark.parametrize("retry", ["vision", "all"])
@pytest.mark.parametrize(
    ("path", "body", "answer", "charged"),
    [
        ("/chat/completions", BODY, json_answer(ANSWER | {"usage": {"total_tokens": 1234}}), 1234),
        ("/chat/completions", BODY | {"stream": True}, stream_answer(*EVENTS), 345),
        ("/chat/completions", BODY, json_answer({"error": {"message": "no"}}, status=400), 0),
        ("/embeddings", {"model": "hunyuan-embedding", "input": ["a"] * 3}, vectors, 3),
        ("/embeddings", {"model": "hunyuan-embedding", "input": ["a"] * 120}, vectors, 120),
    ],
    ids=["whole", "streamed", "refused", "embeddings", "embeddings in parts"],
)
async def test_a_client_is_charged_what_the_answer_says(
    trust: Trust,
    tokens_file: str,
    monkeypatch: pytest.MonkeyPatch,
    retry: str,
    path: str,
    body: dict[str, Any],
    answer: Any,
    charged: int,
):
    monkeypatch.setenv("HUNYUAN_API_KEY", KEY)
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer
        target = f"http://{LOCAL}:{endpoint.port}"
        allowed: dict[str, Any] = {"hunyuan_client_tokens_file": tokens_file, "hunyuan_retry": retry}
        async with run_proxy(trust, target, **allowed) as proxy:
            status = (await asked(proxy, path, body)).status_code
            assert status == (400 if not charged else 200)
            await until(lambda: not proxy.addon.process.finisher.under_way)
            assert await used(proxy) == charged
        assert {request.headers["authorization"] for request in endpoint.arrived} == {f"Bearer {KEY}"}


async def test_an_answer_that_names_no_tokens_is_charged_by_its_size(
    trust: Trust, tokens_file: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HUNYUAN_API_KEY", KEY)
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = chat_answer("word " * 1000)
        target = f"http://{LOCAL}:{endpoint.port}"
        async with run_proxy(trust, target, hunyuan_client_tokens_file=tokens_file) as proxy:
            assert (await asked(proxy, "/chat/completions", BODY)).status_code == 200
            await until(lambda: not proxy.addon.process.finisher.under_way)
            assert 500 < await used(proxy) < 5000


async def test_what_the_proxy_answers_by_itself_costs_nothing(
    trust: Trust, tokens_file: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HUNYUAN_API_KEY", KEY)
    async with run_endpoint(trust, tls=False) as endpoint:
        target = f"http://{LOCAL}:{endpoint.port}"
        allowed: dict[str, Any] = {"hunyuan_client_tokens_file": tokens_file, "hunyuan_max_body": "1k"}
        async with run_proxy(trust, target, **allowed) as proxy:
            refused = await asked(proxy, "/chat/completions", BODY | {"stop": "x" * 2000})
            assert refused.status_code == 413
            assert await used(proxy) == 0
        assert endpoint.arrived == []


# Finisher


PIPELINE = Pipeline(options.parse({}), Runtime(options.parse({})))


@pytest.fixture
def process() -> Process:
    return Process(options.parse({}))


@pytest.fixture
def finisher(process: Process) -> Finisher:
    return process.finisher


def begun(process: Process, **changed: Any) -> http.HTTPFlow:
    """A live flow to a known host, with an answer."""
    request = tutils.treq(method=b"POST", headers=http.Headers(authorization="Bearer sk-secret"))
    flow = tflow.tflow(req=request, resp=True)
    flow.live = True
    address = Address("https", "api.hunyuan.cloud.tencent.com", 443, "/v1/chat/completions")
    route = Routes(options.parse({})).route("POST", address, None)
    assert route is not None
    made = exchanges.begin(flow, route, listener=process.runtime.sinks.tell)
    for name, value in changed.items():
        setattr(made, name, value)
    process.finisher.expect(flow)
    return flow


def exchange(flow: http.HTTPFlow) -> Exchange:
    found = exchanges.of(flow)
    assert found is not None
    return found


async def test_an_exchange_ends_once(process: Process, finisher: Finisher, caplog: pytest.LogCaptureFixture):
    flow = begun(process, model="hunyuan-lite", rules=["merge"])
    assert finisher.under_way == [flow]
    for outcome in ("200", "Client disconnected."):
        finisher.finish(flow, outcome, PIPELINE, redact=True)
    (line,) = lines(caplog)
    assert line.endswith("-> 200")
    assert process.runtime.metrics.value(OBSERVED) == 0
    assert sum(process.runtime.metrics.collect()[EXCHANGES].values()) == 1
    assert finisher.under_way == []


@pytest.mark.parametrize("taken_from", [logging.INFO, logging.WARNING])
async def test_a_line_that_nobody_takes_is_not_made(
    process: Process, finisher: Finisher, monkeypatch: pytest.MonkeyPatch, taken_from: int
):
    """As under `mitmdump -q`, whose handlers take errors only."""
    made: list[object] = []

    def line(*values: object, **_: object) -> str:
        made.append(values[0])
        return "line"

    monkeypatch.setattr(log, "line", line)
    logger = logging.getLogger("hunyuan_fix")
    monkeypatch.setattr(logger, "propagate", False)
    handler = logging.StreamHandler(io.StringIO())
    handler.setLevel(taken_from)
    monkeypatch.setattr(logger, "handlers", [handler])
    finisher.finish(begun(process), "200", PIPELINE, redact=True)
    assert len(made) == (taken_from == logging.INFO)


async def test_a_killed_flow_ends_too(process: Process, finisher: Finisher, caplog: pytest.LogCaptureFixture):
    """It isn't live any more when its `error` hook comes."""
    flow = begun(process)
    flow.kill()
    finisher.finish(flow, "Connection killed.", PIPELINE, redact=True)
    assert len(lines(caplog)) == 1
    assert finisher.under_way == []


async def test_a_flow_from_a_file_ended_long_ago(finisher: Finisher, caplog: pytest.LogCaptureFixture):
    flow = tflow.tflow(resp=True)
    flow.live = False
    flow.metadata[KEY] = Exchange().to_plain()
    before = json.dumps(flow.metadata)
    finisher.finish(flow, "200", PIPELINE, redact=True)
    assert lines(caplog) == []
    assert json.dumps(flow.metadata) == before


@pytest.mark.parametrize("redact", [True, False])
async def test_keys_leave_the_flow_at_its_end_only(process: Process, finisher: Finisher, redact: bool):
    flow = begun(process)
    assert flow.request.headers["authorization"] == "Bearer sk-secret"
    finisher.finish(flow, "200", PIPELINE, redact=redact)
    await asyncio.sleep(0)
    finisher.finish_all(PIPELINE, redact=redact)
    assert ("sk-secret" in flow.request.headers["authorization"]) != redact


async def test_when_the_process_ends_all_that_is_under_way_does(
    process: Process, finisher: Finisher, caplog: pytest.LogCaptureFixture
):
    flows = [begun(process) for _ in range(3)]
    finisher.finish(flows[0], "200", PIPELINE, redact=True)
    finisher.finish_all(PIPELINE, redact=True)
    assert [line.partition("-> ")[2] for line in lines(caplog)] == ["200", "the proxy ended", "the proxy ended"]
    assert finisher.under_way == []
    assert all(exchange(flow).written for flow in flows)
    assert not any("sk-secret" in flow.request.headers["authorization"] for flow in flows)


async def test_other_hosts_are_not_waited_for(process: Process, finisher: Finisher, caplog: pytest.LogCaptureFixture):
    flow = begun(process, profile="")
    assert finisher.under_way == []
    finisher.finish(flow, "200", PIPELINE, redact=True)
    assert lines(caplog) == []
    assert not process.runtime.metrics.collect()[EXCHANGES]


async def test_draining_waits_for_the_last_answer(trust: Trust, endpoint: Endpoint):
    """The endpoint answers after mitmproxy was told to end: its client has the whole answer."""
    told = asyncio.Event()

    async def late(_: Arrived) -> Answer:
        await told.wait()
        return chat_answer("late, but whole")

    endpoint.answer = late
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target, hunyuan_drain_timeout="20") as proxy, proxy.client() as client:
        asking = asyncio.create_task(client.post("/chat/completions", json=BODY))
        await until(lambda: endpoint.arrived)
        proxy.master.shutdown()
        await until(lambda: proxy.addon.process.draining.begun)
        told.set()
        assert (await asking).json()["choices"][0]["message"]["content"] == "late, but whole"
