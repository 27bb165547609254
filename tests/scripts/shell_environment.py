"""Running a module of the scripts as its shell script does, in an environment that holds nothing of the person's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.end_to_end.processes import ROOT, clean_environment

_NODE = ("NODE_EXTRA_CA_CERTS", "NODE_USE_ENV_PROXY", "NODE_OPTIONS", "CODEX_CA_CERTIFICATE")


def environment(home: Path, **variables: str) -> dict[str, str]:
    """A person's environment: `home`, bash, and what is given; a proxy or CA only if that is given."""
    clean = {name: value for name, value in clean_environment().items() if name not in _NODE}
    return clean | {"HOME": str(home), "SHELL": "/bin/bash"} | variables


def command(module: str, *arguments: str) -> list[str]:
    """How `scripts/MODULE` starts it, but for the virtual environment."""
    return [sys.executable, "-P", "-m", f"scripts.lib.{module}", *arguments]


def run(module: str, *arguments: str, given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run it to its end, in the folder `HOME`."""
    return subprocess.run(
        command(module, *arguments),
        cwd=given["HOME"],
        env={**given, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
