from __future__ import annotations

import asyncio
import gzip
import json
import threading
from dataclasses import dataclass
from typing import Any

import pytest

from hunyuan_fix import profiles
from hunyuan_fix.admission import Account
from hunyuan_fix.relay import TRIES_HEADER, commitment, tries
from hunyuan_fix.relay.reading import Reading
from hunyuan_fix.upstream.circuit_breaker import Breaker
from hunyuan_fix.upstream.client import Transport
from hunyuan_fix.wire.flaws import Flaw
from hunyuan_fix.workers import LIGHT
from scripts.lib.processes import free_port
from tests.fault_proxy import chunked, http_answer, truncated_gzip
from tests.proxying import LOCAL, Trust, run_endpoint, stream_answer, trust
from tests.relay.rig import (
    END,
    GOOD,
    STREAM,
    Connection,
    Rig,
    Script,
    answers,
    piece,
    resets,
    rigged,
    says,
    silent,
    streams,
)

__all__ = ["trust"]

HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"


def vendor(code: str, message: str = "参数有误", type: str = "runtime_error") -> bytes:
    return json.dumps({"error": {"id": "0", "message": message, "type": type, "param": None, "code": code}}).encode()


LIMITED = vendor("2003", "请求限频，请稍后重试")


@dataclass(frozen=True, slots=True)
class Bad:
    """A try that fails, and what the client gets if all do."""

    script: Script
    status: int
    code: str
    streamed: bool = False


