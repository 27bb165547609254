"""`hunyuan-fix run` on a machine that has never seen it: what it finds out by itself, what it says, and to whom."""

from __future__ import annotations

import json
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.cli import addresses
from hunyuan_fix.config import operating_system
from tests.cli.shell_environment import command
from tests.end_to_end.processes import (
    KEY,
    LEGACY,
    TOKENHUB,
    Certificates,
    Process,
    Simulator,
    clean_environment,
    process,
    run_simulator,
)
from tests.end_to_end.requests import agent_request

KEY_SAID = r"\nKey: (.*)"


@pytest.fixture(scope="module")
def tokenhub(certificates: Certificates) -> Iterator[Simulator]:
    with run_simulator(certificates, profile="tokenhub") as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path


@contextmanager
def started(home: Path, *arguments: str, **environment: str) -> Iterator[Process]:
    with process("run", command("run", *arguments), variables(home, **environment)) as running:
        yield running


def variables(home: Path, **given: str) -> dict[str, str]:
    return {"HOME": str(home), "XDG_DATA_HOME": str(home / "data"), "LANG": "C.UTF-8", **given}


@pytest.fixture
def ports() -> dict[str, str]:
    """Two ports that are free, as variables: the usual ones may be somebody's."""
    with ExitStack() as held:
        two = [held.enter_context(closing(socket.create_server(("127.0.0.1", 0)))) for _ in range(2)]
        numbers = [str(each.getsockname()[1]) for each in two]
    return dict(zip(addresses.PORTS.values(), numbers, strict=True))


@pytest.fixture
def usual_ports() -> Iterator[None]:
    """Meanwhile no other worker, and no other suite on this machine, looks for free ports from the usual ones on."""
    with (Path(tempfile.gettempdir()) / "hunyuan-fix-tests-usual-ports").open("ab") as lock:
        while not operating_system.lock(lock.fileno()):
            time.sleep(0.1)
        yield


def kept(home: Path) -> list[dict[str, Any]]:
    """The state files below `home`, wherever this system has its data folder."""
    return [json.loads(file.read_text("utf-8")) for file in home.rglob("hunyuan-fix/running/*.json")]


def refused(home: Path, *arguments: str, **environment: str) -> str:
    """What is said of a command line that isn't taken."""
    done = subprocess.run(
        command("run", *arguments),
        env=clean_environment() | variables(home, **environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    return done.stderr.splitlines()[-1]


# Where requests go


def test_bare_it_leads_to_tokenhub(home: Path, ports: dict[str, str]) -> None:
    with started(home, **ports) as running:
        running.wait_for(KEY_SAID)
        lines = running.output.splitlines()
        at = next(number for number, line in enumerate(lines) if line.startswith("1. "))
        assert lines[at - 1].endswith(f"Calls go to https://{TOKENHUB}/v1")
        assert [line[:2] for line in lines[at : at + 3]] == ["1.", "2.", "3."]
        assert f"http://127.0.0.1:{ports['HUNYUAN_FIX_REVERSE_PORT']}/v1" in lines[at]
        assert str(home / ".mitmproxy/mitmproxy-ca-cert.pem") in lines[at + 2]
        assert re.search(r"http://127\.0\.0\.1:\d+/$", lines[at + 3])
        assert "https://console.cloud.tencent.com/tokenhub/apikey" in lines[at + 4]
        assert len(lines) == at + 5
        for alarming in ("listening at", "Loading script", f"reverse proxy to https://{LEGACY}", "SHUT DOWN"):
            assert alarming not in running.output
        (state,) = kept(home)
        assert (state["upstream"], state["profile"]) == (f"https://{TOKENHUB}/v1", "tokenhub")


@pytest.mark.parametrize(
    ("arguments", "environment", "upstream"),
    [
        (["--intl"], {}, "https://tokenhub-intl.tencentcloudmaas.com/v1"),
        (["--intl"], {"HUNYUAN_UPSTREAM": "https://a.example/v1"}, "https://tokenhub-intl.tencentcloudmaas.com/v1"),
        (["--upstream", "https://a.example/v1"], {}, "https://a.example/v1"),
        (["--set", "hunyuan_upstream=https://a.example/v1"], {}, "https://a.example/v1"),
        ([], {"HUNYUAN_UPSTREAM": "https://a.example/v1"}, "https://a.example/v1"),
        (["--legacy"], {"HUNYUAN_UPSTREAM": "https://a.example/v1"}, ""),
    ],
)
def test_what_the_user_says_wins(
    home: Path, ports: dict[str, str], arguments: list[str], environment: dict[str, str], upstream: str
) -> None:
    with started(home, *arguments, **ports, **environment) as running:
        running.wait_for(KEY_SAID)
        assert kept(home)[0]["upstream"] == upstream
        assert (f"Calls go to {upstream}\n" if upstream else "the address that the client chose") in running.output
        assert ("SHUT DOWN" in running.output) == (not upstream)


@pytest.mark.parametrize("file", [".mitmproxy/config.yaml", "own.yaml"])
def test_a_file_of_options_wins_over_the_default_and_not_over_a_flag(
    home: Path, ports: dict[str, str], file: str
) -> None:
    place = home / file
    place.parent.mkdir(exist_ok=True)
    place.write_text("hunyuan_upstream: https://b.example/v1\n", "utf-8")
    options = [] if "config" in file else ["--set", f"hunyuan_config={place}"]
    for flags, upstream in (([], "https://b.example/v1"), (["--upstream", "https://c.example/v1"],) * 2):
        wanted = upstream if isinstance(upstream, str) else "https://c.example/v1"
        with started(home, *options, *flags, **ports) as running:
            running.wait_for(KEY_SAID)
            assert kept(home)[0]["upstream"] == wanted


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--intl --legacy", "--intl and --legacy say where requests go"),
        ("--upstream https://a/v1 --intl", "--upstream and --intl say where requests go"),
        ("--legacy --set hunyuan_upstream=https://a/v1", "--legacy and --set hunyuan_upstream are the same"),
        ("--language zh --set hunyuan_language=en", "--language 和 --set hunyuan_language 是同一个设置"),
        ("--upstream=", "--upstream needs a base URL"),
        ("--kimi --intl", "--kimi takes the endpoint from MOONSHOT_BASE_URL"),
        ("--json -- claude", "--json is about a proxy alone"),
        ("--language fr", "invalid choice: 'fr'"),
    ],
)
def test_flags_that_contradict_are_refused(home: Path, arguments: str, said: str) -> None:
    assert said in refused(home, *arguments.split())
    assert not (home / ".mitmproxy").exists()


