"""Prometheus's own judge of rules. Without the program these tests fail: `scripts/test` finds or installs it."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Promtool:
    """The program, and the folder that it runs in."""

    program: str
    folder: Path

    def __call__(self, *arguments: str) -> str:
        """Run it; returns what it prints. Raises `AssertionError` where it finds a fault."""
        done = subprocess.run([self.program, *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr


def found(folder: Path) -> Promtool:
    """The one that the environment names, else the one in PATH. Raises `AssertionError` without one."""
    program = os.environ.get("HUNYUAN_FIX_PROMTOOL") or shutil.which("promtool")
    assert program, "no promtool here: scripts/test installs one, or set HUNYUAN_FIX_PROMTOOL=/path/to/it"
    return Promtool(program, folder)
