"""The error of an endpoint that doesn't answer, in the client's format. Each cause: tests/faults/test_connecting.py."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from string import Formatter
from typing import Any

import httpx
import pytest
from mitmproxy.connection import Server
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow

from hunyuan_fix.dialects import DIALECTS
from hunyuan_fix.exchange import KEY as EXCHANGE_KEY
from hunyuan_fix.hooks import connections, unanswered
from hunyuan_fix.hooks.mitmproxy_internals import failed_calls
from hunyuan_fix.hooks.mitmproxy_internals.failed_calls import Failure
from hunyuan_fix.observe import statistics, statistics_text
from hunyuan_fix.upstream.client import LOOP_GUARD
from scripts.lib.processes import free_port
from tests.fault_proxy import DEAF, chunked, fault_proxy, http_answer, says, stream_head
from tests.http2_client import Http2Client
from tests.kept_flows import Kept, read, saved_and_read
from tests.matrix import VERSIONS, each
from tests.proxying import LOCAL, Endpoint, Proxy, Trust, run_proxy
from tests.seams.toys import ToyDialect
from tests.waiting import PATIENCE, until

KEY = "Bearer sk-not-in-messages"
CHAT = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}], "user": "me"}
EMBEDDINGS = {"model": "hunyuan-embedding", "input": "hi"}


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@asynccontextmanager
async def nowhere(trust: Trust, *beside: object, **options: Any) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy before a port without a program, and `host:port` of that."""
    where = f"{LOCAL}:{free_port()}"
    async with run_proxy(trust, f"http://{where}", *beside, hunyuan_breaker_failures="0", **options) as proxy:
        yield proxy, where


async def ask(proxy: Proxy, body: object, path: str = "/chat/completions", *, http2: bool = False) -> httpx.Response:
    async with proxy.client(http2=http2, headers={"authorization": KEY}) as client:
        return await client.post(path, json=body)


def test_each_failure_has_an_error_that_says_where() -> None:
    assert set(unanswered.ENTRIES) == set(Failure) - {Failure.STREAM_BROKEN, Failure.REQUEST_REFUSED}
    for entry in unanswered.ENTRIES.values():
        assert {name for _, name, _, _ in Formatter().parse(entry.message) if name} == {"where"}
        assert (entry.retry is False) != (entry.retry_after is not None) or entry in (
            unanswered.ENTRIES[Failure.NOT_HTTP],
            unanswered.ENTRIES[Failure.HEADERS_REFUSED],
        )


@each(
    "asked",
    {
        "chat": ("/chat/completions", CHAT),
        "stream": ("/chat/completions", CHAT | {"stream": True}),
        "embeddings": ("/embeddings", EMBEDDINGS),
        "another path": ("/files", {"any": "thing"}),
    },
    http2=VERSIONS,
)
async def test_it_is_openai_s_for_clients_of_openai_s_formats(trust: Trust, asked: Any, http2: bool):
    path, body = asked
    async with nowhere(trust) as (proxy, where):
        answer = await ask(proxy, body, path, http2=http2)
        assert answer.status_code == 502
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["retry-after"] == "2"
        done = "parameters,answer-usage" if "stream" in body else "parameters"
        assert answer.headers.get("x-hunyuan-fix") == (done if body is not EMBEDDINGS and "user" in body else None)
        error = answer.json()["error"]
        assert (error["code"], error["type"]) == ("upstream_unreachable", "server_error")
        assert where in error["message"]
        await until(lambda: not proxy.addon.process.finisher.under_way)


@each("live", {"whole": False, "streamed": True}, http2=VERSIONS)
async def test_it_is_in_the_dialect_of_the_client(
    trust: Trust, monkeypatch: pytest.MonkeyPatch, live: bool, http2: bool
):
    monkeypatch.setitem(DIALECTS, "toy", ToyDialect())
    async with nowhere(trust) as (proxy, where):
        answer = await ask(proxy, {"model": "hunyuan-lite", "say": "hi", "live": live}, "/toy", http2=http2)
    assert answer.status_code == 502
    assert list(answer.json()) == ["oops"]
    assert where in answer.json()["oops"]


