"""Real programs and what a model thought: those that lose it get it back, and nothing is added for those that keep it.

The stand-ins know each thought again. What the programs are seen to do is in docs/facts/kimi.md#clients.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.clients.claude_code import ClaudeCode
from tests.clients.codex import Codex
from tests.clients.running import Client, carry_out
from tests.clients.test_claude_code import ODD_SERVER, bash, call
from tests.clients.test_codex import shell
from tests.clients.thinking import (
    MOONSHOT,
    ZENMUX,
    Ways,
    came_back,
    now,
    rows,
    run_before,
    run_loop,
    run_ways,
)
from tests.end_to_end.processes import TOKENHUB, Certificates, Proxy, Simulator, run_simulator
from tests.redis_server import RedisServer, redis_server

__all__ = ["redis_server"]

MODEL = "kimi-k2.6"
MEMORY = "reasoning-memory"
THREE = [["real"], ["real"] * 2, ["real"] * 3]
"""What comes back of a program's three calls, request by request."""

LOSING_LOOPS = ("openai_python", "langchain", "openai_agents", "node:openai_node", "node:openai_node_runner")
STREAMING = ("openai_python_stream", "langchain_stream")
"""The first two with streams."""
KEEPING_LOOPS = ("openai_python_message", "litellm", "node:ai_sdk", "node:ai_sdk_stream")


def agent(
    guide: str,
    tool: str,
    *,
    given: Callable[[str], Mapping[str, object]] = lambda command: {"command": command, "description": "runs it"},
    replaced: Mapping[str, str] | None = None,
    model: str = MODEL,
    files: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    program: tuple[str, str] | None = None,
) -> Client:
    """The agent of a guide at Moonshot, which calls its shell, `tool`, three times.

    The prompt says the first call, and what the commands print the others. No blank in the first (`Client.directive`).
    """

    first = {name: "reads" if name == "description" else value for name, value in given("cat<two").items()}
    second, third = (call(tool, **given(command)) for command in ("cat<three", "printf done >proof.txt"))
    elsewhere = {f"https://{TOKENHUB}/v1": MOONSHOT, "hy3-preview": model, "hy3": model}
    return Client(
        guide,
        tool,
        first,
        files=files or {},
        environment=environment or {},
        program=program,
        replaced=elsewhere | dict(replaced or {}),
        work_files={"two": second, "three": third},
    )


LOSING_AGENTS = (
    agent("continue-cli", "Bash"),
    agent(
        "codebuddy",
        "Bash",
        model="kimi-k2-thinking",  # kimi-k2.6 is the name of one of its own
        environment={"DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1"},
        program=("codebuddy", "python/lib/python*/site-packages/codebuddy_agent_sdk/bin/codebuddy-headless"),
    ),
)
QUIET_CLINE = '{"telemetryOptOut": true, "autoUpdateEnabled": false}'
WIRES = {"kimi": MOONSHOT, "openai": MOONSHOT, "anthropic": "https://api.moonshot.cn/anthropic"}
KEEPING_AGENTS = (
    agent("opencode", "bash"),
    agent(
        "cline-cli",
        "run_commands",
        given=lambda command: {"commands": [command]},
        files={".cline/data/settings/global-settings.json": QUIET_CLINE},
    ),
    agent(
        "qwen-code",
        "run_shell_command",
        # It may miss what a command prints that ends at once, on a busy machine.
        given=lambda command: {"command": f"{command};{{sleep,.3}}", "is_background": False},
    ),
    agent("copilot", "bash"),
    *(
        agent(
            "kimi-code",
            "Bash",
            replaced={
                "PROVIDER_TYPE=openai": f"PROVIDER_TYPE={wire}",
                f"https://{TOKENHUB}/v1": base_url,
            },
            environment={"KIMI_CODE_NO_AUTO_UPDATE": "1"},
        )
        for wire, base_url in WIRES.items()
    ),
)


def name(client: Client) -> str:
    wire = next((word.partition("=")[2] for word in client.replaced.values() if "PROVIDER_TYPE" in word), "")
    return f"{client.guide} {wire}".rstrip()


@pytest.fixture(scope="session")
def running_moonshot(certificates: Certificates) -> Iterator[Ways]:
    with run_ways(certificates, "moonshot", MOONSHOT) as running:
        yield running


@pytest.fixture
def moonshot(running_moonshot: Ways) -> Ways:
    """Moonshot's stand-in, and the proxies before it; nothing in its journal yet."""
    running_moonshot.endpoint.reset()
    return running_moonshot


