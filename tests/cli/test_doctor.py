"""`scripts/doctor`: each thing that goes wrong for newcomers, made to go wrong, is found and mended by its advice."""

from __future__ import annotations

import json
import os
import pty
import shlex
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from hunyuan_fix.cli import client_setup
from hunyuan_fix.cli.doctor.situation import Finding
from scripts.lib.processes import free_port
from tests.cli.shell_environment import command, environment, run
from tests.end_to_end.processes import KEY, LEGACY, TOKENHUB, Certificates, Proxy, Simulator, process, run_proxy

CHECKS = ["proxy", "reverse proxy", "endpoint", "Python", "mitmproxy", "CA", "decryption"]
SECRET = "correct-horse"

NO_DNS = """
import asyncio, socket
async def create_connection(*_, **__):
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
asyncio.BaseEventLoop.create_connection = create_connection
"""
"""A mitmproxy script: the machine is offline."""


class Report:
    """What the doctor said, by the name of the check."""

    def __init__(self, *arguments: str, given: dict[str, str]) -> None:
        done = run("doctor", "--json", *arguments, given=given)
        assert done.stderr == ""
        self.text = done.stdout
        self.status = done.returncode
        data = json.loads(done.stdout)
        self.findings = {finding["check"]: _finding(finding) for finding in data["findings"]}
        self.ids = [finding["id"] for finding in data["findings"]]
        assert len(self.findings) == len(self.ids)
        assert data["problems"] == len(self.with_result("problem"))
        assert data["warnings"] == len(self.with_result("warning"))
        assert self.status == (1 if data["problems"] else 0)

    def with_result(self, result: str) -> list[str]:
        return [name for name, finding in self.findings.items() if finding.result == result]

    def __getitem__(self, check: str) -> Finding:
        return self.findings[check]


def _finding(said: dict[str, str]) -> Finding:
    finding = Finding(said["id"], said["result"], said["found"], said["advice"])  # type: ignore[arg-type]
    assert finding.check == said["check"]
    return finding


def examined(proxy: Proxy, home: Path, *arguments: str, **variables: str) -> Report:
    """The report on a running `proxy`, in an environment with `variables` only."""
    ports = ["--port", str(proxy.port), "--reverse-port", str(proxy.reverse_port)]
    confdir = ["--confdir", str(proxy.certificates.confdir)]
    return Report(*ports, *confdir, *arguments, given=environment(home, **variables))


def block(proxy: Proxy) -> dict[str, str]:
    """What `scripts/env` would set for it."""
    client_setup.write_bundle(proxy.certificates.confdir)
    return client_setup.client_variables(proxy.port, proxy.certificates.confdir)


# The whole


def test_a_machine_where_nothing_has_been_done_yet(tmp_path: Path) -> None:
    port = free_port()
    report = Report("--port", str(port), "--reverse-port", str(free_port()), given=environment(tmp_path))
    assert report.ids[0] == "proxy/not-running"
    assert report.with_result("problem") == ["proxy"]
    assert report.with_result("warning") == []
    assert f'eval "$(scripts/env --port {port})"' in report["HTTPS_PROXY mode"].advice
    assert report["proxy"].advice.startswith(f"scripts/run --port {port} --reverse-port ")
    assert not list(tmp_path.iterdir())


def test_a_machine_where_all_is_well(proxy: Proxy, simulator: Simulator, tmp_path: Path) -> None:
    report = examined(proxy, tmp_path, **block(proxy))
    assert report.status == 0
    good = [name for name in report.findings if name not in ("Node client", "system store", "Java store")]
    assert good == [*CHECKS, "HTTPS_PROXY", "NO_PROXY", "curl", "Python client"]
    assert {report[name].result for name in good} == {"ok"}
    assert not any(report[name].advice for name in good)
    assert report["system store"].result == "info"
    requests = simulator.requests()
    assert [(request["method"], request["path"]) for request in requests] == [("GET", "/v1/models")]
    assert "authorization" not in requests[0]["headers"]
    assert f"HTTP {requests[0]['status']}" in report["endpoint"].found