@each("http2", VERSIONS)
async def test_the_client_keeps_its_connection(trust: Trust, http2: bool):
    async with nowhere(trust) as (proxy, _), proxy.client(http2=http2) as client:
        answers = [await client.post("/chat/completions", json=CHAT) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [502] * 3
        streams = {answer.extensions["network_stream"].get_extra_info("client_addr") for answer in answers}
        assert len(streams) == 1


async def test_streams_of_one_http2_connection_fail_each_by_itself(trust: Trust):
    async with nowhere(trust) as (proxy, _), Http2Client(proxy) as client:
        streams = [await client.post(CHAT) for _ in range(5)]
        assert {json.loads(await client.ended(stream))["error"]["code"] for stream in streams} == {
            "upstream_unreachable"
        }


@each("http2", VERSIONS)
async def test_an_answer_to_head_has_no_body(trust: Trust, http2: bool):
    async with nowhere(trust) as (proxy, _), proxy.client(http2=http2) as client:
        for _ in range(2):
            answer = await client.head("/models")
            assert (answer.status_code, answer.content) == (502, b"")
        assert (await client.post("/chat/completions", json=CHAT)).json()["error"]


@each("http2", VERSIONS)
async def test_a_request_that_is_sent_while_it_comes_is_answered(trust: Trust, http2: bool):
    """As with an upload, which the addon doesn't read: its end comes after the answer, or never."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(50):
            yield b"x" * 10_000
            await asyncio.sleep(0)

    async with nowhere(trust) as (proxy, _), proxy.client(http2=http2) as client:
        answer = await client.post("/files", content=pieces())
        assert answer.json()["error"]["code"] == "upstream_unreachable"
        assert (await client.post("/chat/completions", json=CHAT)).json()["error"]["code"] == "upstream_unreachable"


async def test_other_hosts_keep_what_mitmproxy_says(trust: Trust):
    async with nowhere(trust, hunyuan_hosts="other.example") as (proxy, _):
        answer = await ask(proxy, CHAT)
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")


async def test_under_observe_a_cut_answer_is_what_mitmproxy_says(trust: Trust):
    """And not the head that came."""
    async with fault_proxy(0) as faults:
        faults.always(says(http_answer(b'{"choices":[]}', length=999)))
        async with run_proxy(trust, f"http://{LOCAL}:{faults.port}", hunyuan_mode="observe") as proxy:
            answer = await ask(proxy, CHAT)
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")


async def test_under_observe_it_is_what_mitmproxy_says(trust: Trust):
    async with nowhere(trust, hunyuan_mode="observe") as (proxy, _):
        answer = await ask(proxy, CHAT)
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")


@each("fast", {"fast": True, "mitmproxy's dispatch": False})
async def test_log_metrics_slot_and_saved_flow_tell_of_it(trust: Trust, caplog: pytest.LogCaptureFixture, fast: bool):
    kept = Kept()
    async with nowhere(trust, kept, hunyuan_concurrency="1", hunyuan_fast_dispatch=fast) as (proxy, where):
        for _ in range(2):
            assert (await ask(proxy, CHAT)).status_code == 502
        await until(lambda: not proxy.addon.process.dispatcher.under_way)
        assert sum(proxy.addon.runtime.metrics.collect()[statistics.EXCHANGES].values()) == 2
    lines = [message for message in caplog.messages if message.startswith("POST")]
    assert len(lines) == 2
    assert all("-> 502 upstream_unreachable: " in line for line in lines)
    assert "sk-not-in-messages" not in caplog.text
    flow = saved_and_read(kept.last)
    assert isinstance(flow, HTTPFlow)
    assert flow.response
    assert flow.error
    assert where in json.loads(flow.response.content or b"")["error"]["message"]
    assert flow.metadata[EXCHANGE_KEY]["answered"] is True


async def test_a_page_of_an_allowed_origin_may_read_it(trust: Trust):
    async with nowhere(trust, hunyuan_allowed_origins="https://app.example") as (proxy, _), proxy.client() as client:
        answer = await client.post("/chat/completions", json=CHAT, headers={"origin": "https://app.example"})
    assert answer.status_code == 502
    assert answer.headers["access-control-allow-origin"]


async def test_the_breaker_counts_it_once(trust: Trust):
    where = f"{LOCAL}:{free_port()}"
    async with run_proxy(trust, f"http://{where}", hunyuan_breaker_failures="2") as proxy:
        codes = [(await ask(proxy, CHAT)).json()["error"]["code"] for _ in range(3)]
    assert codes == ["upstream_unreachable", "upstream_unreachable", "upstream_down"]


@each(
    "case",
    {
        "closed at once": (says(b"", ends="close"), "closed the connection"),
        "no HTTP": (says(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "no HTTP answer"),
        "cut in the body": (says(http_answer(b'{"choices":[]}', length=999)), "in the middle of its answer"),
    },
    http2=VERSIONS,
)
async def test_an_endpoint_that_breaks_off_before_a_byte_was_sent_on(trust: Trust, case: Any, http2: bool):
    fault, said = case
    async with fault_proxy(0) as faults:
        faults.always(fault)
        async with run_proxy(trust, f"http://{LOCAL}:{faults.port}") as proxy:
            answer = await ask(proxy, CHAT, http2=http2)
            assert (answer.status_code, answer.json()["error"]["code"]) == (502, "upstream_invalid_answer")
            assert said in answer.json()["error"]["message"]
            assert "SSH" not in answer.text
            assert answer.headers["x-hunyuan-fix"] == "parameters"
            await until(lambda: not proxy.addon.process.dispatcher.under_way)


@contextmanager
def full_port() -> Iterator[int]:
    """A port whose queue is full, as that of a host that drops what comes: a connection to it opens never."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield port


@each("http2", VERSIONS)
async def test_a_connection_that_never_opens_has_an_end(trust: Trust, monkeypatch: pytest.MonkeyPatch, http2: bool):
    monkeypatch.setattr(connections, "CONNECT_TIMEOUT", 0.2)
    with full_port() as port:
        options: dict[str, Any] = {"hunyuan_hosts": "127.0.0.1", "hunyuan_breaker_failures": "0"}
        async with run_proxy(trust, f"http://127.0.0.1:{port}", **options) as proxy:
            async with proxy.client(http2=http2, headers={"authorization": KEY}) as client:
                answers = await asyncio.gather(*(client.post("/chat/completions", json=CHAT) for _ in range(3)))
            await until(lambda: not proxy.addon.process.dispatcher.under_way)
    assert {answer.status_code for answer in answers} == {504}
    assert {answer.json()["error"]["code"] for answer in answers} == {"upstream_timeout"}


LARGE = {**CHAT, "messages": [{"role": "user", "content": "x" * 5000}]}


@each(
    "asked",
    {"chat": ("/chat/completions", {}), "Messages": ("/messages", {"max_tokens": 9}), "chunked": ("/messages", None)},
    http2=VERSIONS,
)
async def test_a_request_past_mitmproxy_s_own_limit_is_refused_in_its_format(
    trust: Trust, endpoint: Endpoint, asked: Any, http2: bool
):
    path, beside = asked
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target, body_size_limit="2k") as proxy, proxy.client(http2=http2) as client:
        if beside is None:

            async def pieces() -> AsyncIterator[bytes]:
                for piece in (b'{"model": "', b"x" * 3000, b'"}'):
                    yield piece

            answer = await client.post(path, content=pieces())
        else:
            answer = await client.post(path, json=LARGE | beside, headers={"authorization": KEY})
        again = await client.post("/chat/completions", json=CHAT, headers={"authorization": KEY})
    assert answer.status_code == 413
    error = answer.json()["error"]
    assert error["type"] == ("request_too_large" if path == "/messages" else "invalid_request_error")
    assert "body_size_limit" in error["message"]
    assert again.status_code == 200
    assert len(endpoint.arrived) == 1


