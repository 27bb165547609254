"""The admin server of a real mitmdump, and of `scripts/run`: where it listens, what a taken port does, how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.observe.admin.settings import PORT
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
    proxy_command,
    run_proxy,
)
from tests.observe.admin.serving import BEARER, TOKEN, token_file
from tests.waiting import PATIENCE

REDIRECTS = {"HUNYUAN_FIX_TEST_REDIRECTS": "{}"}
HELD = ("127.0.0.1", PORT)


def asked(port: int, path: str, **headers: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, trust_env=False, timeout=30)


@contextmanager
def held() -> Iterator[None]:
    """The default port is taken by this test, or by what has kept it for longer than a test beside it would."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deadline = time.monotonic() + 2 * PATIENCE
        while time.monotonic() < deadline:
            try:
                listener.bind(HELD)
                listener.listen()
                break
            except OSError:
                time.sleep(0.05)
        yield


def test_it_shows_what_passes_the_proxy(certificates: Certificates, simulator: Simulator) -> None:
    port = free_port()
    redirects = {f"{LEGACY}:443": simulator.port}
    given = ("--set", f"hunyuan_admin=127.0.0.1:{port}")
    with run_proxy(certificates, redirects, *given) as proxy:
        assert asked(port, "/healthz").text == "ok\n"
        assert asked(port, "/readyz").text == "ready\n"
        body = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "secret of a message"}]}
        with httpx.stream("GET", f"http://127.0.0.1:{port}/api/events?kinds=done", trust_env=False, timeout=30) as live:
            answer = httpx.post(
                f"{proxy.reverse_url}/chat/completions",
                json=body,
                headers={"authorization": f"Bearer {KEY}"},
                trust_env=False,
                timeout=30,
            )
            assert answer.status_code == 200
            line = next(line for line in live.iter_lines() if line.startswith("data: "))
            told = json.loads(line.removeprefix("data: "))
        (shown,) = asked(port, "/api/exchanges").json()["exchanges"]
        assert shown["id"] == told["exchange"] and shown["status"] == 200 and shown["model"] == "hunyuan-lite"
        kinds = [event["kind"] for event in asked(port, f"/api/exchanges/{shown['id']}").json()["events"]]
        assert kinds[0] == "came" and kinds[-1] == "done"
        status, metrics = asked(port, "/status").json(), asked(port, "/metrics").text
        assert status["profile"] and status["pid"] == proxy.process.pid and len(status["checks"]) > 5
        assert "hunyuan_exchanges_total{" in metrics
        for path in ("/status", "/metrics", "/api/exchanges", f"/api/exchanges/{shown['id']}"):
            assert "secret of a message" not in asked(port, path).text and KEY not in asked(port, path).text


