"""The sink: nothing it meets costs a client anything, and what is lost is counted and said once."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe.ledger import ledger
from hunyuan_fix.observe.ledger.file import LedgerFile, default_path, reading
from hunyuan_fix.observe.ledger.ledger import Ledger, LedgerSink
from hunyuan_fix.observe.ledger.rows import Row
from hunyuan_fix.observe.ledger.settings import UsageSettings
from hunyuan_fix.observe.sinks import Sinks
from hunyuan_fix.stores.store import StoreError
from tests.observe.ledger.calls import paid
from tests.waiting import until


class File(LedgerFile):
    """Fails as long as it is told to."""

    def __init__(self) -> None:
        super().__init__(Path("/nowhere/usage.sqlite3"), 90)
        self.error = ""
        self.rows: list[Row] = []
        self.writes = 0
        self.is_closed = False

    def add(self, rows: Sequence[Row]) -> None:
        self.writes += 1
        if self.error:
            raise StoreError(self.error)
        self.rows += rows

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def file() -> File:
    return File()


@pytest.fixture
def sink(file: File) -> LedgerSink:
    return LedgerSink(file)


def hear(sink: LedgerSink, count: int) -> None:
    for _ in range(count):
        sink.hear(paid())


def test_what_has_gathered_is_written_at_once(sink: LedgerSink, file: File) -> None:
    hear(sink, 30)
    assert file.writes == 0
    assert sink.flush()
    assert (file.writes, len(file.rows)) == (1, 30)
    assert sink.flush()
    assert file.writes == 1


def test_many_are_written_before_all_were_heard(sink: LedgerSink, file: File) -> None:
    hear(sink, 1200)
    assert len(file.rows) == 1000


def test_what_can_t_be_written_waits_and_is_said_once(
    sink: LedgerSink, file: File, caplog: pytest.LogCaptureFixture
) -> None:
    file.error = "SQLITE_FULL: database or disk is full"
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            hear(sink, 10)
            assert not sink.flush()
        assert len(caplog.records) == 1
        assert "disk is full" in caplog.text
        file.error = ""
        assert sink.flush()
    assert len(file.rows) == 30
    assert sink.lost == 0
    assert len(caplog.records) == 2
    assert "calls lost: 0" in caplog.text


def test_too_many_are_lost_and_counted(
    sink: LedgerSink, file: File, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger, "MOST_WAITING", 100)
    file.error = "SQLITE_BUSY: database is locked"
    hear(sink, 1)
    sink.flush()
    hear(sink, 129)
    sink.flush()
    assert sink.lost == 30
    file.error = ""
    sink.flush()
    assert len(file.rows) == 100
    assert "calls lost: 30" in caplog.text


def test_at_the_end_what_waits_is_written_or_lost(sink: LedgerSink, file: File) -> None:
    hear(sink, 5)
    sink.close()
    assert (len(file.rows), sink.lost, file.is_closed) == (5, 0, True)
    file.error = "SQLITE_FULL"
    hear(sink, 5)
    sink.close()
    assert sink.lost == 5


@pytest.fixture
def sinks() -> Iterator[Sinks]:
    made = Sinks()
    yield made
    made.close()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return default_path()


def tell(sinks: Sinks) -> None:
    sinks.tell(Exchange(id="an id"), "paid", paid().data)


def count(path: Path) -> int:
    try:
        connection = reading(path)
    except FileNotFoundError:
        return 0
    with closing(connection):
        return int(connection.execute("SELECT count(*) FROM call").fetchone()[0])


async def test_it_writes_in_a_thread_of_its_own(sinks: Sinks, data: Path) -> None:
    Ledger(sinks).configure(UsageSettings())
    tell(sinks)
    await until(lambda: count(data) == 1)


async def test_a_write_that_failed_is_tried_again_without_another_call(
    sinks: Sinks, file: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hunyuan_fix.observe.sinks._AGAIN", 0.01)
    file.error = "SQLITE_BUSY"
    sinks.add(LedgerSink(file), apart=True)
    tell(sinks)
    await until(lambda: file.writes > 1)
    file.error = ""
    await until(lambda: len(file.rows) == 1)


def test_no_file_is_written_for_0_days(sinks: Sinks, data: Path) -> None:
    Ledger(sinks).configure(UsageSettings(usage_days=0))
    tell(sinks)
    sinks.close()
    assert not data.exists()


def test_a_change_writes_what_waits_and_goes_on(sinks: Sinks, data: Path) -> None:
    made = Ledger(sinks)
    made.configure(UsageSettings())
    tell(sinks)
    made.configure(UsageSettings(usage="ask"))  # nothing that concerns the file
    made.configure(UsageSettings(usage_days=7))
    tell(sinks)
    sinks.close(20)
    assert made.lost == 0
    assert count(data) >= 1
