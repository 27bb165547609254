"""Many clients at once while connections fail: each gets its answer or one error, and no slot is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

import httpx
import pytest

from tests.fault_proxy import reset
from tests.faults.catalogue import BROKEN_ANSWERS, BROKEN_BEFORE_THE_STREAM, BROKEN_IN_MID_STREAM, UNREADABLE_ANSWERS
from tests.faults.setting import (
    RELAYED,
    Setting,
    chat,
    errors,
    is_good,
    is_good_stream,
    one_error,
    run_setting,
    with_image,
)
from tests.proxying import Trust
from tests.waiting import until

CLIENTS = 40
TRIES = 5


@pytest.mark.parametrize("seed", range(3))
async def test_each_client_gets_an_answer_or_one_error(trust: Trust, seed: int):
    chance = random.Random(seed)
    faults = [*BROKEN_ANSWERS.values(), *UNREADABLE_ANSWERS.values(), *BROKEN_BEFORE_THE_STREAM.values()]
    options = RELAYED | {"hunyuan_retry_tries": str(TRIES), "hunyuan_breaker_failures": "0"}
    async with run_setting(trust, **options) as setting:
        programmed = chance.choices(faults, k=CLIENTS)
        await setting.program(*programmed)
        answers = await asyncio.gather(*(one_client(setting, chance.random()) for _ in range(CLIENTS)))
        bad = answers.count(False)
        # Who gets an error has met as many faults as it had tries, or its vision call has met three.
        assert bad <= len(programmed) / 3


async def one_client(setting: Setting, kind: float) -> bool:
    """One request, whole or streamed, some with an image; whether its answer is good."""
    streamed, http2 = kind * 10 % 1 < 0.5, kind * 100 % 1 < 0.5
    body = with_image(stream=streamed) if kind < 0.2 else chat(stream=streamed)
    answer = await setting.ask(body, http2=http2)
    if answer.status_code != 200:
        one_error(answer)
        return False
    assert is_good_stream(answer) if streamed else is_good(answer)
    return True


async def test_without_retries_too_no_slot_is_lost(trust: Trust):
    """By default: pages of mitmproxy, broken streams; and after all of them every slot is free."""
    chance = random.Random(4)
    faults = [*BROKEN_ANSWERS.values(), *BROKEN_IN_MID_STREAM.values()]
    async with run_setting(trust, hunyuan_breaker_failures="0") as setting:
        await setting.program(*chance.choices(faults, k=CLIENTS))

        async def ask() -> None:
            with contextlib.suppress(httpx.RemoteProtocolError):
                await setting.ask(chat(stream=chance.random() < 0.5), http2=chance.random() < 0.5)

        await asyncio.gather(*(ask() for _ in range(CLIENTS)))
        await until(lambda: setting.slots == 0)


@pytest.mark.parametrize("options", [{}, RELAYED], ids=["vision", "all"])
async def test_an_endpoint_that_is_down_is_spared_and_found_again(trust: Trust, options: dict[str, Any]):
    options = options | {"hunyuan_breaker_failures": "3", "hunyuan_breaker_seconds": "50"}
    async with run_setting(trust, **options) as setting:
        await setting.program(always=reset())
        answers = [await setting.ask(chat()) for _ in range(3)]
        assert {answer.status_code for answer in answers} == ({502} if not options.get("hunyuan_retry") else {502, 503})
        assert setting.tries == 3
        spared = await setting.ask(chat())
        assert spared.status_code == 503
        assert one_error(spared)["code"] == "upstream_down"
        assert 1 <= int(spared.headers["retry-after"]) <= 50
        setting.faults.reset()
        setting.proxy.master.options.update(hunyuan_breaker_seconds="0.001")  # for the open circuit too
        assert is_good(await setting.ask(chat()))
        assert setting.tries == 4


async def test_a_stream_in_mid_air_counts_as_no_try_of_its_own(trust: Trust):
    """Forty streams that all break after their first event: forty requests at the endpoint, forty error events."""
    async with run_setting(trust, **RELAYED, hunyuan_breaker_failures="0") as setting:
        await setting.program(always=BROKEN_IN_MID_STREAM["reset"])
        answers = await asyncio.gather(*(setting.ask(chat(stream=True)) for _ in range(CLIENTS)))
        assert all(len(errors(answer.content)) == 1 for answer in answers)
        assert setting.arrived == CLIENTS
