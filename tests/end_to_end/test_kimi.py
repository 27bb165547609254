"""`hunyuan-fix run --kimi`, started as a user of the Kimi Thinking Proxy would, before an endpoint like zenmux."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.cli import kimi
from scripts.lib.processes import free_port
from tests import client_guides
from tests.cli.shell_environment import command
from tests.end_to_end.processes import Certificates, Process, Simulator, clean_environment, process, run_simulator

LAUNCH = command("run")
OWN, LENT = "sk-own", "sk-zenmux"
TOOLS = [{"name": "look", "description": "Look.", "input_schema": {"type": "object", "properties": {}}}]
ANTHROPIC = {"x-api-key": OWN, "anthropic-version": "2023-06-01"}


@contextmanager
def launched(home: Path, *arguments: str, **environment: str) -> Iterator[tuple[Process, str]]:
    port = free_port()
    variables = {"HOME": str(home), "PROXY_PORT": str(port), "HUNYUAN_API_KEY": "sk-tencent", **environment}
    with process("scripts/run --kimi", [*LAUNCH, "--kimi", *arguments], variables) as started:
        started.wait_for(r"\n(Key: |Clients send their own key)")
        yield started, f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def zenmux(certificates: Certificates) -> Iterator[Simulator]:
    with run_simulator(certificates, profile="zenmux") as running:
        yield running


@pytest.fixture(scope="module")
def proxy(zenmux: Simulator, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, str]]:
    home = tmp_path_factory.mktemp("home")
    with launched(home, MOONSHOT_BASE_URL=f"{zenmux.url}/api/anthropic", ZENMUX_API_KEY=LENT) as running:
        yield running


@pytest.fixture
def client(proxy: tuple[Process, str], zenmux: Simulator) -> Iterator[httpx.Client]:
    zenmux.reset()
    with httpx.Client(base_url=proxy[1], trust_env=False, timeout=60) as made:
        yield made


def seen(zenmux: Simulator) -> dict[str, Any]:
    (request,) = zenmux.requests()
    return {**request, "headers": {name.lower(): value for name, value in dict(request["headers"]).items()}}


def test_health_is_its_own(client: httpx.Client, zenmux: Simulator) -> None:
    answer = client.get("/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")
    assert zenmux.requests() == []


def test_messages_with_a_key_in_x_api_key(client: httpx.Client, zenmux: Simulator) -> None:
    body = {"model": "kimi-k2.5", "max_tokens": 20000, "messages": [{"role": "user", "content": "hi"}]}
    headers = {**ANTHROPIC, "user-agent": "claude-cli/2.1", "anthropic-beta": "interleaved-thinking-2025-05-14"}
    answer = client.post("/v1/messages?beta=true", json=body, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["type"] == "message"
    request = seen(zenmux)
    assert request["path"].startswith("/api/anthropic/v1/messages")
    assert request["body"]["model"] == "moonshotai/kimi-k2.5"
    assert request["headers"]["x-api-key"] == OWN
    assert request["headers"]["user-agent"] == "claude-cli/2.1", "the old proxy dropped it"


def test_chat_with_a_bearer(client: httpx.Client, zenmux: Simulator) -> None:
    """The old proxy sent it to a path that the endpoint doesn't have."""
    body = {"model": "kimi-k2.5", "messages": [{"role": "user", "content": "hi"}]}
    answer = client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {OWN}"})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/json"), "JSON was asked for, not a stream"
    request = seen(zenmux)
    assert (request["path"], request["body"]["model"]) == ("/api/v1/chat/completions", "moonshotai/kimi-k2.5")
    assert request["headers"]["authorization"] == f"Bearer {OWN}"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_client_without_a_key_gets_the_environments(client: httpx.Client, zenmux: Simulator, path: str) -> None:
    body = {"model": "kimi-k2.5", "max_tokens": 20000, "messages": [{"role": "user", "content": "hi"}]}
    assert client.post(path, json=body).status_code == 200
    assert seen(zenmux)["headers"]["authorization"] == f"Bearer {LENT}"


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_a_stream_is_one_if_it_was_asked_for(client: httpx.Client, path: str) -> None:
    body = {"model": "kimi-k2.5", "max_tokens": 20000, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    with client.stream("POST", path, json=body, headers=ANTHROPIC) as answer:
        text = "".join(answer.iter_text())
    assert answer.headers["content-type"].startswith("text/event-stream")
    assert ("message_stop" if "messages" in path else "[DONE]") in text


def test_an_error_keeps_its_status_and_its_clients_shape(client: httpx.Client, zenmux: Simulator) -> None:
    """The old proxy made a 200 of it in a stream, and a 500 in FastAPI's shape of all else."""
    zenmux.program({"fault": "rate_limit", "times": 2})
    body = {"model": "kimi-k2.5", "max_tokens": 20000, "stream": True, "messages": [{"role": "user", "content": "hi"}]}
    answer = client.post("/v1/messages", json=body, headers=ANTHROPIC)
    assert (answer.status_code, answer.json()["type"]) == (429, "error")
    chat = client.post("/v1/chat/completions", json=body, headers={"authorization": f"Bearer {OWN}"})
    assert chat.status_code == 429
    assert chat.json()["error"]["message"]
    broken = client.post("/v1/messages", content=b"{", headers={**ANTHROPIC, "content-type": "application/json"})
    assert broken.status_code == 400


def test_the_models_are_listed(client: httpx.Client, zenmux: Simulator) -> None:
    listed = client.get("/v1/models", headers={"authorization": f"Bearer {OWN}"}).json()
    assert "moonshotai/kimi-k2.5" in {model["id"] for model in listed["data"]}
    assert seen(zenmux)["path"] == "/api/v1/models"


def test_what_it_says_is_true_and_has_no_key(proxy: tuple[Process, str], zenmux: Simulator) -> None:
    started, address = proxy
    assert f"base URL {address}/v1" in started.output
    assert f"{zenmux.url}/api/anthropic" in started.output
    assert "ZENMUX_API_KEY" in started.output
    for key in (OWN, LENT, "sk-tencent"):
        assert key not in started.output
    arguments = Path(f"/proc/{started.pid}/cmdline")
    if arguments.exists():
        assert LENT.encode() not in arguments.read_bytes()


def test_another_vendors_key_is_not_lent(zenmux: Simulator, tmp_path: Path) -> None:
    zenmux.reset()
    with launched(tmp_path, MOONSHOT_BASE_URL=f"{zenmux.url}/api/anthropic") as (started, address):
        body = {"model": "kimi-k2.5", "messages": [{"role": "user", "content": "hi"}]}
        answer = httpx.post(f"{address}/v1/chat/completions", json=body, trust_env=False, timeout=60)
        assert answer.status_code == 401
        assert "HUNYUAN_API_KEY is for another endpoint" in started.output
    assert "sk-tencent" not in json.dumps(zenmux.requests())


def test_an_open_address_needs_tokens(tmp_path: Path) -> None:
    """The old proxy lent its port to a whole network without a word."""
    variables = {"HOME": str(tmp_path), "PROXY_HOST": "0.0.0.0", "PROXY_PORT": str(free_port())}
    with process("scripts/run --kimi", [*LAUNCH, "--kimi"], variables) as started:
        assert started.wait() == 1
        assert "listening on 0.0.0.0 would let other machines use this proxy: give its clients tokens" in started.output


def test_the_guides_proof_is_one(proxy: tuple[Process, str]) -> None:
    guide = client_guides.read("kimi")
    (proof, _) = guide.blocks("Proof")
    script = proof.text.replace(f"http://127.0.0.1:{kimi.PORT}", proxy[1])
    assert script != proof.text
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env=clean_environment())
    assert said.stdout.strip() == guide.printed