PASSING = {
    **{
        f"HTTP {status}": Bad(answers(vendor("1", "x"), status=status), status, "1")
        for status in (408, 409, 425, 429, 500, 502, 503, 504)
    },
    "rate limit as 400": Bad(answers(LIMITED, status=400), 400, "2003"),
    "HTML 502": Bad(answers(HTML, status=502, content_type="text/html"), 502, "upstream_error"),
    "HTML 503": Bad(answers(HTML, status=503, content_type="text/html"), 503, "upstream_error"),
    "cut 503": Bad(answers(b"{", status=503, length=100), 503, "upstream_error"),
    "HTML 200": Bad(answers(HTML, content_type="text/html"), 502, "upstream_invalid_answer"),
    "empty 200": Bad(answers(b""), 502, "upstream_invalid_answer"),
    "error in a 200": Bad(answers(LIMITED), 400, "2003"),
    "unknown error in a 200": Bad(answers(vendor("2000")), 502, "2000"),
    "error text in a 200": Bad(answers(b'{"error":"overloaded"}'), 502, "upstream_invalid_answer"),
    "reset": Bad(resets, 502, "upstream_unreachable"),
    "closed": Bad(says(), 502, "upstream_unreachable"),
    "no HTTP": Bad(says(b"SSH-2.0-x\r\n\r\n"), 502, "upstream_unreachable"),
    "short body": Bad(says(http_answer(GOOD, length=len(GOOD) + 1)), 502, "upstream_invalid_answer"),
    "cut chunks": Bad(
        says(STREAM.replace(b"text/event-stream", b"application/json"), chunked(GOOD, complete=False)),
        502,
        "upstream_invalid_answer",
    ),
    "cut without a length": Bad(
        says(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n" + GOOD[:-5]), 502, "upstream_invalid_answer"
    ),
    "long body": Bad(says(http_answer(GOOD, length=len(GOOD) - 1)), 502, "upstream_invalid_answer"),
    "cut gzip": Bad(says(truncated_gzip(GOOD)), 502, "upstream_invalid_answer"),
    "error event first": Bad(streams(b": wait\n\ndata: " + LIMITED + b"\n\n", DONE), 400, "2003", streamed=True),
    "empty stream": Bad(streams(b": wait\n\n"), 502, "upstream_invalid_answer", streamed=True),
    "stream of HTML": Bad(streams(HTML), 502, "upstream_invalid_answer", streamed=True),
    "unreadable event": Bad(streams(b"data: <html>\n\n"), 502, "upstream_invalid_answer", streamed=True),
    "stream cut before its first event": Bad(
        streams(EVENT[:-2], ends=False), 502, "upstream_invalid_answer", streamed=True
    ),
    "damaged stream": Bad(
        says(STREAM[:-2] + b"content-encoding: gzip\r\n\r\n", piece(EVENT), END),
        502,
        "upstream_invalid_answer",
        streamed=True,
    ),
    "stream in an unknown coding": Bad(
        says(STREAM[:-2] + b"content-encoding: compress\r\n\r\n", piece(EVENT), END),
        502,
        "upstream_invalid_answer",
        streamed=True,
    ),
}


@pytest.mark.parametrize("name", PASSING)
async def test_what_may_pass_is_tried_again(rig: Rig, name: str) -> None:
    bad = PASSING[name]
    good = streams(EVENT, DONE) if bad.streamed else answers()
    rig.endpoint.plays(bad.script, bad.script, good)
    answer = await rig.send(rig.job(streamed=bad.streamed))
    assert answer.status_code == 200
    assert answer.content == (EVENT + DONE if bad.streamed else GOOD)
    assert answer.headers[TRIES_HEADER] == "3"
    assert len(rig.endpoint.asked) == 3
    assert len(rig.waits) == 2
    assert rig.relay.counts.retries.total() == 2
    assert (rig.relay.counts.calls, rig.relay.counts.tries) == (1, 3)


@pytest.mark.parametrize("name", PASSING)
async def test_last_failure_is_one_error(rig: Rig, name: str) -> None:
    bad = PASSING[name]
    rig.endpoint.plays(bad.script)
    answer = await rig.send(rig.job(streamed=bad.streamed, tries=2))
    assert len(rig.endpoint.asked) == 2
    assert answer.status_code == bad.status
    assert answer.json()["error"]["code"] == bad.code
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get("x-should-retry") != "false"


@pytest.mark.parametrize("streamed", [False, True])
async def test_silence_is_tried_again(rig: Rig, streamed: bool) -> None:
    rig.endpoint.plays(silent)
    answer = await rig.send(rig.job(silence=0.05, tries=2, streamed=streamed))
    assert rig.relay.counts.tries == 2
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "upstream_timeout"


FINAL = {
    "400": (400, vendor("1001")),
    "401": (401, vendor("401002", "invalid api key")),
    "403": (403, vendor("403001")),
    "404": (404, vendor("1006", "模型不存在")),
    "405": (405, b'{"message":"no error object"}'),
    "413": (413, vendor("1")),
    "422": (422, vendor("1")),
    "451": (451, vendor("451001")),
    "quota": (400, vendor("3008", "资源包余量已用尽")),
    "quota as 429": (429, vendor("3008", "资源包余量已用尽")),
    "loop": (400, vendor("proxy_loop")),
    "501": (501, vendor("1")),
}


@pytest.mark.parametrize("name", FINAL)
async def test_what_trying_again_cannot_mend_is_sent_once(rig: Rig, name: str) -> None:
    status, body = FINAL[name]
    rig.endpoint.plays(answers(body, status=status, x_should_retry="true", x_request_id="r"), answers())
    answer = await rig.send()
    assert answer.status_code == status
    assert answer.content == body
    assert answer.headers["x-should-retry"] == "false"
    assert answer.headers["x-request-id"] == "r"
    assert len(rig.endpoint.asked) == 1


@pytest.mark.parametrize(
    ("status", "type"),
    [
        (401, "authentication_error"),
        (403, "permission_error"),
        (404, "invalid_request_error"),
        (413, "invalid_request_error"),
    ],
)
@pytest.mark.parametrize("cut", [False, True])
async def test_final_error_that_is_no_json_becomes_ours(rig: Rig, status: int, type: str, cut: bool) -> None:
    body, length = HTML, len(HTML) + cut
    rig.endpoint.plays(answers(body, status=status, content_type="text/html", length=length), answers())
    answer = await rig.send()
    assert answer.status_code == status
    assert (answer.json()["error"]["type"], answer.json()["error"]["code"]) == (type, "upstream_error")
    assert answer.headers["x-should-retry"] == "false"
    assert len(rig.endpoint.asked) == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (vendor("3008", "资源包余量已用尽"), 400),
        (vendor("1006", "模型不存在"), 400),
        (vendor("401002", "invalid api key", "authentication_error"), 401),
        (vendor("x", "bad", "invalid_request_error"), 400),
        (vendor("451001"), 451),
    ],
)
@pytest.mark.parametrize("streamed", [False, True])
async def test_final_error_in_a_success_gets_its_status(rig: Rig, body: bytes, status: int, streamed: bool) -> None:
    rig.endpoint.plays(streams(b"data: " + body + b"\n\n") if streamed else answers(body), answers())
    answer = await rig.send(rig.job(streamed=streamed))
    assert answer.status_code == status
    assert answer.content == body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-should-retry"] == "false"
    assert len(rig.endpoint.asked) == 1