async def test_a_request_that_goes_on_past_the_limit_is_read_no_further(trust: Trust, endpoint: Endpoint):
    """HTTP/1.1 has only the connection's end for that; of an HTTP/2 connection other streams may be under way."""
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", body_size_limit="2k") as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.reverse_port)
        head = b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: 999999\r\n\r\n"
        writer.write(head)
        async with asyncio.timeout(PATIENCE):
            answered = await reader.read()
        writer.close()
        assert answered.startswith(b"HTTP/1.1 413 ")
        assert answered.count(b"HTTP/1.1 ") == 1
        async with Http2Client(proxy) as client:
            stream = await client.post(LARGE, whole=False)
            assert b"body_size_limit" in await client.ended(stream)
            await client.ping()
            assert b"choices" in await client.ended(await client.post(CHAT))


async def test_a_refusal_at_the_headers_is_what_a_large_request_gets(trust: Trust, endpoint: Endpoint):
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target, body_size_limit="2k") as proxy, proxy.client() as client:
        headers = {"authorization": KEY, LOOP_GUARD: "1"}
        looped = await client.post("/chat/completions", json=CHAT, headers=headers)
        answer = await client.post("/chat/completions", json=LARGE, headers=headers)
    assert (answer.status_code, answer.json()) == (looped.status_code, looped.json())