THOUGHT = "The user wants it looked at, so I look."
ASKED = f'Look. [[sim:reasoning {THOUGHT}]] [[sim:tool look {{"path": "a.txt"}}]]'


def test_a_chat_client_that_drops_reasoning_gets_it_put_back(client: httpx.Client, zenmux: Simulator) -> None:
    """The old proxy wrote one sentence of its own there, for every turn the same."""
    body: dict[str, Any] = {
        "model": "kimi-k2.5",
        "messages": [{"role": "user", "content": ASKED}],
        "tools": [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}],
    }
    headers = {"authorization": f"Bearer {OWN}"}
    said = client.post("/v1/chat/completions", json=body, headers=headers).json()["choices"][0]["message"]
    kept = {"role": "assistant", "content": said["content"], "tool_calls": said["tool_calls"]}
    result = {"role": "tool", "tool_call_id": said["tool_calls"][0]["id"], "content": "seen"}
    body["messages"] += [kept, result]
    answer = client.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    assert THOUGHT in json.dumps(zenmux.bodies()[-1]["messages"][1], ensure_ascii=False)


def test_a_messages_client_that_drops_thinking_gets_it_put_back(client: httpx.Client, zenmux: Simulator) -> None:
    body: dict[str, Any] = {
        "model": "kimi-k2.5",
        "max_tokens": 20000,
        "messages": [{"role": "user", "content": ASKED}],
        "tools": TOOLS,
    }
    content = client.post("/v1/messages", json=body, headers=ANTHROPIC).json()["content"]
    kept = [block for block in content if block["type"] != "thinking"]
    assert [block["type"] for block in kept][-1] == "tool_use"
    result = {"type": "tool_result", "tool_use_id": kept[-1]["id"], "content": "seen"}
    body["messages"] += [{"role": "assistant", "content": kept}, {"role": "user", "content": [result]}]
    answer = client.post("/v1/messages", json=body, headers=ANTHROPIC)
    assert answer.status_code == 200, answer.text
    assert THOUGHT in json.dumps(zenmux.bodies()[-1]["messages"][1], ensure_ascii=False)
