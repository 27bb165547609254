"""Builds the wheel and the source distribution of the commit that is checked out, tries both, and uploads nothing.

Refused are uncommitted changes, a version without its own section in CHANGELOG.md (or with entries still under
Unreleased), and a version whose tag stands at another commit. Both files are then built from the commit, checked by
twine, and each is installed by pip into a fresh environment, where `hunyuan-fix --version` and `hunyuan-fix demo` run.
dist/ holds them at the end, with their SHA-256 in SHA256SUMS. The network is needed: pip fetches what they depend on.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SUMS = "SHA256SUMS"


class ReleaseError(Exception):
    """Why there is no release; the text is for a person."""


def release(root: Path, folder: Path) -> Sequence[Path]:
    """Build the commit that is checked out in `root` and move what passed into `folder`. Raises `ReleaseError`."""
    version: str = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    _say("version, changelog, tag")
    for fault in (uncommitted(root), not_described(root, version), tagged_elsewhere(root, version)):
        if fault:
            raise ReleaseError(fault)
    with tempfile.TemporaryDirectory(prefix="hunyuan-fix-release-") as name:
        place = Path(name)
        files = build(root, place)
        _say("twine check")
        run([sys.executable, "-m", "twine", "check", "--strict", *map(str, files)], place)
        for file in files:
            try_out(file, version, place / file.suffix.removeprefix("."))
        folder.mkdir(parents=True, exist_ok=True)
        for old in (*folder.glob("hunyuan_fix-*"), folder / SUMS):
            old.unlink(missing_ok=True)
        finished = [Path(shutil.move(file, folder / file.name)) for file in files]
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in finished]
    (folder / SUMS).write_text("".join(sums), "ascii")
    return [*finished, folder / SUMS]


def uncommitted(root: Path) -> str:
    """What is wrong where the work tree isn't the commit; files that git ignores don't count."""
    changed = run(["git", "status", "--porcelain"], root)
    return f"There are changes that no commit has:\n{changed}" if changed else ""


def not_described(root: Path, version: str) -> str:
    """What is wrong where the newest section of the changelog isn't that of `version`."""
    _, *sections = re.split(r"^## ", (root / "CHANGELOG.md").read_text("utf-8"), flags=re.MULTILINE)
    titles = [section.partition("\n")[0] for section in sections]
    unreleased = [section for section in sections if section.startswith("[Unreleased]")]
    if any(section.partition("\n")[2].strip() for section in unreleased):
        return f"CHANGELOG.md has entries under [Unreleased]: move them below `## [{version}] - DATE`."
    released = [title for title in titles if not title.startswith("[Unreleased]")]
    if not released or not re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", released[0]):
        newest = released[0] if released else "none"
        return f"pyproject.toml has version {version}; the newest section of CHANGELOG.md is {newest}."
    return ""


def tagged_elsewhere(root: Path, version: str) -> str:
    """What is wrong where the version was released from another commit."""
    if not run(["git", "tag", "--list", f"v{version}"], root):
        return ""
    commits = {run(["git", "rev-list", "-n", "1", name], root) for name in (f"v{version}", "HEAD")}
    return (
        f"The tag v{version} stands at another commit: a new release needs a new version." if len(commits) > 1 else ""
    )


def build(root: Path, folder: Path) -> Sequence[Path]:
    """The wheel and the source distribution of the commit, in `folder`: from its files, not from the work tree's."""
    _say("build")
    tree, dist = folder / "tree", folder / "dist"
    archive = subprocess.run(["git", "archive", "--format=tar", "HEAD"], cwd=root, capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(tree, filter="data")
    time = run(["git", "log", "-1", "--format=%ct"], root)
    # Without isolation: setuptools is here, pinned. With the commit's time, the wheel is the same wherever it is built.
    run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(dist), str(tree)],
        folder,
        SOURCE_DATE_EPOCH=time,
    )
    return sorted(dist.glob("hunyuan_fix-*"), reverse=True)


def try_out(file: Path, version: str, folder: Path) -> None:
    """Install `file` into a fresh environment in `folder` and use it there. Raises `ReleaseError`."""
    _say(f"install and try {file.name}")
    environment, home = folder / "environment", folder / "home"
    home.mkdir(parents=True)
    venv.create(environment)
    place = environment / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", str(place / "python"), "--disable-pip-version-check", "--no-input"]
    run([*pip, "install", "--quiet", "--no-compile", str(file)], home)
    run([*pip, "check"], home)
    program = str(place / "hunyuan-fix")
    # The user of a fresh machine: no settings, another home folder, another folder than the repository.
    own = {"HOME": str(home), "USERPROFILE": str(home), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""}
    said = run([program, "--version"], home, **own)
    if said != f"hunyuan-fix {version}":
        raise ReleaseError(f"{file.name}: `hunyuan-fix --version` says {said!r}")
    run([program, "demo"], home, **own)


def run(command: Sequence[str], folder: Path, **variables: str) -> str:
    """Run `command` in `folder`; its output without the last newline. Raises `ReleaseError` with all it said."""
    inherited: Mapping[str, str] = {
        name: value for name, value in os.environ.items() if not name.startswith(("HUNYUAN_", "PYTHON"))
    }
    done = subprocess.run(
        command, cwd=folder, env={**inherited, **variables}, capture_output=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise ReleaseError(f"{' '.join(command)} (status {done.returncode})\n{done.stdout}{done.stderr}".rstrip())
    return done.stdout.rstrip("\n")


def _say(step: str) -> None:
    print(f"== {step}", flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the release; returns the exit status."""
    summary, _, rest = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        "scripts/release", description=f"{summary}\n\n{rest}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, default=ROOT / "dist", help="where to write them (default: dist)")
    given = parser.parse_args(arguments)
    try:
        files = release(ROOT, given.folder)
    except ReleaseError as error:
        print(f"scripts/release: {error}", file=sys.stderr)
        return 1
    print("\n".join(str(file) for file in files))
    return 0


if __name__ == "__main__":
    sys.exit(main())
