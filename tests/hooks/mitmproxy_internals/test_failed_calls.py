"""What mitmproxy says of a call that failed, and the response that an add-on sets. On the wire: test_unanswered.py."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Generator, Iterator
from typing import Any

import httpx
import pytest
from mitmproxy import http
from mitmproxy.flow import Error
from mitmproxy.options import Options
from mitmproxy.proxy.commands import Log
from mitmproxy.proxy.context import Context
from mitmproxy.proxy.layers.http import HttpStream
from mitmproxy.proxy.layers.http._events import ErrorCode, RequestProtocolError, ResponseProtocolError
from mitmproxy.test import tflow

from hunyuan_fix.hooks.mitmproxy_internals import failed_calls, replacements
from hunyuan_fix.hooks.mitmproxy_internals.failed_calls import Failure
from scripts.lib.processes import free_port
from tests.matrix import VERSIONS, each
from tests.proxying import LOCAL, Trust, run_proxy


def of_connection(text: str) -> Failure:
    return failed_calls._failure(ResponseProtocolError(1, text, ErrorCode.CONNECT_FAILED), begun=False)


@pytest.mark.parametrize(
    ("text", "failure"),
    [
        ("[Errno -2] Name or service not known", Failure.NAME_UNKNOWN),
        ("[Errno -3] Temporary failure in name resolution", Failure.NAME_UNKNOWN),
        ("[Errno 8] nodename nor servname provided, or not known", Failure.NAME_UNKNOWN),
        ("[Errno 11001] getaddrinfo failed", Failure.NAME_UNKNOWN),
        (f"[Errno {errno.ECONNREFUSED}] Connect call failed ('127.0.0.1', 1)", Failure.REFUSED),
        ("[WinError 1225] The remote computer refused the network connection", Failure.REFUSED),
        (
            f"Multiple exceptions: [Errno {errno.ENETUNREACH}] Network is unreachable, "
            f"[Errno {errno.ECONNREFUSED}] Connect call failed ('10.0.0.1', 443)",
            Failure.REFUSED,
        ),
        (f"[Errno {errno.ETIMEDOUT}] Connect call failed ('10.0.0.1', 443)", Failure.CONNECT_TIMED_OUT),
        ("[WinError 121] The semaphore timeout period has expired", Failure.CONNECT_TIMED_OUT),
        (f"[Errno {errno.ENETUNREACH}] Network is unreachable", Failure.UNREACHABLE),
        (f"[Errno {errno.EHOSTUNREACH}] No route to host", Failure.UNREACHABLE),
        ("Upstream proxy 10.0.0.1:3128 refused HTTP CONNECT request: 403 Forbidden", Failure.UNREACHABLE),
        ("Connection killed: no", Failure.UNREACHABLE),
        ("Certificate verify failed: hostname mismatch", Failure.NOT_TRUSTED),
        ("Certificate verify failed: self-signed certificate", Failure.NOT_TRUSTED),
        ("The remote server does not speak TLS.", Failure.TLS_FAILED),
        ("connection closed", Failure.TLS_FAILED),
        ("OpenSSL Error([('SSL routines', '', 'sslv3 alert handshake failure')])", Failure.TLS_FAILED),
    ],
)
def test_the_cause_is_read_from_what_mitmproxy_says(text: str, failure: Failure):
    assert of_connection(text) is failure


async def test_what_this_system_says_is_understood():
    """asyncio's and the resolver's own words, as mitmproxy passes them on."""
    with pytest.raises(ConnectionRefusedError) as refused:
        await asyncio.open_connection(LOCAL, free_port())
    assert of_connection(str(refused.value)) is Failure.REFUSED
    with pytest.raises(socket.gaierror) as unknown:
        await asyncio.open_connection("nobody.invalid", 443)
    assert of_connection(str(unknown.value)) is Failure.NAME_UNKNOWN
    assert of_connection(str(OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT)))) is Failure.CONNECT_TIMED_OUT


@pytest.mark.parametrize(
    ("text", "begun", "failure"),
    [
        ("server closed connection", False, Failure.CLOSED),
        ("stream reset by server (INTERNAL_ERROR)", False, Failure.CLOSED),
        ("unexpected server response: b'x'", False, Failure.NOT_HTTP),
        ("Cannot parse HTTP response: x", False, Failure.NOT_HTTP),
        ("HTTP/1 protocol error: peer closed connection", True, Failure.BROKEN_OFF),
    ],
)
def test_the_end_of_a_connection_is_told_from_a_bad_answer(text: str, begun: bool, failure: Failure):
    event = ResponseProtocolError(1, text, ErrorCode.GENERIC_SERVER_ERROR)
    assert failed_calls._failure(event, begun=begun) is failure


@pytest.mark.parametrize(
    ("event", "state", "answered"),
    [
        (ResponseProtocolError(1, "x", ErrorCode.CONNECT_FAILED), "state_uninitialized", True),
        (ResponseProtocolError(1, "x", ErrorCode.CANCEL), "state_wait_for_response_headers", True),
        (ResponseProtocolError(1, "x", ErrorCode.GENERIC_SERVER_ERROR), "state_consume_response_body", True),
        (ResponseProtocolError(1, "x", ErrorCode.GENERIC_SERVER_ERROR), "state_stream_response_body", True),
        (ResponseProtocolError(1, "x", ErrorCode.GENERIC_SERVER_ERROR), "state_done", False),
        (ResponseProtocolError(1, "x", ErrorCode.GENERIC_SERVER_ERROR), "state_errored", False),
        (ResponseProtocolError(1, "x", ErrorCode.HTTP_1_1_REQUIRED), "state_wait_for_response_headers", False),
        (RequestProtocolError(1, "x", ErrorCode.CLIENT_DISCONNECTED), "state_wait_for_response_headers", False),
    ],
)
def test_a_client_that_waits_is_told(event: RequestProtocolError | ResponseProtocolError, state: str, answered: bool):
    stream = HttpStream(Context(tflow.tclient_conn(), Options()), 1)
    stream.server_state = getattr(stream, state)
    assert failed_calls._is_waited_for(stream, event) is answered
    stream.client_state = stream.state_errored
    assert not failed_calls._is_waited_for(stream, event)


class Answering:
    """An add-on that answers in the hook `error`, as this addon does."""

    def __init__(self) -> None:
        self.seen: list[Failure | None] = []

    def error(self, flow: http.HTTPFlow) -> None:
        self.seen.append(failed_calls.of(flow))
        flow.response = http.Response.make(418, b"mine", {"content-type": "text/plain"})


@pytest.fixture
def replaced() -> Iterator[None]:
    yield
    assert not replacements.ANSWERING.wanted_by


@each("http2", VERSIONS)
@pytest.mark.usefixtures("replaced")
async def test_mitmproxy_itself_sends_its_page_whatever_the_hook_sets(trust: Trust, http2: bool):
    """Where this fails, mitmproxy does it by itself: `failed_calls` isn't needed any more."""
    beside = Answering()
    async with run_proxy(trust, f"http://{LOCAL}:{free_port()}", beside, hunyuan_hosts="other.example") as proxy:
        async with proxy.client(http2=http2) as client:
            assert (await client.get("/models")).status_code == 418
        replacements.release(proxy.addon, replacements.ANSWERING)
        async with proxy.client(http2=http2) as client:
            answer = await client.get("/models")
            assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    assert beside.seen == [Failure.REFUSED, None]


