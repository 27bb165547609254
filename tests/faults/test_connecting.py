"""No connection at all: names that nobody knows, ports that nobody listens on, certificates that nobody may trust."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
import trustme

from scripts.lib.processes import free_port
from tests.fault_proxy import fault_proxy, reset
from tests.faults.setting import KEY, RELAYED, STREAMED, Setting, chat, one_error, run_setting, with_image
from tests.matrix import VERSIONS, each
from tests.proxying import LOCAL, Trust

UNKNOWN = "nobody.invalid"
HOSTS: dict[str, Any] = {"hunyuan_hosts": f"{LOCAL},{UNKNOWN}"}


@asynccontextmanager
async def unknown_name(_: Setting) -> AsyncIterator[str]:
    yield f"https://{UNKNOWN}"


@asynccontextmanager
async def closed_port(_: Setting) -> AsyncIterator[str]:
    yield f"https://{LOCAL}:{free_port()}"


@asynccontextmanager
async def another_name(setting: Setting) -> AsyncIterator[str]:
    """A certificate by the authority that is trusted, for somebody else."""
    async with fault_proxy(setting.faults.target, _server(setting.proxy.trust.authority, "else.example")) as port:
        yield f"https://{LOCAL}:{port.port}"


@asynccontextmanager
async def self_signed(setting: Setting) -> AsyncIterator[str]:
    """The right name, by an authority that nobody has heard of."""
    async with fault_proxy(setting.faults.target, _server(trustme.CA(), LOCAL)) as port:
        yield f"https://{LOCAL}:{port.port}"


@asynccontextmanager
async def no_tls(setting: Setting) -> AsyncIterator[str]:
    yield f"https://{LOCAL}:{setting.faults.target}"


@asynccontextmanager
async def reset_handshake(setting: Setting) -> AsyncIterator[str]:
    async with fault_proxy(setting.faults.target) as port:
        port.always(reset())
        yield f"https://{LOCAL}:{port.port}"


def _server(authority: trustme.CA, name: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


NOWHERE = {
    "unknown name": unknown_name,
    "closed port": closed_port,
    "another name": another_name,
    "self-signed": self_signed,
    "no TLS": no_tls,
    "reset handshake": reset_handshake,
}


async def ask(setting: Setting, url: str, body: dict[str, Any], *, http2: bool = False) -> httpx.Response:
    """One request by CONNECT."""
    trusted = setting.proxy.trust.of_proxy(http2=http2)
    async with setting.proxy.proxied(trusted, http1=not http2, http2=http2) as client:
        return await client.post(f"{url}/v1/chat/completions", json=body, headers={"authorization": KEY})


@pytest.fixture
async def setting(trust: Trust) -> AsyncIterator[Setting]:
    async with run_setting(trust, **HOSTS) as running:
        yield running


@pytest.fixture
async def relayed(trust: Trust) -> AsyncIterator[Setting]:
    async with run_setting(trust, **HOSTS, **RELAYED) as running:
        yield running


CODES = {
    unknown_name: ("upstream_unreachable", "its name has no address"),
    closed_port: ("upstream_unreachable", "refused"),
    another_name: ("upstream_tls_failed", "certificate can't be verified"),
    self_signed: ("upstream_tls_failed", "certificate can't be verified"),
    no_tls: ("upstream_tls_failed", "handshake failed"),
    reset_handshake: ("upstream_tls_failed", "handshake failed"),
}


@each("place", NOWHERE, http2=VERSIONS, stream=STREAMED)
async def test_it_is_one_error_that_names_the_place(setting: Setting, place: Any, http2: bool, stream: bool):
    async with place(setting) as url:
        answer = await ask(setting, url, chat(stream=stream), http2=http2)
    error = one_error(answer)
    code, cause = CODES[place]
    assert (answer.status_code, error["code"]) == (502, code)
    assert cause in error["message"]
    where = httpx.URL(url)
    assert f"{where.host}:{where.port or 443}" in error["message"]
    assert ("retry-after" in answer.headers) == (answer.headers.get("x-should-retry") != "false")
    assert (answer.headers.get("x-should-retry") == "false") == (place in (another_name, self_signed))
    assert KEY not in answer.text


@each("place", NOWHERE, start=2, http2=VERSIONS, stream=STREAMED)
async def test_it_is_one_error_under_all(relayed: Setting, place: Any, http2: bool, stream: bool):
    async with place(relayed) as url:
        answer = await ask(relayed, url, chat(stream=stream), http2=http2)
    error = one_error(answer)
    assert answer.status_code == 502
    assert error["code"] in ("upstream_unreachable", "upstream_tls_failed")
    assert str(httpx.URL(url).host) in error["message"]


@each("place", NOWHERE)
async def test_a_vision_call_that_reaches_nobody_is_an_error_of_our_own(trust: Trust, place: Any):
    """Nothing is forwarded: there would be a hole where the image was."""
    async with (
        run_setting(trust, **HOSTS, hunyuan_vision_tries="1") as setting,
        AsyncExitStack() as stack,
    ):
        url = await stack.enter_async_context(place(setting))
        before = setting.simulator.journal.by_path.total()
        answer = await ask(setting, url, with_image())
        assert setting.simulator.journal.by_path.total() == before
    assert answer.status_code in (502, 504)
    assert answer.json()["error"]["code"] == "vision_unreachable"
    assert answer.headers["retry-after"]