@each(
    "case",
    {
        "too large": (http_answer(b'{"choices": [%b]}' % (b" " * 5000)), "body_size_limit"),
        "headers": (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n{}", "headers"),
    },
    http2=VERSIONS,
)
async def test_an_answer_that_mitmproxy_refuses_is_an_error_in_its_clients_format(trust: Trust, case: Any, http2: bool):
    given, said = case
    async with fault_proxy(0) as faults:
        faults.always(says(given))
        async with run_proxy(trust, f"http://{LOCAL}:{faults.port}", body_size_limit="2k") as proxy:
            chat = await ask(proxy, CHAT, http2=http2)
            other = await ask(proxy, CHAT | {"max_tokens": 9}, "/messages", http2=http2)
            await until(lambda: not proxy.addon.process.dispatcher.under_way)
    assert chat.status_code == other.status_code == 502
    assert said in chat.json()["error"]["message"]
    assert other.json()["type"] == "error"
    assert said in other.json()["error"]["message"]


CUT = stream_head(transfer_encoding="chunked").replace(b"connection: close\r\n", b"") + chunked(
    b'data: {"choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: {"cho', complete=False
)


@each(
    "asked",
    {
        "chat": ("/chat/completions", CHAT | {"stream": True}),
        "Messages": ("/messages", CHAT | {"stream": True, "max_tokens": 9}),
    },
    http2=VERSIONS,
)
async def test_a_stream_that_breaks_after_its_beginning_ends_with_an_error(
    trust: Trust, tmp_path: Path, asked: Any, http2: bool
):
    """In order, and the connection goes on."""
    path, body = asked
    file = tmp_path / "flows"
    async with fault_proxy(0) as faults:
        faults.always(says(CUT))
        async with run_proxy(trust, f"http://{LOCAL}:{faults.port}", save_stream_file=str(file)) as proxy:
            async with proxy.client(http2=http2, headers={"authorization": KEY}) as client:
                answers = [await client.post(path, json=body) for _ in range(2)]
                assert len({each.extensions["network_stream"].get_extra_info("client_addr") for each in answers}) == 1
            await until(lambda: not proxy.addon.process.dispatcher.under_way)
            said = answers[0].text
            assert said.count('"error"') == (2 if path == "/messages" else 1)
            assert said.endswith("\n\n")
            assert ("event: error\n" in said) == (path == "/messages")
            assert "broke off" in said.split("\n\n")[-2]
            assert '"cho' not in said.split("\n\n")[-2]
    kept = read(file)
    assert [flow.response and flow.response.text for flow in kept] == [answer.text for answer in answers]
    assert all(flow.error for flow in kept)


@each(
    "options",
    {
        "observed": {"hunyuan_mode": "observe"},
        "not of ours": {"hunyuan_hosts": "other.example", "hunyuan_upstream": ""},
    },
    http2=VERSIONS,
)
async def test_a_stream_that_passes_unchanged_stays_broken(trust: Trust, options: Any, http2: bool):
    """The client can tell it from a whole one."""
    async with fault_proxy(0) as faults:
        faults.always(says(CUT))
        async with run_proxy(trust, f"http://{LOCAL}:{faults.port}", **options) as proxy:
            with pytest.raises(httpx.RemoteProtocolError):
                await ask(proxy, CHAT | {"stream": True}, http2=http2)
            await until(lambda: not proxy.addon.process.dispatcher.under_way)


async def test_a_stream_whose_client_leaves_gets_no_last_words(trust: Trust, monkeypatch: pytest.MonkeyPatch):
    said: list[object] = []
    monkeypatch.setattr(failed_calls, "end_with", lambda *given: said.append(given))
    async with fault_proxy(0) as faults:
        faults.always(replace(says(CUT), ends="stall"))
        async with run_proxy(trust, f"http://{LOCAL}:{faults.port}") as proxy:
            async with (
                proxy.client(headers={"authorization": KEY}) as client,
                client.stream("POST", "/chat/completions", json=CHAT | {"stream": True}) as answer,
            ):
                await anext(answer.aiter_bytes())
            await until(lambda: not proxy.addon.process.dispatcher.under_way)
    assert said == []


@each("http2", VERSIONS)
async def test_a_client_that_leaves_before_the_answer_gets_none(trust: Trust, http2: bool):
    """The endpoint takes the connection and never answers the handshake: nothing says that it is down."""
    kept = Kept()
    async with fault_proxy(0) as faults:
        faults.always(DEAF)
        async with run_proxy(trust, f"https://{LOCAL}:{faults.port}", kept, hunyuan_breaker_failures="1") as proxy:
            asking = asyncio.create_task(ask(proxy, CHAT, http2=http2))
            await until(lambda: faults.accepted == 1)
            asking.cancel()
            await asyncio.wait({asking})
            await until(lambda: kept.last.error is not None)
            await until(lambda: not proxy.addon.process.finisher.under_way)
            assert not proxy.addon.process.dispatcher.under_way
            assert "opened 0" in statistics_text.text(proxy.addon.runtime.metrics)
    assert kept.last.response is None


async def test_a_stream_that_its_client_resets_gets_no_answer(trust: Trust):
    """Its HTTP/2 connection goes on."""
    kept = Kept()
    async with fault_proxy(0) as faults:
        faults.always(DEAF)
        async with (
            run_proxy(trust, f"https://{LOCAL}:{faults.port}", kept, hunyuan_breaker_failures="1") as proxy,
            Http2Client(proxy) as client,
        ):
            gone, stays = await client.post(CHAT), await client.post(CHAT)
            await until(lambda: faults.accepted == 1 and proxy.addon.process.dispatcher.under_way == 2)
            await client.reset(gone)
            await client.ping()
            await faults.hang_up()
            assert json.loads(await client.ended(stays))["error"]["code"] == "upstream_tls_failed"
    assert [flow.response is None for flow in kept.flows] == [True, False]


def test_the_proxy_in_between_is_named() -> None:
    flow = tflow.tflow()
    flow.server_conn = Server(address=("a", 1), via=("http", ("proxy.example", 3128)))
    assert unanswered._where(flow) == "address:22 (through the proxy proxy.example:3128)"


TWO_LENGTHS = b"Content-Length: 2\r\nContent-Length: 3\r\n"
AMBIGUOUS = {
    "a length and pieces": b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
    "a name": b"Content Length: 2\r\nContent-Length: 2\r\n",
}


async def sent(port: int, request: bytes) -> bytes:
    """What is answered to the raw `request` until the connection is closed."""
    reader, writer = await asyncio.open_connection(LOCAL, port)
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 60)
    writer.close()
    return answer


