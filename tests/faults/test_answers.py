"""Answers that aren't streamed, and what disturbs them on their way.

By default mitmproxy carries them: what breaks is one error, an error passes as it came, and a success that is no answer
becomes an error. Under `hunyuan_retry=all` the addon does: the client gets one whole answer or one error.
"""

from __future__ import annotations

import json

from tests.fault_proxy import DEAF, Fault, drip, http_answer, says, stall
from tests.faults.catalogue import (
    BROKEN_ANSWERS,
    DRIPS,
    ERROR,
    ERROR_ANSWERS,
    STALLED_ANSWERS,
    UNREADABLE_ANSWERS,
)
from tests.faults.setting import TRIES, Setting, chat, is_good, leave, one_error
from tests.matrix import VERSIONS, each
from tests.waiting import until

# By default


@each("fault", BROKEN_ANSWERS, http2=VERSIONS)
async def test_a_broken_answer_becomes_one_error(setting: Setting, fault: Fault, http2: bool):
    await setting.program(fault)
    answer = await setting.ask(chat(), http2=http2)
    assert (answer.status_code, one_error(answer)["code"]) == (502, "upstream_invalid_answer")
    assert setting.tries == 1


@each("fault", STALLED_ANSWERS, http2=VERSIONS)
async def test_a_client_that_gives_up_on_a_stall_frees_everything(setting: Setting, fault: Fault, http2: bool):
    await setting.program(fault)
    async with leave(setting, chat(), http2=http2):
        await until(lambda: setting.arrived == 1)
    await until(lambda: setting.faults.open == 0)


SUCCESSES = {
    name: fault
    for name, fault in (UNREADABLE_ANSWERS | ERROR_ANSWERS).items()
    if fault.says and fault.says.startswith(b"HTTP/1.1 200 ")
}


@each("fault", {name: fault for name, fault in (UNREADABLE_ANSWERS | ERROR_ANSWERS).items() if name not in SUCCESSES})
async def test_an_error_passes_as_it_came(setting: Setting, fault: Fault):
    """The endpoint's own error, odd as it is, says more than anything in its place."""
    await setting.program(fault)
    async with setting.client() as client, client.stream("POST", "/chat/completions", json=chat()) as answer:
        body = b"".join([piece async for piece in answer.aiter_raw()])
    assert fault.says
    head, _, said = fault.says.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 %d " % answer.status_code)
    assert said == body
    assert setting.tries == 1


@each("fault", SUCCESSES, http2=VERSIONS)
async def test_a_success_that_is_no_answer_becomes_an_error(setting: Setting, fault: Fault, http2: bool):
    await setting.program(fault)
    answer = await setting.ask(chat(), http2=http2)
    one_error(answer)
    assert answer.status_code == 502
    assert setting.tries == 1


@each("piece", DRIPS, http2=VERSIONS)
async def test_a_slow_drip_is_a_whole_answer(setting: Setting, piece: int, http2: bool):
    await setting.program(drip(piece))
    assert is_good(await setting.ask(chat(), http2=http2))


async def test_an_endpoint_that_stops_reading(setting: Setting):
    await setting.program(DEAF)
    long = chat()
    long["messages"] = [{"role": "user", "content": "x" * 2**23}]
    async with leave(setting, long):
        await until(lambda: setting.tries == 1)
    await until(lambda: setting.slots == 0)
    setting.faults.listen_again()
    await until(lambda: setting.faults.open == 0)


async def test_embeddings_are_no_different(setting: Setting):
    await setting.program(says(http_answer(json.dumps(ERROR).encode(), status=500)), stall(), always=None)
    body = {"model": "hunyuan-embedding", "input": "a"}
    answer = await setting.ask(body, path="/embeddings")
    assert (answer.status_code, answer.json()) == (500, ERROR)
    async with leave(setting, body, path="/embeddings"):
        await until(lambda: setting.arrived == 1)


# Under hunyuan_retry=all

ALL = BROKEN_ANSWERS | STALLED_ANSWERS | UNREADABLE_ANSWERS | ERROR_ANSWERS


@each("fault", ALL, http2=VERSIONS)
async def test_a_fault_that_passes_leaves_one_good_answer(relayed: Setting, fault: Fault, http2: bool):
    await relayed.program(fault)
    answer = await relayed.ask(chat(), http2=http2)
    assert is_good(answer)
    assert relayed.tries == 2
    assert answer.headers["x-hunyuan-fix-tries"] == "2"


@each("fault", ALL, start=1, http2=VERSIONS)
async def test_a_fault_that_lasts_leaves_one_error(relayed: Setting, fault: Fault, http2: bool):
    await relayed.program(always=fault)
    answer = await relayed.ask(chat(), http2=http2)
    one_error(answer)
    assert answer.status_code in (500, 502, 504)
    assert relayed.tries == TRIES


async def test_what_trying_again_can_not_mend_is_not_tried_again(relayed: Setting):
    error = {"message": "bad", "type": "invalid_request_error", "param": None, "code": "1001"}
    await relayed.program(always=says(http_answer(json.dumps({"error": error}).encode(), status=400)))
    answer = await relayed.ask(chat())
    assert (answer.status_code, one_error(answer)) == (400, error)
    assert answer.headers["x-should-retry"] == "false"
    assert relayed.tries == 1


@each("piece", DRIPS, http2=VERSIONS)
async def test_a_slow_drip_is_a_whole_answer_by_the_relay_too(relayed: Setting, piece: int, http2: bool):
    await relayed.program(drip(piece))
    assert is_good(await relayed.ask(chat(), http2=http2))
    assert relayed.tries == 1


async def test_an_endpoint_that_stops_reading_is_tried_again(relayed: Setting):
    await relayed.program(DEAF)
    long = chat(tools=[{"type": "function", "function": {"name": "f", "description": "x" * 2**23, "parameters": {}}}])
    assert is_good(await relayed.ask(long))
    assert relayed.tries == 2
    await until(lambda: relayed.slots == 0)
    relayed.faults.listen_again()


@each("fault", STALLED_ANSWERS, http2=VERSIONS)
async def test_a_client_that_gives_up_frees_the_relay(relayed: Setting, fault: Fault, http2: bool):
    await relayed.program(always=fault, noticed=False)
    async with leave(relayed, chat(), http2=http2):
        await until(lambda: relayed.arrived == 1)
    await until(lambda: relayed.faults.open == 0)
    assert relayed.tries == 1


async def test_embeddings_are_tried_again_too(relayed: Setting):
    await relayed.program(*BROKEN_ANSWERS.values())
    body = {"model": "hunyuan-embedding", "input": "a"}
    answers = [await relayed.ask(body, path="/embeddings") for _ in range(2)]
    assert answers[0].status_code == 502
    assert one_error(answers[0])
    assert answers[1].status_code == 502
    assert relayed.tries == 2 * TRIES
    answer = await relayed.ask(body, path="/embeddings")
    assert len(answer.json()["data"][0]["embedding"]) == 1024
