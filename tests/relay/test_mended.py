"""One more try for a refused call, as the relay makes it; and answers that pass unlooked at."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import pytest

from hunyuan_fix import profiles
from hunyuan_fix.circuit import Verdict
from hunyuan_fix.relay import TRIES_HEADER, Mended
from tests.fault_proxy import http_answer
from tests.relay.rig import END, GOOD, STREAM, Connection, Rig, answers, piece, resets, says, streams

REFUSAL = b'{"error":{"message":"no","type":"invalid_request_error"}}'
refuses = answers(REFUSAL, status=400)
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


@dataclass(slots=True)
class Mending:
    """Mends any refusal, by another body at another path."""

    rig: Rig
    asked: list[tuple[int, bytes]] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)

    async def __call__(self, status: int, body: bytes) -> Mended | None:
        self.asked.append((status, body))
        url = self.rig.endpoint.url.replace("/chat/completions", "/other")
        return Mended(url, [(b"x-mended", b"1")], b'{"b":2}', "", {}, self.ended.append)


def mending(rig: Rig) -> Mending:
    return Mending(rig)


async def test_the_mended_call_is_sent_once(rig: Rig):
    mend = mending(rig)
    rig.endpoint.plays(refuses, answers())
    got = await rig.send(rig.job(mend=mend))
    assert (got.status_code, got.content, got.headers[TRIES_HEADER]) == (200, GOOD, "2")
    assert (mend.asked, mend.ended) == ([(400, REFUSAL)], [200])
    first, second = rig.endpoint.asked
    assert (first.line, first.body) == ("POST /v1/chat/completions HTTP/1.1", b'{"a":1}')
    assert (second.line, second.body, second.headers["x-mended"]) == ("POST /v1/other HTTP/1.1", b'{"b":2}', "1")
    assert rig.waits == []
    assert rig.relay.counts.retries == {"mended": 1}


SECOND = {
    "refused": (answers(b'{"error":{"message":"another"}}', status=400), 400),
    "busy": (answers(b'{"error":{"message":"busy"}}', status=503), 503),
    "reset": (resets, 0),
    "no answer": (answers(b"<html>", content_type="text/html"), 0),
}


@pytest.mark.parametrize(("second", "status"), SECOND.values(), ids=SECOND.keys())
@pytest.mark.parametrize("judges", [True, False])
async def test_where_it_does_not_help_the_first_refusal_is_given(rig: Rig, second: Any, status: int, judges: bool):
    mend = mending(rig)
    rig.endpoint.plays(refuses, second)
    got = await rig.send(rig.job(mend=mend, judges=judges))
    assert (got.status_code, got.content) == (400, REFUSAL)
    assert mend.ended == [status]
    assert len(rig.endpoint.asked) == 2


async def test_a_stream_is_told_of_when_it_begins(rig: Rig):
    mend, more = mending(rig), asyncio.Event()

    async def slow(connection: Connection) -> None:
        await connection.send(STREAM, piece(EVENT))
        await more.wait()
        await connection.send(piece(LAST), END)

    rig.endpoint.plays(refuses, slow)
    async with rig.opened(rig.job(streamed=True, mend=mend, judges=False)) as got:
        pieces = got.aiter_raw()
        assert await anext(pieces) == EVENT
        assert mend.ended == [200]
        more.set()
        assert b"".join([each async for each in pieces]) == LAST
    assert mend.ended == [200]


async def test_a_stream_that_begins_with_an_error_does_not_help(rig: Rig):
    mend = mending(rig)
    rig.endpoint.plays(refuses, streams(b'data: {"error":{"message":"x","type":"invalid_request_error"}}\n\n'))
    got = await rig.send(rig.job(streamed=True, mend=mend, judges=False))
    assert (got.status_code, got.content) == (400, REFUSAL)
    assert mend.ended == [400]


async def test_nothing_is_sent_where_nothing_is_known(rig: Rig):
    async def knows_nothing(status: int, body: bytes) -> Mended | None:
        return None

    rig.endpoint.plays(refuses)
    got = await rig.send(rig.job(mend=knows_nothing))
    assert (got.status_code, len(rig.endpoint.asked)) == (400, 1)


async def test_a_mending_that_fails_gives_the_refusal(rig: Rig, caplog: pytest.LogCaptureFixture):
    async def fails(status: int, body: bytes) -> Mended | None:
        raise ValueError(body)

    rig.endpoint.plays(refuses)
    got = await rig.send(rig.job(mend=fails))
    assert (got.status_code, got.content) == (400, REFUSAL)
    assert "could not be mended" in caplog.text
    assert "invalid_request_error" not in caplog.text


async def test_after_the_deadline_nothing_is_sent_again(rig: Rig):
    mend = mending(rig)
    rig.endpoint.plays(refuses)
    assert (await rig.send(rig.job(mend=mend, deadline=0.0))).status_code == 400
    assert (mend.asked, len(rig.endpoint.asked)) == ([], 1)


async def test_it_comes_after_the_tries_and_is_the_last(rig: Rig):
    mend = mending(rig)
    busy = answers(b'{"error":{"message":"busy"}}', status=503)
    rig.endpoint.plays(busy, refuses, busy, answers())
    got = await rig.send(rig.job(mend=mend))
    assert (got.status_code, got.content, len(rig.endpoint.asked)) == (400, REFUSAL, 3)
    assert mend.asked == [(400, REFUSAL)]
    assert mend.ended == [503]


@pytest.mark.parametrize(("before", "tries"), [((), 2), ((answers(b"{}", status=503),), 2)], ids=["first", "second"])
async def test_a_plans_host_gets_one_further_try(rig: Rig, before: tuple[Any, ...], tries: int):
    mend, plan = mending(rig), replace(profiles.load("tokenhub-plan"), errors=())
    rig.endpoint.plays(*before, refuses, answers())
    got = await rig.send(rig.job(mend=mend, profile=plan, tries=2))
    assert len(rig.endpoint.asked) == tries
    assert got.status_code == (400 if before else 200)


async def test_both_tries_take_a_slot_and_the_breaker_hears_of_both(rig: Rig):
    told: list[Verdict] = []
    enter = rig.relay._gate.enter

    async def entering(*given: Any, **named: Any) -> Any:
        permit = await enter(*given, **named)
        tell = permit.tell
        told.append(Verdict.UNKNOWN)

        class Heard:
            def tell(self, verdict: Verdict) -> None:
                told.append(verdict)
                tell(verdict)

            def leave(self, verdict: Verdict) -> None:
                permit.leave(verdict)

        return Heard()

    rig.relay._gate.enter = entering  # type: ignore[method-assign]
    rig.endpoint.plays(refuses, answers())
    await rig.send(rig.job(mend=mending(rig)))
    assert told == [Verdict.UNKNOWN, Verdict.UP] * 2
    queues = rig.admission.state().queues
    assert sum(queue.under_way + queue.waiting for queue in queues) == 0


async def test_a_client_that_leaves_between_the_tries(rig: Rig):
    mend, asked, held = mending(rig), asyncio.Event(), asyncio.Event()

    async def waits(status: int, body: bytes) -> Mended | None:
        asked.set()
        await held.wait()
        return await mend(status, body)

    rig.endpoint.plays(refuses, answers())
    sending = asyncio.create_task(rig.send(rig.job(mend=waits)))
    await asked.wait()
    sending.cancel()
    while rig.relay.under_way:
        await asyncio.sleep(0)
    assert (mend.ended, len(rig.endpoint.asked)) == ([], 1)


async def test_a_client_that_leaves_while_the_mended_try_is_under_way(rig: Rig):
    mend, begun = mending(rig), asyncio.Event()

    async def silent(connection: Connection) -> None:
        begun.set()
        await connection.until_closed()

    rig.endpoint.plays(refuses, silent)
    sending = asyncio.create_task(rig.send(rig.job(mend=mend)))
    await begun.wait()
    sending.cancel()
    while rig.relay.under_way:
        await asyncio.sleep(0)
    assert mend.ended == [0]


# Answers that pass unlooked at

type Send = Callable[..., Awaitable[httpx.Response]]
HTML = b"<html><h1>502 Bad Gateway</h1></html>"
ODD = {
    "HTML": (http_answer(HTML, status=502, content_type="text/html"), 502, HTML),
    "a page for an answer": (http_answer(HTML, content_type="text/html"), 200, HTML),
    "nothing": (http_answer(b""), 200, b""),
    "an error in a 200": (http_answer(REFUSAL), 200, REFUSAL),
    "a packed refusal": (
        b"HTTP/1.1 400 X\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n" % len(gzip.compress(REFUSAL, mtime=0))
        + gzip.compress(REFUSAL, mtime=0),
        400,
        REFUSAL,
    ),
}


@pytest.mark.parametrize(("raw", "status", "body"), ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("streamed", [False, True])
async def test_any_answer_passes(rig: Rig, raw: bytes, status: int, body: bytes, streamed: bool):
    rig.endpoint.plays(says(raw))
    got = await rig.send(rig.job(judges=False, streamed=streamed))
    assert (got.status_code, got.content, len(rig.endpoint.asked)) == (status, body, 1)
    assert "x-should-retry" not in got.headers


async def test_a_packed_refusal_is_read(rig: Rig):
    mend = mending(rig)
    rig.endpoint.plays(says(ODD["a packed refusal"][0]), answers())
    assert (await rig.send(rig.job(judges=False, mend=mend))).content == GOOD
    assert mend.asked == [(400, REFUSAL)]


@pytest.mark.parametrize("label", ["text/event-stream", "text/plain"])
async def test_what_may_be_a_stream_is_not_held(rig: Rig, label: str):
    more = asyncio.Event()

    async def slow(connection: Connection) -> None:
        await connection.send(STREAM.replace(b"text/event-stream", label.encode()), piece(EVENT))
        await more.wait()
        await connection.send(piece(LAST), END)

    rig.endpoint.plays(slow)
    async with rig.opened(rig.job(streamed=True, judges=False)) as got:
        pieces = got.aiter_raw()
        assert await anext(pieces) == EVENT
        more.set()
        assert b"".join([each async for each in pieces]) == LAST
    rig.endpoint.plays(answers())
    got = await rig.send(rig.job(streamed=True, judges=False))
    assert got.headers["content-length"] == str(len(GOOD))


async def test_a_stream_passes_as_it_comes(rig: Rig):
    first = asyncio.Event()

    async def slow(connection: Connection) -> None:
        await connection.send(STREAM, piece(b": a comment\n\n"))
        await first.wait()
        await connection.send(piece(b"torn"), END)

    rig.endpoint.plays(slow)
    async with rig.opened(rig.job(streamed=True, judges=False)) as got:
        pieces = got.aiter_raw()
        assert await anext(pieces) == b": a comment\n\n"
        first.set()
        assert b"".join([each async for each in pieces]) == b"torn"


async def test_a_stream_that_breaks_breaks_for_the_client_too(rig: Rig):
    async def breaks(connection: Connection) -> None:
        await connection.send(STREAM, piece(EVENT))
        await connection.reset()

    rig.endpoint.plays(breaks)
    with pytest.raises(httpx.RemoteProtocolError):
        async with rig.opened(rig.job(streamed=True, judges=False)) as got:
            await got.aread()
    assert rig.relay.counts.broken == 1
    assert json.loads(REFUSAL)  # the relay goes on
    rig.endpoint.plays(answers())
    assert (await rig.send(rig.job(judges=False))).content == GOOD
