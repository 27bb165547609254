"""What the other tests rely on: faults that strike where their names say, and a leak that is found."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from hunyuan_fix.admission import Account
from hunyuan_fix.circuit import Verdict
from tests import waiting
from tests.faults.catalogue import BODY, ERROR, ERROR_EVENT, HEAD, STREAM, event
from tests.faults.setting import KEY, MODEL, Setting, chat, errors, events, with_image
from tests.waiting import until


async def raw(setting: Setting, body: dict[str, Any]) -> bytes:
    """What the endpoint sends for this request, byte for byte."""
    reader, writer = await asyncio.open_connection("127.0.0.1", setting.faults.target)
    data = json.dumps(body).encode()
    head = f"host: a\r\nauthorization: {KEY}\r\nconnection: close\r\ncontent-length: {len(data)}\r\n\r\n"
    writer.write(f"POST /v1/chat/completions HTTP/1.1\r\n{head}".encode() + data)
    answer = await reader.read()
    writer.close()
    return answer


async def test_faults_strike_where_their_names_say(setting: Setting):
    description = with_image(model="hunyuan-vision")
    del description["tools"]
    description["messages"][0]["content"][0]["text"] = "What is it?"
    whole = {"model": MODEL, "messages": chat()["messages"]}
    for answer in (await raw(setting, description), await raw(setting, whole)):
        head, _, body = answer.partition(b"\r\n\r\n")
        assert HEAD < len(head) < BODY < len(answer) - 50
        assert json.loads(body)["choices"]
    stream = await raw(setting, whole | {"stream": True})
    assert stream[:STREAM].count(b"\n\n") >= 1
    assert b"[DONE]" in stream[STREAM + 500 :]


def test_the_events_of_a_stream_are_read() -> None:
    whole = event("hi", "stop") + b"data: [DONE]\n\n"
    assert events(whole)[-1] == "[DONE]"
    assert not errors(whole)
    assert errors(event("hi") + ERROR_EVENT) == [ERROR["error"]]


@contextlib.contextmanager
def a_task() -> Iterator[None]:
    task = asyncio.ensure_future(asyncio.Event().wait())
    yield
    task.cancel()


@contextlib.contextmanager
def a_descriptor() -> Iterator[None]:
    number = os.open("/dev/null", os.O_RDONLY)
    yield
    os.close(number)


@pytest.mark.parametrize("leak", [a_task, a_descriptor])
async def test_a_leak_is_found(setting: Setting, leak: Any, monkeypatch: pytest.MonkeyPatch):
    await setting.check()
    with leak():
        monkeypatch.setattr(waiting, "PATIENCE", 0.1)
        with pytest.raises(AssertionError):
            await setting.check()
        monkeypatch.undo()


async def test_a_slot_that_is_never_given_back_is_found(setting: Setting, monkeypatch: pytest.MonkeyPatch):
    passage = await setting.proxy.addon.runtime.gate.enter("http://a/v1", Account("hunyuan:1", 5), until=math.inf)
    assert setting.slots == 1
    monkeypatch.setattr(waiting, "PATIENCE", 0.1)
    with pytest.raises(AssertionError):
        await setting.check()
    monkeypatch.undo()
    passage.leave(Verdict.UNKNOWN)


async def test_an_upstream_connection_that_stays_open_is_found(setting: Setting, monkeypatch: pytest.MonkeyPatch):
    """One may wait in the pool of the addon's own client, no more."""
    async with setting.client() as client:
        for _ in range(2):
            request = client.build_request("POST", "/chat/completions", json=chat())
            held: httpx.Response = await client.send(request, stream=True)
        await until(lambda: setting.faults.open > 1)
        monkeypatch.setattr(waiting, "PATIENCE", 0.1)
        with pytest.raises(AssertionError):
            await setting.check()
        monkeypatch.undo()
        await held.aclose()
