"""Fallbacks as the relay asks for them: when, how often, and what the client gets of all that is said."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hunyuan_fix import profiles
from hunyuan_fix.fallbacks.reasons import Reason
from hunyuan_fix.relay import TRIES_HEADER, Elsewhere, Job, JobProgress, Mended, tries
from hunyuan_fix.relay.tries import Counts, Tools, Tries
from hunyuan_fix.upstream.gate import Gate
from hunyuan_fix.upstream.timing import Timing
from hunyuan_fix.workers import Workers
from tests.relay.rig import END, STREAM, Connection, Rig, Script, answers, piece, resets, rigged, says, silent, streams

BUSY = b'{"error":{"message":"busy","type":"overloaded"}}'
WRONG = b'{"error":{"message":"wrong","type":"invalid_request_error"}}'
CENSORED = b'{"error":{"message":"no","type":"content_filter_error","code":"content_filter"}}'
busy, wrong = answers(BUSY, status=503), answers(WRONG, status=400)


def body(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).encode()


def event(text: str) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": [{"index": 0, "delta": {"content": text}}]}).encode()


LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


@dataclass(slots=True)
class Entries:
    """So many entries, each at a path of its own of the rig's endpoint."""

    count: int
    changed: Callable[[Job], Job] = lambda job: job
    asked: list[Reason] = field(default_factory=list)
    over: list[tuple[bool, Reason]] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[None]] | None = None

    @property
    def is_left(self) -> bool:
        return len(self.asked) < self.count

    async def next(self, reason: Reason, before: Job) -> Elsewhere | None:
        if self.meanwhile is not None:
            await self.meanwhile()
        if not self.is_left:
            return None
        self.asked.append(reason)
        number = len(self.asked)
        url = before.url.rpartition("/v1")[0] + f"/v1/{number}"
        job = self.changed(replace(before, url=url))
        return Elsewhere(job, [(b"x-entry", str(number).encode())], b'{"entry":%d}' % number)

    def ended(self, *, answered: bool, reason: Reason) -> None:
        self.over.append((answered, reason))


async def test_the_next_answers(rig: Rig):
    entries = Entries(2)
    rig.endpoint.plays(busy, answers(body("second")))
    got = await rig.send(rig.job(tries=1, fallbacks=entries))
    assert (got.status_code, got.content, got.headers[TRIES_HEADER]) == (200, body("second"), "2")
    assert (entries.asked, entries.over) == (["down"], [(True, "")])
    first, second = rig.endpoint.asked
    assert (first.body, "x-entry" in first.headers) == (b'{"a":1}', False)
    assert (second.line, second.headers["x-entry"]) == ("POST /v1/1 HTTP/1.1", "1")
    assert (second.body, rig.waits) == (b'{"entry":1}', [])
    assert rig.relay.counts.retries == {"fallback": 1}


async def test_a_good_answer_asks_for_none(rig: Rig):
    entries = Entries(1)
    rig.endpoint.plays(answers())
    assert (await rig.send(rig.job(fallbacks=entries))).status_code == 200
    assert (entries.asked, entries.over) == ([], [(False, "")])


async def test_tries_come_first_and_each_entry_has_its_own(rig: Rig):
    entries = Entries(2, lambda job: replace(job, tries=3))
    rig.endpoint.plays(busy)
    got = await rig.send(rig.job(tries=2, fallbacks=entries))
    assert (got.status_code, got.content) == (503, BUSY)
    lines = [asked.line.split()[1] for asked in rig.endpoint.asked]
    assert lines == ["/v1/chat/completions"] * 2 + ["/v1/1"] * 3 + ["/v1/2"] * 3
    assert (entries.asked, entries.over) == (["down", "down"], [(False, "down")])


@pytest.mark.parametrize(
    ("first", "reason"),
    [(wrong, ""), (answers(CENSORED, status=451), ""), (busy, "down"), (resets, "down"), (answers(b"<p>"), "down")],
)
async def test_only_what_is_no_fault_of_the_request(rig: Rig, first: Script, reason: str):
    entries = Entries(1)
    rig.endpoint.plays(first, answers())
    await rig.send(rig.job(tries=1, fallbacks=entries))
    assert entries.asked == ([reason] if reason else [])


@pytest.mark.parametrize(("refusal", "count"), [(answers(WRONG, status=400), 2), (answers(CENSORED, status=451), 1)])
async def test_a_fallbacks_own_failure_leads_on_unless_it_is_the_content(rig: Rig, refusal: Script, count: int):
    entries = Entries(2)
    rig.endpoint.plays(busy, refusal, answers())
    got = await rig.send(rig.job(tries=1, fallbacks=entries))
    assert (len(entries.asked), got.status_code) == (count, 200 if count == 2 else 503)


