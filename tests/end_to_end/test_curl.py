"""curl as a real process, with the variables that `scripts/run` prints."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.processes import KEY, LEGACY, Proxy, Simulator, clean_environment
from tests.end_to_end.requests import agent_request

type Curl = Callable[..., bytes]

CHAT = f"https://{LEGACY}/v1/chat/completions"


@pytest.fixture
def curl(proxy: Proxy, tmp_path: Path) -> Curl:
    """Run curl with a body; what it printed, in bytes."""
    program = shutil.which("curl")
    assert program, "the tests need curl: install it with the system's package manager"

    def run(url: str, body: dict[str, Any] | bytes, *options: str) -> bytes:
        file = tmp_path / "body"
        file.write_bytes(body if isinstance(body, bytes) else json.dumps(body).encode())
        command = [program, "--silent", "--show-error", "--max-time", "60", "--data-binary", f"@{file}"]
        for header in (f"Authorization: Bearer {KEY}", "Content-Type: application/json"):
            command += ["--header", header]
        environment = clean_environment() | proxy.environment
        finished = subprocess.run(
            [*command, *options, url], env=environment, capture_output=True, check=False, timeout=90
        )
        assert finished.returncode == 0, finished.stderr.decode()
        return finished.stdout

    return run


def content(answer: bytes) -> str:
    return str(json.loads(answer)["choices"][0]["message"]["content"])


def test_through_the_proxy(curl: Curl, simulator: Simulator) -> None:
    assert content(curl(CHAT, agent_request("[[sim:say 好]]"))) == "好"


def test_at_the_reverse_proxy(curl: Curl, proxy: Proxy, simulator: Simulator) -> None:
    url = f"{proxy.reverse_url}/chat/completions"
    assert content(curl(url, agent_request("[[sim:say 好]]"), "--noproxy", "*")) == "好"


def test_a_stream(curl: Curl, simulator: Simulator) -> None:
    lines = curl(CHAT, agent_request("[[sim:say 你好吗]]", stream=True), "--no-buffer").decode().split("\n\n")
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: {")]
    text = "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])
    assert text == "你好吗"
    assert [line for line in lines if line.strip()][-1].strip() == "data: [DONE]"


def test_a_compressed_body(curl: Curl, simulator: Simulator) -> None:
    body = gzip.compress(json.dumps(agent_request("[[sim:say 好]]")).encode())
    assert content(curl(CHAT, body, "--header", "Content-Encoding: gzip")) == "好"


def test_a_chunked_body(curl: Curl, simulator: Simulator) -> None:
    request = agent_request("[[sim:say 好]]")
    assert content(curl(CHAT, request, "--http1.1", "--header", "Transfer-Encoding: chunked")) == "好"


@pytest.mark.parametrize(("option", "version"), [("--http1.1", "1.1"), ("--http2", "2")])
def test_both_versions_of_http(curl: Curl, simulator: Simulator, option: str, version: str) -> None:
    printed = curl(CHAT, agent_request("[[sim:say 好]]"), option, "--write-out", "\n%{http_version}")
    answer, _, spoken = printed.rpartition(b"\n")
    assert (content(answer), spoken.decode()) == ("好", version)
    assert simulator.requests()[0]["http_version"] == version
