"""The hooks, with mitmproxy around them in this process: both modes, HTTP/1.1 and HTTP/2, whole and streamed."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import ssl
from collections.abc import AsyncIterator

import httpx
import pytest
from mitmproxy import exceptions
from mitmproxy.test import taddons, tflow

from hunyuan_fix.hooks import exchanges
from hunyuan_fix.hunyuan_fix import HunyuanFix
from tests.proxying import (
    LOCAL,
    Answer,
    Endpoint,
    Proxy,
    Trust,
    chat_answer,
    json_answer,
    run_endpoint,
    run_proxy,
    stream_answer,
)

GOOD = b'{ "model":"hunyuan-lite",  "messages":[{"role":"user","content":"\\u4f60\xc3\xa9"}] }\n'
BAD = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}], "user": "me"}
REPAIRED = {key: value for key, value in BAD.items() if key != "user"}
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":%s}]}\n\n'
STREAM = EVENT % b"null" + EVENT % b'"stop"' + b"data: [DONE]\n\n"

both_versions = pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


# What leaves


@both_versions
async def test_a_bad_request_leaves_repaired_and_says_so(proxy: Proxy, endpoint: Endpoint, http2: bool):
    endpoint.answer = chat_answer("hi")
    async with proxy.client(http2=http2) as client:
        answer = await client.post("/chat/completions", json=BAD)
    (arrived,) = endpoint.arrived
    assert arrived.json == REPAIRED
    assert (arrived.target, arrived.http_version) == ("/v1/chat/completions", "2" if http2 else "1.1")
    assert arrived.headers["host" if not http2 else ":authority"] == f"{LOCAL}:{endpoint.port}" if not http2 else True
    assert arrived.headers["content-length"] == str(len(arrived.body))
    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    assert answer.headers["x-hunyuan-fix"] == "parameters"
    assert answer.json()["choices"][0]["message"]["content"] == "hi"


@both_versions
async def test_a_good_request_leaves_byte_for_byte(proxy: Proxy, endpoint: Endpoint, http2: bool):
    async with proxy.client(http2=http2) as client:
        answer = await client.post("/chat/completions", content=GOOD)
    assert endpoint.arrived[0].body == GOOD
    assert "x-hunyuan-fix" not in answer.headers
    assert answer.content == b'{"object": "anything", "choices": [{}], "data": []}'


async def test_the_proxy_mode_repairs_too(proxy: Proxy, endpoint: Endpoint, trust: Trust):
    async with proxy.proxied(trust.of_proxy()) as client:
        await client.post(f"https://{LOCAL}:{endpoint.port}/v1/chat/completions", json=BAD)
    assert endpoint.arrived[0].json == REPAIRED


async def test_chunked_requests(proxy: Proxy, endpoint: Endpoint):
    async def body() -> AsyncIterator[bytes]:
        data = json.dumps(BAD).encode()
        yield data[:20]
        yield data[20:]

    async with proxy.client() as client:
        await client.post("/chat/completions", content=body())
    assert endpoint.arrived[0].json == REPAIRED


async def test_a_compressed_body_is_understood_and_leaves_plain(proxy: Proxy, endpoint: Endpoint):
    async with proxy.client() as client:
        await client.post(
            "/chat/completions", content=gzip.compress(json.dumps(BAD).encode()), headers={"content-encoding": "gzip"}
        )
    (arrived,) = endpoint.arrived
    assert arrived.json == REPAIRED
    assert "content-encoding" not in arrived.headers


@pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", ""])
@pytest.mark.parametrize("body", [GOOD, b"[1]", b"not JSON"])
async def test_a_packed_body_leaves_plain_repaired_or_not(proxy: Proxy, endpoint: Endpoint, encoding: str, body: bytes):
    data = gzip.compress(gzip.compress(body) if "," in encoding else body)
    headers = {"content-encoding": encoding} if encoding else {}
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", content=data, headers=headers)
    (arrived,) = endpoint.arrived
    assert arrived.body == body
    assert "content-encoding" not in arrived.headers
    assert arrived.headers["content-length"] == str(len(body))
    assert answer.headers["x-hunyuan-fix"] == "coding"


async def test_plain_json_in_the_name_of_a_coding_is_understood(proxy: Proxy, endpoint: Endpoint):
    async with proxy.client() as client:
        await client.post("/chat/completions", content=GOOD, headers={"content-encoding": "gzip"})
    (arrived,) = endpoint.arrived
    assert arrived.body == GOOD
    assert "content-encoding" not in arrived.headers


async def test_a_body_in_a_strange_coding_leaves_as_it_came(proxy: Proxy, endpoint: Endpoint):
    data = gzip.compress(GOOD)
    async with proxy.client() as client:
        await client.post("/chat/completions", content=data, headers={"content-encoding": "br"})
    (arrived,) = endpoint.arrived
    assert arrived.body == data
    assert arrived.headers["content-encoding"] == "br"


@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings"])
@pytest.mark.parametrize(
    ("given", "leaves"),
    [
        (rb"\ud83d", "\ufffd"),
        (rb"\ud83d\ude00\ud83d", None),
        (b"\xed\xa0\xbd\xed\xb8\x80", "\U0001f600"),
        (b"\xff", "\ufffd"),
    ],
)
async def test_half_characters_do_not_leave(
    proxy: Proxy, endpoint: Endpoint, path: str, given: bytes, leaves: str | None
):
    good = (
        b'{"model": "hunyuan-turbos-latest", "messages": [{"role": "user", "content": "a%bb"}]}'
        if path == "/chat/completions"
        else b'{"model": "hunyuan-embedding", "input": "a%bb"}'
    )
    async with proxy.client() as client:
        answer = await client.post(path, content=b"\xef\xbb\xbf" + good % given)
    (arrived,) = endpoint.arrived
    halves = rb"\ud83d\ude00" + "\ufffd".encode()
    assert arrived.body == good % (halves if leaves is None else leaves.encode())
    assert answer.headers["x-hunyuan-fix"] == "unicode"


@pytest.mark.parametrize(
    "body", [b"", b"[1]", b"{", b'{"messages": "none"}', b'{"messages": []}', b"\xff\xfe\x00", b'{"model": "m"}']
)
async def test_what_can_not_be_repaired_leaves_as_it_came(proxy: Proxy, endpoint: Endpoint, body: bytes):
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", content=body)
    assert endpoint.arrived[0].body == body
    assert "x-hunyuan-fix" not in answer.headers


async def test_invalid_json_is_logged_without_its_text(proxy: Proxy, caplog: pytest.LogCaptureFixture):
    async with proxy.client() as client:
        await client.post("/chat/completions", content=b'{"secret words')
    (line,) = [record.getMessage() for record in caplog.records if "untouched" in record.getMessage()]
    assert "/v1/chat/completions" in line
    assert "secret" not in caplog.text


@pytest.mark.parametrize("compressed", [False, True])
async def test_a_body_that_is_too_large_gets_an_answer_of_its_own(trust: Trust, endpoint: Endpoint, compressed: bool):
    body = json.dumps({**BAD, "pad": "x" * 5000}).encode()
    headers = {"content-encoding": "gzip"} if compressed else {}
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_max_body="4k") as proxy,
        proxy.client() as client,
    ):
        answer = await client.post(
            "/chat/completions", content=gzip.compress(body) if compressed else body, headers=headers
        )
    assert answer.status_code == 413
    assert "4096 bytes" in answer.json()["error"]["message"]
    assert endpoint.arrived == []


@pytest.mark.parametrize("path", ["/models", "/images/generations", "/files"])
async def test_other_paths_pass(proxy: Proxy, endpoint: Endpoint, path: str, caplog: pytest.LogCaptureFixture):
    async with proxy.client() as client:
        answer = await client.post(path, json=BAD)
    assert endpoint.arrived[0].json == BAD
    assert answer.content == b'{"object": "anything", "choices": [{}], "data": []}'
    assert ("/v1/images/generations is not repaired" in caplog.text) == (path == "/images/generations")


async def test_other_methods_pass(proxy: Proxy, endpoint: Endpoint):
    async with proxy.client() as client:
        await client.put("/chat/completions", json=BAD)
        await client.get("/models")
    assert [arrived.method for arrived in endpoint.arrived] == ["PUT", "GET"]
    assert endpoint.arrived[0].json == BAD


# Other hosts


async def test_other_hosts_are_not_decrypted(proxy: Proxy, endpoint: Endpoint, trust: Trust):
    """127.0.0.1 is no known host here, localhost is: the endpoint's own certificate reaches the client."""
    async with proxy.proxied(trust.of_endpoint()) as client:
        await client.post(f"https://127.0.0.1:{endpoint.port}/v1/chat/completions", json=BAD)
        assert endpoint.arrived[0].json == BAD
        with pytest.raises(httpx.ConnectError):
            await client.post(f"https://{LOCAL}:{endpoint.port}/v1/chat/completions", json=BAD)