@each(
    "headers",
    AMBIGUOUS,
    language={"en": "en", "zh": "zh-CN"},
    path={"chat": "chat/completions", "messages": "messages"},
)
async def test_a_request_whose_headers_contradict_each_other_is_told_so(
    trust: Trust, endpoint: Endpoint, headers: bytes, language: str, path: str
):
    """Nothing after its headers is read: the connection is closed."""
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as proxy:
        head = f"POST /v1/{path} HTTP/1.1\r\nHost: {LOCAL}\r\nAccept-Language: {language}\r\n".encode()
        answer = await sent(proxy.reverse_port, head + headers + b"\r\n{}")
        head, _, body = answer.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        error = json.loads(body)["error"]
        assert ("请求头自相矛盾" in error["message"]) == (language == "zh-CN")
        assert ("error_code" in str(error)) == (path == "messages")
        assert endpoint.arrived == []
        page = await sent(proxy.reverse_port, b"GET /page HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n")
        assert b"<html>" in page  # not for a path of ours


async def test_a_request_with_two_lengths_keeps_what_mitmproxy_says(
    trust: Trust, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
):
    """It is answered, and its connection closed, before any hook is called."""
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}") as proxy:
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {LOCAL}\r\n".encode()
        answer = await sent(proxy.reverse_port, head + TWO_LENGTHS + b"\r\n{}")
        assert b"invalid content-length header" in answer
        assert endpoint.arrived == []
        async with proxy.client() as client:
            assert (await client.post("/chat/completions", json=CHAT)).status_code == 200
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
