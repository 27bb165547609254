"""The log file: opened, rotated, followed, full, slow, and shared by several processes."""

from __future__ import annotations

import fcntl
import json
import logging
import multiprocessing
import os
import stat
import threading
from collections.abc import Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from hunyuan_fix.config.option import OptionError
from hunyuan_fix.exchange import Exchange
from hunyuan_fix.observe import log_file
from hunyuan_fix.observe.done import done
from hunyuan_fix.observe.log import ExchangeLine
from hunyuan_fix.observe.log_file import FileHandler, FileLog, LogFile, LogSettings


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hunyuan.log"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """A logger in the place of the root one."""
    made = logging.Logger("root", logging.DEBUG)
    yield made
    for handler in list(made.handlers):
        made.removeHandler(handler)


@pytest.fixture
def log(root: logging.Logger) -> Iterator[FileLog]:
    made = FileLog(lambda: root)
    yield made
    made.close()


def settings(path: Path | None, **fields: object) -> LogSettings:
    return LogSettings(log_file=path, **fields)  # type: ignore[arg-type]


def use(log: FileLog, given: LogSettings) -> None:
    log.use(given, log.opened(given))


# One file


def test_lines_are_there_for_its_owner_alone(path: Path, log: FileLog, root: logging.Logger):
    use(log, settings(path))
    root.info("one %d", 1)
    root.debug("no detail")
    root.warning("two")
    log.close()
    assert [line.partition("Z ")[2] for line in path.read_text().splitlines()] == ["info one 1", "warning two"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    root.info("after its end")
    assert "after" not in path.read_text()


def test_what_is_in_it_stays(path: Path):
    path.write_bytes(b"before\n")
    file = LogFile(path, 0, 0)
    file.append(b"after\n")
    assert path.read_bytes() == b"before\nafter\n"


def test_a_line_is_what_it_was_when_it_was_logged(path: Path, log: FileLog, root: logging.Logger):
    use(log, settings(path))
    changing = ["before"]
    root.info("%s", changing)
    changing[0] = "after"
    log.close()
    assert "before" in path.read_text()


def test_an_exchange_is_an_object_in_json(path: Path, log: FileLog, root: logging.Logger):
    use(log, settings(path, log="json"))
    root.info(ExchangeLine(done(Exchange(method="POST", path="/v1", request_id="r1"), "200")))
    root.info("ready")
    log.close()
    first, second = map(json.loads, path.read_text().splitlines())
    assert (first["event"], first["request_id"], second["message"]) == ("exchange", "r1", "ready")


@pytest.mark.parametrize("where", ["a folder", "below a file", "nowhere"])
def test_one_that_cannot_be_opened_is_said_by_name(tmp_path: Path, log: FileLog, where: str):
    (tmp_path / "file").touch()
    given = {"a folder": tmp_path, "below a file": tmp_path / "file/x", "nowhere": tmp_path / "no/x"}[where]
    with pytest.raises(OptionError, match=r"hunyuan_log_file=.*: the file can't be opened \(.+\)"):
        log.opened(settings(given))


def test_a_pipe_without_a_reader_is_refused_at_once(path: Path, log: FileLog):
    os.mkfifo(path)
    with pytest.raises(OptionError):
        log.opened(settings(path))


# Changes


def test_another_file_is_used_from_then_on(path: Path, log: FileLog, root: logging.Logger, tmp_path: Path):
    use(log, settings(path))
    root.info("one")
    use(log, settings(tmp_path / "other"))
    root.info("two")
    use(log, settings(None))
    root.info("three")
    assert not root.handlers
    for thread in threading.enumerate():
        if thread.name.startswith("hunyuan-fix"):
            thread.join()
    assert path.read_text().endswith(" one\n")
    assert (tmp_path / "other").read_text().endswith(" two\n")


def test_unchanged_options_leave_the_file_open(path: Path, log: FileLog, root: logging.Logger):
    use(log, settings(path))
    (handler,) = root.handlers
    use(log, settings(path))
    assert root.handlers == [handler]


# By size


def test_it_is_put_aside_before_it_grows_too_large(path: Path):
    file = LogFile(path, 100, 2)
    for number in range(10):
        file.append(b"%02d" % number + b"x" * 37 + b"\n")
    assert {name.name: name.read_bytes()[:2] for name in path.parent.iterdir()} == {
        "hunyuan.log": b"08",
        "hunyuan.log.1": b"06",
        "hunyuan.log.2": b"04",
    }
    assert all(name.stat().st_size <= 100 for name in path.parent.iterdir())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_line_larger_than_the_bound_is_written(path: Path):
    file = LogFile(path, 10, 1)
    for text in (b"a" * 30, b"b" * 30):
        file.append(text + b"\n")
    assert path.read_bytes() == b"b" * 30 + b"\n"


def test_without_files_aside_the_old_lines_go(path: Path):
    file = LogFile(path, 10, 0)
    file.append(b"12345678\n")
    file.append(b"new\n")
    assert [(name.name, name.read_bytes()) for name in path.parent.iterdir()] == [("hunyuan.log", b"new\n")]


def test_without_a_bound_it_grows(path: Path):
    file = LogFile(path, 0, 1)
    for _ in range(100):
        file.append(b"x" * 100 + b"\n")
    assert path.stat().st_size == 10_100


def test_one_that_cannot_be_put_aside_grows_on(path: Path, caplog: pytest.LogCaptureFixture):
    (path.parent / "hunyuan.log.1").mkdir()
    (path.parent / "hunyuan.log.1/in").touch()
    file = LogFile(path, 50, 1)
    for _ in range(9):
        file.append(b"x" * 19 + b"\n")
    assert path.stat().st_size == 180
    said = [line for line in caplog.messages if "can't be put aside and grows on" in line]
    assert len(said) == 4, "once for each bound that it passes"


# Others move it


def test_one_that_was_moved_away_is_made_anew(path: Path):
    file = LogFile(path, 0, 1)
    file.append(b"one\n")
    os.rename(path, f"{path}.moved")
    file.append(b"two\n")
    path.unlink()
    file.append(b"three\n")
    assert path.read_bytes() == b"three\n"
    assert Path(f"{path}.moved").read_bytes() == b"one\n"


def test_one_that_was_emptied_is_filled_from_its_beginning(path: Path):
    """As by logrotate's copytruncate."""
    file = LogFile(path, 0, 1)
    file.append(b"one\n")
    os.truncate(path, 0)
    file.append(b"two\n")
    assert path.read_bytes() == b"two\n"


