"""Each guide's proof, carried out by the real client: it works through the addon, and doesn't without."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import client_guides
from tests.clients.running import Client, Run, carry_out
from tests.end_to_end.processes import Proxy, Simulator

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
    Client("codex", "exec_command", {"cmd": "printf done >proof.txt"}),
)
LIBRARIES = tuple(
    Client(name)
    for name in (
        "openai-node",
        "openai-node-responses",
        "openai-python",
        "openai-python-responses",
        "openai-agents",
        "vercel-ai-sdk",
        "langchain",
        "litellm",
    )
)
PLAIN = tuple(Client(name) for name in ("curl", "roo-code", "cline"))


def name(client: Client) -> str:
    return client.guide


def assert_proved(client: Client, run: Run, simulator: Simulator) -> None:
    assert run.output.rstrip().endswith(client_guides.read(client.guide).printed), run.output
    assert run.code == 0, run.output
    assert {request["status"] for request in simulator.requests()} == {200}


@pytest.mark.parametrize("client", AGENTS + LIBRARIES, ids=name)
def test_a_task_with_a_tool_is_finished(client: Client, proxy: Proxy, simulator: Simulator, tmp_path: Path) -> None:
    run = carry_out(client, proxy, tmp_path)
    assert_proved(client, run, simulator)
    assert "工具返回" in run.output
    histories = [body["messages"] for body in simulator.bodies()]
    calling, answering = next(history[-2:] for history in histories if history[-1]["role"] == "tool")
    (call,) = calling["tool_calls"]
    assert call["function"]["name"] == client.tool
    assert answering["tool_call_id"] == call["id"]


@pytest.mark.parametrize("client", PLAIN, ids=name)
def test_the_repairs_are_named(client: Client, proxy: Proxy, simulator: Simulator, tmp_path: Path) -> None:
    assert_proved(client, carry_out(client, proxy, tmp_path), simulator)


@pytest.mark.parametrize("client", AGENTS + LIBRARIES + PLAIN, ids=name)
def test_without_the_addon_the_same_is_refused(
    client: Client, bare_proxy: Proxy, simulator: Simulator, tmp_path: Path
) -> None:
    run = carry_out(client, bare_proxy, tmp_path)
    assert {400, 404} & {request["status"] for request in simulator.requests()}, run.output
    assert "工具返回" not in run.output
    assert run.code != 0, run.output
