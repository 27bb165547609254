"""`scripts/release`: what it refuses, and what it leaves in dist/, from a repository of this tree's files."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from scripts.lib import release
from scripts.lib.release import ReleaseError
from tests.installed import Installed, installed

__all__ = ["installed"]

ROOT = Path(__file__).resolve().parents[2]
VERSION: str = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
DESCRIBED = f"# Changelog\n\n## [Unreleased]\n\n## [{VERSION}] - 2026-11-28\n\n- News.\n\n## [0.0.1] - 2026-01-01\n"


def git(folder: Path, *words: str) -> str:
    person = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", *person, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A repository with what is looked at before anything is built."""
    (tmp_path / "pyproject.toml").write_text(f'[project]\nversion = "{VERSION}"\n')
    (tmp_path / "CHANGELOG.md").write_text(DESCRIBED)
    (tmp_path / ".gitignore").write_text("ignored/\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


@pytest.mark.parametrize("name", ["new.py", "CHANGELOG.md"])
def test_what_no_commit_has_is_refused(small: Path, name: str) -> None:
    (small / name).write_text("changed")
    with pytest.raises(ReleaseError, match=name):
        release.release(small, small / "dist")


def test_what_git_ignores_is_no_change(small: Path) -> None:
    (small / "ignored").mkdir()
    (small / "ignored/file").write_text("x")
    assert release.uncommitted(small) == ""


@pytest.mark.parametrize(
    ("changelog", "said"),
    [
        (DESCRIBED.replace("## [Unreleased]\n", "## [Unreleased]\n\n### Added\n\n- More.\n"), "under [Unreleased]"),
        (DESCRIBED.replace(VERSION, "9.9.9"), "is [9.9.9] - 2026-11-28"),
        (DESCRIBED.replace(f"## [{VERSION}] - 2026-11-28", f"## [{VERSION}]"), f"is [{VERSION}]."),
        (DESCRIBED.replace("- 2026-11-28", "- soon"), "soon"),
        ("# Changelog\n", "is none"),
    ],
)
def test_a_version_that_the_changelog_does_not_describe_is_refused(small: Path, changelog: str, said: str) -> None:
    (small / "CHANGELOG.md").write_text(changelog)
    git(small, "commit", "-qam", "changelog")
    with pytest.raises(ReleaseError) as refused:
        release.release(small, small / "dist")
    assert said in str(refused.value)
    assert VERSION in str(refused.value)


def test_a_described_version_is_taken(small: Path) -> None:
    assert release.not_described(small, VERSION) == ""


def test_a_version_is_released_from_one_commit(small: Path) -> None:
    git(small, "tag", f"v{VERSION}")
    assert release.tagged_elsewhere(small, VERSION) == ""
    git(small, "commit", "-q", "--allow-empty", "-m", "second")
    assert f"v{VERSION}" in release.tagged_elsewhere(small, VERSION)


def test_a_command_that_fails_is_shown_whole(tmp_path: Path) -> None:
    program = [sys.executable, "-c", "import sys; print('out'); sys.exit('err')"]
    with pytest.raises(ReleaseError, match=r"(?s)status 1.*out.*err"):
        release.run(program, tmp_path)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of this tree's files, with a changelog ready for a release and what an earlier build left."""
    folder = tmp_path_factory.mktemp("release") / "clone"
    tracked = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, tracked.split("\0")):
        if name.startswith(("addon/", "simulator/", "scripts/")) or "/" not in name:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).exists():
                shutil.copy(ROOT / name, folder / name)
    (folder / "CHANGELOG.md").write_text(DESCRIBED)
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    (folder / "build/lib/hunyuan_fix").mkdir(parents=True)
    (folder / "build/lib/hunyuan_fix/left_over.py").write_text("from_an_earlier_build = True\n")
    return folder


@pytest.mark.index
@pytest.mark.timeout(300)
def test_what_is_released_was_built_installed_and_tried(clone: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.lib.release"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    (clone / "dist").mkdir(exist_ok=True)
    (clone / "dist/hunyuan_fix-0.0.1-py3-none-any.whl").write_text("of an earlier release")
    done = subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    names = {f"hunyuan_fix-{VERSION}-py3-none-any.whl", f"hunyuan_fix-{VERSION}.tar.gz"}
    assert {path.name for path in (clone / "dist").iterdir()} == {*names, release.SUMS}
    lines = [line.split("  ") for line in (clone / "dist" / release.SUMS).read_text().splitlines()]
    sums = {name: digest for digest, name in lines}
    assert sums == {name: hashlib.sha256((clone / "dist" / name).read_bytes()).hexdigest() for name in names}
    assert all(f"== install and try {name}" in done.stdout for name in names)
    wheel = (clone / "dist" / min(names)).read_bytes()
    assert b"left_over" not in wheel
    (again,) = (file for file in release.build(clone, tmp_path) if file.suffix == ".whl")
    assert again.read_bytes() == wheel


def test_a_program_of_another_version_is_no_release(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wheel without its dependencies, which `--version` doesn't need and `pip check` would miss."""
    monkeypatch.setenv("PIP_NO_DEPS", "1")
    really = release.run

    def without_check(command: Sequence[str], folder: Path, **variables: str) -> str:
        return "" if command[-1] == "check" else really(command, folder, **variables)

    monkeypatch.setattr(release, "run", without_check)
    with pytest.raises(ReleaseError, match=f"says 'hunyuan-fix {VERSION}'"):
        release.try_out(installed.wheel, "9.9.9", tmp_path / "tried")
