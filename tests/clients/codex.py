"""Running the real Codex without a terminal, as the start helper does, in a home and a work folder of its own."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hunyuan_fix.cli.agents import proxy as agents_proxy
from hunyuan_fix.cli.agents.table import agents
from hunyuan_fix.cli.agents.variables import Target, arguments_before
from tests.end_to_end.processes import KEY, Proxy

TIMEOUT = 100.0
"""Seconds that a run gets; it needs two on an idle machine."""


@dataclass(frozen=True, slots=True)
class Run:
    """A run that ended: its exit code, the events that it printed, and all that it said."""

    code: int
    events: list[dict[str, Any]]
    output: str

    def items(self, kind: str) -> list[dict[str, Any]]:
        """The items of one kind that were completed, in order."""
        done = [event["item"] for event in self.events if event["type"] == "item.completed"]
        return [item for item in done if item["type"] == kind]

    @property
    def said(self) -> str:
        """The last text of the model."""
        texts = [str(item["text"]) for item in self.items("agent_message")]
        return texts[-1] if texts else ""

    @property
    def usage(self) -> dict[str, int]:
        """The tokens of the turn."""
        (done,) = (event for event in self.events if event["type"] == "turn.completed")
        return dict(done["usage"])

    @property
    def thread(self) -> str:
        """What `resume` takes."""
        return str(next(event["thread_id"] for event in self.events if event["type"] == "thread.started"))


@dataclass(frozen=True, slots=True)
class Codex:
    """The program before a proxy, in `folder`, asking for a model."""

    folder: Path
    proxy: Proxy
    profile: str
    model: str
    config: tuple[str, ...] = ()
    """Settings beside the helper's, each `NAME=VALUE`."""
    key: str = KEY
    window: int | None = None
    """The user's `hunyuan_window`."""

    @property
    def work(self) -> Path:
        """The folder that it works in."""
        made = self.folder / "work"
        made.mkdir(exist_ok=True)
        return made

    def ask(self, prompt: str, *arguments: str, resume: str = "") -> Run:
        """Run it with `prompt` to its end, in the thread `resume` or a new one. AssertionError if it doesn't end."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        clients = Path(os.environ["HUNYUAN_FIX_CLIENTS"])
        found = agents_proxy.Proxy(
            self.proxy.port, self.proxy.reverse_port, self.proxy.certificates.confdir, self.profile
        )
        target = Target.by(found, self.model, self.window)
        command = [
            "codex",
            *arguments_before(agents()["codex"], target, ()),
            *(word for setting in self.config for word in ("-c", setting)),
            *("exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"),
            *arguments,
            *(("resume", resume) if resume else ()),
            *("--", prompt),
        ]
        given = {
            "HUNYUAN_API_KEY": self.key,
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1",
            "HTTPS_PROXY": "http://127.0.0.1:9",  # nothing of a test goes elsewhere
            "PATH": f"{clients}/node_modules/.bin:{os.environ['PATH']}",
            "TERM": "dumb",
        }
        printed, complained = self.folder / "printed", self.folder / "complained"
        with printed.open("wb") as out, complained.open("wb") as err:
            try:
                code = subprocess.run(
                    command,
                    cwd=self.work,
                    env=given,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    timeout=TIMEOUT,
                    check=False,
                ).returncode
            except subprocess.TimeoutExpired:
                raise AssertionError(f"not done after {TIMEOUT:.0f} s:\n{printed.read_text()}") from None
        text = printed.read_text(encoding="utf-8", errors="replace")
        events = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        return Run(code, events, text + complained.read_text(encoding="utf-8", errors="replace"))
