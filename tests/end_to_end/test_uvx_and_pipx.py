"""The wheel as a user without a clone has it: `uvx --from WHEEL hunyuan-fix …` and `pipx install WHEEL`.

uv and pipx are real, and what the wheel depends on comes from the package index that pip is configured for. No file
of the repository is in reach: another home folder, another working folder.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts.lib.processes import free_port
from tests import package_index
from tests.cli.shell_environment import environment
from tests.end_to_end.processes import ROOT, Process, process
from tests.installed import Installed, ask, installed, simulator

__all__ = ["installed", "simulator"]

pytestmark = [pytest.mark.index, pytest.mark.timeout(300)]
TOOLS = Path(sys.executable).parent


class Way:
    """One way to have the program."""

    def __init__(self, home: Path, command: Sequence[str], **variables: str) -> None:
        self.home, self.command = home, [str(word) for word in command]
        self.environment = environment(home, **package_index.variables(), **variables)
        # Neither tool compiles: the first start does. And what is said must come at once without being asked for.
        for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
            self.environment.pop(name, None)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of it to its end."""
        return run([*self.command, *arguments], self.home, self.environment)

    @contextmanager
    def start(self, *arguments: str) -> Iterator[Process]:
        with process("hunyuan-fix run", [*self.command, *arguments], self.environment) as started:
            yield started


def run(command: Sequence[str], home: Path, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=home, env=variables, capture_output=True, encoding="utf-8", timeout=250, check=False
    )


@pytest.fixture(scope="module", params=["uvx", "pipx"])
def way(request: pytest.FixtureRequest, installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Way:
    home = tmp_path_factory.mktemp(request.param)
    if request.param == "uvx":
        return Way(home, [str(TOOLS / "uvx"), "--quiet", "--from", str(installed.wheel), "hunyuan-fix"])
    folders = {
        "PIPX_HOME": str(home / "pipx"),
        "PIPX_BIN_DIR": str(home / "bin"),
        "PIPX_DEFAULT_PYTHON": sys.executable,
    }
    way = Way(home, [str(home / "bin/hunyuan-fix")], **folders)
    done = run([str(TOOLS / "pipx"), "install", str(installed.wheel)], home, way.environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return way


def test_run_repairs_a_request(way: Way, simulator: str) -> None:
    ports = ["--port", str(free_port()), "--reverse-port", str(free_port())]
    with way.start("run", *ports, "--set", f"hunyuan_upstream={simulator}") as started:
        started.wait_for("hunyuan-fix is ready")
        answer = ask(int(ports[1]), way.home / ".mitmproxy/hunyuan-fix-ca-bundle.pem")
        assert answer.status_code == 200, answer.text
        assert "merge" in answer.headers["x-hunyuan-fix"]
        started.terminate()
        assert started.wait() == 0


def test_demo(way: Way) -> None:
    done = way.run("demo")
    assert done.returncode == 0, done.stdout + done.stderr


def test_help_and_path(way: Way) -> None:
    assert way.run("doctor", "--help").stdout.startswith("usage: hunyuan-fix doctor ")
    path = Path(way.run("path").stdout.removesuffix("\n"))
    assert path.name == "hunyuan_fix.py"
    assert path.is_file()
    assert not path.is_relative_to(ROOT)


def test_the_index_of_pip_is_uvs() -> None:
    listing = (
        "global.index-url='http://mirror.example/simple'\n"
        "global.extra-index-url='file:///one\\nfile:///two'\n"
        "global.find-links='/old'\n"
        ":env:.find-links='/a /b'\n"
        "global.timeout='3'\n"
    )
    assert package_index.for_uv(listing) == {
        "UV_DEFAULT_INDEX": "http://mirror.example/simple",
        "UV_INDEX": "file:///one file:///two",
        "UV_FIND_LINKS": "/a,/b",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


@pytest.mark.parametrize(
    "platform",
    ["x86_64-pc-windows-msvc", "aarch64-apple-darwin", "x86_64-apple-darwin", "aarch64-unknown-linux-gnu"],
)
def test_on_other_systems_nothing_needs_a_compiler(platform: str, tmp_path: Path) -> None:
    """uv finds a wheel for each dependency there; nothing is installed."""
    command = [str(TOOLS / "uv"), "pip", "compile", "--quiet", "--only-binary", ":all:", "--python-version", "3.13"]
    done = run(
        [*command, "--python-platform", platform, str(ROOT / "pyproject.toml")],
        tmp_path,
        environment(tmp_path, **package_index.variables()),
    )
    assert done.returncode == 0, done.stderr
    names = set(re.findall(r"^([\w.-]+)==", done.stdout, re.MULTILINE))
    assert {"mitmproxy", "orjson", "brotli"} <= names
    assert ("mitmproxy-windows" in names) == ("windows" in platform)
    assert ("mitmproxy-macos" in names) == ("apple" in platform)
