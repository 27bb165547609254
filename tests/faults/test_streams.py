"""Streams, and what disturbs them on their way.

By default mitmproxy carries them: before the head, a failure is one error; after it, a stream that breaks, or ends
without a finish reason, ends properly, with an error event. Under `hunyuan_retry=all` the addon does: until the first
event it tries again, after that a stream ends in the same way.
"""

from __future__ import annotations

import pytest

from tests.fault_proxy import HTML_502, Fault, chunked, drip, says, stall, stream_head
from tests.faults.catalogue import (
    BROKEN_BEFORE_THE_FIRST_EVENT,
    BROKEN_BEFORE_THE_STREAM,
    BROKEN_IN_MID_STREAM,
    DRIPS,
    ENDED_IN_MID_STREAM,
    ERROR,
    ERROR_EVENT,
    STALLS,
    STREAM,
    event,
)
from tests.faults.setting import (
    TRIES,
    Setting,
    chat,
    errors,
    is_good_stream,
    leave,
    one_error,
    said,
)
from tests.matrix import VERSIONS, each
from tests.waiting import until

# By default


@each("fault", BROKEN_BEFORE_THE_STREAM, http2=VERSIONS)
async def test_before_its_head_a_stream_fails_with_one_error(setting: Setting, fault: Fault, http2: bool):
    await setting.program(fault)
    answer = await setting.ask(chat(stream=True), http2=http2)
    assert (answer.status_code, one_error(answer)["code"]) == (502, "upstream_invalid_answer")
    assert setting.tries == 1


@each("fault", BROKEN_BEFORE_THE_FIRST_EVENT | BROKEN_IN_MID_STREAM, http2=VERSIONS)
async def test_after_its_head_a_stream_that_breaks_ends_with_an_error(setting: Setting, fault: Fault, http2: bool):
    """The answer's HTTP is in order."""
    await setting.program(fault)
    answer = await setting.ask(chat(stream=True), http2=http2)
    assert answer.status_code == 200
    (error,) = errors(answer.content)
    assert error["code"] == "stream_broken"
    assert setting.tries == 1


@each("fault", ENDED_IN_MID_STREAM, http2=VERSIONS)
async def test_a_stream_that_ends_too_early_says_so(setting: Setting, fault: Fault, http2: bool):
    await setting.program(fault)
    answer = await setting.ask(chat(stream=True), http2=http2)
    assert answer.status_code == 200
    assert said(answer.content).startswith("hi")
    (error,) = errors(answer.content)
    assert error["code"] == "stream_incomplete"
    assert setting.tries == 1


async def test_a_stream_without_an_event_says_so_too(setting: Setting):
    await setting.program(says(stream_head(transfer_encoding="chunked") + chunked()))
    answer = await setting.ask(chat(stream=True))
    (error,) = errors(answer.content)
    assert error["code"] == "stream_incomplete"


@pytest.mark.parametrize("before", [b"", event("hi")], ids=["first", "mid-stream"])
async def test_an_error_event_of_the_endpoint_passes(setting: Setting, before: bytes):
    await setting.program(says(stream_head() + before + ERROR_EVENT))
    answer = await setting.ask(chat(stream=True))
    assert answer.content == before + ERROR_EVENT
    assert errors(answer.content) == [ERROR["error"]]


async def test_an_error_in_place_of_a_stream_passes(setting: Setting):
    await setting.program(says(HTML_502))
    answer = await setting.ask(chat(stream=True))
    assert (answer.status_code, answer.content) == (502, HTML_502.partition(b"\r\n\r\n")[2])


@each("piece", DRIPS, http2=VERSIONS)
async def test_a_slow_drip_is_a_whole_stream(setting: Setting, piece: int, http2: bool):
    await setting.program(drip(piece))
    assert is_good_stream(await setting.ask(chat(stream=True), http2=http2))


