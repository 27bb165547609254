"""hunyuan-fix as a user has it: its wheel in a fresh environment, beside the packages that it needs at run time.

Nothing is fetched. Those packages, and no others, are linked from the environment that runs the tests; `pip check` then
says whether anything that the wheel or they ask for is missing.
"""

from __future__ import annotations

import json
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from hunyuan_fix.config import operating_system
from tests.cli.shell_environment import environment
from tests.end_to_end.processes import KEY, LEGACY, process
from tests.end_to_end.requests import agent_request

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("addon", "simulator", "tests", "scripts", "docs")
FILES = ("pyproject.toml", "MANIFEST.in", "constraints.txt", "README.md", "LICENSE")


@dataclass(frozen=True, slots=True)
class Installed:
    """The environment, and what it was made from."""

    folder: Path
    wheel: Path
    sdist: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def program(self) -> Path:
        """The console script."""
        return self.folder / "bin" / "hunyuan-fix"

    @property
    def packages(self) -> Path:
        """Its site-packages."""
        (found,) = self.folder.glob("lib/python*/site-packages")
        return found

    def run(self, home: Path, *arguments: str, stdin: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, in the folder `home`, whose user has nothing else."""
        return subprocess.run(
            [self.program, *arguments],
            cwd=home,
            env=environment(home, **variables),
            input=stdin,
            capture_output=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Made once for all workers: the first one builds, the others wait for it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "installed"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("ab") as lock:
        while not operating_system.lock(lock.fileno()):
            time.sleep(0.1)
        done = folder / "done.json"
        if not done.exists():
            wheel, sdist = _build(folder)
            _install(folder / "environment", wheel)
            done.write_text(json.dumps([str(wheel), str(sdist)]))
        wheel, sdist = map(Path, json.loads(done.read_text()))
    return Installed(folder / "environment", wheel, sdist)


@pytest.fixture
def simulator(installed: Installed) -> Iterator[str]:
    """The simulator of the wheel; yields its base URL."""
    with process("simulator", [str(installed.python), "-P", "-m", "hunyuan_fix.simulator"]) as started:
        yield started.wait_for(r"simulator listening on (\S+)")[1] + "/v1"


def ask(proxy_port: int, ca: Path) -> httpx.Response:
    """What an agent sends, by the proxy."""
    with httpx.Client(
        proxy=f"http://127.0.0.1:{proxy_port}",
        verify=ssl.create_default_context(cafile=str(ca)),
        trust_env=False,
        timeout=60,
    ) as client:
        return client.post(
            f"https://{LEGACY}/v1/chat/completions",
            json=agent_request("[[sim:say 好]]"),
            headers={"authorization": f"Bearer {KEY}"},
        )


def _build(folder: Path) -> tuple[Path, Path]:
    """A source distribution of this tree, and the wheel that is built from it."""
    tree, dist = folder / "tree", folder / "dist"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir()
    for name in FOLDERS:
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__", "captures", "cases"))
    for name in FILES:
        shutil.copy(ROOT / name, tree)
    build = f"import setuptools.build_meta as backend; backend.build_sdist({str(dist)!r})"
    _run([sys.executable, "-c", build], tree)
    (sdist,) = dist.glob("*.tar.gz")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
    _run([*pip, "--no-build-isolation", "--no-deps", "--no-index", "--wheel-dir", str(dist), str(sdist)], folder)
    (wheel,) = dist.glob("*.whl")
    return wheel, sdist


def _install(folder: Path, wheel: Path) -> None:
    _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder)], folder.parent)
    (packages,) = folder.glob("lib/python*/site-packages")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(folder / "bin" / "python")]
    _run([*pip, "install", "--quiet", "--no-deps", "--no-index", str(wheel)], folder.parent)
    (own,) = metadata.distributions(name="hunyuan-fix", path=[str(packages)])
    for distribution in needed_by(own):
        for file in distribution.files or ():
            link = packages / file.parts[0]
            if file.parts[0] not in ("..", "__pycache__") and not link.exists():
                link.symlink_to(distribution.locate_file(file.parts[0]).resolve())  # type: ignore[attr-defined]
    _run([*pip, "check"], folder.parent)


def needed_by(distribution: metadata.Distribution) -> list[metadata.Distribution]:
    """What it needs on this machine without an extra of its own, and what that needs, from the tests' environment."""
    found: dict[str, metadata.Distribution] = {}
    waiting: list[tuple[metadata.Distribution, frozenset[str]]] = [(distribution, frozenset())]
    seen = set()
    while waiting:
        current, extras = waiting.pop()
        for requirement in map(Requirement, current.requires or ()):
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
                continue
            key = canonicalize_name(requirement.name), frozenset(requirement.extras)
            if key not in seen:
                seen.add(key)
                found[key[0]] = metadata.distribution(requirement.name)
                waiting.append((found[key[0]], key[1]))
    return list(found.values())


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
