"""Real agents recorded once and replayed: elsewhere, with another home, on another day, without key and endpoint.

What the model does stands in the prompt and in the files that the agent reads (see test_claude_code.py).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowReader

from hunyuan_fix.cli.replay import MISSED
from tests.cli.shell_environment import command, environment
from tests.end_to_end.processes import KEY, Certificates, run_simulator

TIMEOUT = 120.0
"""Seconds that a run gets; it needs five on an idle machine."""
FOUND = "sk-1abcdefghijklmnopqrstuvwxyz0123"
"""A key in a file that the agent reads."""
DAY = re.compile(r"[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [A-Z]{3,4} \d{4}")
"""What `date` prints."""
UUID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def call(tool: str, **arguments: Any) -> str:
    """What makes the model call a tool, without a word beside it."""
    return f"[[sim:say]][[sim:tool {tool} {json.dumps(arguments)}]]"


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent: its command line for a prompt, and what makes the model run a shell command and write a file."""

    name: str
    command: Callable[[str], list[str]]
    shell: Callable[[str], str]
    write: Callable[[Path], str]


AGENTS = [
    Agent(
        "claude-code",
        lambda prompt: ["claude", "-p", prompt, "--output-format", "json", "--dangerously-skip-permissions"],
        lambda line: call("Bash", command=line, description="runs it"),
        lambda file: call("Write", file_path=str(file), content="done"),
    ),
    Agent(
        "codex",
        lambda prompt: [
            *("codex", "exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"),
            *("--", prompt),
        ],
        lambda line: call("exec_command", cmd=line),
        lambda file: call("exec_command", cmd=f"printf done >'{file}'"),
    ),
]
WAYS = {"translated": ("--no-messages", "--no-responses"), "native": ()}
"""How the endpoint speaks the agent's format: not at all, or itself."""


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with a task in it, a home, a folder for temporary files."""

    agent: Agent
    folder: Path

    @property
    def work(self) -> Path:
        """Where the agent works."""
        return self.folder / "work"

    @property
    def proof(self) -> str:
        """What the agent has written."""
        return (self.work / "proof").read_text()

    def prepare(self, secret: str = FOUND, word: str = "same") -> None:
        """Make the folders and the files: each tool's result says which tool comes next."""
        for name in ("work", "home", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.work / "two").write_text(f"KEY={secret} {self.agent.shell('cat three')}")
        (self.work / "three").write_text(f"{word} {self.agent.write(self.work / 'proof')}")

    def run(self, name: str, file: Path, *options: str, key: str = "") -> subprocess.CompletedProcess[str]:
        """Run `record` or `replay` with `file` here, to its end."""
        prompt = self.agent.shell("date; mktemp; cat two")
        clients = Path(os.environ["HUNYUAN_FIX_CLIENTS"])
        given = environment(
            self.folder / "home",
            HUNYUAN_API_KEY=key,
            IS_SANDBOX="1",  # as root Claude Code wants to hear that nothing can be broken
            LANG="C.UTF-8",
            TERM="dumb",
            TMPDIR=str(self.folder / "tmp"),
        )
        given["PATH"] = f"{clients}/node_modules/.bin:{os.environ['PATH']}"
        return subprocess.run(
            command(name, str(file), *options, "--", *self.agent.command(prompt)),
            cwd=self.work,
            env=given,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )


