from __future__ import annotations

import asyncio
import gzip
import json

import httpx
import pytest

from hunyuan_fix.admission import Account
from hunyuan_fix.relay import RELAY_HEADER
from hunyuan_fix.upstream.client import LOOP_GUARD
from tests.relay.rig import END, GOOD, STREAM, Connection, Rig, answers, piece, resets, silent, streams


async def refused(rig: Rig, request: httpx.Request) -> None:
    answer = await rig.client.send(request)
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "relay_secret_unknown"
    assert answer.headers["x-should-retry"] == "false"
    assert rig.endpoint.asked == []


@pytest.mark.parametrize("headers", [{}, {RELAY_HEADER: ""}, {RELAY_HEADER: "0" * 64}])
async def test_request_without_a_known_secret_is_refused(rig: Rig, headers: dict[str, str]) -> None:
    rig.relay.take(rig.job())
    await refused(rig, httpx.Request("POST", f"http://127.0.0.1:{rig.relay.port}/", headers=headers, content=b"{}"))


async def test_only_post_is_relayed(rig: Rig) -> None:
    secret = rig.relay.take(rig.job())
    for method in ("GET", "HEAD", "PUT"):
        request = httpx.Request(method, f"http://127.0.0.1:{rig.relay.port}/", headers={RELAY_HEADER: secret})
        answer = await rig.client.send(request)
        assert answer.status_code == 403
    assert rig.endpoint.asked == []


async def test_forgotten_secret_is_refused(rig: Rig) -> None:
    request = rig.request(rig.job())
    rig.relay.forget(request.headers[RELAY_HEADER])
    await refused(rig, request)


async def test_secret_is_good_for_one_request(rig: Rig) -> None:
    rig.endpoint.plays(answers())
    request = rig.request(rig.job())
    assert (await rig.client.send(request)).status_code == 200
    rig.endpoint.asked.clear()
    await refused(rig, request)


async def test_nobody_beyond_loopback_is_listened_to(rig: Rig) -> None:
    """127.0.0.2 is this machine too: a server on all addresses would answer there."""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.2", rig.relay.port)


async def test_start_again_changes_nothing(rig: Rig) -> None:
    port = rig.relay.port
    await rig.relay.start()
    assert rig.relay.port == port


async def test_request_reaches_the_endpoint_as_it_came(rig: Rig) -> None:
    rig.endpoint.plays(answers())
    body = json.dumps({"text": "你好"}).encode() * 100
    await rig.send(
        None, body, authorization="Bearer kéy", x_custom="ä, b", connection="x-hop", x_hop="1", te="trailers"
    )
    (asked,) = rig.endpoint.asked
    assert asked.line == "POST /v1/chat/completions HTTP/1.1"
    assert asked.body == body
    assert asked.headers["authorization"].encode("latin-1") == "Bearer kéy".encode()
    assert asked.headers["x-custom"].encode("latin-1") == "ä, b".encode()
    assert asked.headers["host"] == f"127.0.0.1:{rig.endpoint.port}"
    assert asked.headers[LOOP_GUARD] == "1"
    assert not {RELAY_HEADER, "x-hop", "te", "connection"} & set(asked.headers)


async def test_large_request_and_answer(rig: Rig) -> None:
    answer = json.dumps({"data": "x" * (4 << 20)}).encode()
    rig.endpoint.plays(answers(answer))
    body = b"y" * (20 << 20)
    answered = await rig.send(rig.job(max_body=1 << 20), body)
    assert answered.content == answer
    assert rig.endpoint.asked[0].body == body


async def test_answer_reaches_the_client_as_it_came(rig: Rig) -> None:
    packed = gzip.compress(GOOD, mtime=0)
    rig.endpoint.plays(answers(packed, content_encoding="gzip", x_request_id="r1", set_cookie="a=1\r\nset-cookie: b=2"))
    async with rig.opened(rig.job()) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])
    assert raw == packed
    assert answer.headers["content-length"] == str(len(packed))
    assert answer.headers["x-request-id"] == "r1"
    assert answer.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert "connection" not in answer.headers
    assert "x-hunyuan-fix-tries" not in answer.headers


async def test_connection_is_kept(rig: Rig) -> None:
    rig.endpoint.plays(answers())
    async with httpx.AsyncClient(trust_env=False, limits=httpx.Limits(max_connections=1)) as client:
        for _ in range(3):
            answer = await client.send(rig.request(rig.job()))
            assert answer.content == GOOD


async def test_stream_is_asked_for_without_a_coding(rig: Rig) -> None:
    rig.endpoint.plays(streams(b"data: {}\n\n"))
    await rig.send(rig.job(streamed=True), accept_encoding="gzip, br")
    await rig.send(rig.job(streamed=False), accept_encoding="gzip, br")
    assert [asked.headers["accept-encoding"] for asked in rig.endpoint.asked] == ["identity", "gzip, br"]


async def test_events_pass_one_by_one(rig: Rig) -> None:
    """The second event is sent only when the client has the first."""
    seen = asyncio.Event()

    async def script(connection: Connection) -> None:
        await connection.send(STREAM, piece(b'data: {"n":1}\n\n'))
        await seen.wait()
        await connection.send(piece(b'data: {"n":2}\n\n'), END)

    rig.endpoint.plays(script)
    async with rig.opened() as answer:
        chunks = answer.aiter_raw()
        assert await anext(chunks) == b'data: {"n":1}\n\n'
        seen.set()
        assert [chunk async for chunk in chunks] == [b'data: {"n":2}\n\n']


