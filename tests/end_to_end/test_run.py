"""`scripts/run`: what it prints is what a client needs, and the proxy behind it works."""

from __future__ import annotations

import shlex
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import batched
from pathlib import Path

import certifi
import httpx
import pytest

from scripts.lib.processes import free_port
from tests.cli.shell_environment import command
from tests.end_to_end.processes import (
    KEY,
    LEGACY,
    Certificates,
    Process,
    Simulator,
    clean_environment,
    process,
    run_simulator,
)
from tests.end_to_end.requests import agent_request

LAUNCH = command("run")
VARIABLES = ("HTTPS_PROXY", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "NODE_USE_ENV_PROXY")


@contextmanager
def launched(home: Path, *arguments: str, **environment: str) -> Iterator[tuple[Process, int, int]]:
    port, reverse_port = free_port(), free_port()
    command = [*LAUNCH, "--port", str(port), "--reverse-port", str(reverse_port), *arguments]
    with process("scripts/run", command, {"HOME": str(home), **environment}) as started:
        started.wait_for(r"\nKey: ")
        yield started, port, reverse_port


@pytest.fixture(scope="module")
def clear_simulator(certificates: Certificates) -> Iterator[Simulator]:
    with run_simulator(certificates) as running:
        yield running


def pasted(output: str, home: Path) -> dict[str, str]:
    """The variables that the second line sets in a shell which it is pasted into."""
    line = next(line for line in output.splitlines() if line.startswith("2. ")).partition(":  ")[2]
    line = line.replace("scripts/env", shlex.join(command("env")))
    done = subprocess.run(
        ["bash", "-c", f"{line}; env -0"],
        env=clean_environment() | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(assignment.split("=", 1) for assignment in done.stdout.split("\0") if assignment)


def test_what_it_prints_is_enough_for_a_client_in_both_modes(clear_simulator: Simulator, tmp_path: Path) -> None:
    home = tmp_path / "home of somebody"
    home.mkdir()
    with launched(home, "--upstream", clear_simulator.base_url, SHELL="/bin/bash") as (started, port, reverse_port):
        variables = pasted(started.output, home)
        assert {name: variables[name] for name in VARIABLES} == {
            "HTTPS_PROXY": f"http://127.0.0.1:{port}",
            "SSL_CERT_FILE": str(home / ".mitmproxy/hunyuan-fix-ca-bundle.pem"),
            "NODE_EXTRA_CA_CERTS": str(home / ".mitmproxy/mitmproxy-ca-cert.pem"),
            "NODE_USE_ENV_PROXY": "1",
        }
        assert f"Calls go to {clear_simulator.base_url}" in started.output
        assert f"1. Base URL for clients:  http://127.0.0.1:{reverse_port}/v1 " in started.output
        bases = {f"https://{LEGACY}/v1": variables["HTTPS_PROXY"], f"http://127.0.0.1:{reverse_port}/v1": None}
        trusted = ssl.create_default_context(cafile=variables["SSL_CERT_FILE"])
        for base, proxy in bases.items():
            with httpx.Client(proxy=proxy, verify=trusted, trust_env=False, timeout=60) as client:
                answer = client.post(
                    f"{base}/chat/completions",
                    json=agent_request("[[sim:say 好]]"),
                    headers={"authorization": f"Bearer {KEY}"},
                )
            assert answer.json()["choices"][0]["message"]["content"] == "好"
        started.terminate()
        assert started.wait() == 0


def test_the_bundle_holds_the_public_roots_too(tmp_path: Path) -> None:
    with launched(tmp_path):
        bundle = (tmp_path / ".mitmproxy/hunyuan-fix-ca-bundle.pem").read_text(encoding="utf-8")
    public = Path(certifi.where()).read_text(encoding="utf-8")
    assert bundle.count("BEGIN CERTIFICATE") == public.count("BEGIN CERTIFICATE") + 1
    assert public.strip() in bundle


def test_a_companys_roots_go_into_the_bundle_and_the_folder_can_be_named(
    certificates: Certificates, tmp_path: Path
) -> None:
    confdir = tmp_path / "conf"
    options = [f"confdir={confdir}", f"ssl_verify_upstream_trusted_ca={certificates.authority_file}"]
    with launched(tmp_path, *(word for option in options for word in ("--set", option))):
        bundle = (confdir / "hunyuan-fix-ca-bundle.pem").read_text(encoding="utf-8")
    assert certificates.authority_file.read_text(encoding="utf-8").strip() in bundle


def test_it_listens_on_loopback_only_and_control_c_ends_it(tmp_path: Path) -> None:
    with launched(tmp_path) as (started, port, reverse_port):
        if sys.platform == "linux":  # all of 127.0.0.0/8 is this machine
            for each in (port, reverse_port):
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.2", each), timeout=10)
        started.signal(signal.SIGINT)
        assert started.wait() == 0


def test_web_starts_the_page(tmp_path: Path) -> None:
    web_port = free_port()
    options = ("--set", f"web_port={web_port}", "--set", "web_open_browser=false")
    with launched(tmp_path, "--web", *options) as (started, port, _):
        url = started.wait_for(rf"Web server listening at (http://127\.0\.0\.1:{web_port}/\S*)")[1]
        with httpx.Client(trust_env=False, follow_redirects=True, timeout=60) as page:
            assert "mitmproxy" in page.get(url).text
            shown = page.get(f"http://127.0.0.1:{web_port}/options").json()
    # What stands in its footer.
    assert (shown["listen_host"]["value"], shown["listen_port"]["value"]) == ("127.0.0.1", port)


def test_a_port_that_is_taken_is_named_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for flag, other in (("--port", "--reverse-port"), ("--reverse-port", "--port")):
            status, _, errors = launch(tmp_path, flag, str(port), other, str(free_port()))
            assert status == 1
            assert errors.count("\n") == 1
            assert str(port) in errors
            assert flag in errors
    assert not (tmp_path / ".mitmproxy").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--port", "http"], "'http' is not a port"), (["--port", "4000"], "can't share port 4000")],
)
def test_a_port_that_is_none_is_a_usage_error(tmp_path: Path, arguments: list[str], said: str) -> None:
    status, _, errors = launch(tmp_path, *arguments)
    assert status == 2
    assert said in errors


