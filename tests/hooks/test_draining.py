"""Waiting for what is under way when the process is told to end. On the wire: end_to_end/test_shutdown.py."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from mitmproxy.test import tflow
from mitmproxy.utils import asyncio_utils

from hunyuan_fix.hooks.draining import Draining

LONG = 3600.0
"""Seconds; a test that waits this long is ended by pytest."""


class Exchanges:
    """Exchanges under way, with clients that are gone, so that nothing is left to be sent to them."""

    def __init__(self, live: int) -> None:
        self.live = live
        self.draining = Draining()

    def __call__(self) -> int:
        return self.live

    def end(self) -> None:
        self.live -= 1
        self.draining.ended(tflow.tflow(), None)


def told() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@pytest.fixture(autouse=True)
async def eager_tasks() -> AsyncIterator[None]:
    """As mitmproxy runs them."""
    with asyncio_utils.set_eager_task_factory():
        yield


async def test_without_exchanges_nobody_waits(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    exchanges = Exchanges(0)
    assert await exchanges.draining.wait(exchanges, LONG, told()) == 0
    assert caplog.messages == []


async def test_the_last_exchange_ends_the_waiting(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    exchanges = Exchanges(3)
    waiting = asyncio.create_task(exchanges.draining.wait(exchanges, LONG, told()))
    for _ in range(3):
        await asyncio.sleep(0)
        assert not waiting.done()
        exchanges.end()
    assert await waiting == 0
    assert caplog.messages == [
        "Ending: requests under way have 3600 seconds to finish (3 now). A second signal ends them at once."
    ]


async def test_exchanges_that_end_together_are_all_heard():
    exchanges = Exchanges(2)
    waiting = asyncio.create_task(exchanges.draining.wait(exchanges, LONG, told()))
    await asyncio.sleep(0)
    exchanges.end()
    exchanges.end()
    assert await waiting == 0


async def test_being_told_again_ends_the_waiting(caplog: pytest.LogCaptureFixture):
    exchanges, event = Exchanges(2), told()
    waiting = asyncio.create_task(exchanges.draining.wait(exchanges, LONG, event))
    await asyncio.sleep(0)
    assert not event.is_set()
    exchanges.end()
    event.set()
    assert await waiting == 1
    assert event.is_set()
    assert caplog.messages == ["Requests cut while under way: 1."]


async def test_after_the_time_the_rest_is_cut(caplog: pytest.LogCaptureFixture):
    exchanges, event = Exchanges(2), told()
    assert await exchanges.draining.wait(exchanges, 0.001, event) == 2
    assert event.is_set()
    assert caplog.messages == ["Requests cut while under way: 2."]


async def test_a_cancelled_wait_leaves_nothing_behind():
    exchanges, event = Exchanges(1), told()
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(exchanges.draining.wait(exchanges, LONG, event))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert event.is_set()


async def test_last_words_are_waited_for_and_no_longer(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    exchanges, event = Exchanges(1), told()
    waiting = asyncio.create_task(exchanges.draining.wait_for_last_words(exchanges, event))
    await asyncio.sleep(0)
    assert not waiting.done()
    exchanges.end()
    await waiting
    assert event.is_set()

    monkeypatch.setattr("hunyuan_fix.hooks.draining._LAST_WORDS", 0.001)
    unheard = Exchanges(1)
    await unheard.draining.wait_for_last_words(unheard, event)
    assert event.is_set()
    assert caplog.messages == []


def test_new_exchanges_are_refused_once_it_has_begun():
    draining = Draining()
    assert not draining.begun
    draining.begin()
    assert draining.begun
