"""The file of keys that seal: made once, for its owner alone, the same for all who start together."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hunyuan_fix.access import seal_keys
from hunyuan_fix.access.seal_keys import SealKeys, SealSettings
from hunyuan_fix.config.option import OptionError

ONE, TWO = "1" * 32, "2" * 64


def digest(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


class Used(list[Sequence[bytes]]):
    """What was used, in turn."""


@pytest.fixture
def used() -> Used:
    return Used()


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    return tmp_path / "hunyuan-fix"


def written(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_the_first_start_makes_the_file_and_the_next_reads_it(used: Used, data_folder: Path) -> None:
    for _ in "12":
        SealKeys(used.append).configured(SealSettings()).apply()
    file = seal_keys.own_file()
    assert file.parent == data_folder
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert used == [(digest(file.read_text().strip()),)] * 2
    assert [each.name for each in data_folder.iterdir()] == [file.name], "no temporary file is left"


def made(path: Path) -> str:
    """The text of the file, which is made if it isn't there."""
    seal_keys.make(path)
    return path.read_text()


def test_workers_that_start_together_have_one_key(data_folder: Path) -> None:
    path = data_folder / "seal.keys"
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: made(path), range(40)))
    assert len(keys) == 1
    assert [each.name for each in data_folder.iterdir()] == ["seal.keys"]


def test_a_file_system_without_hard_links(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(_: object, __: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    path = data_folder / "seal.keys"
    seal_keys.make(path)
    first = path.read_text()
    seal_keys.make(path)
    assert path.read_text() == first
    assert [each.name for each in data_folder.iterdir()] == ["seal.keys"]


def test_where_no_file_can_be_made_the_process_has_its_own_key(
    used: Used, data_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data_folder.write_text("a file in the folder's place")
    with caplog.at_level(logging.WARNING):
        SealKeys(used.append).configured(SealSettings()).apply()
    assert used == []
    assert "ends with this process" in caplog.text


def test_a_file_of_others_is_not_used(used: Used, tmp_path: Path) -> None:
    path = written(tmp_path / "keys", ONE)
    path.chmod(0o644)
    with pytest.raises(OptionError, match=r"hunyuan_seal_key_file: .*chmod 600") as raised:
        SealKeys(used.append).configured(SealSettings(path))
    assert ONE not in str(raised.value)


def test_the_lines_of_a_file() -> None:
    assert seal_keys.parse(f"# new\n{ONE}\n\n  {TWO}  \n") == (digest(ONE), digest(TWO))
    for wrong in ("", "# only this\n", "short", f"{ONE}\nshort", "\n".join([ONE] * 17)):
        with pytest.raises(ValueError, match="1 to 16 keys") as raised:
            seal_keys.parse(wrong)
        assert ONE not in str(raised.value)
        assert "short" not in str(raised.value)


async def test_a_named_file_is_used_and_read_again(used: Used, tmp_path: Path, data_folder: Path) -> None:
    path = written(tmp_path / "keys", ONE)
    keys = SealKeys(used.append).configured(SealSettings(path))
    keys.apply()
    assert used == [(digest(ONE),)]
    assert not data_folder.exists(), "no other file is made"
    written(tmp_path / "new", f"{TWO}\n{ONE}\n").replace(path)
    for _ in "123":
        await keys.refresh()
    assert used == [(digest(ONE),), (digest(TWO), digest(ONE))]
    written(tmp_path / "new", "broken").replace(path)
    for _ in "123":
        await keys.refresh()
    assert len(used) == 2


def test_the_same_file_keeps_the_object(used: Used, tmp_path: Path) -> None:
    path = written(tmp_path / "keys", ONE)
    keys = SealKeys(used.append).configured(SealSettings(path))
    assert keys.configured(SealSettings(path)) is keys
    own = keys.configured(SealSettings())
    assert own is not keys
    own.apply()
    assert own.configured(SealSettings()) is own
    assert len(used) == 1
