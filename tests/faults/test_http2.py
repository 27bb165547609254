"""HTTP/2, where one connection carries many exchanges: a fault of one must not touch the others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fault_proxy import stall
from tests.faults.catalogue import STREAM
from tests.faults.setting import (
    KEY,
    ONCE,
    RELAYED,
    TEXT,
    TRIES,
    Setting,
    chat,
    errors,
    is_good,
    is_good_stream,
    one_error,
    run_setting,
    said,
    with_image,
)
from tests.http2_client import Http2Client
from tests.proxying import Trust
from tests.waiting import until

both_ways = pytest.mark.parametrize("options", [{}, RELAYED], ids=["vision", "all"])


def client(setting: Setting) -> Http2Client:
    return Http2Client(setting.proxy, {"authorization": KEY})


def text(body: bytes) -> Any:
    return json.loads(body)["choices"][0]["message"]["content"]


# Towards the client


@both_ways
@pytest.mark.parametrize("after", [0, STREAM], ids=["before-its-answer", "mid-stream"])
async def test_a_stream_that_is_reset_gives_its_slot_to_the_next(trust: Trust, options: dict[str, Any], after: int):
    """With one slot, the second request is answered only if the first has given it back."""
    options = options | {"hunyuan_concurrency": "1"}
    async with run_setting(trust, **options) as setting, client(setting) as http2:
        await setting.program(stall(after), noticed=False)
        first = await http2.post(chat(stream=True))
        await until(lambda: setting.arrived == 1)
        if after:
            await http2.begun(first)
        await http2.reset(first)
        second = await http2.post(chat())
        assert text(await http2.ended(second)) == TEXT
        assert setting.arrived == 2
        await until(lambda: setting.proxy.addon.process.dispatcher.under_way == 0)


@both_ways
async def test_a_stream_that_is_reset_in_the_queue_is_never_sent(trust: Trust, options: dict[str, Any]):
    options = options | {"hunyuan_concurrency": "1"}
    async with run_setting(trust, **options) as setting, client(setting) as http2:
        await setting.program(stall(), noticed=False)
        holder = await http2.post(chat())
        await until(lambda: setting.arrived == 1)
        waiting = await http2.post(chat(temperature=0.5))
        (queue,) = await queues(setting, waiting=1)
        assert queue.under_way == 1
        await http2.reset(waiting)
        last = await http2.post(chat())
        await http2.reset(holder)
        assert text(await http2.ended(last)) == TEXT
        await until(lambda: setting.slots == 0)
        bodies = [json.loads(request.body) for request in list(setting.simulator.journal.requests)[-setting.arrived :]]
        assert [body.get("temperature") for body in bodies] == [None, None]


async def queues(setting: Setting, *, waiting: int) -> Any:
    admission = setting.proxy.addon.runtime.admission
    await until(lambda: [queue.waiting for queue in admission.state().queues] == [waiting], admission.state)
    return admission.state().queues


@both_ways
async def test_a_vision_call_whose_stream_is_reset_disturbs_nobody(trust: Trust, options: dict[str, Any]):
    """The hook can't see it before it ends; then nothing is sent on."""
    async with run_setting(trust, **options, hunyuan_vision_tries="1") as setting:
        async with client(setting) as http2:
            await setting.program(stall())
            first = await http2.post(with_image())
            await until(lambda: setting.arrived == 1)
            await http2.reset(first)
            second = await http2.post(chat())
            assert text(await http2.ended(second)) == TEXT
        assert setting.arrived == 2


# Towards the endpoint


@pytest.fixture
async def setting(trust: Trust) -> AsyncIterator[Setting]:
    async with run_setting(trust, tls=True) as running:
        yield running


@pytest.fixture
async def relayed(trust: Trust) -> AsyncIterator[Setting]:
    async with run_setting(trust, tls=True, **RELAYED) as running:
        yield running


def disturb(setting: Setting, fault: str, times: int = 1) -> None:
    if fault.startswith("stall"):
        setting.notice_silence(ONCE)
    setting.simulator.faults.program([{"fault": fault, "times": times, "match": {"vision": False}}])


async def test_by_default_a_broken_connection_is_what_it_is_over_http1(setting: Setting):
    disturb(setting, "truncate_body")
    answer = await setting.ask(chat(), http2=True)
    assert (answer.status_code, one_error(answer)["code"]) == (502, "upstream_invalid_answer")
    disturb(setting, "cut:2")
    answer = await setting.ask(chat(stream=True), http2=True)
    assert [error["code"] for error in errors(answer.content)] == ["stream_broken"]
    assert [request.http_version for request in setting.simulator.journal.requests][-2:] == ["2", "2"]


@pytest.mark.parametrize("fault", ["truncate_body", "stall", "html_502", "rate_limit", "internal", "garbage_json"])
async def test_the_relay_tries_again(relayed: Setting, fault: str):
    disturb(relayed, fault)
    await relayed.program()
    assert is_good(await relayed.ask(chat()))
    assert relayed.arrived == 2
    disturb(relayed, fault, TRIES)
    one_error(await relayed.ask(chat()))
    assert relayed.arrived == 2 + TRIES
    assert {request.http_version for request in relayed.simulator.journal.requests} == {"2"}


@pytest.mark.parametrize("fault", ["cut:0", "stall", "error_event_first"])
async def test_the_relay_tries_a_stream_again_before_its_first_event(relayed: Setting, fault: str):
    disturb(relayed, fault)
    await relayed.program()
    assert is_good_stream(await relayed.ask(chat(stream=True)))
    assert relayed.arrived == 2


@pytest.mark.parametrize("fault", ["cut:2", "stall:2"])
async def test_the_relay_ends_a_stream_that_breaks_with_an_error(relayed: Setting, fault: str):
    disturb(relayed, fault, times=TRIES)
    await relayed.program()
    answer = await relayed.ask(chat(stream=True))
    assert said(answer.content)
    assert len(errors(answer.content)) == 1
    assert relayed.arrived == 1
    relayed.simulator.faults.rules.clear()


async def test_a_stall_of_one_call_does_not_end_another(relayed: Setting):
    """On a connection that both shared, httpcore would end both when one runs into its timeout."""
    disturb(relayed, "stall:2")
    stalled = asyncio.create_task(relayed.ask(chat(stream=True)))
    await until(lambda: relayed.simulator.journal.active == 1)
    answers = await asyncio.gather(*(relayed.ask(chat(stream=True)) for _ in range(4)))
    assert all(map(is_good_stream, answers))
    assert len(errors((await stalled).content)) == 1