async def test_unless_asked_to(trust: Trust, endpoint: Endpoint):
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_intercept_all=True) as proxy,
        proxy.proxied(trust.of_proxy()) as client,
    ):
        answer = await client.post(f"https://127.0.0.1:{endpoint.port}/v1/chat/completions", json=BAD)
    assert answer.status_code == 200
    assert endpoint.arrived[0].json == BAD


async def test_plain_http_to_other_hosts_is_streamed_and_not_logged(
    trust: Trust, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
):
    """The answer's first piece arrives before its second is sent."""
    first_arrived = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"one"
        await first_arrived.wait()
        yield b"two"

    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = Answer(headers={"content-type": "text/plain"}, chunks=chunks())
        async with run_proxy(trust, f"http://{LOCAL}:{endpoint.port}", with_dumper=True) as proxy:
            caplog.clear()
            async with (
                proxy.proxied(trust.of_proxy()) as client,
                client.stream("POST", f"http://127.0.0.1:{endpoint.port}/private", content=b"x" * 100_000) as answer,
            ):
                received = []
                async for chunk in answer.aiter_bytes():
                    received.append(chunk)
                    first_arrived.set()
            async with proxy.client(tls=False) as client:
                endpoint.answer = Answer()
                await client.get("/models")
    assert received == [b"one", b"two"]
    assert len(endpoint.arrived[0].body) == 100_000
    assert "private" not in caplog.text + (shown := capsys.readouterr().out)
    assert "/v1/models" not in shown  # one line for each exchange: the addon's own
    assert "GET /v1/models untouched -> 200" in caplog.text
    assert f"server connect 127.0.0.1:{endpoint.port}" not in caplog.text
    assert f"server connect {LOCAL}:{endpoint.port}" in caplog.text


