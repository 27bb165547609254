"""Vision calls, and what disturbs them: the client gets the answer to its request, or one error and nothing goes on.

The addon makes them itself and tries them again whatever `hunyuan_retry` says of the chat call.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fault_proxy import Fault, drip, stall
from tests.faults.catalogue import (
    BROKEN_ANSWERS,
    ERROR_ANSWERS,
    STALLED_ANSWERS,
    UNREADABLE_ANSWERS,
)
from tests.faults.setting import (
    RETRIES,
    STREAMED,
    TRIES,
    Setting,
    is_good,
    is_good_stream,
    leave,
    openai_error,
    run_setting,
    with_image,
)
from tests.matrix import VERSIONS, each
from tests.proxying import Trust
from tests.waiting import until

FAULTS = BROKEN_ANSWERS | STALLED_ANSWERS | UNREADABLE_ANSWERS | ERROR_ANSWERS


@pytest.fixture
async def setting(trust: Trust, retry: dict[str, Any]) -> AsyncIterator[Setting]:
    """`retry` is a parameter of each test: one of `RETRIES`."""
    async with run_setting(trust, hunyuan_vision_tries=str(TRIES), **retry) as running:
        yield running


def chat_requests(setting: Setting) -> list[Any]:
    """What arrived at the endpoint that is no vision call."""
    requests = list(setting.simulator.journal.requests)[-setting.arrived :] if setting.arrived else []
    bodies = [json.loads(request.body) for request in requests]
    return [body for body in bodies if "tools" in body]


@each("fault", FAULTS, stream=STREAMED, retry=RETRIES)
async def test_a_vision_call_that_fails_once_is_made_again(setting: Setting, fault: Fault, stream: bool):
    await setting.program(fault)
    answer = await setting.ask(with_image(stream=stream))
    assert is_good_stream(answer) if stream else is_good(answer)
    (forwarded,) = chat_requests(setting)
    assert "image_url" not in json.dumps(forwarded)
    assert "picture" in json.dumps(forwarded)


@each("fault", FAULTS, start=1, http2=VERSIONS, retry=RETRIES)
async def test_a_vision_call_that_always_fails_is_one_error(setting: Setting, fault: Fault, http2: bool):
    await setting.program(always=fault)
    answer = await setting.ask(with_image(stream=True), http2=http2)
    assert answer.status_code in (429, 502, 503, 504)
    assert answer.headers["retry-after"]
    assert openai_error(answer.json())["code"].startswith("vision_")
    assert setting.tries == TRIES
    assert not chat_requests(setting)


@each("retry", RETRIES)
async def test_a_slow_drip_is_a_description(setting: Setting):
    await setting.program(drip())
    assert is_good(await setting.ask(with_image()))


@each("http2", VERSIONS)
async def test_a_client_that_leaves_ends_its_vision_call(trust: Trust, http2: bool):
    async with run_setting(trust) as setting:
        await setting.program(always=stall(), noticed=False)
        async with leave(setting, with_image(), http2=http2):
            await until(lambda: setting.arrived == 1)
        await until(lambda: setting.faults.open == 0)
        assert setting.tries == 1
        assert not chat_requests(setting)
