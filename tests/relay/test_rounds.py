"""A cut answer that is continued, as the relay makes its further calls."""

from __future__ import annotations

import asyncio
import gzip
import json
from dataclasses import replace
from typing import Any

import httpx
import pytest

from hunyuan_fix.admission import Account
from hunyuan_fix.answers.rounds.settings import Amount
from hunyuan_fix.answers.rounds.wanted import Wanted
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.relay import Job
from tests.answers.rounds.rounds import Client, choice, event, read, stream
from tests.fault_proxy import http_answer
from tests.relay.rig import END, STREAM, Connection, Rig, Script, answers, piece, resets, says, streams
from tests.rule_context import context

ASKED = [{"role": "user", "content": "Write."}]
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
BUSY = answers(b'{"error":{"message":"busy"}}', status=503)
REFUSED = answers(b'{"error":{"message":"too fast"}}', status=429)


def question(**more: Any) -> bytes:
    return json.dumps({"model": "kimi-k2.6", "messages": ASKED, **more}).encode()


def whole(text: Any, reason: str = "length", **more: Any) -> bytes:
    message = {"role": "assistant", "content": text, **more}
    made = {"id": "x", "created": 1, "model": "m", "usage": USAGE}
    return json.dumps(made | {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}).encode()


def job_of(rig: Rig, *, streamed: bool = False, model: str = "kimi-k2.6", **wanted: Any) -> Job:
    exchange = Exchange(profile="moonshot")
    exchange.demands = context("moonshot", model)
    exchange.rounds = Wanted(**{"rounds": 3, "seconds": 60.0} | wanted)
    return replace(
        rig.job(profile=exchange.demands.profile, streamed=streamed, tries=1), exchange=exchange, rounds=exchange.rounds
    )


def said_to(rig: Rig) -> list[dict[str, Any]]:
    """The last message of each request."""
    return [json.loads(asked.body)["messages"][-1] for asked in rig.endpoint.asked]


def text_of(response: httpx.Response) -> str:
    text: str = response.json()["choices"][0]["message"]["content"]
    return text


def told(text: str, reason: str = "length", number: int = 1) -> Script:
    return streams(stream([text], reason, number, usage=USAGE))


async def streamed(rig: Rig, job: Job, **more: Any) -> Client:
    got = await rig.send(job, question(stream=True, **more))
    assert got.status_code == 200
    return read(got.content)


async def test_a_whole_answer_is_continued(rig: Rig) -> None:
    rig.endpoint.plays(*(answers(whole(text)) for text in ("one ", "two ")), answers(whole("three", "stop")))
    job = job_of(rig)
    got = await rig.send(job, question())
    assert text_of(got) == "one two three"
    assert got.json()["choices"][0]["finish_reason"] == "stop"
    assert got.json()["usage"] == {name: 3 * count for name, count in USAGE.items()}
    assert got.headers["x-hunyuan-continue"] == "rounds=3"
    assert [message.get("content") for message in said_to(rig)] == ["Write.", "one ", "one two "]
    assert job.rounds is not None
    assert (job.rounds.made, job.rounds.ended) == (3, "")
    assert int(got.headers["content-length"]) == len(got.content)


async def test_a_packed_answer_is_continued(rig: Rig) -> None:
    rig.endpoint.plays(
        *(answers(gzip.compress(body), content_encoding="gzip") for body in (whole("one "), whole("two", "stop")))
    )
    got = await rig.send(job_of(rig), question())
    assert "content-encoding" not in got.headers
    assert text_of(got) == "one two"


async def test_an_answer_with_an_end_keeps_its_bytes(rig: Rig) -> None:
    for body in (whole("one", "stop"), whole("", "length"), whole("a", tool_calls=[{"id": "x"}]), b'{"choices":[7]}'):
        rig.endpoint.plays(answers(body))
        got = await rig.send(job_of(rig), question())
        assert got.content == body
        assert "x-hunyuan-continue" not in got.headers
    assert len(rig.endpoint.asked) == 4


