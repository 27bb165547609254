"""The ledger's file: private, bounded, shared by processes, set aside when it is corrupt."""

from __future__ import annotations

import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from hunyuan_fix.observe.ledger import rows
from hunyuan_fix.observe.ledger.file import SCHEMA, LedgerFile, reading
from hunyuan_fix.stores import sqlite_file
from hunyuan_fix.stores.store import StoreError
from tests.observe.ledger.calls import DAY, NOW, paid

ROW = rows.of(paid())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "usage.sqlite3"


@pytest.fixture
def file(path: Path) -> Iterator[LedgerFile]:
    made = LedgerFile(path, 90, clock=lambda: NOW)
    yield made
    made.close()


def times(path: Path) -> list[float]:
    with closing(reading(path)) as connection:
        return [at for (at,) in connection.execute("SELECT at FROM call ORDER BY id")]


def test_a_row_has_all_that_is_known_and_null_for_the_rest(file: LedgerFile, path: Path) -> None:
    file.add([ROW, rows.of(paid(usage={}, amount=None, is_estimated=True, is_cancelled=True, status=0))])
    with closing(reading(path)) as connection:
        connection.row_factory = sqlite3.Row
        first, second = (dict(row) for row in connection.execute("SELECT * FROM call"))
    assert first == {
        "id": 1,
        "at": NOW,
        "exchange": "an-id",
        "purpose": "own",
        "client": "alice",
        "session": "5e55",
        "dialect": "chat",
        "profile": "tokenhub",
        "upstream": "tokenhub.tencentmaas.com",
        "asked": "hunyuan-pro",
        "model": "hy3",
        "input": 40,
        "cached": 8,
        "written": None,
        "output": 9,
        "reasoning": None,
        "amount": 1_500_000_000_000,
        "currency": "CNY",
        "priced": "2026-11-28",
        "status": 200,
        "ms": 12,
        "estimated": 0,
        "cancelled": 0,
    }
    assert all(second[kind] is None for kind in (*rows.KINDS, "amount"))
    assert (second["estimated"], second["cancelled"], second["status"]) == (1, 1, 0)


def test_a_name_of_a_client_s_own_is_short_and_has_no_control_characters() -> None:
    row = dict(zip(rows.NAMES, rows.of(paid(asked="\x1b[31m" + "x" * 5000, model="a\nb")), strict=True))
    assert len(str(row["asked"])) < 1000
    assert "\x1b" not in str(row["asked"])
    assert "\n" not in str(row["model"])


def test_only_its_owner_can_read_it(file: LedgerFile, path: Path) -> None:
    file.add([ROW])
    for one in path.parent.iterdir():
        assert stat.S_IMODE(one.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_old_rows_go(path: Path) -> None:
    now = NOW
    file = LedgerFile(path, 2, clock=lambda: now)
    file.add([rows.of(paid(at)) for at in (NOW - 3 * DAY, NOW - 1.9 * DAY, NOW)])
    assert times(path) == [NOW - 1.9 * DAY, NOW]
    now += DAY
    file.add([rows.of(paid(now))])
    assert times(path) == [NOW, now]
    file.close()


def test_of_too_many_rows_the_first_go(path: Path) -> None:
    now = NOW
    file = LedgerFile(path, 90, most=10, clock=lambda: now)
    for _ in range(5):
        now += 61
        file.add([rows.of(paid(now))] * 4)
    assert len(times(path)) == 10
    assert times(path)[0] == NOW + 3 * 61
    file.close()


def test_rows_are_written_all_or_none(file: LedgerFile, path: Path) -> None:
    file.add([ROW])
    with pytest.raises(StoreError):
        file.add([ROW, (*ROW[:-1], None)])  # NOT NULL
    file.add([ROW])
    assert len(times(path)) == 2


def test_several_processes_write_one_file(path: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from hunyuan_fix.observe.ledger.file import LedgerFile\n"
        "from hunyuan_fix.observe.ledger.ledger import LedgerSink\n"
        "from tests.observe.ledger.calls import paid\n"
        "sink = LedgerSink(LedgerFile(Path(sys.argv[1]), 36500))\n"
        "for _ in range(40):\n"
        "    for _ in range(5):\n"
        "        sink.hear(paid())\n"
        "    while not sink.flush():\n"
        "        pass\n"
        "sink.close()\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(path)]) for _ in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(times(path)) == 600


def test_a_locked_file_is_an_error_after_a_while(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = LedgerFile(path, 90)
    file.add([ROW])
    file.close()
    monkeypatch.setattr("hunyuan_fix.observe.ledger.file.SCHEMA", sqlite_file.Schema(*_but(patience=0.01)))
    file = LedgerFile(path, 90)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked"):
            file.add([ROW])
        assert len(times(path)) == 1  # it can be read meanwhile
    file.add([ROW])
    assert len(times(path)) == 2
    file.close()


def _but(*, patience: float) -> tuple[int, tuple[tuple[str, ...], ...], float]:
    return SCHEMA.application_id, SCHEMA.migrations, patience


def test_a_corrupt_file_is_set_aside(file: LedgerFile, path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"no database at all" * 1000)
    file.add([ROW])
    assert len(times(path)) == 1
    assert [one for one in path.parent.iterdir() if ".corrupt-" in one.name]


def test_a_file_that_was_removed_is_made_anew(file: LedgerFile, path: Path) -> None:
    file.add([ROW])
    for one in list(path.parent.iterdir()):
        one.unlink()
    file.add([ROW])
    assert len(times(path)) == 1


def test_another_program_s_database_is_left_alone(file: LedgerFile, path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE theirs (a)")
        other.commit()
    with pytest.raises(StoreError, match="another program's"):
        file.add([ROW])
    with pytest.raises(StoreError, match="another program's"):
        reading(path)


def test_who_reads_makes_no_file(path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        reading(path)
    assert not path.exists()
