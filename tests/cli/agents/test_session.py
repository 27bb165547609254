"""The command line of `run -- AGENT`, and signals around a start. The rest: tests/end_to_end/test_agents.py."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hunyuan_fix.cli import launch as command_line
from hunyuan_fix.cli.agents.session import Signals


def test_what_stands_before_and_after_the_dashes() -> None:
    words = ["--for", "aider", "--model", "m", "--log", "l", "--set", "a=b", "--", "x", "--model", "n", "--", "--port"]
    launch = command_line.parse(words, "scripts/")
    assert launch.arguments == ("--set", "a=b")
    assert launch.agent == command_line.AgentCall(("x", "--model", "n", "--", "--port"), "aider", "m", Path("l"))
    assert command_line.parse(["--set", "a=b"], "scripts/").agent is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--"], "which command?"),
        (["--host", "0.0.0.0", "--", "claude"], "--host doesn't go with --"),
        (["--model", "hy3"], "about an agent"),
        (["--log", "file"], "about an agent"),
        (["--for", "nobody", "--", "x"], "invalid choice"),
        (["claude", "-p", "hi"], "scripts/run -- claude"),
        (["--set", "a=b", "claude"], None),  # mitmdump's own: a filter
    ],
)
def test_wrong_use_is_told(capsys: pytest.CaptureFixture[str], words: list[str], said: str | None) -> None:
    if said is None:
        assert command_line.parse(words, "scripts/").arguments == tuple(words)
        return
    with pytest.raises(SystemExit) as ended:
        command_line.parse(words, "scripts/")
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_what_came_during_the_start_reaches_the_agent() -> None:
    signals = Signals()
    signals.handle(signal.SIGTERM, None)
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as agent:
        assert agent.poll() is None
        signals.go_to(agent)
        assert agent.wait(30) == -signal.SIGTERM
        signals.handle(signal.SIGTERM, None)  # there is nobody to send it to, and that is no error
    assert signals.early == [signal.SIGTERM]
