"""`hunyuan_mode`: observe sends everything as it came and says what it would have done; off does not look."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
from typing import Any

import pytest

from tests.kept_flows import Kept
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
from tests.vision_server import image_part, png
from tests.waiting import until

BAD = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}], "user": "me"}
RAW = json.dumps(BAD, indent=3).encode()
IMAGE = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": [image_part(png("a cat"))]}]}
EMBEDDINGS = {"model": "hunyuan-embedding", "input": "x", "encoding_format": "base64"}
RATE_LIMIT = {"error": {"message": "请求限频，请稍后重试", "type": "runtime_error", "param": None, "code": "2003"}}
# Its repair would add [DONE].
STREAM = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n'
OBSERVED = "x-hunyuan-fix-observed"


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [
        entry.getMessage() for entry in caplog.records if " -> " in entry.getMessage() and entry.name == "hunyuan_fix"
    ]


def observing(trust: Trust, endpoint: Endpoint, *beside: object, **options: Any):
    return run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", *beside, hunyuan_mode="observe", **options)


# Observe


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_request_leaves_byte_for_byte_and_the_log_the_header_and_the_comment_say_what_would_be(
    trust: Trust, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, stream: bool, http2: bool
):
    raw = json.dumps({**BAD, "stream": stream}, indent=3).encode()
    kept = Kept()
    async with observing(trust, endpoint, kept) as proxy, proxy.client(http2=http2) as client:
        answer = await client.post("/chat/completions", content=raw, headers={"accept-encoding": "gzip, x"})
        (arrived,) = endpoint.arrived
        assert arrived.body == raw
        assert arrived.headers["accept-encoding"] == "gzip, x"
        assert answer.headers[OBSERVED] == "parameters"
        assert "x-hunyuan-fix" not in answer.headers
        assert kept.last.comment.startswith("hunyuan-lite · httpx · would apply parameters")
        assert proxy.addon.stats().splitlines()[0] == "exchanges 1, rewritten 0, observed 1"
    (line,) = lines(caplog)
    assert line.startswith("POST /v1/chat/completions model=hunyuan-lite would_apply=parameters would_call=0 cached=0")
    assert line.endswith("-> 200")


async def test_a_compressed_request_stays_compressed(trust: Trust, endpoint: Endpoint):
    async with observing(trust, endpoint) as proxy, proxy.client() as client:
        answer = await client.post(
            "/chat/completions", content=gzip.compress(RAW, mtime=1), headers={"content-encoding": "gzip"}
        )
    assert endpoint.arrived[0].body == gzip.compress(RAW, mtime=1)
    assert endpoint.arrived[0].headers["content-encoding"] == "gzip"
    assert answer.headers[OBSERVED] == "coding,parameters"


async def test_no_vision_call_is_made_and_nothing_of_it_is_remembered(
    trust: Trust, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
):
    def see(request: Arrived) -> Answer:
        return chat_answer("a cat" if "vision" in request.json["model"] else "ok")

    endpoint.answer = see
    async with observing(trust, endpoint) as proxy, proxy.client() as client:
        answer = await client.post("/chat/completions", json=IMAGE)
        assert [arrived.json for arrived in endpoint.arrived] == [IMAGE]
        assert "cascade" in answer.headers[OBSERVED]
        assert "would_apply=cascade" in lines(caplog)[0]
        assert "would_call=1" in lines(caplog)[0]
        assert "images: 0 vision calls, 0 described" in proxy.addon.stats()
        assert proxy.master.commands.execute("hunyuan.cache.list") == []

        proxy.master.options.update(hunyuan_mode="repair")
        await client.post("/chat/completions", json=IMAGE)
    models = [arrived.json["model"] for arrived in endpoint.arrived]
    assert models == ["hunyuan-lite", "hunyuan-vision-1.5-instruct", "hunyuan-lite"]
    assert "a cat" in json.dumps(endpoint.arrived[2].json, ensure_ascii=False)


@pytest.mark.parametrize("coding", ["", "gzip"])
async def test_a_streamed_answer_is_untouched_and_kept(trust: Trust, endpoint: Endpoint, coding: str):
    data = gzip.compress(STREAM) if coding else STREAM
    endpoint.answer = stream_answer(data[:20], data[20:], **({"content_encoding": coding} if coding else {}))
    kept = Kept()
    async with observing(trust, endpoint, kept) as proxy, proxy.client() as client:
        async with client.stream("POST", "/chat/completions", json={**BAD, "stream": True}) as answer:
            received = b"".join([chunk async for chunk in answer.aiter_raw()])
        assert received == data
        assert answer.headers.get("content-encoding", "") == coding
        await until(lambda: not kept.last.live)
        assert kept.last.response
        assert kept.last.response.content == STREAM


async def test_errors_are_not_restated(trust: Trust, endpoint: Endpoint):
    endpoint.answer = json_answer(RATE_LIMIT, 400)
    async with observing(trust, endpoint) as proxy, proxy.client() as client:
        answer = await client.post("/chat/completions", json=BAD)
    assert answer.status_code == 400
    assert answer.json() == RATE_LIMIT
    assert "retry-after" not in answer.headers


async def test_a_whole_answer_is_untouched(trust: Trust, endpoint: Endpoint):
    body = b'{"choices": [{"index": 0, "message": {"content": "```json\\n{}\\n```"}, "finish_reason": "sensitive"}]}'
    endpoint.answer = Answer(chunks=[body])
    async with observing(trust, endpoint) as proxy, proxy.client() as client:
        answer = await client.post("/chat/completions", json={**BAD, "response_format": {"type": "json_object"}})
    assert answer.content == body


@pytest.mark.parametrize(
    ("body", "options", "would"),
    [
        (EMBEDDINGS, {}, "embeddings"),
        ({"model": "hunyuan-embedding", "input": ["x"] * 60}, {}, "embeddings"),
    ],
)
async def test_embeddings(trust: Trust, endpoint: Endpoint, body: dict[str, Any], options: dict[str, Any], would: str):
    async with observing(trust, endpoint, **options) as proxy, proxy.client() as client:
        answer = await client.post("/embeddings", json=body)
    assert [arrived.json for arrived in endpoint.arrived] == [body]
    assert answer.headers[OBSERVED] == would
    assert answer.content == b'{"object": "anything", "choices": [{}], "data": []}'


@pytest.mark.parametrize(
    ("path", "body", "options", "status"),
    [
        ("/chat/completions", {**BAD, "pad": "x" * 5000}, {"hunyuan_max_body": "4k"}, 413),
        (
            "/chat/completions",
            {"model": "hunyuan-role", "messages": [{"role": "user", "content": "字" * 60_000}]},
            {"hunyuan_overlong": "error"},
            400,
        ),
        ("/embeddings", {"model": "hunyuan-embedding", "input": [[1, 2]]}, {}, 400),
    ],
)
async def test_what_would_be_refused_passes_and_says_so(
    trust: Trust, endpoint: Endpoint, path: str, body: dict[str, Any], options: dict[str, Any], status: int
):
    async with observing(trust, endpoint, **options) as proxy, proxy.client() as client:
        answer = await client.post(path, json=body)
    assert answer.status_code == 200
    assert endpoint.arrived[0].json == body
    warning = f"would be answered with {status} by the proxy"
    assert answer.headers["x-hunyuan-fix-warning"].rpartition("; ")[2] == warning
    assert OBSERVED not in answer.headers


async def test_a_failure_in_the_cascade_lets_the_request_pass(
    trust: Trust, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
):
    async def fails(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("hunyuan_fix.cascade.Cascade.describe", fails)
    async with observing(trust, endpoint) as proxy, proxy.client() as client:
        answer = await client.post("/chat/completions", json=IMAGE)
    assert answer.status_code == 200
    assert endpoint.arrived[0].json == IMAGE


# Off


async def test_off_touches_nothing(trust: Trust, endpoint: Endpoint, caplog: pytest.LogCaptureFixture):
    endpoint.answer = json_answer(RATE_LIMIT, 400)
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_mode="off") as proxy,
        proxy.client() as client,
    ):
        refused = await client.post("/chat/completions", content=RAW)
        endpoint.answer = stream_answer(STREAM)
        streamed = await client.post("/chat/completions", json=IMAGE)
        await client.post("/embeddings", json=EMBEDDINGS)
    assert refused.status_code == 400
    assert refused.json() == RATE_LIMIT
    assert streamed.content == STREAM
    assert not [name for answer in (refused, streamed) for name in answer.headers if name.startswith("x-hunyuan")]
    assert endpoint.arrived[0].body == RAW
    assert [arrived.json for arrived in endpoint.arrived[1:]] == [IMAGE, EMBEDDINGS]
    assert [line.split()[2] for line in lines(caplog)] == ["untouched"] * 3


# Which mode


async def test_it_can_be_switched_while_running(proxy: Proxy, endpoint: Endpoint):
    seen = []
    async with proxy.client() as client:
        for mode in ("repair", "observe", "off", "repair"):
            proxy.master.options.update(hunyuan_mode=mode)
            answer = await client.post("/chat/completions", json=BAD)
            seen.append([name for name in ("x-hunyuan-fix", OBSERVED) if name in answer.headers])
    assert seen == [["x-hunyuan-fix"], [OBSERVED], [], ["x-hunyuan-fix"]]
    assert ["user" in arrived.json for arrived in endpoint.arrived] == [False, True, True, False]


async def test_a_request_under_way_keeps_the_mode_it_began_with(proxy: Proxy, endpoint: Endpoint):
    arrived, switched = asyncio.Event(), asyncio.Event()

    async def see(_: Arrived) -> Answer:
        arrived.set()
        await switched.wait()
        return json_answer(RATE_LIMIT, 400)

    endpoint.answer = see
    async with proxy.client() as client:
        asked = asyncio.create_task(client.post("/chat/completions", json=BAD))
        await arrived.wait()
        proxy.master.options.update(hunyuan_mode="off")
        switched.set()
        answer = await asked
    assert answer.status_code == 429
    assert answer.headers["x-hunyuan-fix"] == "parameters,answer-error"


@pytest.mark.parametrize("option", ["repair", "observe", "off"])
@pytest.mark.parametrize(
    ("asked", "mode"),
    [
        ("repair", "repair"),
        ("Observe", "observe"),
        ("OFF", "off"),
        ("dry-run", None),
        ("", None),
    ],
)
async def test_one_request_may_ask_for_its_mode_and_the_header_goes_no_further(
    trust: Trust, endpoint: Endpoint, option: str, asked: str, mode: str | None
):
    headers = {"X-Hunyuan-Mode": asked}
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_mode=option) as proxy,
        proxy.client() as client,
    ):
        answer = await client.post("/chat/completions", json=BAD, headers=headers)
        await client.post("/chat/completions", json={**BAD, "stream": True}, headers=headers)
        await client.post("/embeddings", json=EMBEDDINGS, headers=headers)
        await client.get("/models", headers=headers)
        await client.post("/files", content=b"x", headers=headers)
        plain = await client.post("/chat/completions", json=BAD)
    by_header = {"repair": "x-hunyuan-fix", "observe": OBSERVED, "off": None}
    for given, expected in ((answer, mode or option), (plain, option)):
        found = [name for name in ("x-hunyuan-fix", OBSERVED) if name in given.headers]
        assert found == [name for name in [by_header[expected]] if name]
    assert len(endpoint.arrived) == 6
    assert not [arrived for arrived in endpoint.arrived if "x-hunyuan-mode" in arrived.headers]


@pytest.mark.parametrize("mode", ["observe", "off"])
async def test_connections_are_no_bodies_rerouting_and_the_lent_key_go_on(
    trust: Trust, endpoint: Endpoint, mode: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HUNYUAN_API_KEY", "sk-lent")
    async with (
        run_endpoint(trust) as other,
        run_proxy(
            trust,
            f"https://{LOCAL}:{endpoint.port}",
            hunyuan_upstream=f"https://127.0.0.1:{other.port}/api",
            hunyuan_mode=mode,
        ) as proxy,
        proxy.client() as client,
    ):
        await client.post("/chat/completions", json=BAD)
    assert endpoint.arrived == []
    (arrived,) = other.arrived
    assert arrived.target == "/api/chat/completions"
    assert arrived.json == BAD
    assert arrived.headers["authorization"] == "Bearer sk-lent"


# Copies for the views


@pytest.mark.parametrize(("limit", "kept_bytes"), [("20", 20), ("1m", None), ("0", 0)])
async def test_of_a_repaired_stream_the_beginning_is_kept(
    trust: Trust, endpoint: Endpoint, limit: str, kept_bytes: int | None
):
    endpoint.answer = stream_answer(STREAM)
    kept = Kept()
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", kept, hunyuan_keep_streams=limit) as proxy,
        proxy.client() as client,
    ):
        answer = await client.post("/chat/completions", json={**BAD, "stream": True})
        await until(lambda: not kept.last.live)
    assert answer.content.startswith(STREAM)
    assert answer.content.endswith(b"data: [DONE]\n\n")
    assert kept.last.response
    expected = None if kept_bytes == 0 else answer.content[:kept_bytes]
    assert kept.last.response.raw_content == expected
    assert kept.last.metadata["hunyuan_fix"]["stream_cut"] is (kept_bytes == 20)


@pytest.mark.parametrize(("limit", "is_kept"), [("1k", True), ("40", False), ("0", False)])
async def test_of_a_rewritten_request_the_original_is_kept_if_it_is_not_too_large(
    trust: Trust, endpoint: Endpoint, limit: str, is_kept: bool
):
    kept = Kept()
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", kept, hunyuan_keep_original=limit) as proxy,
        proxy.client() as client,
    ):
        await client.post("/chat/completions", content=RAW)
    assert "user" not in endpoint.arrived[0].json
    assert kept.last.metadata["hunyuan_fix"]["original"] == (RAW if is_kept else None)