async def test_a_stream_is_continued_as_it_comes(rig: Rig) -> None:
    more = asyncio.Event()

    async def slow(connection: Connection) -> None:
        first, rest = event(choices=[choice({"content": "two "})]), stream(["three"], "stop", 2, usage=USAGE)
        await connection.send(STREAM, piece(first[:20]), piece(first[20:]))
        await more.wait()
        await connection.send(piece(rest), END)

    rig.endpoint.plays(told("one "), slow)
    job, data = job_of(rig, streamed=True), b""
    async with rig.opened(job, question(stream=True)) as got:
        async for chunk in got.aiter_raw():
            data += chunk
            if b"two " in data:
                more.set()  # it is here before there is more
    seen = read(data)
    assert (seen.text, seen.reasons, seen.done) == ("one two three", ["stop"], 1)
    assert seen.ids == {("id-1", 1, "m1")}
    assert seen.usages == [{name: 2 * count for name, count in USAGE.items()}]
    assert job.rounds is not None
    assert (job.rounds.made, job.rounds.ended) == (2, "")


@pytest.mark.parametrize("is_streamed", [False, True])
async def test_at_the_bound_of_rounds_it_stays_cut(rig: Rig, is_streamed: bool) -> None:
    rig.endpoint.plays(told("one ") if is_streamed else answers(whole("one ")))
    job = job_of(rig, streamed=is_streamed)
    if is_streamed:
        seen = await streamed(rig, job)
        assert (seen.text, seen.reasons, seen.done) == ("one one one ", ["length"], 1)
        assert seen.usages == [{name: 3 * count for name, count in USAGE.items()}]
    else:
        got = await rig.send(job, question())
        assert (text_of(got), got.json()["choices"][0]["finish_reason"]) == ("one one one ", "length")
    assert job.rounds is not None
    assert (job.rounds.made, job.rounds.ended) == (3, "rounds")


FAILURES: dict[str, Script] = {
    "busy": BUSY,
    "too fast": REFUSED,
    "reset": resets,
    "a page": answers(b"<html>", content_type="text/html"),
    "nothing": says(http_answer(b"", content_type="text/event-stream")),
    "an error": streams(event(error={"message": "busy"})),
    "another list of choices": answers(b'{"choices":[7]}'),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES.keys())
@pytest.mark.parametrize("is_streamed", [False, True])
async def test_a_round_that_fails_leaves_what_is_paid_for(rig: Rig, failure: Script, is_streamed: bool) -> None:
    rig.endpoint.plays(told("one ") if is_streamed else answers(whole("one ")), failure)
    job = job_of(rig, streamed=is_streamed)
    if is_streamed:
        seen = await streamed(rig, job)
        assert (seen.text, seen.reasons, seen.done, seen.usages) == ("one ", ["length"], 1, [USAGE])
    else:
        got = await rig.send(job, question())
        assert got.content == whole("one ")
    assert job.rounds is not None
    assert (job.rounds.made, job.rounds.ended) == (1, "failed")


async def test_a_round_that_breaks_off_leaves_what_came(rig: Rig) -> None:
    broken = event(choices=[choice({"content": "two "})])
    rig.endpoint.plays(told("one "), says(STREAM, piece(broken), piece(broken[:30])))
    job = job_of(rig, streamed=True)
    seen = await streamed(rig, job)
    assert (seen.text, seen.reasons, seen.done) == ("one two ", ["length"], 1)
    assert job.rounds is not None
    assert (job.rounds.made, job.rounds.ended) == (2, "failed")


async def test_a_round_is_tried_again_as_any_call(rig: Rig) -> None:
    rig.endpoint.plays(told("one "), BUSY, told("two", "stop"))
    job = job_of(rig, streamed=True)
    assert (await streamed(rig, replace(job, tries=2))).text == "one two"
    rig.endpoint.plays(answers(whole("one ")), BUSY, answers(whole("two", "stop")))
    assert text_of(await rig.send(replace(job_of(rig), tries=2), question())) == "one two"


