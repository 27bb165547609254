"""What the hooks hold: one per mitmproxy process, found again after a hot reload."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from hunyuan_fix.hooks import process
from tests.test_runtime import TRANSPORT, parsed, settings, slots, taken


class Master:
    """Stands for mitmproxy's."""


def test_a_reload_finds_the_process_again():
    master, other = Master(), Master()
    first = process.of(master, settings())
    assert process.of(master, settings(queue_max=7)) is first
    assert process.of(other, settings()) is not first


def test_what_belongs_to_a_master_that_is_gone_are_gone():
    """Tests and scripts run many masters in one process."""
    master = Master()
    made = weakref.ref(process.of(master, settings()))
    del master
    gc.collect()
    assert made() is None


async def test_slots_outlive_a_reload():
    master = Master()
    old = process.of(master, settings()).runtime
    old.configure(parsed(), TRANSPORT)
    slot = await taken(old)
    new = process.of(master, settings()).runtime
    new.configure(parsed(), TRANSPORT)
    waiting = asyncio.create_task(taken(new))
    await asyncio.sleep(0)
    assert not waiting.done()
    slot.release()
    (await waiting).release()
    assert slots(new) == 0


@pytest.fixture
def not_started() -> Iterator[None]:
    process.started.cache_clear()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("not_started")
def test_what_is_loaded_at_the_start_is_not_looked_through_again():
    loaded = object_in_a_circle()
    process.started()
    assert not any(known is loaded for known in gc.get_objects())
    later = object_in_a_circle()
    process.started()  # at a hot reload
    assert any(known is later for known in gc.get_objects())


def object_in_a_circle() -> list[object]:
    made: list[object] = []
    made.append(made)
    return made
