"""From a clone to the first repaired request: two commands, in an environment that holds nothing of anybody's.

Everything is real: bash, Python, pip and its index, curl. Only the endpoint is a stand-in, the simulator. How long each
part took is printed (`-s` shows it, and a failure does), and not judged: that depends on machine and network.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.lib.processes import free_port
from tests import package_index
from tests.end_to_end.processes import KEY, ROOT, process
from tests.end_to_end.requests import agent_request

pytestmark = [pytest.mark.index, pytest.mark.timeout(300)]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that git would hand out, in another folder, whose name has a space."""
    folder = tmp_path / "a clone"
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file() and not name.startswith(("tests/", "docs/")):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def endpoint() -> Iterator[str]:
    command = [sys.executable, "-P", "-m", "hunyuan_fix.simulator", "--profile", "tokenhub"]
    with process("simulator", command) as started:
        yield started.wait_for(r"simulator listening on (\S+)")[1] + "/v1"


def bare_environment(folder: Path) -> dict[str, str]:
    """What `env -i HOME=… PATH=…` leaves, a Python that is new enough, and where pip finds its packages."""
    (folder / "bin").mkdir()
    (folder / "home").mkdir()
    (folder / "bin" / "python3.13").symlink_to(Path(sys.base_prefix) / "bin/python3")
    return {"HOME": str(folder / "home"), "PATH": f"{folder / 'bin'}:/usr/bin:/bin", **package_index.for_pip()}


def test_two_commands_to_the_first_repaired_request(clone: Path, endpoint: str, tmp_path: Path) -> None:
    environment = bare_environment(tmp_path)
    port, reverse_port = free_port(), free_port()
    body = json.dumps(agent_request("[[sim:say 好]]", model="hy3"))
    first = f"'{clone}/scripts/run' --port {port} --reverse-port {reverse_port} --upstream {endpoint}"
    second = (
        f"curl -sS -i http://127.0.0.1:{reverse_port}/v1/chat/completions -H 'content-type: application/json' "
        f"-H 'authorization: Bearer {KEY}' -d @-"
    )
    began = time.monotonic()
    with process("scripts/run", ["bash", *shlex.split(first)], environment) as started:
        started.wait_for("packages installed", timeout=250)
        installed = time.monotonic()
        started.wait_for("hunyuan-fix is ready")
        ready = time.monotonic()
        answer = subprocess.run(
            ["bash", "-c", second], env=environment, input=body, capture_output=True, encoding="utf-8", check=True
        ).stdout
        answered = time.monotonic()
        assert "HTTP/1.1 200" in answer, answer
        assert re.search(r"(?mi)^x-hunyuan-fix: .*merge", answer), answer
        assert answer.endswith("}")
        started.terminate()
        assert started.wait() == 0
    took(install=installed - began, start=ready - installed, request=answered - ready, all=answered - began)
    # Nothing that only the tests need, and nothing outside the clone but the user's own files.
    (packages,) = clone.glob(".venv/lib/python3*/site-packages")
    for name in ("mypy", "pytest", "hypothesis", "openai", "uv", "twine"):
        assert not (packages / name).exists()


def took(**seconds: float) -> None:
    """Print how long each part took."""
    sys.stdout.write("".join(f"{name}: {value:.1f} s\n" for name, value in seconds.items()))