def answers(flows: Path) -> list[bytes]:
    """The answers to calls that a proxy has given, from a file of its flows."""
    with flows.open("rb") as file:
        read = [flow for flow in FlowReader(file).stream() if isinstance(flow, HTTPFlow)]
    calls = [flow for flow in read if flow.request.method == "POST" and flow.response is not None]
    return [flow.response.content or b"" for flow in calls if flow.response is not None]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A file, and how many calls are in it."""

    agent: Agent
    file: Path
    calls: int


@pytest.fixture(
    scope="module",
    params=[(agent, way) for agent in AGENTS for way in WAYS],
    ids=lambda param: f"{param[0].name}-{param[1]}",
)
def recorded(
    request: pytest.FixtureRequest, certificates: Certificates, tmp_path_factory: pytest.TempPathFactory
) -> Recorded:
    """A task with three tools, recorded; the endpoint is there no more."""
    agent, way = request.param
    folder = tmp_path_factory.mktemp("recorded")
    here = Place(agent, folder / "in a folder")
    here.prepare()
    with run_simulator(certificates, "--no-mentions", *WAYS[way], profile="tokenhub") as endpoint:
        translate = ("--set", "hunyuan_translate=always") if way == "translated" else ()
        options = ("--upstream", endpoint.base_url, "--profile", "tokenhub", *translate)
        done = here.run("record", folder / "run.jsonl", *options, key=KEY)
        assert done.returncode == 0, done.stderr
        assert here.proof == "done"
        calls = len([request for request in endpoint.requests() if request["method"] == "POST"])
        assert f"{calls} calls" in done.stderr
    text = (folder / "run.jsonl").read_text("utf-8")
    assert KEY not in text
    assert FOUND not in text
    assert str(folder) not in text
    assert re.sub("[^A-Za-z0-9]", "-", str(here.work)) not in text
    return Recorded(agent, folder / "run.jsonl", calls)


def test_elsewhere_without_key_and_endpoint_it_does_the_same(recorded: Recorded, tmp_path: Path) -> None:
    """Twice, with the same bytes; each has another key in its file."""
    said: list[list[bytes]] = []
    for number in range(2):
        there = Place(recorded.agent, tmp_path / "replayed")  # a folder's name is in some pieces of a stream
        shutil.rmtree(there.folder, ignore_errors=True)
        there.prepare(secret=f"sk-2zyxwvutsrqponmlkjihgfedcba321{number}")
        flows = there.folder / "flows"
        done = there.run("replay", recorded.file, "-w", str(flows))
        assert done.returncode == 0, done.stderr
        assert there.proof == "done"
        assert f"{recorded.calls} calls, which saved" in done.stderr
        assert "not in" not in done.stderr
        # Codex gets back what it asks with: its session is another one each time.
        said.append([UUID.sub(b"UUID", answer) for answer in answers(flows)])
    assert said[0] == said[1]
    assert len(said[0]) >= recorded.calls


def test_on_another_day_it_does_the_same(recorded: Recorded, tmp_path: Path) -> None:
    other_day = tmp_path / "other-day.jsonl"
    changed, count = DAY.subn("Thu Jan  1 01:02:03 UTC 2026", recorded.file.read_text("utf-8"))
    assert count
    other_day.write_text(changed, "utf-8")
    there = Place(recorded.agent, tmp_path / "there")
    there.prepare()
    done = there.run("replay", other_day)
    assert done.returncode == 0, done.stderr
    assert there.proof == "done"


def test_a_result_that_differs_is_named_and_not_asked_for_again(recorded: Recorded, tmp_path: Path) -> None:
    there = Place(recorded.agent, tmp_path / "with another file")
    there.prepare(word="other")
    done = there.run("replay", recorded.file)
    assert done.returncode != 0, done.stdout
    assert "(1):" in done.stderr, done.stderr
    assert re.search(r"message \d+ \(role (tool|user|function_call_output)\) differs", done.stderr), done.stderr
    assert "same [[sim" in done.stderr
    assert "other [[sim" in done.stderr
    assert "differs: recorded was" in done.stdout, "the agent shows it, too"
    assert not (there.work / "proof").exists()


def test_a_replay_that_misses_has_an_exit_status_of_its_own(tmp_path: Path) -> None:
    """Claude Code's own is 1, Codex's too: a program that ends well all the same has this one."""
    file = tmp_path / "run.jsonl"
    file.write_text('{"hunyuan-fix recording":1}\n{"endpoint":"http://127.0.0.1:9/v1"}\n')
    call = 'curl -sk --proxy "$HTTPS_PROXY" -d {} https://tokenhub.tencentmaas.com/v1/chat/completions'
    curl: Sequence[str] = ["bash", "-c", f"{call}; exit 0"]
    done = subprocess.run(
        command("replay", str(file), "--", *curl),
        env=environment(tmp_path, PATH=os.environ["PATH"]),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert "not_sent" in done.stdout or "not_recorded" in done.stdout
    assert done.returncode in (0, MISSED)