async def test_a_failed_call_is_forgotten_with_its_end(trust: Trust):
    beside = Answering()
    async with run_proxy(trust, f"http://{LOCAL}:{free_port()}", beside) as proxy, proxy.client() as client:
        await client.get("/models")
        assert beside.seen == [Failure.REFUSED]
        assert not failed_calls._failures


class Killing(Answering):
    """One that kills the flow, too."""

    def error(self, flow: http.HTTPFlow) -> None:
        super().error(flow)
        flow.error = Error(Error.KILLED_MESSAGE)


@each("http2", VERSIONS)
async def test_a_killed_flow_gets_no_answer(trust: Trust, http2: bool):
    async with (
        run_proxy(trust, f"http://{LOCAL}:{free_port()}", Killing()) as proxy,
        proxy.client(http2=http2) as client,
    ):
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/models")


@pytest.mark.parametrize("over", [True, False])
async def test_mitmproxy_learns_whether_it_is_over(over: bool):
    stream = HttpStream(Context(tflow.tclient_conn(), Options()), 1)
    stream.flow = tflow.tflow()

    def checking() -> Generator[Log, Any, bool]:
        assert (yield Log("a")) == "reply"
        return over

    handling = failed_calls._told(stream, checking(), Failure.ANSWER_TOO_LARGE)
    next(handling)
    with pytest.raises(StopIteration) as end:
        handling.send("reply")
    assert end.value.value is over
