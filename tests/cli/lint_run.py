"""Running `scripts/lint`, and bodies for it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.cli.shell_environment import environment, run
from tests.end_to_end.processes import ROOT

SECRET = "correct-horse-battery"
"""In message contents and in query strings: never to be shown."""

MODEL = "hy3"
OLD_MODEL = "hunyuan-2.0-instruct-20251111"
OLD = ("--profile", "hunyuan")
"""The platform that was shut down."""
CLEAN = {"model": MODEL, "messages": [{"role": "user", "content": SECRET}]}
BROKEN = {"model": MODEL, "seed": 1, "messages": [{"role": "user", "content": SECRET}, {"role": "user", "content": ""}]}


class Done:
    """A run of the program that has ended; `program` is a process to run in place of it."""

    def __init__(
        self,
        *arguments: str | Path,
        stdin: object = b"",
        folder: Path = ROOT,
        program: Sequence[str] | None = None,
        language: str = "en",
    ) -> None:
        data = stdin if isinstance(stdin, bytes) else json.dumps(stdin).encode()
        words = list(map(str, arguments))
        if program is None:
            done = run("lint", *words, given=environment(folder, HUNYUAN_LANGUAGE=language), stdin=data, folder=folder)
        else:
            done = subprocess.run(
                [*program, *words],
                cwd=folder,
                env=environment(folder),
                input=data.decode(),
                capture_output=True,
                encoding="utf-8",
                timeout=60,
                check=False,
            )
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr

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