def test_old_model_ids_become_their_successors_by_the_reverse_port(
    home: Path, ports: dict[str, str], certificates: Certificates, tokenhub: Simulator
) -> None:
    arguments = ["--upstream", tokenhub.base_url, "--profile", "tokenhub"]
    with started(home, *arguments, **ports) as running:
        running.wait_for(KEY_SAID)
        tokenhub.reset()
        answer = httpx.post(
            f"http://127.0.0.1:{ports['HUNYUAN_FIX_REVERSE_PORT']}/v1/chat/completions",
            json=agent_request("[[sim:say 好]]"),
            headers={"authorization": f"Bearer {KEY}"},
            trust_env=False,
            timeout=60,
        )
        assert answer.status_code == 200, answer.text
        assert [body["model"] for body in tokenhub.bodies()] == ["hy3"]


# Ports


@pytest.mark.usefixtures("usual_ports")
def test_taken_ports_that_nobody_has_chosen_are_replaced_by_the_next_free_ones(home: Path) -> None:
    with ExitStack() as held:
        for port in (addresses.PORT, addresses.REVERSE_PORT):
            with_luck = socket.socket()
            with_luck.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.enter_context(with_luck)
            try:
                with_luck.bind(("127.0.0.1", port))
                with_luck.listen()
            except OSError:
                continue  # somebody else has it: as well
        with started(home) as running:
            running.wait_for(KEY_SAID)
            (state,) = kept(home)
            for default, name in ((addresses.PORT, "port"), (addresses.REVERSE_PORT, "reverse_port")):
                assert default < state[name] < default + 100
                assert f"Port {default} is taken, so this proxy uses {state[name]}." in running.output
            assert f"--port {state['port']}" in running.output
            assert state["port"] != addresses.WEB_PORT


