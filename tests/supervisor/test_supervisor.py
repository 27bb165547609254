"""The supervisor with real processes that only speak the channel: starts, ends, restarts, replacements."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hunyuan_fix.supervisor import restarts, supervisor
from hunyuan_fix.supervisor.supervisor import Supervisor
from tests.waiting import until

STAND_IN = Path(__file__).with_name("stand_in_worker.py")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no --workers")


class Watched:
    """A supervisor of stand-ins that runs."""

    def __init__(self, folder: Path, count: int) -> None:
        self.manner = folder / "manner"
        self.told_of: list[dict[str, object]] = []
        self.port = socket.create_server(("127.0.0.1", 0))
        self.supervisor = Supervisor(count, self._command, [self.port], changed=self.told_of.append)
        self.task: asyncio.Task[int] | None = None
        self.served = asyncio.Event()

    def _command(self, place: int, channel: int) -> Sequence[str]:
        return [sys.executable, "-I", str(STAND_IN), str(place), str(self.manner), str(channel)]

    async def _begin(self) -> None:
        self.served.set()

    def start(self) -> None:
        self.task = asyncio.create_task(self.supervisor.run(self._begin))

    async def ended(self) -> int:
        assert self.task is not None
        return await self.task

    @property
    def pids(self) -> list[int]:
        return [worker.pid for worker in self.supervisor.serving]

    def said(self, what: str) -> list[str]:
        """The places of the stand-ins that noted this."""
        told = self.manner.with_suffix(".told")
        lines = told.read_text().splitlines() if told.exists() else []
        return [line.split()[0] for line in lines if line.split(" ", 2)[2] == what]


@asynccontextmanager
async def watched(folder: Path, count: int = 2, manner: str = "serves") -> AsyncIterator[Watched]:
    made = Watched(folder, count)
    made.manner.write_text(manner)
    made.start()
    try:
        await until(lambda: made.served.is_set() or (made.task is not None and made.task.done()))
        yield made
    finally:
        if made.task is not None and not made.task.done():
            made.supervisor.end()
            made.supervisor.end()
            made.supervisor.end()
            await made.task
        made.port.close()


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restarts, "FIRST", 0.01)
    monkeypatch.setattr(restarts, "LONGEST", 0.02)


async def test_all_start_serve_and_end_in_peace(tmp_path: Path) -> None:
    async with watched(tmp_path) as running:
        assert running.said("serves") == ["1", "2"]
        assert [about["place"] for about in running.told_of] == [1, 2]
        assert running.supervisor.why_not_ready() == ""
        assert await running.supervisor.check_key() == {"said": "worker 1"}
        os.kill(os.getpid(), signal.SIGTERM)
        assert await running.ended() == 0
        assert sorted(running.said("ends")) == ["1", "2"]
        assert running.supervisor.why_not_ready() == "draining"


async def test_the_port_is_closed_at_the_first_signal(tmp_path: Path) -> None:
    async with watched(tmp_path, 1) as running:
        address = running.port.getsockname()
        running.supervisor.end()
        assert running.port.fileno() == -1  # here; the worker closes its own
        assert await running.ended() == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=5)


async def test_one_that_fails_before_it_serves_ends_the_start_with_its_status(tmp_path: Path) -> None:
    async with watched(tmp_path, 3, "fails") as running:
        assert await running.ended() == 3
        assert not running.served.is_set()
        assert running.said("serves") == []  # and no second one was started to say the same


async def test_one_that_ends_by_itself_is_started_again_and_what_it_counted_stays(tmp_path: Path) -> None:
    async with watched(tmp_path) as running:
        await running.supervisor.refresh()
        before = running.pids
        os.kill(before[0], signal.SIGKILL)
        await until(lambda: len(running.pids) == 2 and before[0] not in running.pids)
        assert before[1] in running.pids
        assert running.supervisor.restarts == 1
        await running.supervisor.refresh()
        calls = {metric.name: series.get(()) for metric, series in running.supervisor.metrics.collect().items()}
        assert calls["hunyuan_test_stood_in_total"] == 3  # of two that run, and of the one that was killed


async def test_what_an_ended_one_says_late_is_not_counted_twice(tmp_path: Path) -> None:
    async with watched(tmp_path, 1) as running:
        (worker,) = running.supervisor.workers
        await running.supervisor.refresh()
        os.kill(worker.pid, signal.SIGKILL)
        await until(lambda: running.supervisor.restarts == 1)
        counted = running.supervisor.metrics.collect()
        running.supervisor._hear(worker, worker.snapshot)
        assert running.supervisor.metrics.collect() == counted


async def test_workers_that_never_start_again_end_it_with_a_status(tmp_path: Path) -> None:
    async with watched(tmp_path) as running:
        running.manner.write_text("fails")
        for pid in running.pids:
            os.kill(pid, signal.SIGKILL)
        assert await running.ended() == 1


async def test_all_are_replaced_one_after_the_other(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with watched(tmp_path) as running:
        before = running.pids
        least = len(before)
        os.kill(os.getpid(), signal.SIGHUP)

        def replaced() -> bool:
            nonlocal least
            least = min(least, len(running.pids))
            return running.said("handed over") == ["1", "2"]

        await until(replaced)
        assert least == 2  # a new one serves before an old one stops to
        await until(lambda: len(running.supervisor.pids) == 2)
        assert not set(before) & set(running.pids)
        assert running.supervisor.restarts == 0
        assert "has ended" not in caplog.text


async def test_the_old_ones_stay_where_a_new_one_does_not_start(tmp_path: Path) -> None:
    async with watched(tmp_path) as running:
        before = running.pids
        running.manner.write_text("fails")
        running.supervisor.roll()
        rolling = running.supervisor._rolling
        assert rolling is not None
        await rolling
        assert running.pids == before
        running.manner.write_text("serves")
        running.supervisor.roll()
        await until(lambda: not set(before) & set(running.pids))


async def test_one_that_dies_while_it_is_to_be_replaced_leaves_one_successor(tmp_path: Path) -> None:
    async with watched(tmp_path, 1) as running:
        running.supervisor.roll()
        os.kill(running.pids[0], signal.SIGKILL)
        rolling = running.supervisor._rolling
        assert rolling is not None
        await rolling
        await until(lambda: len(running.supervisor.pids) == 1)


async def test_a_closed_terminal_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with watched(tmp_path, 1) as running:
        running.supervisor._had_terminal = True
        monkeypatch.setattr("hunyuan_fix.config.operating_system.has_terminal", lambda: False)
        os.kill(os.getpid(), signal.SIGHUP)
        assert await running.ended() == 0


async def test_one_that_does_not_hear_is_killed_in_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "END_TIMEOUT", 0.1)
    async with watched(tmp_path, 1, "deaf") as running:
        running.supervisor.drain_timeout = 0.1
        running.supervisor.end()
        assert await running.ended() == 0
        assert running.said("end") == ["1"]


async def test_the_third_signal_kills(tmp_path: Path) -> None:
    async with watched(tmp_path, 1, "deaf") as running:
        running.supervisor.end()
        running.supervisor.end()
        await until(lambda: running.said("end now"))
        assert running.said("end") == ["1"]
        running.supervisor.end()
        assert await running.ended() == 0


async def test_one_that_does_not_answer_is_not_ready_and_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "SILENT", 0.05)
    monkeypatch.setattr(supervisor, "PATIENCE", 0.05)
    async with watched(tmp_path, 1, "silent") as running:
        await until(lambda: running.supervisor.why_not_ready() == "unhealthy")
        assert [worker.place for worker in running.supervisor.silent] == [1]


async def test_workers_end_with_their_supervisor(tmp_path: Path) -> None:
    async with watched(tmp_path, 1) as running:
        (worker,) = running.supervisor.workers
        assert worker._channel is not None
        worker._channel.close()
        await until(lambda: running.said("supervisor is gone"))