def test_help_says_what_goes_where(tmp_path: Path) -> None:
    status, output, _ = launch(tmp_path, "--help")
    assert status == 0
    for word in ("--web", "--port", "--reverse-port", "mitmdump", "HUNYUAN_FIX_PORT"):
        assert word in output


def test_an_option_that_mitmdump_does_not_take_ends_the_start(tmp_path: Path) -> None:
    status, output, errors = launch(
        tmp_path,
        "--port",
        str(free_port()),
        "--reverse-port",
        str(free_port()),
        "--set",
        "hunyuan_cascade=sometimes",
    )
    assert status != 0
    assert "hunyuan_cascade" in output + errors


@pytest.mark.parametrize(
    ("given", "name", "meant"),
    [
        ("--upstrea https://x/v1", "--upstrea", ["--upstream", "--upstream-auth"]),
        ("--upstraem=https://x/v1", "--upstraem", ["--upstream"]),
        ("--retry all", "--retry", ["--set hunyuan_retry=…"]),
        ("--upstream-aut me:secret", "--upstream-aut", ["--upstream-auth"]),
        ("--hunyuan-mode=off", "--hunyuan-mode", ["--set hunyuan_mode=…"]),
        ("--hunyuan_mode off", "--hunyuan_mode", ["--set hunyuan_mode=…"]),
        ("--listen-p 1", "--listen-p", ["--listen-port"]),
        ("--hos 0.0.0.0", "--hos", ["--host"]),
        ("--se hunyuan_mode=off", "--se", ["--set"]),
        ("--web --web-por 1", "--web-por", ["--web-port"]),
        ("--no-http", "--no-http", ["--no-http2"]),
        ("-Y", "-Y", []),
    ],
)
def test_what_is_no_option_is_refused_with_what_may_be_meant(
    tmp_path: Path, given: str, name: str, meant: list[str]
) -> None:
    ports = ["--port", str(free_port()), "--reverse-port", str(free_port())]
    with process("scripts/run", [*LAUNCH, *ports, *given.split()], {"HOME": str(tmp_path)}) as started:
        assert started.wait() == 2
    (line,) = started.output.splitlines()
    assert line.startswith(f"scripts/run: {name}: there is no such option")
    assert all(each in line for each in meant)
    assert "secret" not in line
    assert not (tmp_path / ".mitmproxy").exists()


def test_it_is_refused_on_standard_error(tmp_path: Path) -> None:
    status, output, errors = launch(tmp_path, "--retry", "all")
    assert (status, output) == (2, "")
    assert errors.startswith("scripts/run: --retry: there is no such option")


def test_each_option_of_mitmdump_written_out_is_taken(tmp_path: Path) -> None:
    options = ["--set=hunyuan_mode=off", "--no-http2", "--upstream-auth=a:b", "-vq", "--flow-detail", "0"]
    with launched(tmp_path, *options) as (started, *_):
        started.terminate()
        assert started.wait() == 0


def test_several_at_once_share_one_ca(tmp_path: Path) -> None:
    """Each by itself would make one, and read what another has half written. tests/test_authority.py has ten."""
    with ExitStack() as stack:
        # All ports before the first start: none is to be somebody else's.
        with ExitStack() as chosen:
            sockets = [chosen.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(8)]
            ports = [each.getsockname()[1] for each in sockets]
        waiting = []
        for port, reverse_port in batched(ports, 2):
            command = [*LAUNCH, "--port", str(port), "--reverse-port", str(reverse_port)]
            started = stack.enter_context(process("scripts/run", command, {"HOME": str(tmp_path)}))
            waiting.append((started, port))
        for started, _ in waiting:
            started.wait_for("hunyuan-fix is ready")
        trusted = ssl.create_default_context(cafile=tmp_path / ".mitmproxy/hunyuan-fix-ca-bundle.pem")
        for started, port in waiting:
            with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
                connection.sendall(f"CONNECT {LEGACY}:443 HTTP/1.1\r\n\r\n".encode())
                assert b" 200 " in connection.recv(1024)
                with trusted.wrap_socket(connection, server_hostname=LEGACY) as tls:
                    assert tls.getpeercert(), started.output


def launch(home: Path, *arguments: str) -> tuple[int, str, str]:
    """Run to the end: exit code, standard output, standard error."""
    ended = subprocess.run(
        [*LAUNCH, *arguments],
        env=clean_environment() | {"HOME": str(home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout, ended.stderr
