"""Real agents ask `hunyuan-fix mcp`, added as docs/mcp.md says, what happened to their own requests.

The server needs seconds to start. Agents without a terminal don't wait for it: their first turn is over before.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.lib.processes import free_port
from tests.clients.claude_code import ClaudeCode
from tests.clients.codex import Codex
from tests.clients.histories import history_of
from tests.clients.translating import Way, run_way
from tests.end_to_end.processes import Certificates

MODELS = {"hunyuan": "hunyuan-turbos-latest", "tokenhub": "hy3"}

pytestmark = pytest.mark.nightly
"""An agent takes a server's tools when it likes, seconds after they are listed: on a busy machine a turn too late."""


@dataclass(frozen=True, slots=True)
class Told:
    """An endpoint, the proxy before it, and its admin server."""

    way: Way
    admin: str

    def server(self, said: Path) -> list[str]:
        """What starts the MCP server before this proxy, and keeps what it says in a file."""
        command = [sys.executable, "-P", "-m", "hunyuan_fix.cli.main", "mcp", "--url", self.admin]
        return ["bash", "-c", f"{shlex.join(command)} | tee {shlex.quote(str(said))}"]

    def results(self) -> list[str]:
        """What the tools answered, as the endpoint got it in the last request."""
        return list(history_of([body for body in self.way.upstream.bodies() if body.get("tools")][-1]).results.values())


@pytest.fixture(scope="module", params=MODELS)
def told(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Told]:
    admin = f"127.0.0.1:{free_port()}"
    with run_way(certificates, request.param, options=[f"hunyuan_admin={admin}"]) as way:
        yield Told(way, f"http://{admin}")


@pytest.fixture(autouse=True)
def forgotten(told: Told) -> None:
    told.way.upstream.reset()


def call(tool: str, **arguments: object) -> str:
    """What makes the model call a tool, without a word beside it."""
    return f"[[sim:say]][[sim:tool {tool} {json.dumps(arguments)}]]"


def once_it_runs(work: Path, said: Path, tool: str) -> str:
    """A command that prints the call of a tool as soon as the server lists its tools."""
    (work / "next").write_text(call(tool))
    return f"until grep -q explain_rule {shlex.quote(str(said))}; do sleep 0.1; done; cat next"


def test_claude_code(told: Told, tmp_path: Path) -> None:
    claude = ClaudeCode(tmp_path, told.way.base_url, MODELS[told.way.name], {"ENABLE_TOOL_SEARCH": "false"})
    said = tmp_path / "said"
    (tmp_path / "home").mkdir()
    path = f"{os.environ['HUNYUAN_FIX_CLIENTS']}/node_modules/.bin:{os.environ['PATH']}"
    subprocess.run(
        ["claude", "mcp", "add", "hunyuan-fix", "--", *told.server(said)],
        cwd=claude.work,
        env={"HOME": str(tmp_path / "home"), "PATH": path},
        check=True,
    )
    waiting = once_it_runs(claude.work, said, "mcp__hunyuan-fix__what_was_changed")
    run = claude.ask(call("Bash", command=waiting, description="waits"))
    assert run.code == 0, run.output
    _, changed = told.results()
    assert '"program":"claude-code"' in changed
    assert "anthropic" in changed


def test_codex(told: Told, tmp_path: Path) -> None:
    codex = Codex(tmp_path, told.way.proxy, told.way.name, MODELS[told.way.name])
    said, home = tmp_path / "said", tmp_path / "home" / ".codex"
    home.mkdir(parents=True)
    command, *arguments = told.server(said)
    settings = f"command = {json.dumps(command)}\nargs = {json.dumps(arguments)}\n"
    (home / "config.toml").write_text(f"[mcp_servers.hunyuan-fix]\n{settings}")
    run = codex.ask(call("exec_command", cmd=once_it_runs(codex.work, said, "mcp__hunyuan_fix__what_was_changed")))
    assert run.code == 0, run.output
    _, changed = told.results()
    assert "Of codex, the program that asks" in changed
