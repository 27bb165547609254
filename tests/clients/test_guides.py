"""Each guide's proof, carried out by the real client: it works through the addon, and doesn't without."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests import client_guides
from tests.cli.test_demo_serve import Served, served
from tests.clients.histories import history_of
from tests.clients.running import Client, Door, Run, carry_out, carry_out_at
from tests.clients.translating import run_bare_proxy
from tests.end_to_end.processes import LEGACY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy

__all__ = ["served"]

BOTH = {TOKENHUB: 400, LEGACY: 400}
"""Endpoints that refuse what a client sends without the addon, and with which status."""

AGENTS = (
    Client("opencode", "write", {"filePath": "proof.txt", "content": "done"}),
    Client(
        "cline-cli",
        "editor",
        {"path": "$work/proof.txt", "new_text": "done"},
        files={".cline/data/settings/global-settings.json": '{"telemetryOptOut": true, "autoUpdateEnabled": false}'},
    ),
    Client("qwen-code", "write_file", {"file_path": "$work/proof.txt", "content": "done"}, refusals=BOTH),
    Client("continue-cli", "Write", {"filepath": "proof.txt", "content": "done"}),
    Client("codex", "exec_command", {"cmd": "printf done >proof.txt"}, refusals=BOTH),
    Client(
        "claude-code",
        "Write",
        {"file_path": "$work/proof.txt", "content": "done"},
        environment={
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "IS_SANDBOX": "1",
        },
        refusals=BOTH,
    ),
    Client(
        "kimi-code",
        "Write",
        {"path": "$work/proof.txt", "content": "done"},
        environment={"KIMI_CODE_NO_AUTO_UPDATE": "1"},
        refusals=BOTH,
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
    *(Client(name, refusals=BOTH) for name in ("openai-node", "openai-python")),
    *(Client(name) for name in ("vercel-ai-sdk", "langchain", "litellm")),
    *(Client(name, refusals={LEGACY: 404}) for name in ("anthropic-node", "anthropic-python")),
    *(Client(name, refusals={LEGACY: 404}) for name in ("openai-agents", "openai-node-responses")),
    Client("openai-python-responses", refusals={TOKENHUB: 400, LEGACY: 404}),
)
PLAIN = (Client("curl", refusals=BOTH), Client("roo-code"), Client("cline"))
ALL = AGENTS + LIBRARIES + PLAIN
OWN_SESSIONS = ("codex", "claude-code")
"""Their way to the old platform has tests of its own: test_codex.py, test_claude_code.py."""
PLATFORMS = {TOKENHUB: ("tokenhub", "to_tokenhub", "bare_to_tokenhub"), LEGACY: ("simulator", "proxy", "bare_proxy")}
"""Host of an endpoint -> the fixtures of its simulator, of the proxy before it, of a mitmdump without the addon."""


@dataclass(frozen=True, slots=True)
class Ways:
    """To an endpoint: with the addon, and without it."""

    host: str
    endpoint: Simulator
    proxy: Proxy
    bare: Proxy


@pytest.fixture(scope="session")
def to_tokenhub(certificates: Certificates, running_tokenhub: Simulator) -> Iterator[Proxy]:
    """As `scripts/run` starts it."""
    redirects = {f"{TOKENHUB}:443": running_tokenhub.port}
    with run_proxy(certificates, redirects, "--set", "hunyuan_upstream=successor") as running:
        yield running


@pytest.fixture(scope="session")
def bare_to_tokenhub(certificates: Certificates, running_tokenhub: Simulator) -> Iterator[Proxy]:
    with run_bare_proxy(certificates, TOKENHUB, running_tokenhub.port) as running:
        yield running


@pytest.fixture
def ways(host: str, request: pytest.FixtureRequest) -> Ways:
    """Those to `host`; nothing in the journal yet."""
    return Ways(host, *(request.getfixturevalue(name) for name in PLATFORMS[host]))


def name(client: Client) -> str:
    return client.guide


def on_platforms(clients: Sequence[Client]) -> pytest.MarkDecorator:
    """Each guide as it stands, and its client at the old platform."""
    cases = [pytest.param(client, TOKENHUB, id=client.guide) for client in clients]
    cases += [
        pytest.param(client.on_the_old_platform(), LEGACY, id=f"{client.guide} old")
        for client in clients
        if client.guide not in OWN_SESSIONS
    ]
    return pytest.mark.parametrize(("client", "host"), cases)


def assert_proved(client: Client, run: Run, endpoint: Simulator) -> None:
    assert run.output.rstrip().endswith(client_guides.read(client.guide).printed), run.output
    assert run.code == 0, run.output
    assert {request["status"] for request in endpoint.requests()} == {200}


@on_platforms(AGENTS + LIBRARIES)
def test_a_task_with_a_tool_is_finished(client: Client, ways: Ways, tmp_path: Path) -> None:
    run = carry_out(client, ways.proxy, tmp_path)
    assert_proved(client, run, ways.endpoint)
    assert "工具返回" in run.output
    histories = [history_of(body) for body in ways.endpoint.bodies()]
    called = [history for history in histories if history.results]
    assert called[0].calls[-1].name == client.tool
    assert called[0].calls[-1].id in called[0].results


@on_platforms(PLAIN)
def test_the_repairs_are_named(client: Client, ways: Ways, tmp_path: Path) -> None:
    assert_proved(client, carry_out(client, ways.proxy, tmp_path), ways.endpoint)


@on_platforms(ALL)
def test_without_the_addon(client: Client, ways: Ways, tmp_path: Path) -> None:
    """The old platform refuses every one. TokenHub takes what some of them send for so small a task."""
    run = carry_out(client, ways.bare, tmp_path)
    statuses = {request["status"] for request in ways.endpoint.requests()}
    if refusal := client.refusals.get(ways.host):
        assert refusal in statuses, run.output
        assert "工具返回" not in run.output
    else:
        assert ways.host == TOKENHUB
        assert statuses == ({200, 400} if client.guide == "opencode" else {200})  # its title has a call of its own
    assert (run.code == 0) == (refusal is None and client not in PLAIN), run.output


@pytest.mark.parametrize("client", ALL, ids=name)
def test_the_proof_at_the_demo(client: Client, served: Served, tmp_path: Path) -> None:
    """`scripts/demo --serve`, which is asked what the guide says."""
    door = Door(served.variables, int(urlsplit(served.base_url).port or 0))
    run = carry_out_at(door, client, tmp_path)
    assert run.output.rstrip().endswith(client_guides.read(client.guide).printed), run.output
    assert run.code == 0, run.output
