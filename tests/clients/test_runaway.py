"""Real agents whose model calls the same tool without end: they end at the proxy's refusal, and don't ask again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.claude_code import ClaudeCode
from tests.clients.codex import Codex
from tests.clients.sdk_scripts import run
from tests.clients.translating import Way, run_way
from tests.end_to_end.processes import Certificates

WARNED, REFUSED = 3, 5
"""Equal calls in a row."""
SAID = "times in a row with the same arguments and the same result"


@pytest.fixture(scope="module", params=["tokenhub", "chat-only"])
def looping(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Way]:
    """An endpoint, and a proxy that soon refuses. At the first requests keep their format, the second speaks chat."""
    with run_way(certificates, request.param, options=[f"hunyuan_same_call={WARNED}/{REFUSED}"]) as running:
        yield running


@pytest.fixture
def way(looping: Way) -> Way:
    looping.upstream.reset()
    return looping


class Counted:
    """Requests that the proxy has refused since this was made."""

    def __init__(self, way: Way) -> None:
        self._process = way.proxy.process
        self._before = len(self._process.output)

    @property
    def refused(self) -> int:
        return len(re.findall("^.*same_call_repeated.*$", self._process.output[self._before :], re.MULTILINE))


def calls(way: Way) -> int:
    """Requests with tools that have reached the endpoint."""
    return len([body for body in way.upstream.bodies() if body.get("tools")])


def test_claude_code(way: Way, tmp_path: Path) -> None:
    claude, counted = ClaudeCode(tmp_path, way.base_url, "hy3"), Counted(way)
    command = json.dumps({"command": "cat again", "description": "reads it"})
    directive = f"[[sim:say]][[sim:tool Bash {command}]]"
    (claude.work / "again").write_text(directive)
    ended = claude.ask(directive)
    assert SAID in ended.said
    assert "Bash" in ended.said
    assert counted.refused == 1, "it doesn't ask again"
    assert calls(way) == REFUSED


def test_codex(way: Way, tmp_path: Path) -> None:
    codex, counted = Codex(tmp_path, way.proxy, "tokenhub", "hy3"), Counted(way)
    directive = f"[[sim:say]][[sim:tool exec_command {json.dumps({'cmd': 'cat again'})}]]"
    (codex.work / "again").write_text(directive)
    ended = codex.ask(directive)
    assert ended.code != 0
    assert SAID in ended.output
    assert counted.refused == 1, "it doesn't ask again"
    assert calls(way) == REFUSED


@pytest.mark.parametrize("loop", ["chat", "responses", "messages", "agents"])
def test_sdks(way: Way, tmp_path: Path, loop: str) -> None:
    counted = Counted(way)
    ended = run(tmp_path, "agent_loops.py", way.proxy.reverse_url, "hy3", loop)[loop]
    assert (ended["kind"], ended["status"], ended["turns"]) == ("BadRequestError", 400, REFUSED)
    assert SAID in ended["message"]
    assert counted.refused == 1, "it doesn't try again"
    assert calls(way) == REFUSED
