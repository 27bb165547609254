"""What real mitmdump prints and writes: one line for each exchange, files without keys that show the changes later."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow

from hunyuan_fix.exchange import KEY as METADATA
from hunyuan_fix.exchange import Exchange
from tests.end_to_end.processes import (
    KEY,
    LEGACY,
    ROOT,
    Certificates,
    Proxy,
    Simulator,
    clean_environment,
    proxy_command,
    run_proxy,
)
from tests.end_to_end.requests import agent_request, good_request, image
from tests.kept_flows import read

MITMDUMP = str(Path(sys.executable).with_name("mitmdump"))


@contextmanager
def client(proxy: Proxy) -> Iterator[httpx.Client]:
    with httpx.Client(
        proxy=proxy.url,
        verify=proxy.certificates.proxy_trusted(),
        trust_env=False,
        timeout=60,
        base_url=f"https://{LEGACY}/v1",
        headers={"authorization": f"Bearer {KEY}", "cookie": f"session={KEY}"},
    ) as made:
        yield made


def exchanges(proxy: Proxy) -> None:
    """A rewritten request, one as it is, a stream, images, an error, a refused key."""
    with client(proxy) as http:
        assert http.post(f"/chat/completions?key={KEY}", json=agent_request("[[sim:say 好]]")).status_code == 200
        assert http.post("/chat/completions", json=good_request("[[sim:say 好]]")).status_code == 200
        streamed = http.post("/chat/completions", json=agent_request("[[sim:say 流]]", stream=True))
        assert "流" in streamed.text
        seen = [{"type": "text", "text": "look"}, image("a cat")]
        body = {**agent_request(""), "messages": [{"role": "user", "content": seen}]}
        assert http.post("/chat/completions", json=body).headers["x-hunyuan-fix"].startswith("cascade")
        assert http.post("/chat/completions", json={**good_request(), "model": "none"}).status_code >= 400
        assert http.get("/models", headers={"x-api-key": KEY}).status_code


@dataclass(frozen=True, slots=True)
class Saved:
    """A file of flows, what mitmdump said while it wrote it, and what reached the endpoint."""

    file: Path
    output: str
    requests: list[dict[str, Any]]


@pytest.fixture(scope="module")
def saved(certificates: Certificates, legacy_simulator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Saved:
    file = tmp_path_factory.mktemp("saved") / "flows"
    legacy_simulator.reset()
    with run_proxy(certificates, {f"{LEGACY}:443": legacy_simulator.port}, "-w", str(file)) as proxy:
        exchanges(proxy)
        proxy.process.terminate()
        assert proxy.process.wait() == 0
        return Saved(file, proxy.process.output, legacy_simulator.requests())


def test_mitmdump_prints_one_line_for_each_exchange(saved: Saved) -> None:
    output = saved.output
    lines = [line for line in output.splitlines() if "/v1/" in line]
    assert [line.split()[-1] for line in lines[:4]] == ["200"] * 4
    assert len(lines) == 6
    assert all(re.search(r" (POST|GET) /v1/\S+ (model=|untouched)", line) for line in lines)
    assert "\x1b[" not in output
    assert KEY not in output


def test_the_file_holds_no_key(saved: Saved) -> None:
    assert KEY.encode() not in saved.file.read_bytes()
    flows = read(saved.file)
    assert flows[0].request.path == "/v1/chat/completions?key=[redacted]"
    assert [flow.request.headers["authorization"] for flow in flows] == ["[redacted]"] * 6


def test_the_endpoint_got_the_key_all_the_same(saved: Saved) -> None:
    headers = [header for request in saved.requests for header in request["headers"]]
    assert [value for name, value in headers if name == "cookie"] == [f"session={KEY}"] * 6
    # one more: the vision call
    assert [value for name, value in headers if name == "authorization"] == [f"Bearer {KEY}"] * 7


def test_the_file_knows_what_was_changed(saved: Saved) -> None:
    flows = read(saved.file)
    records = [Exchange.from_plain(flow.metadata.get(METADATA)) for flow in flows]
    rewritten = [bool(kept and kept.rewritten) for kept in records]
    assert rewritten[:4] == [True, False, True, True]
    assert " · roles " in flows[0].comment
    assert flows[0].marked == ":wrench:"
    assert records[3]
    assert records[3].vision_calls == 1
    assert flows[2].response
    assert "流".encode() in (flows[2].response.content or b"")


def test_a_later_mitmdump_shows_the_views_and_does_nothing_to_the_flows(
    saved: Saved, certificates: Certificates, tmp_path: Path
) -> None:
    again = tmp_path / "again"
    command = [MITMDUMP, "-n", "-r", str(saved.file), "-w", str(again), "-s", str(ROOT / "addon/hunyuan_fix.py")]
    command += ["--set", f"confdir={certificates.confdir}", "--flow-detail", "4"]
    ended = subprocess.run(
        command, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "--- as it came" in ended.stdout
    assert "+++ as it left" in ended.stdout
    assert "─── assistant ───" in ended.stdout
    assert "流" in ended.stdout
    assert "rules=" not in ended.stdout  # no line of ours: they are over long ago
    assert "rror" not in ended.stderr
    before, after = ([flow.get_state() for flow in read(path)] for path in (saved.file, again))
    assert before == after


def test_reading_a_file_of_somebody_else_leaves_it_alone(certificates: Certificates, tmp_path: Path) -> None:
    """Flows that were saved without the addon, keys and all."""
    given, again = tmp_path / "given", tmp_path / "again"
    flow = tflow.tflow(resp=True)
    flow.request.host, flow.request.path = LEGACY, f"/v1/chat/completions?key={KEY}"
    flow.request.headers["authorization"] = f"Bearer {KEY}"
    failed = tflow.tflow(err=True)
    failed.request.headers["authorization"] = f"Bearer {KEY}"
    with given.open("wb") as file:
        writer = FlowWriter(file)
        for each in (flow, failed, tflow.ttcpflow(), tflow.twebsocketflow()):
            writer.add(each)
    command = [MITMDUMP, "-n", "-r", str(given), "-w", str(again), "-s", str(ROOT / "addon/hunyuan_fix.py")]
    command += ["--set", f"confdir={certificates.confdir}"]
    ended = subprocess.run(command, env=clean_environment(), capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert [flow.get_state() for flow in read(again)] == [flow.get_state() for flow in read(given)]


def test_with_redaction_off_the_file_is_as_mitmproxy_writes_it(
    certificates: Certificates, legacy_simulator: Simulator, tmp_path: Path
) -> None:
    file = tmp_path / "flows"
    options = ("-w", str(file), "--set", "hunyuan_redact=false")
    with run_proxy(certificates, {f"{LEGACY}:443": legacy_simulator.port}, *options) as proxy:
        with client(proxy) as http:
            http.post("/chat/completions", json=good_request("[[sim:say 好]]"))
        proxy.process.terminate()
        assert proxy.process.wait() == 0
    (flow,) = read(file)
    assert flow.request.headers["authorization"] == f"Bearer {KEY}"


def test_what_is_unfinished_when_mitmdump_is_stopped_is_saved_without_a_key(
    certificates: Certificates, legacy_simulator: Simulator, tmp_path: Path
) -> None:
    file = tmp_path / "flows"
    legacy_simulator.reset()
    legacy_simulator.program({"fault": "stall:1"})
    arguments = ["-w", str(file), "--set", "hunyuan_drain_timeout=0.2"]
    with run_proxy(certificates, {f"{LEGACY}:443": legacy_simulator.port}, *arguments) as proxy:
        body = agent_request("[[sim:say 好的]]", stream=True)
        with client(proxy) as http, http.stream("POST", "/chat/completions", json=body) as answer:
            received = next(answer.iter_raw())
            proxy.process.terminate()
            assert proxy.process.wait() == 0
        (line,) = [line for line in proxy.process.output.splitlines() if "rules=" in line]
        assert "-> 200, " in line
    legacy_simulator.reset()
    (flow,) = read(file)
    assert flow.response
    assert (flow.response.raw_content or b"").startswith(received)
    assert KEY.encode() not in file.read_bytes()


def test_a_users_own_flow_detail_stays(certificates: Certificates, legacy_simulator: Simulator) -> None:
    with run_proxy(certificates, {f"{LEGACY}:443": legacy_simulator.port}, "--flow-detail", "2") as proxy:
        with client(proxy) as http:
            http.post("/chat/completions", json=agent_request("[[sim:say 好]]"))
        proxy.process.wait_for(r"<< .*200")
        assert proxy.process.wait_for(rf"POST https://{LEGACY}/v1/chat/completions")
        proxy.process.wait_for(r"model=\S+ rules=\S+ .* -> 200")


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_on_a_terminal_the_line_has_colours(
    certificates: Certificates, legacy_simulator: Simulator, environment: dict[str, str], coloured: bool
) -> None:
    command, reverse_port = proxy_command(certificates)
    redirects = f'{{"{LEGACY}:443": {legacy_simulator.port}}}'
    terminal, end = pty.openpty()
    started = subprocess.Popen(
        command,
        stdin=end,
        stdout=end,
        stderr=end,
        env=clean_environment() | {"HUNYUAN_FIX_TEST_REDIRECTS": redirects, "TERM": "xterm"} | environment,
    )
    os.close(end)
    shown = ""
    try:
        while "reverse proxy to" not in shown:
            shown += os.read(terminal, 65536).decode()
        with httpx.Client(trust_env=False, timeout=60) as http:
            url = f"http://127.0.0.1:{reverse_port}/v1/chat/completions"
            answer = http.post(url, json=agent_request("[[sim:say 好]]"), headers={"authorization": f"Bearer {KEY}"})
        assert answer.status_code == 200
        while "-> " not in shown or not shown.rpartition("-> ")[2].endswith("\n"):
            shown += os.read(terminal, 65536).decode()
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(30)
        os.close(terminal)
    (line,) = [line for line in shown.splitlines() if "/v1/chat/completions" in line]
    assert bool(re.search(r"rules=\x1b\[36m[\w,-]+\x1b\[0m .* -> \x1b\[32m200\x1b\[0m", line)) == coloured
    assert ("\x1b[36m" in line.partition("POST")[2]) == coloured