async def test_a_round_has_its_own_slot(rig: Rig) -> None:
    rig.endpoint.plays(told("one "), told("two", "stop"))
    job = replace(job_of(rig, streamed=True), account=Account("narrow", 1))
    assert (await streamed(rig, job)).text == "one two"


async def test_a_round_goes_ahead_of_new_calls(rig: Rig) -> None:
    """The call that waits already is next, since the slot is free between two rounds; then the round, then the rest."""
    free = [asyncio.Event(), asyncio.Event()]

    def waits_for(is_free: asyncio.Event, answer: bytes) -> Script:
        async def script(connection: Connection) -> None:
            await is_free.wait()
            await connection.send(http_answer(answer))

        return script

    done = whole("x", "stop")
    rig.endpoint.plays(waits_for(free[0], whole("one ")), waits_for(free[1], done), answers(done))
    account, calls = Account("narrow", 1), list[asyncio.Task[httpx.Response]]()
    for number in range(3):
        job = replace(job_of(rig), account=account)
        calls.append(asyncio.create_task(rig.send(job, question(messages=[{"role": "user", "content": str(number)}]))))
        while rig.relay.under_way <= number or rig.relay.expected:
            await asyncio.sleep(0)
    await rig.endpoint.until(lambda: len(rig.endpoint.asked) == 1)
    free[0].set()
    await rig.endpoint.until(lambda: len(rig.endpoint.asked) == 2)
    while sum(queue.waiting for queue in rig.admission.state().queues) < 2:
        await asyncio.sleep(0)
    free[1].set()
    for call in calls:
        await call
    assert [json.loads(asked.body)["messages"][0]["content"] for asked in rig.endpoint.asked] == ["0", "1", "0", "2"]


async def test_the_client_leaves(rig: Rig) -> None:
    gone = asyncio.Event()

    async def endless(connection: Connection) -> None:
        await connection.send(STREAM, piece(event(choices=[choice({"content": "two "})])))
        await connection.until_closed()
        gone.set()

    rig.endpoint.plays(told("one "), endless)
    async with rig.opened(job_of(rig, streamed=True), question(stream=True)) as got:
        async for chunk in got.aiter_raw():
            if b"two " in chunk:
                break
    await gone.wait()
    await rig.endpoint.until(lambda: rig.endpoint.connections == 0)
    assert len(rig.endpoint.asked) == 2
    await rig.endpoint.until(lambda: rig.relay.under_way == 0)


async def test_the_process_ends_within_a_further_round(rig: Rig) -> None:
    async def endless(connection: Connection) -> None:
        await connection.send(STREAM, piece(event(choices=[choice({"content": "two "})])))
        await connection.until_closed()

    rig.endpoint.plays(told("one "), endless)
    data = b""
    async with rig.opened(job_of(rig, streamed=True), question(stream=True)) as got:
        async for chunk in got.aiter_raw():
            data += chunk
            if b"two " in chunk:
                await rig.relay.cut()
    seen = read(data)
    assert (seen.text, seen.reasons, seen.done) == ("one two ", ["length"], 1)


async def test_the_process_ends_within_the_first_round(rig: Rig) -> None:
    async def endless(connection: Connection) -> None:
        await connection.send(STREAM, piece(event(choices=[choice({"content": "one "})])))
        await connection.until_closed()

    rig.endpoint.plays(endless)
    data = b""
    async with rig.opened(job_of(rig, streamed=True), question(stream=True)) as got:
        async for chunk in got.aiter_raw():
            data += chunk
            if b"one " in chunk:
                await rig.relay.cut()
    assert b'"error"' in data


async def test_at_the_bound_of_seconds(rig: Rig) -> None:
    """A stream is ended, and what came stays; of a whole answer no further call begins."""

    async def endless(connection: Connection) -> None:
        await connection.send(STREAM, piece(event(choices=[choice({"content": "two "})])))
        await connection.until_closed()

    rig.endpoint.plays(told("one "), endless)
    job = job_of(rig, streamed=True, seconds=2.0)
    seen = await streamed(rig, job)
    assert (seen.text, seen.reasons, seen.done) == ("one two ", ["length"], 1)
    assert job.rounds is not None
    assert job.rounds.ended == "seconds"
    rig.endpoint.plays(answers(whole("one ")))
    job = job_of(rig, seconds=1e-9)
    assert (await rig.send(job, question())).content == whole("one ")
    assert job.rounds is not None
    assert job.rounds.ended == "seconds"