@pytest.mark.usefixtures("usual_ports")
def test_the_second_is_told_of_the_first_and_env_of_the_one_that_runs(home: Path) -> None:
    with started(home) as first:
        first.wait_for(KEY_SAID)
        (state,) = kept(home)
        printed = subprocess.run(
            command("env", "--shell", "sh"),
            env=clean_environment() | variables(home),
            capture_output=True,
            text=True,
            check=True,
        )
        assert f"export HTTPS_PROXY=http://127.0.0.1:{state['port']}\n" in printed.stdout
        with started(home) as second:
            second.wait_for(KEY_SAID)
            if state["port"] == addresses.PORT:
                assert (
                    f"A hunyuan-fix runs on port {addresses.PORT} already (process {first.pid}, to https://{TOKENHUB}/v1)"
                ) in second.output
            assert len({(one["port"], one["reverse_port"]) for one in kept(home)}) == 2


# The state file


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_state_file_is_its_users_alone_and_gone_at_the_end(
    home: Path, ports: dict[str, str], number: signal.Signals
) -> None:
    with started(home, "--web", "--set", "web_open_browser=false", "--web-port", "0", **ports) as running:
        running.wait_for(KEY_SAID)
        (file,) = home.rglob("hunyuan-fix/running/*.json")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        (state,) = kept(home)
        assert state["pid"] == running.pid
        assert str(state["port"]) == ports["HUNYUAN_FIX_PORT"]
        running.signal(number)
        assert running.wait() == 0
    assert kept(home) == []


def test_a_change_while_it_runs_is_in_the_state_file(home: Path, ports: dict[str, str]) -> None:
    options = home / "options.yaml"
    options.write_text("mode: repair\n", "utf-8")
    with started(home, "--set", f"hunyuan_config={options}", **ports) as running:
        running.wait_for(KEY_SAID)
        options.write_text("mode: observe\nupstream: https://d.example/v1\n", "utf-8")
        running.wait_for("changed hunyuan_")
        (state,) = kept(home)
        assert (state["mode"], state["upstream"]) == ("observe", "https://d.example/v1")


# The key


def test_a_key_of_the_keys_file_is_tried_as_the_lent_one_is(
    home: Path, ports: dict[str, str], tokenhub: Simulator
) -> None:
    tokenhub.reset()
    named = home / "keys.toml"
    named.touch(0o600)
    named.write_text(f'[hosts."127.0.0.1:{tokenhub.port}"]\nenv = "OF_THE_FILE"\n')
    given = ["--upstream", tokenhub.base_url, "--set", f"hunyuan_keys_file={named}"]
    with started(home, *given, **ports, OF_THE_FILE="sk-of-the-file") as running:
        running.wait_for(r"Key: 127\.0\.0\.1 lists its models")
    assert dict(tokenhub.requests()[0]["headers"])["authorization"] == "Bearer sk-of-the-file"
    assert "sk-of-the-file" not in running.output


def test_a_key_is_tried_once(home: Path, ports: dict[str, str], tokenhub: Simulator) -> None:
    tokenhub.reset()
    file = home / "key"
    file.write_text(f"{KEY}\n", "utf-8")
    file.chmod(0o600)
    arguments = ["--upstream", tokenhub.base_url, "--profile", "tokenhub", "--key-file", str(file)]
    with started(home, *arguments, **ports) as running:
        said = running.wait_for(KEY_SAID)[1]
    assert said.startswith("accepted by 127.0.0.1 (models: ")
    assert said.endswith("e.g. hy3)")
    assert [(request["method"], request["path"]) for request in tokenhub.requests()] == [("GET", "/v1/models")]
    assert KEY not in running.output


@pytest.mark.parametrize(
    ("profile", "key", "expected"),
    [
        ("tokenhub", "sk-of-another", "127.0.0.1 REFUSES it (401): "),
        ("hunyuan", KEY, "127.0.0.1 lists its models (models: "),  # which it may do without one
    ],
)
def test_what_the_endpoint_says_of_a_key(
    home: Path, ports: dict[str, str], certificates: Certificates, profile: str, key: str, expected: str
) -> None:
    with run_simulator(certificates, "--accept-key", KEY, profile=profile) as endpoint:
        arguments = ["--upstream", endpoint.base_url, "--profile", profile]
        with started(home, *arguments, **ports, HUNYUAN_API_KEY=key) as running:
            assert running.wait_for(KEY_SAID)[1].startswith(expected)
            assert key not in running.output


