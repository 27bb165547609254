"""Running `scripts/lint` as a process, and bodies for it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.end_to_end.processes import ROOT
from tests.scripts.shell_environment import command, environment

SECRET = "correct-horse-battery"
"""In message contents and in query strings: never to be shown."""

MODEL = "hunyuan-2.0-instruct-20251111"
CLEAN = {"model": MODEL, "messages": [{"role": "user", "content": SECRET}]}
BROKEN = {"model": MODEL, "seed": 1, "messages": [{"role": "user", "content": SECRET}, {"role": "user", "content": ""}]}


class Done:
    """A run of the program that has ended."""

    def __init__(self, *arguments: str | Path, stdin: object = b"", folder: Path = ROOT, program: Any = None) -> None:
        data = stdin if isinstance(stdin, bytes) else json.dumps(stdin).encode()
        done = subprocess.run(
            [*(program or command("lint")), *map(str, arguments)],
            cwd=folder,
            env={**environment(folder), "PYTHONPATH": str(ROOT)},
            input=data,
            capture_output=True,
            timeout=60,
            check=False,
        )
        self.status = done.returncode
        self.out, self.err = done.stdout.decode(), done.stderr.decode()

    @property
    def report(self) -> dict[str, Any]:
        """The report of `--format json`."""
        report: dict[str, Any] = json.loads(self.out)
        return report

    @property
    def only(self) -> dict[str, Any]:
        """The one request in the report."""
        (request,) = self.report["requests"]
        return dict(request)