async def test_slow_client_holds_the_endpoint_back(rig: Rig) -> None:
    event = b'data: {"text":"' + b"x" * 65536 + b'"}\n\n'
    events, written = 1000, 0

    async def script(connection: Connection) -> None:
        nonlocal written
        await connection.send(STREAM)
        for _ in range(events):
            await connection.send(piece(event))
            written += 1
        await connection.send(END)

    rig.endpoint.plays(script)
    async with rig.opened() as answer:
        unchanged, before = 0, -1
        while unchanged < 10:
            unchanged, before = (unchanged + 1 if written == before else 0), written
            await asyncio.sleep(0.01)
        assert written < events
        got = [len(chunk) async for chunk in answer.aiter_raw()]
    assert sum(got) == events * len(event)


async def quiet(rig: Rig) -> None:
    """Slots, connections and tasks are back where they were."""
    await rig.endpoint.until(lambda: rig.endpoint.connections == 0)
    while rig.relay.under_way or rig.http_client.busy:
        await asyncio.sleep(0)
    assert all(queue.under_way == 0 for queue in rig.admission.state().queues)


async def test_client_that_leaves_before_the_answer_ends_the_call(rig: Rig) -> None:
    rig.endpoint.plays(silent)
    asking = asyncio.create_task(rig.send())
    await rig.endpoint.until(lambda: len(rig.endpoint.asked) == 1)
    asking.cancel()
    await quiet(rig)
    assert rig.relay.counts.abandoned == 1


async def test_client_that_leaves_in_the_middle_of_a_stream_ends_the_call(rig: Rig) -> None:
    async def script(connection: Connection) -> None:
        await connection.send(STREAM, piece(b"data: {}\n\n"))
        await connection.until_closed()

    rig.endpoint.plays(script)
    async with rig.opened() as answer:
        await anext(answer.aiter_raw())
    await quiet(rig)
    assert rig.relay.counts.abandoned == 1
    assert rig.relay.counts.broken == 0


async def test_client_that_leaves_between_two_tries_ends_the_call(rig: Rig) -> None:
    rig.endpoint.plays(resets)
    rig.hold.clear()
    asking = asyncio.create_task(rig.send())
    while not rig.waits:
        await asyncio.sleep(0)
    asking.cancel()
    await quiet(rig)
    assert len(rig.endpoint.asked) == 1


async def test_client_that_leaves_the_queue_gives_up_its_place(rig: Rig) -> None:
    account = Account("one", 1)
    rig.endpoint.plays(silent)
    first = asyncio.create_task(rig.send(rig.job(account=account)))
    await rig.endpoint.until(lambda: len(rig.endpoint.asked) == 1)
    second = asyncio.create_task(rig.send(rig.job(account=account)))
    while rig.admission.state().queues[0].waiting == 0:
        await asyncio.sleep(0)
    second.cancel()
    while rig.admission.state().queues[0].waiting:
        await asyncio.sleep(0)
    first.cancel()
    await quiet(rig)
    assert len(rig.endpoint.asked) == 1


async def test_close_ends_calls_and_listens_no_more(rig: Rig) -> None:
    rig.endpoint.plays(silent)
    asking = asyncio.create_task(rig.send())
    await rig.endpoint.until(lambda: len(rig.endpoint.asked) == 1)
    port = rig.relay.port
    await rig.relay.aclose()
    cut = await asking
    assert (cut.status_code, cut.json()["error"]["code"]) == (503, "proxy_shutting_down")
    assert int(cut.headers["retry-after"]) >= 1
    await quiet(rig)
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


@pytest.mark.parametrize("torn", [b"", b'data: {"choices":[{"delta"'])
async def test_a_stream_that_is_cut_ends_with_an_error_and_properly(rig: Rig, torn: bytes) -> None:
    first = b'data: {"choices":[]}\n\n'

    async def script(connection: Connection) -> None:
        await connection.send(STREAM, piece(first + torn))
        await connection.until_closed()

    rig.endpoint.plays(script)
    async with rig.opened() as answer:
        chunks = answer.aiter_raw()
        assert await anext(chunks) == first
        assert await rig.relay.cut() == 1
        event = b"".join([chunk async for chunk in chunks])
    assert event.startswith(b"data: {")
    assert event.endswith(b"}\n\n")
    error = json.loads(event.removeprefix(b"data: "))["error"]
    assert (error["type"], error["code"]) == ("server_error", "proxy_shutting_down")
    assert "incomplete" in error["message"]
    await quiet(rig)


async def test_a_stream_that_has_said_its_end_gets_no_error_when_cut(rig: Rig) -> None:
    whole = b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":"stop"}]}\n\n'

    async def script(connection: Connection) -> None:
        await connection.send(STREAM, piece(whole))
        await connection.until_closed()

    rig.endpoint.plays(script)
    async with rig.opened() as answer:
        chunks = answer.aiter_raw()
        assert await anext(chunks) == whole
        await rig.relay.cut()
        assert [chunk async for chunk in chunks] == []


async def test_after_a_cut_the_relay_goes_on(rig: Rig) -> None:
    rig.endpoint.plays(answers())
    assert await rig.relay.cut() == 0
    assert (await rig.send()).status_code == 200


async def test_relay_starts_again_after_its_close(rig: Rig) -> None:
    rig.endpoint.plays(answers())
    await rig.relay.aclose()
    await rig.relay.start()
    assert (await rig.send()).status_code == 200


async def test_failure_of_the_relay_itself_is_an_answer(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stream(*_given: object, **_named: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(rig.http_client, "stream", stream)
    answer = await rig.send()
    assert answer.status_code == 502
    assert answer.json()["error"]["code"] == "proxy_failed"
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text
    await quiet(rig)
