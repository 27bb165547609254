"""Free space: of a real small disk, and of the system's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from hunyuan_fix.observe.health import State
from hunyuan_fix.observe.health.disk import DiskCheck

MB = 1_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 20 MB with room for few files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=20000000,nr_inodes=1500", "tmpfs", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root may mount a disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


async def test_a_small_disk_that_fills_and_empties(small_disk: Path) -> None:
    check = DiskCheck(lambda: [small_disk / "not" / "made" / "yet", Path("/")])
    filler = small_disk / "filler"
    found = []
    for size in (0, 17, 18.5, 17.8, 17, 18.5):
        filler.write_bytes(bytes(int(size * MB)))
        found.append((await check.look()).state)
    few, much = State.DEGRADED, State.HEALTHY
    assert found == [much, much, few, few, much, few], "a tenth of it; a fifth more before it is healthy again"
    assert (await check.look()).message.startswith(f"Only 1 MB are free on the disk of {small_disk}:")


async def test_a_disk_without_room_for_files(small_disk: Path) -> None:
    check = DiskCheck(lambda: [small_disk])
    assert (await check.look()).state is State.HEALTHY
    for number in range(600):
        (small_disk / f"{number}").touch()
    found = await check.look()
    assert (found.state, "no room for further files" in found.message) == (State.DEGRADED, True)


async def test_a_large_disk_has_an_absolute_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = [0]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**13, 0, free[0]))
    check = DiskCheck(lambda: [tmp_path])
    found = []
    for free[0] in (10**10, 501 * MB, 499 * MB, 501 * MB, 599 * MB, 601 * MB):
        found.append((await check.look()).state)
    few, much = State.DEGRADED, State.HEALTHY
    assert found == [much, much, few, few, few, much]


async def test_nothing_is_written() -> None:
    assert (await DiskCheck(list).look()).message == "Nothing is written to a disk."