def test_while_it_drains_it_is_alive_and_not_ready_and_listeners_get_a_last_word(certificates: Certificates) -> None:
    port = free_port()
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        run_proxy(
            certificates,
            {f"{LEGACY}:443": silent.getsockname()[1]},
            *("--set", f"hunyuan_admin=127.0.0.1:{port}", "--set", "hunyuan_drain_timeout=60"),
            *("--set", f"hunyuan_upstream=http://127.0.0.1:{silent.getsockname()[1]}/v1"),
        ) as proxy,
        socket.create_connection(("127.0.0.1", proxy.reverse_port)) as client,
        httpx.stream("GET", f"http://127.0.0.1:{port}/api/events", trust_env=False, timeout=60) as live,
    ):
        body = b'{"model":"hy3","messages":[{"role":"user","content":"a"}]}'
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n"
        client.sendall(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        lines = live.iter_lines()
        next(line for line in lines if line == "event: sent")
        proxy.process.terminate()
        rest = list(lines)
        assert 'data: {"why":"closing"}' in rest
        answer = asked(port, "/readyz")
        assert (answer.status_code, answer.text) == (503, "draining\n")
        assert asked(port, "/healthz").status_code == 200
        assert asked(port, "/status").json()["draining"] is True
        proxy.process.signal(signal.SIGTERM)  # a second time: at once
        proxy.process.wait()
        with pytest.raises(httpx.ConnectError):
            asked(port, "/healthz")


def test_a_default_port_that_is_taken_is_one_line_and_the_proxy_runs(certificates: Certificates) -> None:
    with held():
        full, _ = proxy_command(certificates, "--set", "hunyuan_admin=off", "--set", "hunyuan_store=memory")
        at = full.index("hunyuan_admin=off")
        without = [*full[: at - 1], *full[at + 1 :]]
        with process("mitmdump", without, REDIRECTS) as started:
            started.wait_for("mitmproxy is running")
            lines = [line for line in started.output.splitlines() if "hunyuan_admin" in line]
            assert len(lines) == 1 and f"127.0.0.1:{PORT}" in lines[0] and "without an admin server" in lines[0]


@pytest.mark.parametrize("form", ["127.0.0.1:{port}", "192.0.2.77:9464", "0.0.0.0:9464", "nonsense"])
def test_an_address_that_was_given_and_can_not_be_opened_ends_the_start(certificates: Certificates, form: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        value = form.format(port=taken.getsockname()[1])
        full, reverse_port = proxy_command(
            certificates, "--set", f"hunyuan_admin={value}", "--set", "hunyuan_store=memory"
        )
        with process("mitmdump", full, REDIRECTS) as started:
            assert started.wait() == 1
            assert f"hunyuan_admin={value}" in started.output and "Traceback" not in started.output
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", reverse_port), timeout=5)


def test_the_address_moves_while_it_runs_and_stays_where_it_can_not(certificates: Certificates, tmp_path: Path) -> None:
    first, second = free_port(), free_port()
    file = tmp_path / "options.yaml"
    token = token_file(tmp_path)

    def write(**options: object) -> None:
        (tmp_path / "new").write_text(json.dumps({"store": "memory", "admin_token_file": str(token), **options}))
        os.replace(tmp_path / "new", file)

    write(admin=f"127.0.0.1:{first}")
    full, _ = proxy_command(certificates, "--set", "hunyuan_admin=off", "--set", f"hunyuan_config={file}")
    at = full.index("hunyuan_admin=off")
    with process("mitmdump", [*full[: at - 1], *full[at + 1 :]], REDIRECTS) as started:
        started.wait_for("mitmproxy is running")
        assert asked(first, "/status").status_code == 401
        assert asked(first, "/status", **BEARER).status_code == 200
        write(admin=f"127.0.0.1:{second}")
        started.wait_for("changed hunyuan_admin")
        assert asked(second, "/status", **BEARER).status_code == 200
        with pytest.raises(httpx.ConnectError):
            asked(first, "/healthz")
        with socket.create_server(("127.0.0.1", first)):
            write(admin=f"127.0.0.1:{first}")
            started.wait_for(rf"The settings are unchanged: .*hunyuan_admin=127\.0\.0\.1:{first}")
            assert asked(second, "/status", **BEARER).status_code == 200
        write(admin=f"0.0.0.0:{second}")  # the same port: the old listener gives way
        started.wait_for(r"(?s)changed hunyuan_admin.*changed hunyuan_admin")
        assert asked(second, "/status", **BEARER).status_code == 200
        write(admin=f"0.0.0.0:{second}", admin_token_file="")
        started.wait_for("The settings are unchanged: .*needs a token")
        assert asked(second, "/status").status_code == 401
        write(admin="off")
        started.wait_for(r"(?s)(changed hunyuan_admin.*){3}")
        with pytest.raises(httpx.ConnectError):
            asked(second, "/healthz")
        assert TOKEN not in started.output


# scripts/run


@contextmanager
def running(home: Path, *arguments: str, **environment: str) -> Iterator[tuple[Process, dict[str, Any]]]:
    ports = ["--port", str(free_port()), "--reverse-port", str(free_port())]
    full = [*command("run"), "--json", "--upstream", f"http://127.0.0.1:{free_port()}/v1", *ports, *arguments]
    variables = {"HOME": str(home), "XDG_DATA_HOME": str(home), **environment}
    with process("scripts/run", full, variables) as started:
        said = started.wait_for(r"(?m)^(\{.*\})$")[1]
        yield started, json.loads(said)


def test_run_takes_the_next_free_port_and_says_where(tmp_path: Path) -> None:
    with held(), running(tmp_path) as (_, told):
        port = int(re.fullmatch(r"http://127\.0\.0\.1:(\d+)", told["admin_url"])[1])  # type: ignore[index]
        assert port > PORT
        assert asked(port, "/readyz").text == "ready\n"
        (kept,) = (json.loads(file.read_text()) for file in (tmp_path / "hunyuan-fix/running").glob("*.json"))
        assert kept["admin_url"] == told["admin_url"]
        with running(tmp_path) as (_, other):
            assert other["admin_url"] != told["admin_url"]
        doctor = subprocess.run(
            [*command("doctor"), "--json", "--port", str(told["port"])],
            env=clean_environment() | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )
        found = {finding["id"]: finding for finding in json.loads(doctor.stdout)["findings"]}
        assert told["admin_url"] in found["admin/ok"]["found"]


def test_run_without_one_says_so(tmp_path: Path) -> None:
    with running(tmp_path, "--set", "hunyuan_admin=off") as (_, told):
        assert told["admin_url"] == ""


def test_a_link_that_the_command_makes_signs_a_browser_in(tmp_path: Path) -> None:
    token = token_file(tmp_path)
    given = ("--set", f"hunyuan_admin_token_file={token}")
    with running(tmp_path, *given) as (started, told):
        made = subprocess.run(
            [*command("admin"), "link", "--token-file", str(token)],
            env=clean_environment() | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=True,
        )
        link = made.stdout.strip()
        assert link.startswith(f"{told['admin_url']}/signin?once=")
        with httpx.Client(trust_env=False, timeout=30) as browser:
            assert browser.get(f"{told['admin_url']}/status").status_code == 401
            form = {"once": link.partition("once=")[2]}
            signed = browser.post(f"{told['admin_url']}/signin", data=form, headers={"origin": told["admin_url"]})
            assert signed.status_code == 303
            assert browser.get(f"{told['admin_url']}/status").status_code == 200
        assert TOKEN not in started.output and form["once"] not in started.output
    refused = subprocess.run(
        [*command("admin"), "link"],
        env=clean_environment() | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert refused.returncode == 1 and "--url" in refused.stderr