def test_for_a_person_each_thing_is_a_line_and_what_to_do_below_it(tmp_path: Path) -> None:
    ports = ["--port", str(free_port()), "--reverse-port", str(free_port())]
    done = run("doctor", *ports, given=environment(tmp_path))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    at = next(number for number, line in enumerate(lines) if line.split()[:2] == ["problem", "proxy"])
    assert lines[at + 1].strip() == f"→ scripts/run {' '.join(ports)}"
    assert lines[-1] == "problems: 1; no warnings"
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals(tmp_path: Path, variables: dict[str, str], coloured: bool) -> None:
    own, terminal = pty.openpty()
    ports = ["--port", str(free_port()), "--reverse-port", str(free_port())]
    given = environment(tmp_path, TERM="xterm", **variables)
    if coloured:
        given.pop("NO_COLOR", None)
    with subprocess.Popen(command("doctor", *ports), cwd=tmp_path, env=given, stdout=terminal) as started:
        os.close(terminal)
        said = b""
        while b"warnings" not in said:
            said += os.read(own, 65536)
        started.wait(60)
    os.close(own)
    assert (b"\x1b[" in said) == coloured


@pytest.mark.parametrize(
    "arguments", [["--port", "none"], ["--upstream", "example.com"], ["--upstream", ""], ["--everything"]]
)
def test_wrong_usage(tmp_path: Path, arguments: list[str]) -> None:
    done = run("doctor", *arguments, given=environment(tmp_path))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("usage: scripts/doctor")


# Ports


