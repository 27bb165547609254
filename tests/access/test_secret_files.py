from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path

import pytest

from hunyuan_fix.access import secret_files
from hunyuan_fix.access.secret_files import SecretFile, SecretFileError

SECRET = "sk-do-not-show"


def upper(text: str) -> str:
    if "wrong" in text:
        raise ValueError("line 1 is not right")
    return text.strip().upper()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(f"{SECRET}\n")
    path.chmod(0o600)
    return path


async def looks[T](file: SecretFile[T], times: int = 2) -> None:
    """A change is taken over when two looks in a row find the same new version."""
    for _ in range(times):
        await file.refresh()


def replace(path: Path, text: str, mode: int = 0o600) -> None:
    """As editors and scripts/token do: another file in its place."""
    new = path.with_name("new")
    new.write_text(text)
    new.chmod(mode)
    new.replace(path)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_file_of_its_owners_alone_is_read(path: Path, mode: int):
    path.chmod(mode)
    assert SecretFile(path, upper).content == SECRET.upper()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777])
def test_a_file_that_others_have_access_to_is_refused_with_what_to_do(path: Path, mode: int):
    path.chmod(mode)
    with pytest.raises(SecretFileError, match=rf"mode is {mode:04o}\): chmod 600 {path}$"):
        SecretFile(path, upper)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(path: Path):
    os.chown(path, 12345, -1)
    with pytest.raises(SecretFileError, match=f"another user.*chown 0 {path}$"):
        SecretFile(path, upper)


def test_by_a_link_the_file_itself_counts(path: Path):
    link = path.with_name("link")
    link.symlink_to(path)
    assert SecretFile(link, upper).content == SECRET.upper()
    path.chmod(0o644)
    with pytest.raises(SecretFileError, match="chmod 600"):
        SecretFile(link, upper)


def test_what_is_no_file_is_refused_and_nobody_waits_for_a_pipe(tmp_path: Path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for place in (pipe, Path("/dev/null")):
        with pytest.raises(SecretFileError, match="not a regular file"):
            SecretFile(place, upper)
    with pytest.raises(SecretFileError, match="can't be read: Is a directory"):
        SecretFile(tmp_path, upper)
    with pytest.raises(SecretFileError, match="can't be read: No such file"):
        SecretFile(tmp_path / "none", upper)


def test_what_is_wrong_in_it_is_said_with_its_name_and_nothing_of_it(path: Path, monkeypatch: pytest.MonkeyPatch):
    path.write_text(f"wrong {SECRET}")
    with pytest.raises(SecretFileError) as wrong:
        SecretFile(path, upper)
    assert str(wrong.value) == f"{path}: line 1 is not right"
    path.write_bytes(SECRET.encode() + b"\xff")
    with pytest.raises(SecretFileError) as binary:
        SecretFile(path, upper)
    assert str(binary.value) == f"{path} is not text in UTF-8"
    monkeypatch.setattr(secret_files, "MAX_SIZE", 10)
    with pytest.raises(SecretFileError, match="more than 10 bytes"):
        SecretFile(path, upper)


async def test_a_change_is_taken_over(path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO, "hunyuan_fix")
    file = SecretFile(path, upper)
    await looks(file)
    assert caplog.messages == []
    replace(path, "another")
    await looks(file)
    assert file.content == "ANOTHER"
    assert caplog.messages == [f"{path} has changed and was read again"]


async def test_what_cannot_be_used_is_logged_once_and_the_old_stays(path: Path, caplog: pytest.LogCaptureFixture):
    file = SecretFile(path, upper)

    async def look_twice(level: int = logging.ERROR) -> str:
        caplog.clear()
        await looks(file, 5)
        assert file.content == SECRET.upper()
        (record,) = caplog.records
        assert record.levelno == level
        assert SECRET not in caplog.text
        return record.getMessage()

    replace(path, f"wrong {SECRET}")
    assert await look_twice() == f"{path}: line 1 is not right. The previous content stays in force."
    replace(path, "new", 0o644)
    assert "chmod 600" in await look_twice()
    os.unlink(path)
    assert "is missing" in await look_twice(logging.WARNING)
    replace(path, "right")
    await looks(file)
    assert file.content == "RIGHT"


async def test_access_put_right_is_noticed_though_the_content_is_the_same(path: Path):
    file = SecretFile(path, upper)
    replace(path, "new", 0o644)
    await looks(file)
    assert file.content == SECRET.upper()
    os.chmod(path, 0o600)
    await looks(file)
    assert file.content == "NEW"


async def test_the_event_loop_goes_on_while_a_large_file_is_read(path: Path):
    went_on = asyncio.Event()
    loop = asyncio.get_running_loop()
    waiting = False

    def slow(text: str) -> str:
        if waiting:
            asyncio.run_coroutine_threadsafe(asyncio.wait_for(went_on.wait(), 10), loop).result(10)
        return text

    file = SecretFile(path, slow)
    waiting = True
    replace(path, "new")
    await file.refresh()
    refreshing = asyncio.create_task(file.refresh())
    await asyncio.sleep(0)
    went_on.set()
    await refreshing
    assert file.content == "new"


def test_nothing_of_it_shows(path: Path):
    file = SecretFile(path, upper)
    assert SECRET.upper() not in repr(file).upper()


async def test_a_file_that_is_gone_is_missed_each_minute(path: Path, caplog: pytest.LogCaptureFixture):
    now = 0.0
    file = SecretFile(path, upper, clock=lambda: now)
    os.unlink(path)
    await file.refresh()
    for seconds in (0.0, 1.0, 59.0, 60.0, 61.0, 121.0):
        now = seconds
        await looks(file)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 3
    assert file.content == SECRET.upper()
    caplog.clear()
    replace(path, "another")
    await looks(file)
    assert file.content == "ANOTHER"
    os.unlink(path)
    await looks(file)
    assert len(caplog.messages) == 1


async def test_a_file_that_is_removed_and_written_again_is_not_missed(path: Path, caplog: pytest.LogCaptureFixture):
    file = SecretFile(path, upper)
    os.unlink(path)
    await file.refresh()
    replace(path, "another")
    await looks(file)
    assert file.content == "ANOTHER"
    assert caplog.messages == []


@pytest.mark.parametrize("kind", ["folder", "pipe"])
async def test_a_folder_or_a_pipe_in_its_place_is_one_line(path: Path, kind: str, caplog: pytest.LogCaptureFixture):
    file = SecretFile(path, upper)
    os.unlink(path)
    (os.mkdir if kind == "folder" else os.mkfifo)(path, 0o700)
    await looks(file, 5)
    assert len(caplog.messages) == 1
    assert "stays in force" in caplog.text
    assert file.content == SECRET.upper()