async def test_the_first_error_is_given_where_all_fail(rig: Rig):
    entries = Entries(2)
    rig.endpoint.plays(answers(BUSY, status=429, **{"retry-after": "7"}), wrong, resets)
    got = await rig.send(rig.job(tries=1, fallbacks=entries))
    assert (got.status_code, got.content, got.headers["retry-after"]) == (429, BUSY, "7")
    assert entries.over == [(False, "down")]


async def test_a_redirect_is_no_answer_of_a_fallbacks(rig: Rig):
    entries = Entries(1)
    rig.endpoint.plays(busy, answers(b"", status=302))
    assert (await rig.send(rig.job(tries=1, fallbacks=entries))).status_code == 503
    assert entries.over == [(False, "refused")]


async def test_after_the_deadline_none_is_asked(rig: Rig):
    entries = Entries(1)
    rig.endpoint.plays(busy)
    assert (await rig.send(rig.job(deadline=0.0, fallbacks=entries))).status_code == 503
    assert entries.asked == []


async def test_none_is_asked_for_a_client_that_has_left(rig: Rig):
    entries, wanted = Entries(1), [True]

    async def leaves(connection: Connection) -> None:
        wanted.clear()
        await busy(connection)

    rig.endpoint.plays(leaves)
    progress = JobProgress(wanted=lambda: bool(wanted))
    assert (await rig.send(rig.job(tries=1, fallbacks=entries, progress=progress))).status_code == 503
    assert entries.asked == []


async def test_one_that_cannot_be_prepared_gives_the_first_error(rig: Rig, caplog: pytest.LogCaptureFixture):
    async def fails() -> None:
        raise ValueError("a secret")

    entries = Entries(1, meanwhile=fails)
    rig.endpoint.plays(busy)
    assert (await rig.send(rig.job(tries=1, fallbacks=entries))).status_code == 503
    assert "A fallback could not be prepared" in caplog.text
    assert "a secret" not in caplog.text
    assert entries.over == [(False, "down")]


async def test_a_stream_is_passed_on_as_it_comes(rig: Rig):
    entries, more = Entries(1), asyncio.Event()

    async def slow(connection: Connection) -> None:
        await connection.send(STREAM, piece(event("a")))
        await more.wait()
        await connection.send(piece(LAST), END)

    rig.endpoint.plays(busy, slow)
    async with rig.opened(rig.job(streamed=True, tries=1, fallbacks=entries)) as got:
        pieces = got.aiter_raw()
        assert await anext(pieces) == event("a")
        more.set()
        assert b"".join([each async for each in pieces]) == LAST
    assert entries.over == [(True, "")]


@pytest.mark.parametrize("end", [b"", b'data: {"error":{"message":"x","type":"server_error"}}\n\n'])
async def test_after_the_first_byte_none_is_asked(rig: Rig, end: bytes):
    entries = Entries(1)
    rig.endpoint.plays(streams(event("a"), *([end] if end else []), ends=False))
    got = await rig.send(rig.job(streamed=True, fallbacks=entries))
    assert (got.status_code, entries.asked) == (200, [])
    assert got.content.startswith(event("a"))
    assert b"error" in got.content


OPENED = b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n'
FAILED = b'data: {"error":{"message":"overloaded","type":"overloaded_error"}}\n\n'


async def test_a_stream_that_says_nothing_before_its_error_has_not_begun(rig: Rig):
    rig.endpoint.plays(streams(OPENED, OPENED, FAILED), streams(OPENED, event("b"), LAST))
    got = await rig.send(rig.job(streamed=True, tries=1, fallbacks=Entries(1)))
    assert got.content == OPENED + event("b") + LAST


async def test_the_last_one_begins_with_its_first_event(rig: Rig):
    rig.endpoint.plays(streams(OPENED, FAILED))
    got = await rig.send(rig.job(streamed=True, tries=1, fallbacks=Entries(0)))
    assert (got.status_code, got.content) == (200, OPENED + FAILED)


async def test_a_stream_that_is_opened_may_take_its_time(rig: Rig, limits: Limits):
    more = asyncio.Event()

    async def slow(connection: Connection) -> None:
        await connection.send(STREAM, piece(OPENED))
        await more.wait()
        await connection.send(piece(event("a")), piece(LAST), END)

    rig.endpoint.plays(slow)
    asking = asyncio.create_task(rig.send(rig.job(streamed=True, fallbacks=Entries(1))))
    while not (limits.made and limits.when is None):
        await asyncio.sleep(0)
    more.set()
    assert (await asking).content == OPENED + event("a") + LAST