@pytest.mark.parametrize("loop", LOSING_LOOPS + STREAMING)
def test_a_loop_that_loses_it(loop: str, moonshot: Ways, tmp_path: Path) -> None:
    mark = now(moonshot.proxy)
    run = run_loop(loop, tmp_path, moonshot.proxy, MODEL)
    assert run.code == 0, run.output
    assert came_back(moonshot.endpoint) == THREE
    assert [MEMORY in changes for changes in mark.changes(moonshot.endpoint)] == [False, True, True, True]


@pytest.mark.parametrize("loop", LOSING_LOOPS)
def test_without_the_addon_the_loop_is_refused(loop: str, moonshot: Ways, tmp_path: Path) -> None:
    run = run_loop(loop, tmp_path, moonshot.bare, MODEL)
    assert run.code != 0
    assert "reasoning_content is missing in assistant tool call message at index 1" in run.output
    assert rows(moonshot.endpoint) == ["reasoning"]


@pytest.mark.parametrize("loop", KEEPING_LOOPS)
def test_a_loop_that_keeps_it(loop: str, moonshot: Ways, tmp_path: Path) -> None:
    mark = now(moonshot.proxy)
    run = run_loop(loop, tmp_path, moonshot.proxy, MODEL)
    assert run.code == 0, run.output
    assert came_back(moonshot.endpoint) == THREE
    assert not [changes for changes in mark.changes(moonshot.endpoint) if changes & {MEMORY, "reasoning"}]


@pytest.mark.parametrize("client", LOSING_AGENTS, ids=name)
def test_an_agent_that_loses_it(client: Client, moonshot: Ways, tmp_path: Path) -> None:
    run = carry_out(client, moonshot.proxy, tmp_path)
    assert run.code == 0, run.output
    assert run.output.rstrip().endswith("done")
    assert came_back(moonshot.endpoint) == THREE


@pytest.mark.parametrize("client", LOSING_AGENTS, ids=name)
def test_without_the_addon_the_agent_is_refused(client: Client, moonshot: Ways, tmp_path: Path) -> None:
    run = carry_out(client, moonshot.bare, tmp_path)
    assert "reasoning_content is missing in assistant tool call message at index 2" in run.output
    assert rows(moonshot.endpoint) == ["reasoning"]


@pytest.mark.parametrize("client", KEEPING_AGENTS, ids=name)
def test_an_agent_that_keeps_it(client: Client, moonshot: Ways, tmp_path: Path) -> None:
    mark = now(moonshot.proxy)
    run = carry_out(client, moonshot.proxy, tmp_path)
    assert run.code == 0, run.output
    assert run.output.rstrip().endswith("done")
    assert came_back(moonshot.endpoint) == THREE
    assert rows(moonshot.endpoint) == []
    paths = {request["path"] for request in moonshot.endpoint.requests() if request["method"] == "POST"}
    assert paths == {"/anthropic/v1/messages" if name(client).endswith("anthropic") else "/v1/chat/completions"}
    assert not [changes for changes in mark.changes(moonshot.endpoint) if changes & {MEMORY, "reasoning"}]


# Agents with formats of their own


