"""Endpoints that can't be reached, before a real mitmdump: as a proxy with CONNECT, and in reverse."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
import pytest

from scripts.lib.processes import free_port
from tests.end_to_end.processes import LEGACY, Certificates, run_proxy
from tests.end_to_end.served import Served, serve
from tests.fault_proxy import DEAF, fault_proxy, says
from tests.kept_flows import read
from tests.matrix import VERSIONS, each
from tests.proxying import LOCAL, Endpoint, Trust
from tests.waiting import until

UNKNOWN = "nobody.invalid"
ASKED = {
    "chat": ("/chat/completions", {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}),
    "embeddings": ("/embeddings", {"model": "hunyuan-embedding", "input": "hi"}),
}


@asynccontextmanager
async def refused(_: Trust) -> AsyncIterator[str]:
    yield f"https://{LOCAL}:{free_port()}"


@asynccontextmanager
async def unknown(_: Trust) -> AsyncIterator[str]:
    yield f"https://{UNKNOWN}"


@asynccontextmanager
async def another_name(trust: Trust) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.authority.issue_cert("else.example").configure_cert(context)
    async with fault_proxy(0, context) as faults:
        yield f"https://{LOCAL}:{faults.port}"


@asynccontextmanager
async def closes_at_once(_: Trust) -> AsyncIterator[str]:
    server = await asyncio.start_server(lambda _, writer: writer.close(), LOCAL, 0)
    async with server:
        yield f"https://{LOCAL}:{server.sockets[0].getsockname()[1]}"


@asynccontextmanager
async def closes_for_an_answer(trust: Trust) -> AsyncIterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trust.authority.issue_cert(LOCAL).configure_cert(context)
    async with fault_proxy(0, context) as faults:
        faults.always(says(b""))
        yield f"https://{LOCAL}:{faults.port}"


PLACES = {
    "refused": (refused, "upstream_unreachable"),
    "unknown name": (unknown, "upstream_unreachable"),
    "another name": (another_name, "upstream_tls_failed"),
    "closes at once": (closes_at_once, "upstream_tls_failed"),
    "closes for an answer": (closes_for_an_answer, "upstream_invalid_answer"),
}


@asynccontextmanager
async def served(trust: Trust, *arguments: str) -> AsyncIterator[Served]:
    """mitmdump as a proxy, and in reverse before a port without a program."""
    options = [f"ssl_verify_upstream_trusted_ca={trust.authority_file}", "hunyuan_breaker_failures=0"]
    given = [part for option in options for part in ("--set", option)]
    async with serve(trust, Endpoint(port=free_port()), *given, *arguments, hosts=f"{LOCAL},{UNKNOWN}") as running:
        yield running


def proxied(running: Served, *, http2: bool = False) -> httpx.AsyncClient:
    """A client with HTTPS_PROXY."""
    return httpx.AsyncClient(
        proxy=f"http://127.0.0.1:{running.port}",
        verify=running.trust.of_proxy(http2=http2),
        http1=not http2,
        http2=http2,
        trust_env=False,
        timeout=60,
    )


def is_an_error(answer: httpx.Response, code: str, where: str) -> None:
    assert answer.status_code == 502, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert error["code"] == code
    assert where in error["message"]


async def test_by_connect(trust: Trust, tmp_path: Path):
    """All in one mitmdump, whose start takes longer than they do."""
    file = tmp_path / "flows"
    asked = 0
    async with AsyncExitStack() as stack:
        running = await stack.enter_async_context(served(trust, "-w", str(file)))
        for place, code in PLACES.values():
            url = await stack.enter_async_context(place(trust))
            for path, body in ASKED.values():
                for http2 in (False, True):
                    async with proxied(running, http2=http2) as client:
                        answer = await client.post(f"{url}/v1{path}", json=body)
                    assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
                    is_an_error(answer, code, httpx.URL(url).host)
                    asked += 1
        assert "Traceback" not in running.process.output
    flows = [flow for flow in read(file) if flow.request.method == "POST"]
    assert len(flows) == asked
    for flow in flows:
        assert flow.error
        assert flow.response
        assert json.loads(flow.response.content or b"")["error"]["code"].startswith("upstream_")


async def test_in_reverse(trust: Trust):
    async with served(trust) as running:
        for path, body in ASKED.values():
            for http2 in (False, True):
                async with running.client(http2=http2) as client:
                    is_an_error(await client.post(path, json=body), "upstream_unreachable", LOCAL)


@pytest.mark.parametrize("option", ["hunyuan_fast_dispatch=false", "connection_strategy=eager"])
async def test_with_other_options(trust: Trust, option: str):
    path, body = ASKED["chat"]
    async with served(trust, "--set", option) as running, refused(trust) as url, proxied(running) as client:
        is_an_error(await client.post(f"{url}/v1{path}", json=body), "upstream_unreachable", LOCAL)


@each("http2", VERSIONS)
async def test_a_handshake_that_is_never_answered_ends_with_its_client(trust: Trust, http2: bool):
    path, body = ASKED["chat"]
    async with fault_proxy(0) as faults, served(trust) as running:
        faults.always(DEAF)
        async with proxied(running, http2=http2) as client:
            asking = asyncio.create_task(client.post(f"https://{LOCAL}:{faults.port}/v1{path}", json=body))
            await until(lambda: faults.accepted == 1)
            asking.cancel()
            await asyncio.wait({asking})
        await running.until(r"POST /v1/chat/completions .*-> (connection closed|client disconnected)")
        assert "-> 502" not in running.process.output


TURNS = [{"role": "user", "content": "hi"}]
FORMATS = {
    "chat": ("/v1/chat/completions", {"model": "hunyuan-lite", "messages": TURNS}),
    "messages": ("/v1/messages", {"model": "hunyuan-lite", "max_tokens": 9, "messages": TURNS}),
    "responses": ("/v1/responses", {"model": "hunyuan-lite", "input": "hi"}),
}
LANGUAGES = {"en": "could not be reached", "zh": "无法连接接口"}
KEY = "sk-tp-0123456789abcdef"


def message_of(answer: httpx.Response, format_: str) -> str:
    """The error's message, where clients of the format look for it."""
    assert answer.status_code == 502, answer.text
    assert answer.headers["content-type"] == "application/json"
    error = answer.json()["error"]
    assert set(error) >= ({"type", "message"} if format_ == "messages" else {"type", "message", "code", "param"})
    assert answer.json().get("type") == ("error" if format_ == "messages" else None)
    return str(error["message"])


