"""The programs that judge files of deploy/. Without one its tests fail: `scripts/test` finds or installs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
BIN = Path(sys.executable).parent
"""Of the environment that the tests run in: hunyuan-fix itself, and the judges that are Python packages."""


def found(program: str) -> str:
    """The program that HUNYUAN_FIX_… names, else the one in PATH. Raises `AssertionError` without one."""
    variable = f"HUNYUAN_FIX_{program.upper().replace('-', '_')}"
    path = os.environ.get(variable) or shutil.which(program) or shutil.which(f"/usr/sbin/{program}")
    assert path, f"no {program} here: scripts/test installs one, or set {variable}=/path/to/it"
    return path


def judged(*command: str | Path) -> str:
    """Run a judge; returns what it prints. Raises `AssertionError` where it finds a fault."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
