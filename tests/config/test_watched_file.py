"""Real files, changed in all the ways in which files are changed; and the one task that looks at them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from hunyuan_fix.config.watched_file import Found, WatchedFile, Watcher

SECRET = "sk-do-not-show"


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"can't be read: {error.strerror}") from None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("first", encoding="utf-8")
    os.utime(path, (1, 1))
    return path


@pytest.fixture
def watched(path: Path) -> WatchedFile[str]:
    file = WatchedFile(None, text_of)
    assert file.load(path) == "first"
    return file


async def found(file: WatchedFile[str], looks: int = 5) -> list[Found[str]]:
    """What several looks find: each change once."""
    return [seen for _ in range(looks) if (seen := await file.look())]


def replaced(path: Path) -> None:
    new = path.with_name("new")
    new.write_text("other", encoding="utf-8")
    os.utime(new, (1, 1))
    new.replace(path)


def rewritten(path: Path) -> None:
    """In place, the same size, and the modification time put back: the change time alone differs."""
    before = path.stat()
    while path.stat().st_ctime_ns == before.st_ctime_ns:
        path.write_text("other", encoding="utf-8")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_ino, after.st_size, after.st_mtime_ns) == (before.st_ino, before.st_size, before.st_mtime_ns)


def removed_and_made_anew(path: Path) -> None:
    path.unlink()
    path.write_text("other", encoding="utf-8")


@pytest.mark.parametrize("change", [replaced, rewritten, removed_and_made_anew])
async def test_each_change_is_found_once(watched: WatchedFile[str], path: Path, change: Callable[[Path], None]):
    assert await found(watched) == []
    change(path)
    assert await found(watched) == [Found("other")]


async def test_a_truncated_file_is_left_alone_until_it_is_written(watched: WatchedFile[str], path: Path):
    os.truncate(path, 0)
    assert await watched.look() is None
    path.write_text("second", encoding="utf-8")
    assert await watched.look() is None
    assert await found(watched) == [Found("second")]
    os.truncate(path, 0)
    assert await found(watched) == [Found("")]


async def test_a_file_that_goes_is_said_once_and_read_when_it_is_back(watched: WatchedFile[str], path: Path):
    aside = path.with_name("aside")
    path.rename(aside)
    assert not watched.is_missing
    assert await found(watched) == [Found()]
    assert watched.is_missing
    aside.rename(path)
    assert await found(watched) == [Found("first")]
    assert not watched.is_missing


async def test_a_file_that_is_replaced_by_removing_it_first_is_not_missed(watched: WatchedFile[str], path: Path):
    path.unlink()
    assert await watched.look() is None
    path.write_text("other", encoding="utf-8")
    assert await found(watched) == [Found("other")]


async def test_what_cannot_be_read_is_an_error_once(watched: WatchedFile[str], path: Path):
    path.unlink()
    path.mkdir()
    (seen,) = await found(watched)
    assert seen.content is None
    assert str(seen.error) == "can't be read: Is a directory"


async def test_a_changed_mode_is_a_new_version(watched: WatchedFile[str], path: Path):
    before = path.stat().st_ctime_ns
    while path.stat().st_ctime_ns == before:
        path.chmod(0o640)
    assert await found(watched) == [Found("first")]


async def test_a_link_on_the_way_to_it_is_changed(tmp_path: Path):
    """As Kubernetes does: the file is a link by way of a link to a folder, and that link is replaced."""
    files = [tmp_path / name / "key" for name in ("one", "two")]
    for file in files:
        file.parent.mkdir()
        file.write_text(file.parent.name, encoding="utf-8")
    while len({file.stat().st_ctime_ns for file in files}) > 1:  # so that nothing but the file itself differs
        for file in files:
            os.utime(file, (1, 1))
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "key").symlink_to("..data/key")
    watched = WatchedFile(None, text_of)
    assert watched.load(tmp_path / "key") == "one"
    (tmp_path / "..data_tmp").symlink_to("two")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    assert await found(watched) == [Found("two")]
    (tmp_path / "two/key").unlink()
    assert await found(watched) == [Found()]


async def test_a_file_that_changes_while_it_is_read_is_read_again(path: Path):
    reads = 0

    def read(file: Path) -> str:
        nonlocal reads
        reads += 1
        text = text_of(file)
        if reads == 2:
            replaced(file)
        return text

    file = WatchedFile(None, read)
    file.load(path)
    path.write_text("between", encoding="utf-8")
    assert await found(file) == [Found("other")]
    assert reads == 3


async def test_a_change_right_after_the_version_was_taken_is_found(path: Path):
    def read(file: Path) -> str:
        text = text_of(file)
        if text == "first":
            replaced(file)
        return text

    file = WatchedFile(None, read)
    assert file.load(path) == "first"
    assert await found(file) == [Found("other")]


async def test_another_file_and_none(watched: WatchedFile[str], path: Path):
    other = path.with_name("other")
    other.write_text("first", encoding="utf-8")
    watched.path = other
    assert await found(watched) == [Found("first")]
    watched.path = None
    assert await found(watched) == [Found()]
    assert not watched.is_missing


async def test_the_event_loop_goes_on_while_it_is_read(path: Path):
    loop, went_on = asyncio.get_running_loop(), asyncio.Event()
    waits = False

    def slow(file: Path) -> str:
        if waits:
            asyncio.run_coroutine_threadsafe(asyncio.wait_for(went_on.wait(), 10), loop).result(10)
        return text_of(file)

    file = WatchedFile(None, slow)
    file.load(path)
    waits = True
    replaced(path)
    looking = asyncio.create_task(found(file, 2))
    await asyncio.sleep(0)
    went_on.set()
    assert await looking == [Found("other")]


# The task


def counting(times: int, failing: bool = False) -> tuple[Callable[[], Awaitable[None]], asyncio.Event]:
    """A look, and an event that is set when it was called so many times."""
    reached, calls = asyncio.Event(), 0

    async def look() -> None:
        nonlocal calls
        calls += 1
        if calls == times:
            reached.set()
        if failing:
            raise RuntimeError(SECRET)

    return look, reached


async def test_one_task_looks_at_all_of_them_until_it_is_stopped():
    before = asyncio.all_tasks()
    (first, first_reached), (second, second_reached) = counting(3), counting(3)
    watcher = Watcher(first, second, interval=0.001)
    watcher.start()
    watcher.start()
    (task,) = asyncio.all_tasks() - before
    await asyncio.gather(first_reached.wait(), second_reached.wait())
    watcher.stop()
    await asyncio.wait({task})
    watcher.start()
    assert len(asyncio.all_tasks() - before) == 1
    watcher.stop()


async def test_a_failure_ends_neither_the_looking_nor_the_looks_of_others(caplog: pytest.LogCaptureFixture):
    (failing, failed), (other, reached) = counting(3, failing=True), counting(3)
    watcher = Watcher(failing, other, interval=0.001)
    watcher.start()
    await asyncio.gather(failed.wait(), reached.wait())
    watcher.stop()
    assert "RuntimeError" in caplog.text
    assert SECRET not in caplog.text


async def test_stopping_what_never_started_does_no_harm():
    Watcher().stop()