async def test_plain_text_in_a_tunnel_to_another_host_is_not_read(trust: Trust):
    async with (
        run_endpoint(trust, tls=False) as endpoint,
        run_proxy(trust, f"http://{LOCAL}:{endpoint.port}") as proxy,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(f"CONNECT 127.0.0.1:{endpoint.port} HTTP/1.1\r\n\r\n".encode())
        assert b"200" in await reader.readuntil(b"\r\n\r\n")
        body = json.dumps(BAD).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {LOCAL}\r\ncontent-length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        assert b"200" in await reader.readuntil(b"\r\n\r\n")
        writer.close()
        assert endpoint.arrived[0].json == BAD


# Re-routing


async def test_rerouting_changes_host_path_and_authority(trust: Trust, endpoint: Endpoint):
    async with (
        run_endpoint(trust) as other,
        run_proxy(
            trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_upstream=f"https://127.0.0.1:{other.port}/api/v3"
        ) as proxy,
    ):
        async with proxy.client() as client:
            await client.post("/chat/completions?x=1", json=BAD)
        async with proxy.client(http2=True) as client:
            await client.get("/models")
        async with proxy.proxied(trust.of_proxy()) as client:
            await client.post(f"https://{LOCAL}:{endpoint.port}/v1/embeddings", json={"input": "a", "model": "m"})
    assert endpoint.arrived == []
    targets = [arrived.target for arrived in other.arrived]
    assert targets == ["/api/v3/chat/completions?x=1", "/api/v3/models", "/api/v3/embeddings"]
    assert {arrived.headers["host"] for arrived in other.arrived} == {f"127.0.0.1:{other.port}"}


async def test_rerouting_from_tls_to_plain_http(trust: Trust, endpoint: Endpoint):
    async with (
        run_endpoint(trust, tls=False) as other,
        run_proxy(
            trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_upstream=f"http://127.0.0.1:{other.port}/v1"
        ) as proxy,
        proxy.client(http2=True) as client,
    ):
        answer = await client.post("/chat/completions", json=BAD)
    assert answer.http_version == "HTTP/2"
    assert other.arrived[0].json == REPAIRED
    assert other.arrived[0].http_version == "1.1"


# Keys


async def test_a_key_is_lent(proxy: Proxy, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HUNYUAN_API_KEY", "sk-lent")
    async with proxy.client() as client:
        await client.post("/chat/completions", json=BAD)
        await client.post("/chat/completions", json=BAD, headers={"authorization": "Bearer sk-own"})
        await client.post("/chat/completions", json=BAD, headers={"origin": "https://evil.example"})
        await client.get("/models")
        await client.post("/files", json=BAD)
    keys = [arrived.headers.get("authorization") for arrived in endpoint.arrived]
    assert keys == ["Bearer sk-lent", "Bearer sk-own", None, "Bearer sk-lent", None]


# Loops


async def test_a_call_of_its_own_is_refused(proxy: Proxy, endpoint: Endpoint):
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", json=BAD, headers={"x-hunyuan-fix-call": "1"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "proxy_loop"
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-hunyuan-fix-profile"] == "hunyuan"  # `run -- AGENT` learns from it where calls go
    assert endpoint.arrived == []


# Answers


@both_versions
async def test_a_stream_is_passed_on_as_it_comes(proxy: Proxy, endpoint: Endpoint, http2: bool):
    """The first event arrives before the second is sent."""
    first_arrived = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield EVENT % b"null"
        await first_arrived.wait()
        yield EVENT % b'"stop"' + b"data: [DONE]\n\n"

    endpoint.answer = Answer(headers={"content-type": "text/event-stream"}, chunks=chunks())
    received = b""
    async with (
        proxy.client(http2=http2) as client,
        client.stream("POST", "/chat/completions", json={**BAD, "stream": True}) as answer,
    ):
        async for chunk in answer.aiter_bytes():
            received += chunk
            first_arrived.set()
    assert received == STREAM
    assert answer.headers["x-hunyuan-fix"] == "parameters,answer-usage"
    assert endpoint.arrived[0].headers["accept-encoding"] == "identity"


async def test_a_stream_that_comes_compressed_is_unpacked(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = stream_answer(gzip.compress(STREAM), content_encoding="gzip")
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", json={**BAD, "stream": True})
    assert "content-encoding" not in answer.headers
    assert answer.content == STREAM


async def test_a_rate_limit_gets_its_honest_status(proxy: Proxy, endpoint: Endpoint):
    error = {"message": "请求限频，请稍后重试", "type": "runtime_error", "param": None, "code": "2003"}
    endpoint.answer = json_answer({"error": error}, 400)
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", content=GOOD)
    assert answer.status_code == 429
    assert answer.headers["retry-after"]
    assert answer.headers["x-hunyuan-fix"] == "answer-error"
    assert answer.json()["error"]["message"] == error["message"]


async def test_unknown_errors_pass_as_they_came(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = Answer(500, {"content-type": "text/html"}, [b"<h1>oh</h1>"])
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", content=GOOD)
    assert (answer.status_code, answer.content) == (500, b"<h1>oh</h1>")
    assert "x-hunyuan-fix" not in answer.headers


# The log


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [entry.getMessage() for entry in caplog.records if "rules=" in entry.getMessage()]


async def test_one_line_for_each_exchange(proxy: Proxy, caplog: pytest.LogCaptureFixture):
    async with proxy.client() as client:
        await client.post("/chat/completions?key=s3cret", json=BAD, headers={"authorization": "Bearer s3cret"})
        await client.post("/chat/completions", content=GOOD)
    rewritten, untouched = lines_of(caplog)
    assert rewritten.startswith("POST /v1/chat/completions model=hunyuan-lite rules=parameters vision_calls=0 cached=0")
    assert rewritten.endswith("-> 200")
    assert " rules=- " in untouched
    assert "s3cret" not in caplog.text


async def test_a_client_that_closes_at_done_gets_its_line(
    proxy: Proxy, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
):
    """Codex and kimi-cli do (docs/facts/clients.md#closing-at-done); mitmproxy then calls `error`, not `response`."""
    left = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield STREAM
        await left.wait()

    endpoint.answer = Answer(headers={"content-type": "text/event-stream"}, chunks=chunks())
    async with (
        proxy.client() as client,
        client.stream("POST", "/chat/completions", json={**BAD, "stream": True}) as answer,
    ):
        async for chunk in answer.aiter_bytes():
            if b"[DONE]" in chunk:
                break
    while not lines_of(caplog):
        await asyncio.sleep(0.01)
    left.set()
    assert "rules=parameters" in lines_of(caplog)[0]
    assert "-> 200, " in lines_of(caplog)[0]


# Options and life


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch):
    """The addon without a proxy around it, as far as the hooks under test need none. It never runs, nor listens."""
    monkeypatch.delenv("HUNYUAN_ADMIN")
    fix = HunyuanFix()
    with taddons.context(fix) as context:
        context.configure(fix)
        fix.is_running = True
        yield fix, context


@pytest.mark.parametrize(
    "options",
    [{"hunyuan_max_body": "plenty"}, {"listen_host": "0.0.0.0"}, {"mode": ["regular@0.0.0.0:8080"]}],
)
def test_a_live_change_that_does_not_parse_is_refused(alone, options: dict[str, object]):
    fix, context = alone
    before = fix.settings
    with pytest.raises(exceptions.OptionsError):
        context.configure(fix, **options)
    assert fix.settings == before
    (name,) = options
    assert getattr(context.options, name) != options[name]


def test_a_live_change_takes_effect(alone):
    fix, context = alone
    context.configure(fix, hunyuan_hosts="proxy.local", hunyuan_profile="tokenhub")
    assert fix.routes.known("proxy.local")
    assert fix.settings.profile == "tokenhub"


async def test_what_another_addon_answered_is_left_alone(alone):
    """proxyauth's 407 must cost no vision call (docs/facts/mitmproxy.md#answer-from-the-request-hook)."""
    fix, _ = alone
    flow = tflow.tflow(resp=True)
    flow.request.method, flow.request.host, flow.request.path = "POST", LOCAL, "/v1/chat/completions"
    await fix.requestheaders(flow)
    await fix.request(flow)
    assert not flow.request.stream
    assert exchanges.of(flow) is None


async def test_a_client_that_does_not_trust_the_proxy_is_told_of_once(
    proxy: Proxy, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
):
    bundle, ca = (proxy.trust.confdir / name for name in ("hunyuan-fix-ca-bundle.pem", "mitmproxy-ca-cert.pem"))
    async with proxy.proxied(ssl.create_default_context()) as client:
        for _ in range(3):
            with pytest.raises(httpx.ConnectError):
                await client.get(f"https://{LOCAL}:{endpoint.port}/v1/models")
    while caplog.text.count("client disconnect") < 3:
        await asyncio.sleep(0.01)
    (hint,) = [record.getMessage() for record in caplog.records if "trust the proxy's CA" in record.getMessage()]
    # SSL_CERT_FILE replaces the roots that a client has: with the CA alone it would trust no other host.
    assert f"SSL_CERT_FILE={bundle} (Python, curl, Rust)" in hint
    assert f"NODE_EXTRA_CA_CERTS={ca} (Node)" in hint
    assert 'eval "$(scripts/env)"' in hint