async def test_comments_are_no_beginning(rig: Rig):
    entries = Entries(1)
    rig.endpoint.plays(streams(b": keep-alive\n\n", b": keep-alive\n\n", ends=False), streams(event("b"), LAST))
    got = await rig.send(rig.job(streamed=True, tries=1, fallbacks=entries))
    assert (got.status_code, got.content) == (200, event("b") + LAST)


async def test_a_silent_stream_has_half_of_the_time(rig: Rig):
    entries = Entries(1)
    rig.endpoint.plays(answers())
    await rig.send()  # what is loaded for a first call takes a part of it
    rig.endpoint.plays(silent, streams(event("b"), LAST))
    got = await rig.send(rig.job(streamed=True, tries=9, deadline=3.0, fallbacks=entries))
    assert (got.status_code, got.content, len(rig.endpoint.asked)) == (200, event("b") + LAST, 3)
    assert entries.asked == ["down"]


@dataclass(slots=True)
class Limits:
    """The times in which tries had to open their answers: as they are, and how they were at first."""

    made: list[asyncio.Timeout] = field(default_factory=list)
    first: list[float | None] = field(default_factory=list)

    @property
    def when(self) -> float | None:
        return self.made[0].when()


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Limits:
    noted = Limits()
    real = Tries._in_time

    def in_time(made: Tries) -> asyncio.Timeout:
        noted.made.append(real(made))
        noted.first.append(noted.made[-1].when())
        return noted.made[-1]

    monkeypatch.setattr(Tries, "_in_time", in_time)
    return noted


async def test_a_stream_that_has_begun_has_all_the_time(rig: Rig, limits: Limits):
    more, whens = asyncio.Event(), []

    async def slow(connection: Connection) -> None:
        whens.append(limits.when)
        await connection.send(STREAM, piece(event("a")))
        await more.wait()
        await connection.send(piece(LAST), END)

    rig.endpoint.plays(slow)
    async with rig.opened(rig.job(streamed=True, fallbacks=Entries(1))) as got:
        pieces = got.aiter_raw()
        await anext(pieces)
        whens.append(limits.when)
        more.set()
        assert b"".join([each async for each in pieces]) == LAST
    assert [when is None for when in whens] == [False, True]


@pytest.mark.parametrize("streamed", [False, True])
async def test_whole_answers_and_the_last_entry_have_all_the_time(rig: Rig, limits: Limits, streamed: bool):
    rig.endpoint.plays(busy, streams(event("b"), LAST) if streamed else answers())
    await rig.send(rig.job(streamed=streamed, tries=1, fallbacks=Entries(1)))
    assert [when is None for when in limits.first] == [not streamed, True]


async def test_a_first_try_after_the_deadline_has_all_the_time(rig: Rig, limits: Limits):
    """It has waited for its slot until then, and is made all the same."""
    rig.endpoint.plays(streams(event("b"), LAST))
    got = await rig.send(rig.job(streamed=True, deadline=0.0, fallbacks=Entries(1)))
    assert (got.content, limits.first) == (event("b") + LAST, [None])


async def test_a_stream_whose_time_is_over_is_not_begun_at_the_deadline():
    begun = []

    class Held:
        def begin(self) -> None:
            begun.append(1)

    async with rigged() as rig:
        made = Tries(Tools(rig.http_client, Gate(rig.admission, rig.breaker), Counts(), Workers(), Timing()), 0.0)
    made._gives_up = True
    for seconds in (0, None):
        made._limit = asyncio.timeout(seconds)
        made._give_up(cast(Any, Held()))
    assert begun == [1]


@pytest.mark.parametrize(("second", "reason"), [(wrong, []), (busy, ["down"])], ids=["still refused", "down by now"])
async def test_a_refused_request_is_mended_first(rig: Rig, second: Script, reason: list[str]):
    entries = Entries(1, lambda job: replace(job, mend=None))

    async def mend(status: int, error: bytes) -> Mended | None:
        return Mended(rig.endpoint.url, [], b'{"b":2}', "", {}, lambda _: None)

    rig.endpoint.plays(wrong, second, answers(body("x")))
    got = await rig.send(rig.job(mend=mend, fallbacks=entries))
    assert entries.asked == reason
    assert got.status_code == (200 if reason else 400)


async def test_the_error_that_was_to_be_mended_decides(rig: Rig):
    entries, lacks = Entries(1, lambda job: replace(job, mend=None)), answers(WRONG, status=404)

    async def mend(status: int, error: bytes) -> Mended | None:
        return Mended(rig.endpoint.url, [], b'{"b":2}', "", {}, lambda _: None)

    rig.endpoint.plays(lacks, wrong, answers(body("x")))
    got = await rig.send(rig.job(mend=mend, fallbacks=entries))
    assert (got.status_code, entries.asked) == (200, ["model"])


