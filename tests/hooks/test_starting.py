"""Who waits for mitmproxy to start, and for how long. With real processes: end_to_end/test_start.py."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator

import pytest
from mitmproxy.options import Options
from mitmproxy.test import taddons, tflow
from mitmproxy.tools.dump import DumpMaster

from hunyuan_fix.hooks import starting
from hunyuan_fix.hooks.connections import Connections
from hunyuan_fix.hooks.starting import Starting
from hunyuan_fix.hunyuan_fix import HunyuanFix
from tests.waiting import until


class Failed:
    """Counts how often it is called."""

    times = 0

    async def __call__(self) -> None:
        await asyncio.sleep(0)
        self.times += 1


@pytest.fixture
async def master() -> AsyncIterator[DumpMaster]:
    """A mitmproxy that has not started yet."""
    made = DumpMaster(Options(), with_termlog=False, with_dumper=False)
    yield made
    made.addons.get("errorcheck").finish()
    made._legacy_log_events.uninstall()


async def test_clients_wait_until_mitmproxy_looks_for_errors_no_more(master: DumpMaster):
    start, failed = Starting(), Failed()
    start.begin(master, failed)
    start.begin(master, failed)  # a hot reload begins nothing
    waiting = [asyncio.create_task(start.wait()) for _ in range(5)]
    await asyncio.sleep(0.02)
    assert not start.over
    assert not any(one.done() for one in waiting)
    master.addons.get("errorcheck").finish()
    assert await asyncio.gather(*waiting) == [None] * 5
    assert start.over
    assert await start.wait() is None
    assert failed.times == 0


async def test_no_more_than_so_many_wait(master: DumpMaster):
    start = Starting()
    start.begin(master, Failed())
    waiting = [asyncio.create_task(start.wait()) for _ in range(starting.MOST)]
    await asyncio.sleep(0)
    assert await start.wait() == starting.TOO_MANY
    waiting[0].cancel()  # a place that is given up is free
    await asyncio.wait({waiting[0]})
    last = asyncio.create_task(start.wait())
    await asyncio.sleep(0)
    assert not last.done()
    master.addons.get("errorcheck").finish()
    assert await asyncio.gather(*waiting[1:], last) == [None] * starting.MOST


def test_the_bounds():
    assert (starting.MOST, starting.PATIENCE) == (1000, 10)


async def test_nobody_waits_for_ever(master: DumpMaster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(starting, "PATIENCE", 0.01)
    start = Starting()
    start.begin(master, Failed())
    assert await start.wait() == starting.NOT_STARTED
    start._watch and start._watch.cancel()


async def test_a_start_that_fails_closes_what_is_open(master: DumpMaster):
    start, failed = Starting(), Failed()
    start.begin(master, failed)
    assert start._watch
    await asyncio.sleep(0)
    start._watch.cancel()
    await asyncio.wait({start._watch})
    assert failed.times == 1
    assert not start.over


async def test_where_nobody_looks_for_errors_the_start_is_over(master: DumpMaster):
    start = Starting()
    check = master.addons.get("errorcheck")
    master.addons.remove(check)
    start.begin(master, Failed())
    assert start.over
    master.addons.add(check)


@pytest.mark.parametrize("repeats", [False, True])
async def test_a_refusal_ends_the_process_and_only_during_the_start(
    master: DumpMaster, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture, repeats: bool
):
    master.addons.get("errorcheck").repeat_errors_on_stderr = repeats
    start = Starting()
    with pytest.raises(SystemExit) as ended:
        start.refuse(master, ["this is wrong", "and this"])
    assert ended.value.code == 1
    assert capsys.readouterr().err == ("this is wrong\nand this\n" if repeats else "")
    start.begin(master, Failed())
    master.addons.get("errorcheck").finish()
    await until(lambda: start.over)
    start.refuse(master, ["hot reload"])


async def test_the_hook_costs_nothing_once_mitmproxy_runs(caplog: pytest.LogCaptureFixture):
    fix = HunyuanFix()
    with taddons.context(fix):
        fix.process.starting.over = False
        client = tflow.tclient_conn()
        client.sockname = ("127.0.0.1", 8080)
        hook = Connections(fix).client_connected
        waiting = hook(client)
        assert inspect.iscoroutine(waiting)
        waiting.close()
        fix.process.starting.over = True
        assert hook(client) is None
        assert client.error is None


async def test_a_client_that_may_not_wait_is_refused(master: DumpMaster, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(starting, "MOST", 0)
    fix = HunyuanFix()
    with taddons.context(fix):
        fix.process.starting.over = False
        client = tflow.tclient_conn()
        client.sockname = ("127.0.0.1", 8080)
        waiting = Connections(fix).client_connected(client)
        assert waiting is not None
        await waiting
    assert client.error == starting.TOO_MANY