@each("after", STALLS, http2=VERSIONS)
async def test_a_client_that_gives_up_on_a_stall_frees_everything(setting: Setting, after: int, http2: bool):
    await setting.program(stall(after))
    async with leave(setting, chat(stream=True), http2=http2) as received:
        await until(lambda: setting.arrived == 1 and bool(received) == bool(after))
    await until(lambda: setting.faults.open == 0)


# Under hunyuan_retry=all

BEFORE = (
    BROKEN_BEFORE_THE_STREAM
    | BROKEN_BEFORE_THE_FIRST_EVENT
    | {
        "stall before anything": stall(),
        "stall after the head": says(stream_head(), ends="stall"),
        "stall after a comment": says(stream_head() + b": ping\n\n", ends="stall"),
        "no event at all": says(stream_head(transfer_encoding="chunked") + chunked()),
        "an error event": says(stream_head() + ERROR_EVENT),
        "an event that is no JSON": says(stream_head() + b"data: <html>\n\n"),
        "an HTML page with 502": says(HTML_502),
    }
)


@each("fault", BEFORE, http2=VERSIONS)
async def test_before_its_first_event_a_stream_is_tried_again(relayed: Setting, fault: Fault, http2: bool):
    await relayed.program(fault)
    answer = await relayed.ask(chat(stream=True), http2=http2)
    assert is_good_stream(answer)
    assert relayed.tries == 2


@each("fault", BEFORE, start=1, http2=VERSIONS)
async def test_a_stream_that_never_begins_is_one_error(relayed: Setting, fault: Fault, http2: bool):
    await relayed.program(always=fault)
    answer = await relayed.ask(chat(stream=True), http2=http2)
    one_error(answer)
    assert answer.status_code in (502, 504)
    assert relayed.tries == TRIES


@each("fault", BROKEN_IN_MID_STREAM | {"stall": stall(STREAM)}, http2=VERSIONS)
async def test_after_its_first_event_a_stream_ends_with_an_error(relayed: Setting, fault: Fault, http2: bool):
    """The answer's HTTP is in order, and nothing is tried again: the client has seen a part of the answer."""
    await relayed.program(always=fault)
    answer = await relayed.ask(chat(stream=True), http2=http2)
    assert answer.status_code == 200
    assert said(answer.content)
    (error,) = errors(answer.content)
    assert error["code"] == ("upstream_timeout" if fault.ends == "stall" else "stream_broken")
    assert relayed.tries == 1


@each("fault", ENDED_IN_MID_STREAM, http2=VERSIONS)
async def test_a_stream_that_ends_too_early_says_so_by_the_relay_too(relayed: Setting, fault: Fault, http2: bool):
    await relayed.program(always=fault)
    answer = await relayed.ask(chat(stream=True), http2=http2)
    assert said(answer.content).startswith("hi")
    (error,) = errors(answer.content)
    assert error["code"] == "stream_incomplete"
    assert relayed.tries == 1


async def test_an_error_event_in_mid_stream_passes_by_the_relay_too(relayed: Setting):
    await relayed.program(always=says(stream_head() + event("hi") + ERROR_EVENT))
    answer = await relayed.ask(chat(stream=True))
    assert answer.content == event("hi") + ERROR_EVENT
    assert relayed.tries == 1


@each("piece", DRIPS, start=1, http2=VERSIONS)
async def test_a_slow_drip_is_a_whole_stream_by_the_relay_too(relayed: Setting, piece: int, http2: bool):
    await relayed.program(drip(piece))
    assert is_good_stream(await relayed.ask(chat(stream=True), http2=http2))
    assert relayed.tries == 1


@each("after", STALLS, start=1, http2=VERSIONS)
async def test_a_client_that_gives_up_frees_the_relay(relayed: Setting, after: int, http2: bool):
    await relayed.program(always=stall(after), noticed=False)
    async with leave(relayed, chat(stream=True), http2=http2) as received:
        await until(lambda: relayed.arrived == 1 and bool(received) == bool(after))
    await until(lambda: relayed.faults.open == 0)
    assert relayed.tries == 1