async def test_packed_error_is_read_and_passes_as_it_came(rig: Rig) -> None:
    packed = gzip.compress(LIMITED, mtime=0)
    rig.endpoint.plays(answers(packed, status=400, content_encoding="gzip"), answers())
    assert (await rig.send()).content == GOOD
    rig.endpoint.plays(answers(packed, status=400, content_encoding="gzip"))
    async with rig.opened(rig.job(tries=1)) as answer:
        assert b"".join([chunk async for chunk in answer.aiter_raw()]) == packed


async def test_only_a_large_answer_is_checked_in_a_thread(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []
    flaw = commitment.flaw

    def noting(body: bytes, encoding: str, limit: int, reading: Reading) -> Flaw | None:
        threads.append(threading.current_thread().name)
        return flaw(body, encoding, limit, reading)

    monkeypatch.setattr(commitment, "flaw", noting)
    for padding in (0, LIGHT):
        answer = GOOD + b" " * padding
        rig.endpoint.plays(answers(answer))
        assert (await rig.send()).content == answer
    assert threads[0] == threading.main_thread().name
    assert threads[1].startswith("hunyuan-fix-light")


async def test_answer_that_is_too_large_is_not_asked_for_again(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "MAX_ANSWER", 10)
    rig.endpoint.plays(answers())
    answer = await rig.send()
    assert (answer.status_code, answer.headers["x-should-retry"]) == (502, "false")
    assert answer.json()["error"]["code"] == "upstream_invalid_answer"
    assert len(rig.endpoint.asked) == 1


async def test_redirect_passes(rig: Rig) -> None:
    rig.endpoint.plays(answers(b"elsewhere", status=307, location="http://127.0.0.1:1/", content_type="text/plain"))
    answer = await rig.send()
    assert (answer.status_code, answer.headers["location"], answer.content) == (
        307,
        "http://127.0.0.1:1/",
        b"elsewhere",
    )


@pytest.mark.parametrize("body", [LIMITED, HTML])
@pytest.mark.parametrize("value", ["7", "Wed, 21 Oct 2099 07:28:00 GMT"])
async def test_retry_after_is_kept_to_and_handed_on(rig: Rig, body: bytes, value: str) -> None:
    rig.endpoint.plays(answers(body, status=429, retry_after=value))
    answer = await rig.send(rig.job(tries=2))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == value
    # A date in the far future is past the deadline: nobody waits for that.
    assert rig.waits == ([7.0] if value == "7" else [])


async def test_backoff_is_bounded_by_the_deadline(rig: Rig) -> None:
    rig.endpoint.plays(answers(LIMITED, status=400, retry_after="61"), answers())
    assert (await rig.send(rig.job(deadline=60))).status_code == 400
    assert len(rig.endpoint.asked) == 1


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:{closed}/v1", "upstream_unreachable"),
        ("http://no-such-host.invalid/v1", "upstream_unreachable"),
        ("https://127.0.0.1:{plain}/v1", "upstream_tls_failed"),
    ],
)
async def test_failed_connection_is_one_error(rig: Rig, url: str, code: str) -> None:
    async def speaks_no_tls(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    plain = await asyncio.start_server(speaks_no_tls, "127.0.0.1", 0)
    ports = {"closed": free_port(), "plain": plain.sockets[0].getsockname()[1]}
    async with plain:
        answer = await rig.send(rig.job(url=url.format(**ports), tries=2))
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == code
    assert "x-should-retry" not in answer.headers
    assert rig.relay.counts.tries == 2
    assert all(str(port) not in answer.text for port in ports.values())


async def test_endpoint_that_is_not_trusted(trust: Trust) -> None:
    async with run_endpoint(trust) as endpoint, rigged() as rig:
        answer = await rig.send(rig.job(url=f"https://{LOCAL}:{endpoint.port}/v1/chat/completions", tries=3))
        assert rig.relay.counts.tries == 1
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "upstream_tls_failed"


async def test_http2_endpoint(trust: Trust) -> None:
    async with run_endpoint(trust) as endpoint, rigged(Transport(trusted_ca=str(trust.authority_file))) as rig:
        endpoint.answer = stream_answer(EVENT, LAST, DONE)
        answer = await rig.send(rig.job(url=f"https://{LOCAL}:{endpoint.port}/v1/chat/completions", streamed=True))
        assert answer.content == EVENT + LAST + DONE
        assert endpoint.arrived[0].http_version == "2"
        assert endpoint.arrived[0].target == "/v1/chat/completions"


# Slots and the breaker


async def test_open_breaker_answers_at_once() -> None:
    async with rigged(breaker=Breaker(failures=2, seconds=30)) as rig:
        rig.endpoint.plays(answers(HTML, status=502, content_type="text/html"))
        answer = await rig.send(rig.job(tries=5))
        assert answer.status_code == 503
        assert answer.json()["error"]["code"] == "upstream_down"
        assert answer.headers["retry-after"] == "30"
        assert len(rig.endpoint.asked) == 2
        assert rig.relay.counts.refused == 1


async def test_full_queue_answers_at_once(rig: Rig) -> None:
    rig.admission.configure(queue_max=0, queue_timeout=60, leases=None)
    account = Account("one", 1)
    rig.endpoint.plays(silent)
    first = asyncio.create_task(rig.send(rig.job(account=account)))
    await rig.endpoint.until(lambda: len(rig.endpoint.asked) == 1)
    answer = await rig.send(rig.job(account=account))
    assert answer.status_code == 429
    assert "retry-after" in answer.headers
    assert rig.waits == []
    first.cancel()


async def test_slot_is_given_back_between_two_tries(rig: Rig) -> None:
    account = Account("one", 1)
    rig.endpoint.plays(resets, answers())
    rig.hold.clear()
    first = asyncio.create_task(rig.send(rig.job(account=account)))
    while not rig.waits:
        await asyncio.sleep(0)
    assert (await rig.send(rig.job(account=account))).content == GOOD
    assert not first.done()
    rig.hold.set()
    assert (await first).content == GOOD


async def test_slot_is_held_while_the_answer_streams(rig: Rig) -> None:
    account = Account("one", 1)
    ends = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.send(STREAM, piece(EVENT))
        await ends.wait()
        await connection.send(piece(DONE), END)

    rig.endpoint.plays(script, answers())
    async with rig.opened(rig.job(account=account, streamed=True)) as answer:
        chunks = answer.aiter_raw()
        assert await anext(chunks) == EVENT
        second = asyncio.create_task(rig.send(rig.job(account=account)))
        while rig.admission.state().queues[0].waiting == 0:
            await asyncio.sleep(0)
        assert len(rig.endpoint.asked) == 1
        ends.set()
        assert [chunk async for chunk in chunks] == [DONE]
    assert (await second).content == GOOD


# Streams


async def test_stream_is_held_until_its_first_event(rig: Rig) -> None:
    """What came before the first event of a try that failed is never seen."""
    rig.endpoint.plays(streams(b": first\n\n", b"data: " + LIMITED + b"\n\n"), streams(b": second\n\n", EVENT, DONE))
    answer = await rig.send(rig.job(streamed=True))
    assert answer.content == b": second\n\n" + EVENT + DONE


async def test_stream_without_an_event_is_passed_on_at_the_deadline(rig: Rig) -> None:
    """Then nothing would be tried again, and real clients leave after 120 s without a byte."""
    seen = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.send(STREAM, piece(b": thinking\n\n"))
        await seen.wait()
        await connection.send(piece(b"data: " + LIMITED + b"\n\n"), END)

    rig.endpoint.plays(script)
    async with rig.opened(rig.job(streamed=True, deadline=0.05)) as answer:
        chunks = answer.aiter_raw()
        assert await anext(chunks) == b": thinking\n\n"
        seen.set()
        assert [chunk async for chunk in chunks] == [b"data: " + LIMITED + b"\n\n"]
    assert len(rig.endpoint.asked) == 1


@pytest.mark.parametrize("streamed", [True, False])
async def test_whole_body_in_a_streams_place_is_judged_whole_and_has_its_label(rig: Rig, streamed: bool) -> None:
    error = json.dumps({"error": {"code": "429001", "message": "x"}}).encode()
    rig.endpoint.plays(streams(error[:9], error[9:]), streams(b" \n", GOOD[:9], GOOD[9:]))
    answer = await rig.send(rig.job(streamed=streamed))
    assert len(rig.endpoint.asked) == 2
    assert (answer.status_code, answer.content) == (200, b" \n" + GOOD)
    assert answer.headers["content-type"] == "application/json"


async def test_whole_body_in_a_streams_place_may_take_longer_than_the_deadline(rig: Rig) -> None:
    past = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.send(STREAM, piece(GOOD[:9]))
        await past.wait()
        await connection.send(piece(GOOD[9:]), END)

    rig.endpoint.plays(script)
    asking = asyncio.ensure_future(rig.send(rig.job(streamed=True, deadline=0.05)))
    asyncio.get_running_loop().call_later(0.2, past.set)
    answer = await asking
    assert answer.content == GOOD
    assert answer.headers["content-type"] == "application/json"


async def test_packed_stream_is_unpacked(rig: Rig) -> None:
    packed = gzip.compress(EVENT + DONE)
    rig.endpoint.plays(
        says(STREAM[:-2] + b"content-encoding: gzip\r\n\r\n", piece(packed[:20]), piece(packed[20:]), END)
    )
    answer = await rig.send(rig.job(streamed=True))
    assert "content-encoding" not in answer.headers
    assert answer.content == EVENT + DONE


async def broken_after(rig: Rig, *pieces: bytes, **job: Any) -> list[bytes]:
    """The events that a client sees of a stream that breaks after `pieces`, which it has got by then."""
    seen = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.send(STREAM, *map(piece, pieces))
        await seen.wait()
        if "silence" in job:
            await connection.until_closed()
        else:
            await connection.reset()

    rig.endpoint.plays(script, answers())
    got = b""
    async with rig.opened(rig.job(streamed=True, **job)) as answer:
        async for chunk in answer.aiter_raw():
            got += chunk
            seen.set()
    assert len(rig.endpoint.asked) == 1
    return got.removesuffix(b"\n\n").split(b"\n\n")


@pytest.mark.parametrize("torn", [b"", b'data: {"choices":[{"del', b"data", b'data: {"a":1}\n: '])
async def test_stream_that_breaks_ends_with_one_error_event(
    rig: Rig, torn: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    first, *_, last = await broken_after(rig, EVENT + torn)
    assert first + b"\n\n" == EVENT
    error = json.loads(last.removeprefix(b"data: "))["error"]
    assert error["code"] == "stream_broken"
    assert rig.relay.counts.broken == 1
    assert "broke off" in caplog.text


async def test_stream_that_falls_silent_ends_with_one_error_event(rig: Rig) -> None:
    first, last = await broken_after(rig, EVENT, silence=0.5)
    assert first + b"\n\n" == EVENT
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "upstream_timeout"


@pytest.mark.parametrize("end", [LAST, LAST + DONE, LAST + DONE[:-1], b"data: " + vendor("2000") + b"\n\n"])
async def test_stream_that_breaks_after_its_end_is_told_needs_no_error(rig: Rig, end: bytes) -> None:
    events = await broken_after(rig, EVENT + end)
    whole = (EVENT + end).rstrip(b"\n").split(b"\n\n")
    assert events == whole
    assert rig.relay.counts.broken == 0


async def test_damage_in_the_middle_of_a_packed_stream(rig: Rig) -> None:
    opened = gzip.compress(EVENT)[:-8]
    rig.endpoint.plays(says(STREAM[:-2] + b"content-encoding: gzip\r\n\r\n", piece(opened), piece(b"\xff" * 100), END))
    answer = await rig.send(rig.job(streamed=True))
    first, last = answer.content.removesuffix(b"\n\n").split(b"\n\n")
    assert first + b"\n\n" == EVENT
    assert json.loads(last.removeprefix(b"data: "))["error"]["code"] == "stream_broken"


# What is logged


async def test_setbacks_are_logged_without_contents(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    rig.endpoint.plays(answers(LIMITED, status=400), answers())
    await rig.send(None, b'{"messages": "private"}', authorization="Bearer key")
    lines = [record.getMessage() for record in caplog.records if record.name == "hunyuan_fix"]
    assert lines == ["call to 127.0.0.1: HTTP 400 (try 1 of 3)"]
    assert "private" not in caplog.text
    assert "Bearer" not in caplog.text


async def test_errors_are_read_by_the_profile(rig: Rig) -> None:
    rig.endpoint.plays(answers(vendor("401007", "FREE_QUOTA_EXHAUSTED", "permission_error"), status=402))
    answer = await rig.send(rig.job(profile=profiles.load("tokenhub")))
    assert (answer.status_code, answer.headers["x-should-retry"]) == (402, "false")