async def test_at_the_bound_of_tokens(rig: Rig) -> None:
    rig.endpoint.plays(answers(whole("one ")))
    job = job_of(rig, tokens=12, rounds=9)
    assert text_of(await rig.send(job, question())) == "one one one "
    limits = [json.loads(asked.body).get("max_completion_tokens") for asked in rig.endpoint.asked]
    assert limits == [None, 7, 2]
    assert job.rounds is not None
    assert job.rounds.ended == "tokens"


async def test_the_clients_own_limit_is_never_exceeded(rig: Rig) -> None:
    rig.endpoint.plays(answers(whole("one ")))
    job = job_of(rig, own_limit=11, rounds=9)
    assert text_of(await rig.send(job, question(max_tokens=5))) == "one one one "
    assert [json.loads(asked.body)["max_tokens"] for asked in rig.endpoint.asked] == [5, 5, 1]
    assert job.rounds is not None
    assert job.rounds.ended == "limit"
    job = job_of(rig, own_limit=11, rounds=9)
    assert text_of(await rig.send(job, question(max_tokens=11))) == "one "  # the endpoint has the client's own


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (Amount(100.0, "USD"), ("one one one ", "rounds")),
        (Amount(0.00001, "USD"), ("one ", "cost")),
        (Amount(0.00005, "USD"), ("one one ", "cost")),  # each costs 0.0000295
        (Amount(100.0, "EUR"), ("one ", "cost")),  # its price in this currency isn't known
    ],
)
async def test_at_the_bound_of_cost(rig: Rig, most: Amount, expected: tuple[str, str]) -> None:
    rig.endpoint.plays(answers(whole("one ")))
    job = job_of(rig, cost=most)
    host = next(host for host, currency in job.profile.currencies.items() if currency == "USD")
    job = replace(job, upstream=f"https://{host}/v1")
    text = text_of(await rig.send(job, question()))
    assert job.rounds is not None
    assert (text, job.rounds.ended) == expected


async def test_where_the_window_is_full(rig: Rig) -> None:
    rig.endpoint.plays(answers(whole("one ")))
    job = job_of(rig)
    assert job.exchange is not None
    job.exchange.demands.model = replace(job.exchange.demands.model, context=5)
    assert text_of(await rig.send(job, question())) == "one "
    assert job.rounds is not None
    assert job.rounds.ended == "window"


async def test_without_knowing_what_the_endpoint_demands_nothing_is_continued(rig: Rig) -> None:
    rig.endpoint.plays(answers(whole("one ")))
    for changed in ({"exchange": None}, {"native": "anthropic-native"}):
        job = replace(job_of(rig), **changed)
        assert (await rig.send(job, question())).content == whole("one ")
        assert job.rounds is not None
        assert job.rounds.ended == "format"
    job = job_of(rig)
    assert (await rig.send(job, b'{"model":"m"}')).content == whole("one ")


async def test_a_whole_body_in_a_streams_place_passes(rig: Rig) -> None:
    rig.endpoint.plays(answers(whole("one ")))
    got = await rig.send(job_of(rig, streamed=True), question(stream=True))
    assert got.content == whole("one ")
    assert len(rig.endpoint.asked) == 1


async def test_a_round_whose_text_is_thoughts_alone_is_the_last(rig: Rig) -> None:
    rig.endpoint.plays(told("one "), streams(stream([""], "length", 2, thought="hm")))
    job = job_of(rig, streamed=True)
    seen = await streamed(rig, job)
    assert (seen.text, seen.reasons, seen.thoughts) == ("one ", ["length"], "")
    assert job.rounds is not None
    assert (job.rounds.made, job.rounds.ended) == (1, "nothing")
    assert len(rig.endpoint.asked) == 2
