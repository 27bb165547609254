"""`scripts/record FILE -- AGENT` and `scripts/replay FILE -- AGENT`, as a user starts them."""

from __future__ import annotations

import shlex
import signal
import sys
from pathlib import Path

import pytest

from hunyuan_fix.cli.replay import MISSED
from hunyuan_fix.recording import file
from tests.cli.shell_environment import command
from tests.end_to_end.processes import KEY, Certificates, Simulator, process, run_simulator
from tests.end_to_end.test_agents import STAND_IN, Home, endpoint, home, signals_as_in_a_terminal, to

__all__ = ["endpoint", "home", "signals_as_in_a_terminal"]


def run(home: Home, name: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run a command to its end: exit status, and what it printed."""
    with process(f"scripts/{name}", command(name, *arguments), {**home.environment, **environment}) as started:
        return started.wait(), started.output


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.jsonl"


@pytest.fixture
def gone(certificates: Certificates, home: Home, path: Path) -> Path:
    """A recording of one call; its endpoint is gone."""
    with run_simulator(certificates) as simulator:
        status, said = run(home, "record", str(path), *to(simulator), "--", "aider", "call")
        assert status == 0, said
    return path


def test_a_call_is_recorded_and_replayed_without_key_and_endpoint(home: Home, gone: Path) -> None:
    assert KEY not in gone.read_text("utf-8")
    (call,) = file.read(gone).calls
    assert "Two users" in str(call.parts.messages)
    before = home.files()
    for _ in range(2):
        status, said = run(home, "replay", str(gone), "--", "aider", "call", HUNYUAN_API_KEY="")
        assert status == 0, said
        assert "好" in said.splitlines()
        assert "1 calls, which saved" in said
    assert home.files() == before


def test_a_miss_makes_the_status_another_one(home: Home, gone: Path) -> None:
    gone.write_text(gone.read_text("utf-8").replace("in a row.", "in a column."), "utf-8")
    home.program("aider", f'#!/bin/sh\n{shlex.quote(sys.executable)} {STAND_IN} "$@" >/dev/null 2>&1\nexit 0\n')
    status, said = run(home, "replay", str(gone), "--", "aider", "call")
    assert status == MISSED, said
    assert "differs: recorded was" in said
    assert "in a column." in said
    assert "in a row." in said


def test_the_agents_own_status_and_signals(home: Home, endpoint: Simulator, path: Path) -> None:
    assert run(home, "record", str(path), *to(endpoint), "--", "aider", "die", str(int(signal.SIGKILL)))[0] == 137
    assert not path.exists()
    words = command("record", str(path), *to(endpoint), "--", "aider", "wait", "and call")
    with process("scripts/record", words, home.environment) as started:
        started.wait_for("ready")
        started.signal(signal.SIGTERM)
        assert started.wait() == 42, started.output
    assert len(file.read(path).calls) == 1
    assert file.read(path).is_ended


ASKS = f"{shlex.quote(sys.executable)} {STAND_IN} call"
"""Once; an agent tries again what failed on a busy machine, and that isn't recorded."""


def test_a_recording_that_is_killed_can_be_replayed(home: Home, endpoint: Simulator, path: Path) -> None:
    home.program("aider", f"#!/bin/sh\nuntil {ASKS}; do sleep 1; done\necho called\nexec sleep 5\n")
    words = command("record", str(path), *to(endpoint), "--", "aider")
    with process("scripts/record", words, home.environment) as started:
        started.wait_for("called")
        started.signal(signal.SIGKILL)
        started.wait()
    assert len(file.read(path).calls) == 1
    home.program("aider")
    status, said = run(home, "replay", str(path), "--", "aider", "call", HUNYUAN_API_KEY="")
    assert status == 0, said


def test_a_proxy_that_does_not_start_leaves_no_file(home: Home, path: Path) -> None:
    status, said = run(home, "record", str(path), "--set", "hunyuan_retry=x", "--", "aider", "call")
    assert status == 1
    assert "hunyuan_retry" in said
    assert not path.exists()
    status, said = run(home, "record", str(path), "--", "aider", "call", HUNYUAN_API_KEY="")
    assert status == 2
    assert "HUNYUAN_API_KEY" in said
    assert not path.exists()


def test_in_chinese(home: Home, gone: Path) -> None:
    status, said = run(home, "replay", str(gone), "--", "aider", "call", HUNYUAN_LANGUAGE="zh")
    assert status == 0
    assert "回放 1 次调用" in said