@contextmanager
def other_server() -> Iterator[int]:
    """A web server that is no proxy; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_ports_that_something_else_has(tmp_path: Path) -> None:
    with other_server() as one, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        other = bound.getsockname()[1]
        for port, reverse_port in ((one, other), (other, one)):
            report = Report("--port", str(port), "--reverse-port", str(reverse_port), given=environment(tmp_path))
            for name, taken in (("proxy", port), ("reverse proxy", reverse_port)):
                assert report[name].result == "problem"
                assert report[name].found == f"something else listens on 127.0.0.1:{taken}"
                assert f"lsof -i :{taken}" in report[name].advice


def test_a_mitmproxy_without_the_addon(certificates: Certificates, tmp_path: Path) -> None:
    mitmdump = str(Path(sys.executable).with_name("mitmdump"))
    options = ["--mode", "regular@127.0.0.1:0", "--set", f"confdir={certificates.confdir}"]
    with process("mitmdump", [mitmdump, *options]) as started:
        port = started.wait_for(r"listening at 127\.0\.0\.1:(\d+)")[1]
        report = Report("--port", port, "--reverse-port", str(free_port()), given=environment(tmp_path))
    assert report["proxy"].result == "problem"
    assert "without hunyuan-fix" in report["proxy"].found
    assert report["endpoint"].found.startswith("not tried")


def test_a_proxy_with_a_password_and_without_network(certificates: Certificates, tmp_path: Path) -> None:
    script = tmp_path / "no_dns.py"
    script.write_text(NO_DNS)
    with run_proxy(certificates, {}, "-s", str(script), "--proxyauth", f"me:{SECRET}") as proxy:
        locked = examined(proxy, tmp_path)
        variables = block(proxy) | {"HTTPS_PROXY": f"http://me:{SECRET}@127.0.0.1:{proxy.port}"}
        report = examined(proxy, tmp_path, **variables)
    assert "asks for user and password" in locked["proxy"].found
    assert locked["reverse proxy"].result == report["reverse proxy"].result == "warning"
    assert report.with_result("problem") == ["endpoint"]
    assert report["endpoint"].id == "endpoint/dns"
    assert report["endpoint"].found == f"the proxy can't resolve the name of TokenHub ({TOKENHUB}) (DNS)"
    assert SECRET not in report.text


def test_only_a_proxy_without_its_reverse_half(proxy: Proxy, tmp_path: Path) -> None:
    report = examined(proxy, tmp_path, "--reverse-port", str(free_port()))
    assert report["reverse proxy"].result == "warning"


# The way to the endpoint


def test_a_proxy_whose_ca_is_another(proxy: Proxy, tmp_path: Path) -> None:
    client_setup.write_bundle(tmp_path / "other")
    report = examined(proxy, tmp_path, "--confdir", str(tmp_path / "other"), "--upstream", f"https://{LEGACY}/v1")
    assert report["decryption"].result == "problem"
    assert "another CA" in report["decryption"].found
    assert report["endpoint"].found.endswith("TLS with the proxy fails")


def test_a_proxy_that_runs_without_its_ca_being_found(proxy: Proxy, tmp_path: Path) -> None:
    given = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
    without = examined(proxy, tmp_path, "--confdir", str(tmp_path / "nowhere"), **given)
    assert without.with_result("problem") == ["CA"]  # the endpoint is asked by the reverse port, without TLS
    named = ["--confdir", str(tmp_path / "nowhere"), "--upstream", f"https://{LEGACY}/v1"]
    report = examined(proxy, tmp_path, *named, **given)
    assert report.with_result("problem") == ["endpoint", "CA"]
    assert report["endpoint"].found.endswith("the proxy's CA can't be read")


def test_an_endpoint_that_the_proxy_does_not_know(proxy: Proxy, tmp_path: Path) -> None:
    report = examined(proxy, tmp_path, "--upstream", "https://llm.example/v1")
    assert report["decryption"].result == "problem"
    assert report["decryption"].advice.endswith("--set hunyuan_hosts=llm.example")
    assert report["endpoint"].result == "problem"


def test_an_endpoint_that_refuses_connections(certificates: Certificates, tmp_path: Path) -> None:
    with run_proxy(certificates, {f"{LEGACY}:443": free_port(), f"{TOKENHUB}:443": free_port()}) as proxy:
        gone = examined(proxy, tmp_path)
        report = examined(proxy, tmp_path, "--upstream", f"https://{TOKENHUB}/v1")
    assert gone["endpoint"].id == "endpoint/shut-down"
    assert gone["endpoint"].found.endswith("it was shut down on 2026-09-30")
    assert "scripts/run" in gone["endpoint"].advice
    assert report["decryption"].result == "ok"
    assert (report["endpoint"].id, report["endpoint"].result) == ("endpoint/refused", "problem")
    assert TOKENHUB in report["endpoint"].found


def test_the_key_is_tried_only_when_asked_for(proxy: Proxy, simulator: Simulator, tmp_path: Path) -> None:
    assert "key" not in examined(proxy, tmp_path, HUNYUAN_API_KEY=KEY).findings
    assert all("authorization" not in request["headers"] for request in simulator.requests())
    simulator.reset()
    report = examined(proxy, tmp_path, "--online", HUNYUAN_API_KEY=KEY)
    assert report["key"].result == "ok"
    call = next(request for request in simulator.requests() if request["method"] == "POST")
    assert (call["body"]["max_tokens"], call["status"]) == (1, 200)
    assert len(simulator.requests()) == 2
    assert KEY not in report.text


@pytest.mark.parametrize(
    ("key", "fault", "result", "said"),
    [
        (
            "sk-schlüssel",
            "status:401",
            "problem",
            "refused by the old Hunyuan platform (api.hunyuan.cloud.tencent.com) (HTTP 401)",
        ),
        ("sk-other", "status:418", "warning", "the call failed (HTTP 418)"),
        ("", None, "problem", "isn't set here"),
        (KEY, "rate_limit", "warning", "at its limit now (HTTP 429)"),
    ],
)
def test_a_key_that_is_not_good(
    proxy: Proxy, simulator: Simulator, tmp_path: Path, key: str, fault: str | None, result: str, said: str
) -> None:
    if fault:
        simulator.program({"fault": fault, "match": {"path": "/v1/chat/completions"}, "times": 1})
    report = examined(proxy, tmp_path, "--online", HUNYUAN_API_KEY=key)
    assert report["key"].result == result
    assert said in report["key"].found
    assert not key or key not in report.text


# The environment


def test_variables_are_seen_as_a_child_process_sees_them(tmp_path: Path) -> None:
    given = environment(tmp_path, NO_PROXY="*.tencentmaas.com")
    ask = shlex.join(command("doctor", "--json", "--port", str(free_port()), "--reverse-port", str(free_port())))
    script = f"HTTPS_PROXY=http://127.0.0.1:1\n{ask}"  # set, but not exported
    done = subprocess.run(["bash", "-c", script], env=given, capture_output=True, text=True, timeout=60, check=False)
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)["findings"]}
    assert "HTTPS_PROXY" not in findings
    assert findings["HTTPS_PROXY mode"]["id"] == "proxy-mode/off"
    exported = subprocess.run(
        ["bash", "-c", f"export {script}"], env=given, capture_output=True, text=True, timeout=60, check=False
    )
    findings = {finding["check"]: finding for finding in json.loads(exported.stdout)["findings"]}
    assert findings["HTTPS_PROXY"]["result"] == findings["NO_PROXY"]["result"] == "problem"
