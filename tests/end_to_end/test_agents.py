"""`scripts/run -- AGENT`: the agent's calls go through a proxy, and nothing is left when it has ended."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.hooks import authority
from scripts.lib.processes import free_port
from tests.cli.shell_environment import command
from tests.end_to_end.processes import KEY, ROOT, Certificates, Process, Simulator, process, run_simulator
from tests.waiting import until

STAND_IN = ROOT / "tests/end_to_end/stand_in_agent.py"


@dataclass(frozen=True, slots=True)
class Home:
    """A user's home: programs in `bin`, a key, two ports on which no proxy runs."""

    folder: Path
    environment: Mapping[str, str]
    temporary: Path
    port: int
    reverse_port: int

    def files(self) -> set[str]:
        """Everything that is in it and in the folder for temporary files."""
        return {str(path) for folder in (self.folder, self.temporary) for path in folder.rglob("*")}

    def program(self, name: str, text: str | None = None) -> None:
        """Make the program `name`: the stand-in agent if no `text` is given."""
        file = self.folder / "bin" / name
        file.write_text(text or f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {STAND_IN} "$@"\n', "utf-8")
        file.chmod(0o755)

    def start(self, *arguments: str, **environment: str) -> Any:
        """Run `scripts/run` with the arguments, as a context."""
        return process("scripts/run", command("run", *arguments), {**self.environment, **environment})

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run it to its end: exit status, and what it printed."""
        with self.start(*arguments, **environment) as started:
            return started.wait(), started.output


@pytest.fixture(autouse=True)
def signals_as_in_a_terminal() -> Iterator[None]:
    """Programs inherit what is ignored: SIGHUP under nohup, SIGINT in the background of a shell."""
    before = {number: signal.getsignal(number) for number in (signal.SIGHUP, signal.SIGINT)}
    ignored = [number for number, handler in before.items() if handler is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, before[number])


@pytest.fixture
def home(tmp_path: Path) -> Home:
    folder, temporary = tmp_path / "home", tmp_path / "tmp"
    for each in (folder / "bin", temporary):
        each.mkdir(parents=True)
    port, reverse_port = free_port(), free_port()
    environment = {
        "HOME": str(folder),
        "TMPDIR": str(temporary),
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HUNYUAN_API_KEY": KEY,
        "HUNYUAN_FIX_PORT": str(port),
        "HUNYUAN_FIX_REVERSE_PORT": str(reverse_port),
    }
    made = Home(folder, environment, temporary, port, reverse_port)
    made.program("aider")
    return made


@pytest.fixture(scope="module")
def endpoint(certificates: Certificates) -> Iterator[Simulator]:
    with run_simulator(certificates) as running:
        yield running


def to(endpoint: Simulator) -> list[str]:
    return ["--set", f"hunyuan_upstream={endpoint.base_url}"]


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def shown(home: Home, *arguments: str, **environment: str) -> dict[str, str]:
    """The environment that an agent gets."""
    file = home.folder.parent / "shown.json"
    status, said = home.run(*arguments, "--", "aider", "show", str(file), **environment)
    assert status == 0, said
    return dict(json.loads(file.read_text("utf-8"))["environment"])


def port_of(url: str) -> int:
    return int(re.findall(r":(\d+)", url)[-1])


@contextmanager
def running_proxy(home: Home, *arguments: str, **environment: str) -> Iterator[Process]:
    """What a person has started in another terminal."""
    with home.start(*arguments, **environment) as started:
        started.wait_for("hunyuan-fix is ready")
        yield started


def test_its_calls_are_repaired_and_nothing_is_left(home: Home, endpoint: Simulator) -> None:
    endpoint.reset()
    before = home.files()
    status, said = home.run(*to(endpoint), "--", "aider", "call")
    assert status == 0, said
    assert said.splitlines()[-1] == "好"
    (request,) = endpoint.requests()
    assert request["status"] == 200
    assert dict(request["headers"])["authorization"] == f"Bearer {KEY}"
    assert home.files() == before
    assert KEY not in said


def test_it_gets_tokenhubs_model_and_a_proxy_of_its_own(home: Home) -> None:
    given = shown(home, PATH=home.environment["PATH"], HTTPS_PROXY="http://company.example:3128")
    assert given["AIDER_MODEL"] == "litellm_proxy/hy3"
    assert given["LITELLM_PROXY_API_KEY"] == KEY
    port, reverse_port = port_of(given["HTTPS_PROXY"]), port_of(given["LITELLM_PROXY_API_BASE"])
    assert not {port, reverse_port} & {home.port, home.reverse_port}
    assert not answers(port)
    assert not answers(reverse_port)
    assert not Path(given["SSL_CERT_FILE"]).exists()
    assert "127.0.0.1" in given["NO_PROXY"].split(",")


def test_the_users_own_window_is_the_agents_too(home: Home) -> None:
    status, said = home.run("--set", "hunyuan_window=30000", "--", "aider", "exit", "0")
    assert status == 0, said
    assert "a window of 30,000 tokens" in said


def test_what_goes_in_and_out_is_the_agents(home: Home) -> None:
    done = subprocess.run(
        command("run", "--", "aider", "exit", "7"),
        env={**os.environ, **home.environment},
        input="words for it",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (7, "words for it\n")
    (line,) = done.stderr.splitlines()
    assert line.startswith("scripts/run: aider through 127.0.0.1:")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT", "SIGUSR1"])
def test_a_signal_goes_to_the_agent_which_decides(home: Home, name: str) -> None:
    before = home.files()
    with home.start("--", "aider", "wait") as started:
        port = port_of(started.wait_for(r"ready http://127.0.0.1:(\d+)")[0])
        assert answers(port)
        started.signal(signal.Signals[name])
        assert started.wait() == 42, started.output
        assert started.output.splitlines().count(name) == 1
        assert not answers(port)
    assert home.files() == before


def test_control_c_reaches_the_agent_once_and_the_proxy_not_at_all(home: Home, endpoint: Simulator) -> None:
    """In a terminal, which sends it to every process in the foreground."""
    endpoint.reset()
    helper = command("run", *to(endpoint), "--", "aider", "wait", "and call")
    # `spawn` passes on what it reads, and ends with the program's wait status.
    terminal = f"import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn({helper!r})))"
    with subprocess.Popen(
        [sys.executable, "-c", terminal],
        env={**os.environ, **home.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as started:
        assert started.stdin
        assert started.stdout
        seen = []
        for line in started.stdout:
            seen.append(line.decode().strip())
            if seen[-1].startswith("ready"):
                started.stdin.write(b"\x03")
                started.stdin.flush()
        assert started.wait(60) == 42, seen
    assert sum("SIGINT" in line for line in seen) == 1, seen
    assert "好" in seen
    assert [request["status"] for request in endpoint.requests()] == [200]


async def test_a_terminal_that_is_closed_ends_both(home: Home) -> None:
    before = home.files()
    terminal = f"import pty; pty.spawn({command('run', '--', 'aider', 'wait')!r})"
    with process("a terminal", [sys.executable, "-c", terminal], home.environment) as started:
        port = port_of(started.wait_for(r"ready http://127.0.0.1:(\d+)")[0])
        assert answers(port)
        started.signal(signal.SIGKILL)
        await until(lambda: not answers(port))
        await until(lambda: home.files() == before)


def test_an_agent_that_is_killed_leaves_nothing(home: Home) -> None:
    before = home.files()
    assert home.run("--", "aider", "die", str(int(signal.SIGKILL)))[0] == 128 + signal.SIGKILL
    assert home.files() == before


def child_of(started: Process, words: str) -> int:
    """The process ID of the only child with `words` in its command line."""
    return int(subprocess.check_output(["pgrep", "-P", str(started.pid), "-f", words], text=True))


async def test_a_helper_that_is_killed_leaves_no_proxy_and_no_files(home: Home) -> None:
    before = home.files()
    with home.start("-q", "--", "aider", "wait") as started:  # a proxy that logs would end at its closed output
        port = port_of(started.wait_for(r"ready http://127.0.0.1:(\d+)")[0])
        agent = child_of(started, "stand_in_agent")
        started.signal(signal.SIGKILL)
        try:
            await until(lambda: not answers(port))
            await until(lambda: home.files() == before)
        finally:
            os.kill(agent, signal.SIGTERM)  # it has lost its proxy, and is the user's


async def test_a_signal_during_the_start_ends_it(home: Home) -> None:
    before = home.files()
    held, log = home.folder.parent / "held", home.folder.parent / "log"
    script = ROOT / "tests/end_to_end/held_start.py"
    arguments = ("--log", str(log), "-s", str(script), "--", "aider", "wait")
    with home.start(*arguments, HUNYUAN_FIX_TEST_HELD=str(held)) as started:
        await until(lambda: log.exists() and "The start is held." in log.read_text("utf-8"))
        started.terminate()
        assert started.wait() == 128 + signal.SIGTERM, started.output
        assert "ready" not in started.output
    assert home.files() == before


@pytest.mark.parametrize(("word", "status"), [("no-such-agent", 127), ("./no-such-agent", 127), ("plain", 126)])
def test_what_cannot_be_run_is_told_in_one_line(home: Home, word: str, status: int) -> None:
    plain = home.folder.parent / "plain"
    plain.write_text("no program", "utf-8")
    before = home.files()
    ended, said = home.run("--", str(plain) if word == "plain" else word, "x")
    assert ended == status
    (line,) = said.splitlines()
    assert line.startswith("scripts/run: ")
    assert word in line
    assert home.files() == before


def test_a_program_that_the_system_refuses_ends_the_proxy_too(home: Home) -> None:
    home.program("aider", "#!/no/such/interpreter\n")
    before = home.files()
    status, said = home.run("--", "aider")
    assert status == 126, said
    assert home.files() == before


def test_without_a_key_nothing_is_started(home: Home) -> None:
    status, said = home.run("--", "aider", "call", HUNYUAN_API_KEY="")
    assert (status, said.count("\n")) == (2, 1)
    assert "HUNYUAN_API_KEY" in said


def test_the_key_may_be_in_a_file(home: Home) -> None:
    file = home.folder.parent / "key"
    file.write_text("sk-from-file\n", "utf-8")
    file.chmod(0o600)
    given = shown(home, HUNYUAN_API_KEY="", HUNYUAN_API_KEY_FILE=str(file))
    assert given["LITELLM_PROXY_API_KEY"] == "sk-from-file"
    file.chmod(0o644)
    status, said = home.run("--", "aider", "call", HUNYUAN_API_KEY="", HUNYUAN_API_KEY_FILE=str(file))
    assert status == 2
    assert str(file) in said
    assert "sk-from-file" not in said


def test_a_command_that_is_not_known_gets_what_every_client_needs(home: Home) -> None:
    home.program("something")
    file = home.folder.parent / "shown.json"
    status, said = home.run("--", "something", "show", str(file), HUNYUAN_API_KEY="")
    assert status == 0, said
    given = json.loads(file.read_text("utf-8"))["environment"]
    assert given["HTTPS_PROXY"].startswith("http://127.0.0.1:")
    assert given["NODE_EXTRA_CA_CERTS"].endswith("mitmproxy-ca-cert.pem")
    assert "LITELLM_PROXY_API_BASE" not in given


def test_a_proxy_that_runs_is_used_and_goes_on(home: Home, endpoint: Simulator) -> None:
    endpoint.reset()
    with running_proxy(home, "-v", *to(endpoint)) as other:
        given = shown(home)
        assert port_of(given["HTTPS_PROXY"]) == home.port
        assert port_of(given["LITELLM_PROXY_API_BASE"]) == home.reverse_port
        assert given["AIDER_MODEL"] == "litellm_proxy/hunyuan-2.0-instruct-20251111"  # of the endpoint behind it
        status, said = home.run("--", "aider", "call")
        assert (status, said.splitlines()[-1]) == (0, "好")
        assert answers(home.port)
        # Options are for a proxy that is to be started.
        assert port_of(shown(home, *to(endpoint))["HTTPS_PROXY"]) != home.port
        assert other.output.count("client connect") > 0
    assert [request["status"] for request in endpoint.requests() if request["method"] == "POST"] == [200]


def test_a_proxy_that_runs_on_other_ports_is_found_by_what_it_says_of_itself(home: Home, endpoint: Simulator) -> None:
    usual = dict.fromkeys(("HUNYUAN_FIX_PORT", "HUNYUAN_FIX_REVERSE_PORT"), "")
    own_data = {"XDG_DATA_HOME": str(home.folder / "data")}
    with running_proxy(home, *to(endpoint), **own_data) as other:
        other.wait_for(r"\nKey: ")
        given = shown(home, **usual, **own_data)
        assert port_of(given["HTTPS_PROXY"]) == home.port
        # Ports that the user names are meant.
        port, reverse_port = str(free_port()), str(free_port())
        chosen = {"HUNYUAN_FIX_PORT": port, "HUNYUAN_FIX_REVERSE_PORT": reverse_port}
        assert port_of(shown(home, **chosen, **own_data)["HTTPS_PROXY"]) != home.port


def test_a_proxy_that_is_no_good_is_left_alone(home: Home, certificates: Certificates) -> None:
    # 1. It leads to the platform that was shut down.
    with running_proxy(home, "--legacy"):
        status, said = home.run("--", "aider", "exit", "0")
        assert status == 0
        assert "shut down" in said.splitlines()[0]
        assert port_of(shown(home)["HTTPS_PROXY"]) != home.port
    # 2. It has another CA than the one that the agent would trust.
    with running_proxy(
        home, "--set", f"confdir={certificates.confdir}", "--set", "hunyuan_upstream=http://127.0.0.1:9/v1"
    ):
        assert authority.ca_file(home.folder / ".mitmproxy").exists()
        assert port_of(shown(home)["HTTPS_PROXY"]) != home.port
    # 3. Something else listens on the ports.
    with socket.create_server(("127.0.0.1", home.port)), socket.create_server(("127.0.0.1", home.reverse_port)):
        assert port_of(shown(home)["HTTPS_PROXY"]) != home.port


@pytest.mark.parametrize("name", ["config.yaml", "own.yaml"])
def test_a_file_of_options_that_names_the_endpoint_counts(home: Home, endpoint: Simulator, name: str) -> None:
    endpoint.reset()
    confdir = home.folder / ".mitmproxy"
    confdir.mkdir()
    (confdir / name).write_text(f"hunyuan_upstream: {endpoint.base_url}\n", "utf-8")
    options = [] if name == "config.yaml" else ["--set", f"hunyuan_config={confdir / name}"]
    status, said = home.run(*options, "--", "aider", "call")
    assert status == 0, said
    assert len(endpoint.requests()) == 1


def test_a_proxy_that_does_not_start_says_why(home: Home) -> None:
    before = home.files()
    for option, words in (
        ("--upstream=x", "accepted is a base URL"),
        ("--retry=x", "did you mean --set hunyuan_retry"),
        ("--set=hunyuan_mode=x", "hunyuan_mode"),
    ):
        status, said = home.run(option, "--", "aider", "call")
        assert status == 1
        assert words in said
        assert "Fatal Python error" not in said
    assert home.files() == before


def test_a_proxy_that_ends_before_the_agent_is_told_of(home: Home) -> None:
    with home.start("--", "aider", "wait") as started:
        started.wait_for("ready")
        os.kill(child_of(started, "until-eof"), signal.SIGKILL)
        started.terminate()
        assert started.wait() == 42
        assert "proxy ended before" in started.output


def test_a_log_is_kept_where_it_is_wanted(home: Home, endpoint: Simulator) -> None:
    log = home.folder.parent / "proxy.log"
    assert home.run(*to(endpoint), "--log", str(log), "--", "aider", "call")[0] == 0
    assert "hunyuan-fix is ready" in log.read_text("utf-8")
    assert KEY not in log.read_text("utf-8")
    status, said = home.run("--log", str(home.folder / "no" / "log"), "--", "aider", "call")
    assert status == 1
    assert "no/log" in said


def test_settings_of_the_agents_own_that_would_lead_elsewhere_are_refused(home: Home) -> None:
    """Claude Code's win over its environment: another service's key would come here, or the calls go there."""
    home.program("claude")
    settings = home.folder / ".claude/settings.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"env": {"ANTHROPIC_AUTH_TOKEN": "sk-other"}}), "utf-8")
    status, said = home.run("--", "claude", "exit", "0")
    assert status == 2
    assert "ANTHROPIC_AUTH_TOKEN" in said
    assert str(settings) in said
    assert "sk-other" not in said
    settings.write_text(json.dumps({"env": {"ANTHROPIC_MODEL": "hy3-preview"}, "model": "x"}), "utf-8")
    assert home.run("--", "claude", "exit", "5")[0] == 5