@pytest.fixture(scope="module", params=["moonshot by chat", "moonshot", "zenmux"])
def messages(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[tuple[str, Ways]]:
    """An endpoint for Claude Code, and the model there."""
    profile, base_url = ("zenmux", ZENMUX) if request.param == "zenmux" else ("moonshot", MOONSHOT)
    options = ["hunyuan_translate=always"] if request.param.endswith("chat") else []
    with run_ways(certificates, profile, base_url, *options) as running:
        yield f"moonshotai/{MODEL}" if profile == "zenmux" else MODEL, running


def test_claude_code(messages: tuple[str, Ways], tmp_path: Path) -> None:
    model, ways = messages
    ways.endpoint.reset()
    claude = ClaudeCode(tmp_path, ways.proxy.reverse_url.removesuffix("/v1"), model)
    (claude.work / "two").write_text(bash("cat three"))
    (claude.work / "three").write_text(bash("printf done >proof"))
    run = claude.ask(bash("cat two"))
    assert run.code == 0, run.output
    assert (claude.work / "proof").read_text() == "done"
    assert came_back(ways.endpoint) == THREE
    again = claude.ask(bash("echo done"), "--resume", run.session)
    assert again.code == 0, again.output
    assert came_back(ways.endpoint, calls=False)[-1] == ["real"] * 5, "the text between them, too"
    assert rows(ways.endpoint) == []


@pytest.mark.parametrize("messages", ["moonshot"], indirect=True)
def test_claude_code_with_an_odd_tool(messages: tuple[str, Ways], tmp_path: Path) -> None:
    """Its schema is none of Moonshot's flavour: it is repaired, and the request keeps its format."""
    model, ways = messages
    ways.endpoint.reset()
    claude = ClaudeCode(tmp_path, ways.proxy.reverse_url.removesuffix("/v1"), model)
    run = claude.ask(call("mcp__odd__look_at", place="here", missing=1), *ODD_SERVER, ENABLE_TOOL_SEARCH="false")
    assert run.code == 0, run.output
    assert "look.at saw" in run.said
    assert {(request["path"], request["status"]) for request in ways.endpoint.requests()} == {
        ("/anthropic/v1/messages", 200)
    }


@pytest.mark.parametrize("messages", ["zenmux"], indirect=True)
def test_claude_code_without_the_addon(messages: tuple[str, Ways], tmp_path: Path) -> None:
    """It asks for thinking without text, which nothing signs here, and sends back what it got: nothing."""
    model, ways = messages
    ways.endpoint.reset()
    base_url = f"http://127.0.0.1:{ways.bare.reverse_port}/api/anthropic"
    run = ClaudeCode(tmp_path, base_url, model).ask(bash("echo done"))
    assert run.code == 1
    assert "reasoning_content is missing in assistant tool call message at index 1" in run.said
    assert rows(ways.endpoint)[-1] == "reasoning"


def test_codex(moonshot: Ways, tmp_path: Path) -> None:
    codex = Codex(tmp_path, moonshot.proxy, "moonshot", MODEL)
    (codex.work / "two").write_text(shell("cat three"))
    (codex.work / "three").write_text(shell("printf done >proof"))
    run = codex.ask(shell("cat two"))
    assert run.code == 0, run.output
    assert (codex.work / "proof").read_text() == "done"
    assert came_back(moonshot.endpoint) == THREE
    again = codex.ask(shell("echo done"), resume=run.thread)
    assert again.code == 0, again.output
    assert came_back(moonshot.endpoint, calls=False)[-1] == ["real"] * 5, "the text between them, too"
    assert rows(moonshot.endpoint) == []


# What is kept outlives a proxy, and is there for another one


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_over_a_restart_and_with_two_workers(
    certificates: Certificates, tmp_path: Path, redis_server: RedisServer, kind: str
) -> None:
    """Each proxy begins with nothing but the store; the two workers take turns.

    The application's model wants its thoughts in turns without calls, too.
    """
    store = f"sqlite:{tmp_path / 'store'}" if kind == "sqlite" else redis_server.url
    history, folder = tmp_path / "history.json", tmp_path / "claude"
    folder.mkdir()
    sessions: list[str] = []

    def worker(endpoint: Simulator) -> contextlib.AbstractContextManager[Proxy]:
        options = ("hunyuan_keep=store", "hunyuan_translate=always")
        return run_before(certificates, MOONSHOT, endpoint, *options, store=store)

    def converse(endpoint: Simulator, proxy: Proxy, turns: int) -> None:
        """A turn of both programs: `turns` calls have been made before."""
        endpoint.reset()
        run = run_loop("application", tmp_path, proxy, "kimi-k2.7-code", str(history))
        assert run.code == 0, run.output
        assert came_back(endpoint, calls=False)[-1] == ["real"] * (2 * turns + 1)
        endpoint.reset()
        claude = ClaudeCode(folder, proxy.reverse_url.removesuffix("/v1"), MODEL)
        resumed = ("--resume", sessions[-1]) if sessions else ()
        answer = claude.ask(bash(f"echo {turns}"), *resumed)
        assert answer.code == 0, answer.output
        assert came_back(endpoint)[-1] == ["real"] * (turns + 1)
        sessions.append(answer.session)

    with run_simulator(certificates, "--no-mentions", hosts=["api.moonshot.cn"], profile="moonshot") as endpoint:
        with worker(endpoint) as one, worker(endpoint) as two:
            for turn, proxy in enumerate((one, two)):
                converse(endpoint, proxy, turn)
        with worker(endpoint) as again:
            converse(endpoint, again, 2)