def writing(path: Path, name: str, count: int, begin: Barrier) -> None:
    file = LogFile(path, 4000, 1000)
    begin.wait()
    for number in range(count):
        file.append(f"{name} {number:05d} {'x' * 80}\n".encode())


def test_several_processes_write_and_rotate_one_file(path: Path):
    context = multiprocessing.get_context("spawn")
    begin = context.Barrier(3)
    processes = [context.Process(target=writing, args=(path, name, 400, begin)) for name in "abc"]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    files = sorted(path.parent.iterdir(), key=lambda file: -int(file.suffix[1:] if file.suffix != ".log" else 0))
    lines = [line for file in files for line in file.read_text().splitlines()]
    assert len(files) > 20
    assert sorted(line[:7] for line in lines) == [f"{name} {number:05d}" for name in "abc" for number in range(400)]
    assert {len(line) for line in lines} == {88}
    for name in "abc":
        own = [line for line in lines if line.startswith(name)]
        assert own == sorted(own), "in order over all files"


def test_one_that_another_process_puts_aside_is_not_put_aside_again(path: Path):
    file = LogFile(path, 50, 5)
    file.append(b"x" * 39 + b"\n")
    with path.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        thread = threading.Thread(target=file.append, args=(b"y" * 39 + b"\n",))
        thread.start()
        thread.join(0.2)
        assert thread.is_alive(), "waits for the lock"
        path.rename(f"{path}.1")
        path.write_bytes(b"fresh\n")
    thread.join()
    assert path.read_bytes() == b"fresh\n" + b"y" * 39 + b"\n"
    assert sorted(file.name for file in path.parent.iterdir()) == ["hunyuan.log", "hunyuan.log.1"]


# A disk that takes nothing


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_loses_lines_which_are_counted_and_said_once(
    root: logging.Logger, caplog: pytest.LogCaptureFixture
):
    log = FileLog(lambda: root)
    use(log, settings(Path("/dev/full")))
    (handler,) = root.handlers
    assert isinstance(handler, FileHandler)
    for _ in range(3):
        root.info("lost")
        while handler._waiting:
            handler._come.set()
    log.close()
    assert log.lost == 3
    assert [line for line in caplog.messages if "/dev/full" in line] == [
        "The log file /dev/full can't be written (No space left on device)."
    ]


def test_when_there_is_room_again_it_goes_on_with_a_whole_line(path: Path, caplog: pytest.LogCaptureFixture):
    """A pipe that nobody reads is full."""
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    handler = FileHandler(LogFile(path, 0, 0), "text")
    try:
        line = "x" * 9999
        for _ in range(9):
            handler._write([line])
        assert 0 < handler.lost < 9
        got = b""
        while chunk := os.read(reader, 1 << 20):
            got += chunk
            if len(chunk) < 1 << 16:
                break
        handler._write(["after"])
        assert os.read(reader, 1 << 20) == b"\nafter\n", "behind a line that was cut off"
    finally:
        os.close(reader)
    assert got.count(b"\n") == 9 - handler.lost
    assert f"lines lost: {handler.lost}." in caplog.messages[-1]


def test_a_disk_that_hangs_keeps_nobody_waiting(path: Path, root: logging.Logger, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(log_file, "MOST_WAITING", 50)
    monkeypatch.setattr(log_file, "_PATIENCE", 0.01)
    goes_on = threading.Event()
    hangs = threading.Event()

    def append(self: LogFile, _: bytes) -> None:
        hangs.set()
        goes_on.wait()

    monkeypatch.setattr(LogFile, "append", append)
    log = FileLog(lambda: root)
    use(log, settings(path))
    root.info("first")
    assert hangs.wait(30)
    for _ in range(70):
        root.info("more")
    assert log.lost == 20
    log.close()
    assert log.lost == 70, "those that wait are lost with the process"
    goes_on.set()


def test_a_line_whose_values_do_not_fit_its_words_is_lost_and_raises_nothing(
    path: Path, log: FileLog, root: logging.Logger
):
    """As other programs may log: Python's logging would raise it where it was logged, on the event loop."""
    use(log, settings(path))
    root.info("%d of %d", "x")
    root.info("it goes on")
    log.close()
    assert log.lost == 1
    assert "it goes on" in path.read_text()


def test_a_folder_that_is_gone_loses_lines_until_it_is_there_again(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    folder = tmp_path / "logs"
    folder.mkdir()
    handler = FileHandler(LogFile(folder / "hunyuan.log", 0, 0), "text")
    handler._write(["one"])
    (folder / "hunyuan.log").unlink()
    folder.rmdir()
    handler._write(["two", "three"])
    handler._write(["four"])
    folder.mkdir()
    handler._write(["five"])
    handler.end()
    assert (folder / "hunyuan.log").read_text() == "five\n"
    assert handler.lost == 3
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert "can't be written" in said[0] and "lines lost: 3" in said[1]