@each("retry", {"off": "off", "all": "all"})
async def test_in_every_format_and_language(trust: Trust, tmp_path: Path, retry: str):
    """As a proxy and in reverse, by HTTP/1.1 and HTTP/2. The key is in no answer, no log and no saved flow."""
    file, asked = tmp_path / "flows", 0
    options = ("--set", f"hunyuan_retry={retry}", "--set", "hunyuan_retry_tries=1", "-w", str(file))
    async with served(trust, *options) as running, refused(trust) as url:
        for http2 in (False, True):
            async with proxied(running, http2=http2) as by_proxy, running.client(http2=http2) as in_reverse:
                reverse_url = str(in_reverse.base_url).removesuffix("/v1/")
                for client, base in ((by_proxy, url), (in_reverse, reverse_url)):
                    for format_, (path, body) in FORMATS.items():
                        for language, words in LANGUAGES.items():
                            headers = {"authorization": f"Bearer {KEY}", "accept-language": f"{language};q=0.9"}
                            answer = await client.post(f"{base}{path}", json=body, headers=headers)
                            said = message_of(answer, format_)
                            assert words in said
                            assert LOCAL in said
                            assert KEY not in answer.text
                            asked += 1
        assert "Traceback" not in running.process.output
        assert KEY not in running.process.output
    flows = [flow for flow in read(file) if flow.request.method == "POST"]
    assert len(flows) == asked == 24
    assert KEY.encode() not in file.read_bytes()


@each("retry", {"off": "off", "all": "all"})
def test_the_host_of_a_platform_that_was_shut_down(certificates: Certificates, retry: str) -> None:
    """The error names the new platform and what to set, also while its circuit is open; no client asks again."""
    options = ("--set", f"hunyuan_retry={retry}", "--set", "hunyuan_breaker_failures=2")
    with run_proxy(certificates, {}, *options) as running:
        verify = certificates.proxy_trusted()
        with httpx.Client(proxy=running.url, verify=verify, trust_env=False, timeout=60) as client:
            for format_, (path, body) in FORMATS.items():
                for base, language in ((f"https://{LEGACY}", "zh"), (running.reverse_url.removesuffix("/v1"), "en")):
                    sent = httpx.post if base.startswith("http:") else client.post
                    answer = sent(f"{base}{path}", json=body, headers={"accept-language": language}, timeout=60)
                    said = message_of(answer, format_)
                    assert answer.headers["x-should-retry"] == "false"
                    assert "2026-09-30" in said
                    assert "hunyuan_upstream=https://tokenhub.tencentmaas.com/v1" in said
                    assert "hunyuan-fix run" in said
                    assert ("已于 2026-09-30 停服" in said) == (language == "zh")
