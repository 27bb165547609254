"""Running the real Claude Code without a terminal, in a home and a work folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.end_to_end.processes import KEY

TIMEOUT = 100.0
"""Seconds that a run gets; it needs two on an idle machine."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that ended: its exit code, what it printed as JSON (`{}` if that is none), and all that it said."""

    code: int
    report: dict[str, Any]
    output: str

    @property
    def said(self) -> str:
        """The last text of the model, or the error that it shows."""
        return str(self.report.get("result", ""))

    @property
    def session(self) -> str:
        """What `--resume` takes."""
        return str(self.report["session_id"])


@dataclass(frozen=True, slots=True)
class ClaudeCode:
    """The program with a base URL (without `/v1`) and a model, in `folder`."""

    folder: Path
    base_url: str
    model: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def work(self) -> Path:
        """The folder that it works in."""
        made = self.folder / "work"
        made.mkdir(exist_ok=True)
        return made

    def ask(self, prompt: str, *arguments: str, **environment: str) -> Run:
        """Run it with `prompt` to its end. AssertionError if it doesn't end."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        clients = Path(os.environ["HUNYUAN_FIX_CLIENTS"])
        command = ["claude", "-p", prompt, "--output-format", "json", "--dangerously-skip-permissions", *arguments]
        given = {
            "ANTHROPIC_AUTH_TOKEN": KEY,
            "ANTHROPIC_BASE_URL": self.base_url,
            "ANTHROPIC_MODEL": self.model,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "HOME": str(home),
            "IS_SANDBOX": "1",  # as root it wants to hear that nothing can be broken
            "LANG": "C.UTF-8",
            "PATH": f"{clients}/node_modules/.bin:{os.environ['PATH']}",
            "TERM": "dumb",
        }
        printed, complained = self.folder / "printed", self.folder / "complained"
        with printed.open("wb") as out, complained.open("wb") as err:
            try:
                code = subprocess.run(
                    command,
                    cwd=self.work,
                    env={**given, **self.environment, **environment},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    timeout=TIMEOUT,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                raise AssertionError(f"not done after {TIMEOUT:.0f} s:\n{printed.read_text()}") from None
        text = printed.read_text(encoding="utf-8", errors="replace")
        try:
            report = json.loads(text)
        except ValueError:
            report = {}
        return Run(code, report, text + complained.read_text(encoding="utf-8", errors="replace"))