async def test_an_open_circuit_leads_on_without_a_call():
    from hunyuan_fix.upstream.circuit_breaker import Breaker

    async with rigged(breaker=Breaker(1)) as rig:
        rig.endpoint.plays(busy, answers())
        other = "http://other.example/v1"
        for count in (2, 3):
            entries = Entries(1, lambda job: replace(job, upstream=other))
            assert (await rig.send(rig.job(tries=1, fallbacks=entries))).status_code == 200
            assert (entries.asked, len(rig.endpoint.asked)) == (["down"], count)


async def test_tries_are_counted_by_endpoint(rig: Rig):
    entries, progress = Entries(1, lambda job: replace(job, upstream="http://other.example/v1")), JobProgress()
    rig.endpoint.plays(busy, busy, answers())
    await rig.send(rig.job(tries=2, fallbacks=entries, progress=progress))
    assert progress.made == {rig.job().upstream: 2, "http://other.example/v1": 1}


async def test_a_plans_host_gets_one_further_try_for_whatever_reason(rig: Rig):
    async def mend(status: int, error: bytes) -> Mended | None:
        return Mended(rig.endpoint.url, [], b'{"b":2}', "", {}, lambda _: None)

    plan = replace(profiles.load("tokenhub-plan"), errors=())
    # The same plan, by another model: what was tried there counts.
    entries = Entries(1, lambda job: replace(job, tries=1, mend=mend))
    rig.endpoint.plays(busy, wrong, answers())
    assert (await rig.send(rig.job(tries=1, profile=plan, fallbacks=entries))).status_code == 503
    assert len(rig.endpoint.asked) == 2


KINDS: dict[str, Callable[[str], Script]] = {
    "answer": lambda text: answers(body(text)),
    "stream": lambda text: streams(event(text), event(text), LAST),
    "busy": lambda text: answers(json.dumps({"error": {"message": text, "type": "x"}}).encode(), status=503),
    "quota": lambda text: answers(
        json.dumps({"error": {"message": text, "type": "insufficient_quota"}}).encode(), status=429
    ),
    "no model": lambda text: answers(json.dumps({"error": {"message": text}}).encode(), status=404),
    "wrong": lambda text: answers(json.dumps({"error": {"message": text}}).encode(), status=400),
    "reset": lambda text: resets,
    "page": lambda text: answers(f"<p>{text}</p>".encode(), content_type="text/html"),
    "error first": lambda text: streams(
        b"data: %b\n\n" % json.dumps({"error": {"message": text, "type": "server_error"}}).encode()
    ),
    "comments": lambda text: streams(f": {text}\n\n".encode(), ends=False),
    "torn head": lambda text: says(STREAM[:40]),
    "torn event": lambda text: streams(event(text)[:-9], ends=False),
    "cut": lambda text: streams(event(text), ends=False),
}
GOOD_KINDS = {"answer", "stream", "cut"}


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=5),
    tries=st.integers(1, 2),
    streamed=st.booleans(),
)
def test_whatever_fails_the_client_gets_one_answer_and_no_bytes_of_two(
    kinds: Sequence[str], tries: int, streamed: bool
):
    async def asked() -> tuple[httpx.Response, Entries]:
        async with rigged() as rig:
            entries = Entries(len(kinds) - 1, lambda job: replace(job, tries=1))
            rig.endpoint.plays(*(KINDS[kind](f"<{number}>") for number, kind in enumerate(kinds)))
            return await rig.send(rig.job(tries=1, streamed=streamed, fallbacks=entries)), entries

    got, entries = asyncio.run(asked())
    said = {number for number in range(len(kinds)) if f"<{number}>".encode() in got.content}
    assert len(said) <= 1
    assert len(entries.over) == 1
    answered = entries.over[0][0]
    if got.status_code == 200:
        (number,) = said
        assert number == len(entries.asked)
        assert answered == (number > 0)
        assert kinds[number] in GOOD_KINDS
        assert not GOOD_KINDS & set(kinds[:number])
        if kinds[number] == "stream":
            assert got.content == event(f"<{number}>") * 2 + LAST
    else:
        assert said <= {0}
        assert not answered
        assert len(got.content) == int(got.headers["content-length"])
        json.loads(got.content)


@pytest.mark.parametrize("streamed", [False, True])
async def test_an_answer_that_is_too_large_is_no_reason(rig: Rig, monkeypatch: pytest.MonkeyPatch, streamed: bool):
    monkeypatch.setattr(tries, "MAX_ANSWER", 10)
    entries = Entries(1)
    rig.endpoint.plays(answers(body("x")))
    got = await rig.send(rig.job(streamed=streamed, fallbacks=entries))
    assert (got.status_code, entries.asked, len(rig.endpoint.asked)) == (502, [], 1)
