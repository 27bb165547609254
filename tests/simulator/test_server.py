"""A real server on a free port, spoken to over HTTP/1.1 and HTTP/2."""

import asyncio
import contextlib
import json
import signal
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from hunyuan_fix.simulator import openai_facade
from hunyuan_fix.simulator.__main__ import parse
from hunyuan_fix.simulator.anthropic_facade import HINTS, Facade
from hunyuan_fix.simulator.server import Served, serve, serve_in_thread
from hunyuan_fix.simulator.settings import Settings
from hunyuan_fix.simulator.vision import data_url, png_with_text

ROOT = Path(__file__).parents[2]
CHAT = "/v1/chat/completions"
KEY = {"authorization": "Bearer key"}


def chat(text: Any = "你好", **fields: Any) -> dict[str, Any]:
    return {"model": "hunyuan-turbos-latest", "messages": [{"role": "user", "content": text}], **fields}


def streamed(text: str = "[[sim:chunks 6]]", **fields: Any) -> dict[str, Any]:
    return chat(text, stream=True, **fields)


@contextlib.asynccontextmanager
async def running(**settings: Any) -> AsyncIterator[tuple[Served, httpx.AsyncClient]]:
    async with (
        serve(Settings(**settings)) as served,
        httpx.AsyncClient(base_url=served.url, headers=KEY, timeout=10, trust_env=False) as client,
    ):
        yield served, client


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    async with running() as (_, client):
        yield client


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def certificate(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "cert.pem"
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(path)
    return path


@pytest.fixture(scope="module")
def trusted(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
async def tls_client(trusted: ssl.SSLContext, certificate: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with serve(Settings(cert=certificate, key=certificate)) as served:
        assert served.url.startswith("https://")
        async with httpx.AsyncClient(
            base_url=served.url, headers=KEY, timeout=10, http2=True, verify=trusted, trust_env=False
        ) as client:
            yield client


async def stats(client: httpx.AsyncClient) -> dict[str, Any]:
    seen: dict[str, Any] = (await client.get("/_sim/stats")).json()
    return seen


async def eventually(client: httpx.AsyncClient, **wanted: Any) -> dict[str, Any]:
    """Ask for the stats until they show what is wanted; pytest-timeout ends a wait in vain."""
    while True:
        seen = await stats(client)
        if wanted.items() <= seen.items():
            return seen


async def test_chat_embeddings_and_models(client: httpx.AsyncClient) -> None:
    answer = await client.post(CHAT, json=chat("[[sim:say 好]]"))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["choices"][0]["message"]["content"] == "好"
    vectors = await client.post("/v1/embeddings", json={"model": "hunyuan-embedding", "input": "你好"})
    assert len(vectors.json()["data"][0]["embedding"]) == 1024
    listed = (await client.get("/v1/models")).json()["data"]
    assert "hunyuan-turbos-latest" in {model["id"] for model in listed}
    assert (await client.get("/v1/nothing")).status_code == 404
    assert (await client.get(CHAT)).json()["error"]["message"] == "Not Found"


async def test_a_refusal_is_plain_json_for_streams_too(client: httpx.AsyncClient) -> None:
    answer = await client.post(CHAT, json=streamed(""))
    assert answer.status_code == 400
    assert answer.headers["x-sim-row"] == "A3"
    assert answer.json()["error"]["code"] == "1001"
    broken = await client.post(CHAT, content=b'{"model": ')
    assert broken.json()["error"]["code"] == "4003"


async def test_what_orjson_refuses_but_is_json_is_taken(client: httpx.AsyncClient) -> None:
    text = json.dumps(chat("\ud800 [[sim:say \ud800]]")).encode()
    answer = await client.post(CHAT, content=text)
    assert json.loads(answer.content)["choices"][0]["message"]["content"] == "\ud800"
    assert (await client.post(CHAT, content=b'{"model": NaN}')).json()["error"]["code"] == "4003"


async def test_a_stream_comes_frame_by_frame(client: httpx.AsyncClient) -> None:
    asked = streamed(stream_options={"include_usage": True})
    async with client.stream("POST", CHAT, json=asked) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        lines = [line async for line in answer.aiter_lines() if line]
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert len(chunks) == 6 + 2
    assert chunks[-1]["usage"]["total_tokens"] > 0


async def test_http2_over_tls(tls_client: httpx.AsyncClient) -> None:
    answer = await tls_client.post(CHAT, json=streamed("[[sim:chunks 2000]]"))
    assert answer.http_version == "HTTP/2"
    assert answer.text.count("data: ") == 2002
    received = (await tls_client.get("/_sim/requests")).json()
    assert received[0]["http_version"] == "2"
    assert received[0]["body"]["stream"] is True
    large = await asyncio.gather(*[tls_client.post(CHAT, json=chat("长" * 400_000)) for _ in range(3)])
    assert [answer.status_code for answer in large] == [200] * 3


async def test_keys() -> None:
    async with running(accept_keys=frozenset({"good"})) as (_, client):
        refused = await client.post(CHAT, json=chat())
        assert (refused.status_code, refused.json()["error"]["code"]) == (401, "invalid_api_key")
        accepted = await client.post(CHAT, json=chat(), headers={"authorization": "Bearer good"})
        assert accepted.status_code == 200
        assert (await client.post(CHAT, json=chat(), headers={"authorization": "Basic good"})).status_code == 401


async def test_more_requests_at_once_than_the_account_may_have() -> None:
    async with running(concurrency=2) as (_, client), contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            stalled = client.stream("POST", CHAT, json=streamed(), headers={"x-sim-fault": "stall:1"})
            await stack.enter_async_context(stalled)
        refused = await client.post(CHAT, json=chat())
        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "2003")
        assert (await stats(client))["max_concurrency"] == 3
        await stack.aclose()
        await eventually(client, active=0)
        assert (await client.post(CHAT, json=chat())).status_code == 200


@pytest.mark.parametrize("fault", ["stall", "stall:2"])
async def test_a_client_that_leaves_ends_the_work(client: httpx.AsyncClient, fault: str) -> None:
    with contextlib.suppress(httpx.ReadTimeout):
        await client.post(CHAT, json=streamed(), headers={"x-sim-fault": fault}, timeout=0.1)
    seen = await eventually(client, active=0)
    assert seen["disconnects"] == 1


async def test_a_client_that_leaves_over_http2_ends_the_work(
    tls_client: httpx.AsyncClient, trusted: ssl.SSLContext
) -> None:
    base = tls_client.base_url
    async with (
        httpx.AsyncClient(base_url=base, headers=KEY, http2=True, verify=trusted, trust_env=False) as leaving,
        leaving.stream("POST", CHAT, json=streamed(), headers={"x-sim-fault": "stall:1"}) as answer,
    ):
        assert answer.http_version == "HTTP/2"
        assert (await stats(tls_client))["active"] == 1
    await eventually(tls_client, active=0, disconnects=1)


async def test_a_server_that_stops_ends_its_connections(trusted: ssl.SSLContext, certificate: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        served = await stack.enter_async_context(serve(Settings(cert=certificate, key=certificate)))
        async with (
            httpx.AsyncClient(base_url=served.url, headers=KEY, http2=True, verify=trusted, trust_env=False) as client,
            client.stream("POST", CHAT, json=streamed(), headers={"x-sim-fault": "stall:1"}) as answer,
        ):
            await stack.aclose()
            with pytest.raises(httpx.RemoteProtocolError):
                await answer.aread()
        assert served.simulator.journal.active == 0


async def test_a_client_that_leaves_after_the_last_frame_left_not_early(client: httpx.AsyncClient) -> None:
    for _ in range(20):
        await client.post(CHAT, json=streamed())
    seen = await eventually(client, active=0)
    assert seen["disconnects"] == 0
    assert seen["by_status"] == {"200": 20}


async def test_vision_calls_are_counted_and_read_the_image(client: httpx.AsyncClient) -> None:
    image = {"type": "image_url", "image_url": {"url": data_url(png_with_text("发票 42"))}}
    asked = chat([{"type": "text", "text": "看"}, image], model="hunyuan-vision-1.5-instruct")
    assert "发票 42" in (await client.post(CHAT, json=asked)).json()["choices"][0]["message"]["content"]
    image["image_url"] = {"url": "data:image/png;base64,AAAA"}
    refused = await client.post(CHAT, json=asked)
    assert (refused.status_code, refused.json()["error"]["message"]) == (400, "图片处理失败错误")
    assert (await stats(client))["vision_calls"] == 2


@pytest.mark.parametrize(
    ("fault", "status", "expected"),
    [
        ("rate_limit", 400, '"code":"2003"'),
        ("rate_limit_text", 400, '"code":"rate_limit_exceeded"'),
        ("quota", 400, '"code":"3008"'),
        ("internal", 500, '"code":"2000"'),
        ("retired", 400, "模型已下线"),
        ("status:503", 503, '"error"'),
        ("200_error", 200, '"error"'),
        ("html_502", 502, "<html>"),
        ("garbage_json", 200, '{"id": "0", "choices": ['),
        ("slow:0", 200, '"chat.completion"'),
        ("nonsense", 400, '"code":"4003"'),
    ],
)
async def test_faults_by_header(client: httpx.AsyncClient, fault: str, status: int, expected: str) -> None:
    answer = await client.post(CHAT, json=chat(), headers={"x-sim-fault": fault})
    assert answer.status_code == status
    assert expected in answer.text


@pytest.mark.parametrize("fault", ["cut:2", "cut_in_chunk:2", "truncate_body:2"])
@pytest.mark.parametrize("http2", [False, True])
async def test_streams_break_off(
    fault: str, http2: bool, client: httpx.AsyncClient, tls_client: httpx.AsyncClient
) -> None:
    got = b""

    async def read() -> None:
        nonlocal got
        sender = tls_client if http2 else client
        async with sender.stream("POST", CHAT, json=streamed(), headers={"x-sim-fault": fault}) as answer:
            async for data in answer.aiter_bytes():
                got += data

    with pytest.raises(httpx.RemoteProtocolError):
        await read()
    assert got.count(b"\n\n") == 2
    assert got.endswith(b"\n\n") or (fault.startswith("cut_in_chunk") and not http2)


@pytest.mark.parametrize("fault", ["truncate_body", "cut", "cut_in_chunk"])
async def test_bodies_break_off(client: httpx.AsyncClient, fault: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        await client.post(CHAT, json=chat(), headers={"x-sim-fault": fault})


async def test_a_gzipped_stream_unpacks_to_the_same(client: httpx.AsyncClient) -> None:
    packed = await client.post(CHAT, json=streamed(), headers={"x-sim-fault": "gzip_stream"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text.endswith("data: [DONE]\n\n")


async def test_programmed_faults_match_and_run_out(client: httpx.AsyncClient) -> None:
    rules = [
        {"match": {"contains": "甲"}, "times": 2, "fault": "rate_limit", "retry_after": "2"},
        {"match": {"model": "hunyuan-lite", "path": CHAT}, "fault": "internal"},
        {"match": {"header": "x-test: yes"}, "fault": "quota"},
        {"match": {"vision": True}, "fault": "retired"},
    ]
    assert (await client.post("/_sim/faults", json=rules)).json() == {"programmed": 4}
    answers = [await client.post(CHAT, json=chat("甲")) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [400, 400, 200]
    assert answers[0].headers["retry-after"] == "2"
    assert [(await client.post(CHAT, json=chat(model="hunyuan-lite"))).status_code for _ in "ab"] == [500, 200]
    assert (await client.post(CHAT, json=chat(), headers={"x-test": "yes"})).headers["x-sim-row"] == "A8"
    image = {"type": "image_url", "image_url": {"url": "https://a/b"}}
    assert (await client.post(CHAT, json=chat([image]))).headers["x-sim-row"] == "A10"
    assert (await client.post("/_sim/faults", json=[{"fault": "nonsense"}])).status_code == 400
    assert (await client.post("/_sim/faults", json=[{"fault": "quota", "match": {"x": 1}}])).status_code == 400


async def test_requests_are_shown_as_they_came_and_forgotten_on_reset(client: httpx.AsyncClient) -> None:
    await client.post(CHAT, json=chat(""), headers={"X-Own": "1"})
    await client.post(CHAT, content=b"no json")
    first, second = (await client.get("/_sim/requests")).json()
    assert ["x-own", "1"] in first["headers"]
    assert (first["method"], first["path"], first["status"], first["row"]) == ("POST", CHAT, 400, "A3")
    assert first["detail"] == "/messages/0/content: empty"
    assert second["body"] == "no json"
    assert (await stats(client))["by_row"] == {"A3": 1, "A6": 1}
    await client.post("/_sim/reset")
    assert (await client.get("/_sim/requests")).json() == []
    assert (await stats(client))["requests"] == 0
    assert (await client.get("/_sim/nothing")).status_code == 404


async def test_answers_are_gzipped_on_request() -> None:
    async with running(gzip=True) as (_, client):
        answer = await client.post(CHAT, json=chat("[[sim:say 好]]"))
        assert answer.headers["content-encoding"] == "gzip"
        assert answer.json()["choices"][0]["message"]["content"] == "好"
        plain = await client.post(CHAT, json=chat(), headers={"accept-encoding": "identity"})
        assert "content-encoding" not in plain.headers


async def test_tokenhub_has_its_own_statuses() -> None:
    async with running(profile="tokenhub", concurrency=1) as (_, client):
        assert (await client.post(CHAT, json=chat())).json()["error"]["code"] == "400004"
        assert (await client.post(CHAT, json=chat(model="hy3"))).status_code == 200
        moderated = await client.post(CHAT, json=chat("[[sim:sensitive]]", model="hy3"))
        assert (moderated.status_code, moderated.json()["error"]["type"]) == (451, "content_filter_error")
        limited = await client.post(CHAT, json=chat(model="hy3"), headers={"x-sim-fault": "rate_limit"})
        assert limited.status_code == 429


async def test_leniency_and_retirement() -> None:
    async with running(strict=False, retired=True) as (_, client):
        accepted = await client.post(CHAT, json=chat(" ", model="hunyuan-lite", n=1))
        assert accepted.status_code == 200
        assert (await client.post(CHAT, json=chat())).headers["x-sim-row"] == "A10"
        listed = (await client.get("/v1/models")).json()["data"]
        assert "hunyuan-turbos-latest" not in {model["id"] for model in listed}


async def test_requests_are_recorded_without_keys(tmp_path: Path) -> None:
    record = tmp_path / "requests.jsonl"
    async with running(record=record) as (_, client):
        await client.post(CHAT, json=chat("一"))
        await client.post(CHAT, json=chat("二"))
    entries = [json.loads(line) for line in record.read_text().splitlines()]
    assert [entry["body"]["messages"][0]["content"] for entry in entries] == ["一", "二"]
    assert "Bearer" not in record.read_text()


def test_a_thread_serves_synchronous_clients() -> None:
    with serve_in_thread(Settings()) as served:
        answer = httpx.post(f"{served.base_url}/chat/completions", json=chat(), headers=KEY, trust_env=False)
        assert answer.status_code == 200
        assert served.simulator.journal.by_path == {CHAT: 1}
    with pytest.raises(httpx.ConnectError):
        httpx.get(served.url, trust_env=False)


async def run_simulator(*arguments: str) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "hunyuan_fix.simulator", *arguments)
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=pipe, stderr=pipe)


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_the_command_says_where_it_listens_and_ends_cleanly(number: signal.Signals) -> None:
    process = await run_simulator("--port", "0")
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert line.startswith("simulator listening on http://127.0.0.1:")
    async with httpx.AsyncClient(base_url=line.split()[-1], headers=KEY, trust_env=False) as client:
        assert (await client.post(CHAT, json=chat())).status_code == 200
        process.send_signal(number)
        out, err = await process.communicate()
    assert (out, err, process.returncode) == (b"", b"", 0)


@pytest.mark.process
async def test_a_port_that_is_taken_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        process = await run_simulator("--port", str(taken.getsockname()[1]))
        _, err = await process.communicate()
    assert process.returncode == 1
    assert b"can't serve on 127.0.0.1" in err


def test_the_command_line_sets_everything() -> None:
    words = "--profile tokenhub --lenient --retired --concurrency 9 --first-byte-delay 0.5 --chunk-delay 0.1 --gzip"
    words += " --takes betas --takes files --anthropic-words --max-input 7 --no-mentions"
    words += " --responses-takes custom_tools --openai-words"
    settings = parse([*words.split(), "--accept-key", "a", "--accept-key", "b", "--cert", "c.pem", "--record", "r"])
    assert settings == Settings(
        profile="tokenhub",
        facade=Facade("tokenhub", frozenset({"betas", "files"}), anthropic_words=True),
        responses=openai_facade.Facade("tokenhub", frozenset({"custom_tools"}), openai_words=True),
        max_input=7,
        mentions=False,
        strict=False,
        retired=True,
        concurrency=9,
        first_byte_delay=0.5,
        chunk_delay=0.1,
        gzip=True,
        accept_keys=frozenset({"a", "b"}),
        cert=Path("c.pem"),
        key=Path("c.pem"),
        record=Path("r"),
    )


def test_which_endpoint_has_a_messages_api(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse([]).facade is None
    assert parse(["--profile", "tokenhub"]).facade == Facade("tokenhub")
    assert parse(["--profile", "tokenhub", "--no-messages"]).facade is None
    assert parse(["--profile", "tokenhub", "--takes", "all"]).facade == Facade("tokenhub", HINTS)
    with pytest.raises(SystemExit):
        parse(["--profile", "tokenhub", "--takes", "everything"])
    assert "unknown hint 'everything'" in capsys.readouterr().err


def test_which_endpoint_has_a_responses_api(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse([]).responses is None
    assert parse(["--profile", "tokenhub"]).responses == openai_facade.Facade("tokenhub")
    assert parse(["--profile", "tokenhub", "--no-responses"]).responses is None
    everything = openai_facade.Facade("tokenhub", openai_facade.HINTS)
    assert parse(["--profile", "tokenhub", "--responses-takes", "all"]).responses == everything
    with pytest.raises(SystemExit):
        parse(["--profile", "tokenhub", "--responses-takes", "everything"])
    assert "unknown hint 'everything'" in capsys.readouterr().err
