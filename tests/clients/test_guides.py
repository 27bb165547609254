"""Each guide's proof, carried out by the real client: it works through the addon, and doesn't without."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import client_guides
from tests.clients.histories import history_of
from tests.clients.running import Client, Run, carry_out
from tests.clients.translating import run_bare_proxy
from tests.end_to_end.processes import LEGACY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy

AGENTS = (
    Client("opencode", "write", {"filePath": "proof.txt", "content": "done"}),
    Client(
        "cline-cli",
        "editor",
        {"path": "$work/proof.txt", "new_text": "done"},
        files={".cline/data/settings/global-settings.json": '{"telemetryOptOut": true, "autoUpdateEnabled": false}'},
    ),
    Client("qwen-code", "write_file", {"file_path": "$work/proof.txt", "content": "done"}),
    Client("continue-cli", "Write", {"filepath": "proof.txt", "content": "done"}),
    Client("codex", "exec_command", {"cmd": "printf done >proof.txt"}, endpoint=TOKENHUB),
    Client(
        "claude-code",
        "Write",
        {"file_path": "$work/proof.txt", "content": "done"},
        environment={
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "IS_SANDBOX": "1",
        },
        endpoint=TOKENHUB,
    ),
    Client(
        "kimi-code",
        "Write",
        {"path": "$work/proof.txt", "content": "done"},
        environment={"KIMI_CODE_NO_AUTO_UPDATE": "1"},
    ),
    Client("copilot", "bash", {"command": "printf done >proof.txt", "description": "writes it"}),
    Client(
        "codebuddy",
        "Write",
        {"file_path": "$work/proof.txt", "content": "done"},
        environment={"DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1"},
        program=("codebuddy", "python/lib/python*/site-packages/codebuddy_agent_sdk/bin/codebuddy-headless"),
    ),
)
LIBRARIES = (
    *(Client(name) for name in ("openai-node", "openai-python", "vercel-ai-sdk", "langchain", "litellm")),
    *(Client(name, refusal=404) for name in ("anthropic-node", "anthropic-python")),
    *(Client(name, refusal=404) for name in ("openai-agents", "openai-node-responses", "openai-python-responses")),
)
PLAIN = tuple(Client(name) for name in ("curl", "roo-code", "cline"))


@dataclass(frozen=True, slots=True)
class Ways:
    """To the endpoint that a guide is about: with the addon, and without it."""

    endpoint: Simulator
    proxy: Proxy
    bare: Proxy


@pytest.fixture(scope="session")
def to_tokenhub(certificates: Certificates, running_tokenhub: Simulator) -> Iterator[Proxy]:
    redirects = {f"{TOKENHUB}:443": running_tokenhub.port}
    with run_proxy(certificates, redirects, "--set", f"hunyuan_upstream=https://{TOKENHUB}/v1") as running:
        yield running


@pytest.fixture(scope="session")
def bare_to_tokenhub(certificates: Certificates, running_tokenhub: Simulator) -> Iterator[Proxy]:
    with run_bare_proxy(certificates, TOKENHUB, running_tokenhub.port) as running:
        yield running


@pytest.fixture
def ways(client: Client, request: pytest.FixtureRequest) -> Ways:
    """Those of the client's guide; nothing in the journal yet."""
    names = {
        LEGACY: ("simulator", "proxy", "bare_proxy"),
        TOKENHUB: ("tokenhub", "to_tokenhub", "bare_to_tokenhub"),
    }[client.endpoint]
    return Ways(*(request.getfixturevalue(name) for name in names))


def name(client: Client) -> str:
    return client.guide


def assert_proved(client: Client, run: Run, endpoint: Simulator) -> None:
    assert run.output.rstrip().endswith(client_guides.read(client.guide).printed), run.output
    assert run.code == 0, run.output
    assert {request["status"] for request in endpoint.requests()} == {200}


@pytest.mark.parametrize("client", AGENTS + LIBRARIES, ids=name)
def test_a_task_with_a_tool_is_finished(client: Client, ways: Ways, tmp_path: Path) -> None:
    run = carry_out(client, ways.proxy, tmp_path)
    assert_proved(client, run, ways.endpoint)
    assert "工具返回" in run.output
    histories = [history_of(body) for body in ways.endpoint.bodies()]
    called = [history for history in histories if history.results]
    assert called[0].calls[-1].name == client.tool
    assert called[0].calls[-1].id in called[0].results


@pytest.mark.parametrize("client", PLAIN, ids=name)
def test_the_repairs_are_named(client: Client, ways: Ways, tmp_path: Path) -> None:
    assert_proved(client, carry_out(client, ways.proxy, tmp_path), ways.endpoint)


@pytest.mark.parametrize("client", AGENTS + LIBRARIES + PLAIN, ids=name)
def test_without_the_addon_the_same_is_refused(client: Client, ways: Ways, tmp_path: Path) -> None:
    run = carry_out(client, ways.bare, tmp_path)
    assert client.refusal in {request["status"] for request in ways.endpoint.requests()}, run.output
    assert "工具返回" not in run.output
    assert run.code != 0, run.output