def test_an_endpoint_that_does_not_answer_keeps_no_client_waiting(home: Path, ports: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        upstream = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        with started(home, "--upstream", upstream, **ports, HUNYUAN_API_KEY=KEY) as running:
            running.wait_for(r"3\. Stop: ")
            connection, _ = silent.accept()  # the key is being tried, and nobody answers
            health = f"http://127.0.0.1:{ports['HUNYUAN_FIX_REVERSE_PORT']}/health"
            assert httpx.get(health, trust_env=False, timeout=60).status_code == 200
            assert "Key:" not in running.output
            connection.close()
            assert running.wait_for(KEY_SAID)[1].startswith("not tried, since 127.0.0.1 can't be reached: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--upstream", "https://tokenhub.tencentmaas.com/plan/v3"], "a plan's endpoint"),
        (["--upstream", "http://tokenhub.tencentmaas.com/v1"], "it would leave the proxy unencrypted"),
        (["--set", "ssl_insecure=true"], "ssl_insecure is on"),
        (["--legacy"], f"{LEGACY} has been shut down"),
        (["--host", "0.0.0.0", "--set", "hunyuan_allow_open=true"], "isn't lent here"),
    ],
)
def test_a_key_that_may_not_be_sent_is_not_tried(
    home: Path, ports: dict[str, str], arguments: list[str], said: str
) -> None:
    with started(home, *arguments, **ports, HUNYUAN_API_KEY=KEY) as running:
        line = running.wait_for(KEY_SAID)[1]
        assert line.startswith("not tried, since ")
        assert said in line


# For programs, and in Chinese


def test_json_is_one_object_on_standard_output(home: Path, ports: dict[str, str], tokenhub: Simulator) -> None:
    arguments = ["--json", "--upstream", tokenhub.base_url, "--profile", "tokenhub"]
    with subprocess.Popen(
        command("run", *arguments),
        env=clean_environment() | variables(home, HUNYUAN_API_KEY=KEY, **ports),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        told = json.loads(running.stdout.readline())
        running.terminate()
        rest, logged = running.communicate(timeout=60)
    assert rest == ""
    assert "hunyuan-fix is ready" in logged
    assert "1. " not in logged
    assert told["base_url"] == f"http://127.0.0.1:{ports['HUNYUAN_FIX_REVERSE_PORT']}/v1"
    assert told["base_url_anthropic"] + "/v1" == told["base_url"]
    assert told["proxy_url"] == f"http://127.0.0.1:{ports['HUNYUAN_FIX_PORT']}"
    assert (told["pid"], told["upstream"], told["profile"]) == (running.pid, tokenhub.base_url, "tokenhub")
    assert told["key"]["result"] == "accepted"
    assert told["key"]["models"] > 3
    for name in ("ca", "bundle"):
        assert "BEGIN CERTIFICATE" in Path(told[name]).read_text("ascii", "ignore")


@pytest.mark.parametrize(("arguments", "locale"), [([], {"LC_ALL": "zh_CN.UTF-8"}), (["--language", "zh"], {})])
def test_it_speaks_chinese(home: Path, ports: dict[str, str], arguments: list[str], locale: dict[str, str]) -> None:
    with started(home, *arguments, **ports, **{"PYTHONIOENCODING": "utf-8", **locale}) as running:
        running.wait_for("\n密钥：没有设置 HUNYUAN_API_KEY")
        assert "1. 客户端的 base URL 填：http://127.0.0.1:" in running.output
        assert "\n3. 停止：Ctrl-C" in running.output
        assert "hunyuan-fix 已就绪" in running.output
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            command("run", "--port", port, *arguments),
            env=clean_environment() | variables(home, PYTHONIOENCODING="utf-8", **locale),
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=False,
        )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"127.0.0.1 的端口 {port} 已被占用。请停掉占用它的程序，或者换一个端口：--port 端口号\n"


# What is wrong stands alone


@pytest.mark.parametrize("option", ["hunyuan_cascade=sometimes", "hunyuan_upstraem=https://a.example/v1"])
def test_a_wrong_option_is_the_last_thing_that_is_said(home: Path, ports: dict[str, str], option: str) -> None:
    with started(home, "--set", option, **ports) as running:
        assert running.wait() == 1
    (line,) = running.output.splitlines()
    assert option.partition("=")[0] in line
    assert kept(home) == []


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such signal")
def test_a_killed_one_leaves_a_file_that_the_next_does_not_believe(home: Path, ports: dict[str, str]) -> None:
    with started(home, **ports) as running:
        running.wait_for(KEY_SAID)
        running.signal(signal.SIGKILL)
        running.wait()
    assert len(kept(home)) == 1
    with started(home, **ports) as again:
        again.wait_for(KEY_SAID)
        assert "already" not in again.output
