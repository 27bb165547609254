"""The real Claude Code on endpoints that don't speak Messages, or only part of it: it works through the addon.

What the model does stands in the prompt and in the files that it reads: the simulator carries out the directives in the
last message.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.simulator.vision import png_with_text
from tests.clients.claude_code import ClaudeCode, Run
from tests.clients.translating import Way, run_way
from tests.end_to_end.processes import Certificates, Proxy, Simulator

MODELS = {"hunyuan": "hunyuan-turbos-latest", "tokenhub": "hy3"}
"""Names that Claude Code doesn't know: it puts system messages into the list and defers tools."""
MCP_SERVER = Path(__file__).parent / "odd_mcp_server.py"


def call(tool: str, **arguments: Any) -> str:
    """What makes the model call a tool, without a word beside it."""
    return f"[[sim:say]][[sim:tool {tool} {json.dumps(arguments)}]]"


def bash(command: str) -> str:
    return call("Bash", command=command, description="runs it")


@pytest.fixture
def upstream(way: Way) -> Simulator:
    """The endpoint, with an empty journal."""
    return way.upstream


@pytest.fixture
def claude(way: Way, tmp_path: Path) -> ClaudeCode:
    """Claude Code behind the proxy."""
    return ClaudeCode(tmp_path, way.base_url, MODELS[way.profile])


def last_history(upstream: Simulator) -> list[dict[str, Any]]:
    """The messages of the last chat request that isn't one to a vision model."""
    found: list[dict[str, Any]] = [body for body in upstream.bodies() if body.get("tools")][-1]["messages"]
    return found


def calls_of(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [made for message in history for made in message.get("tool_calls", ())]


def results_of(history: list[dict[str, Any]]) -> dict[str, str]:
    return {message["tool_call_id"]: message["content"] for message in history if message["role"] == "tool"}


def assert_done(run: Run, upstream: Simulator) -> None:
    assert run.code == 0, run.output
    assert not run.report["is_error"], run.output
    assert {request["status"] for request in upstream.requests()} == {200}
    assert {request["path"] for request in upstream.requests()} == {"/v1/chat/completions"}


def test_three_tools_one_after_the_other(claude: ClaudeCode, upstream: Simulator) -> None:
    (claude.work / "two").write_text(bash("cat three"))
    (claude.work / "three").write_text(call("Write", file_path=str(claude.work / "proof"), content="done"))
    run = claude.ask(bash("cat two"))
    assert_done(run, upstream)
    assert (claude.work / "proof").read_text() == "done"
    history = last_history(upstream)
    calls = calls_of(history)
    assert [made["function"]["name"] for made in calls] == ["Bash", "Bash", "Write"]
    assert [made["id"] for made in calls] == list(results_of(history))
    assert run.report["num_turns"] == 4
    assert run.report["usage"]["output_tokens"] > 0


def test_two_tools_at_once(claude: ClaudeCode, upstream: Simulator) -> None:
    run = claude.ask(bash("sleep 0.3; echo first") + bash("echo second"))
    assert_done(run, upstream)
    history = last_history(upstream)
    first, second = results_of(history).values()
    assert first.startswith("first")
    assert second.startswith("second")
    assert [made["id"] for made in calls_of(history)] == list(results_of(history))


def test_a_tool_that_fails(claude: ClaudeCode, upstream: Simulator) -> None:
    run = claude.ask(bash("echo no such thing >&2; exit 3"))
    assert_done(run, upstream)
    (result,) = results_of(last_history(upstream)).values()
    assert "no such thing" in result
    assert "rror" in result


def test_a_long_output_is_counted_by_the_proxy(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    wide = {"hunyuan": "hunyuan-a13b", "tokenhub": "hy3"}[way.profile]
    run = replace(claude, model=wide).ask(call("Read", file_path=str(long_file(claude.work))))
    assert_done(run, upstream)
    assert "/v1/messages/count_tokens" in way.proxy.process.output


def test_what_the_model_cannot_read_is_not_sent(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    """A single exchange past the window: it is said, and the endpoint, which cuts in silence, never gets it."""
    narrow = {"hunyuan": "hunyuan-turbos-latest", "tokenhub": "hunyuan-role-latest"}[way.profile]
    run = replace(claude, model=narrow).ask(call("Read", file_path=str(long_file(claude.work))))
    assert run.code == 1
    assert run.said.startswith("Prompt is too long")
    assert len(upstream.requests()) == 1


def long_file(folder: Path) -> Path:
    """So long that Claude Code asks how many tokens it is."""
    file = folder / "long.txt"
    file.write_text("".join(f"line {number} of a long file\n" for number in range(1900)))
    return file


def test_an_image_that_is_attached(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    (claude.work / "shot.png").write_bytes(png_with_text(f"a red square attached before {way.profile}"))
    run = claude.ask("What is it? @shot.png [[sim:say It is red.]]")
    assert_done(run, upstream)
    assert run.said == "It is red."
    assert f"a red square attached before {way.profile}" in json.dumps(last_history(upstream))
    assert "image_url" not in json.dumps(last_history(upstream))


def test_an_image_that_a_tool_reads(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    (claude.work / "shot.png").write_bytes(png_with_text(f"a blue square read before {way.profile}"))
    run = claude.ask(call("Read", file_path=str(claude.work / "shot.png")))
    assert_done(run, upstream)
    assert f"a blue square read before {way.profile}" in json.dumps(last_history(upstream))
    assert "image_url" not in json.dumps(last_history(upstream))


@pytest.mark.parametrize("deferred", [True, False], ids=["deferred", "at once"])
def test_an_mcp_tool_with_an_odd_schema(claude: ClaudeCode, upstream: Simulator, deferred: bool) -> None:
    servers = {"mcpServers": {"odd": {"command": sys.executable, "args": [str(MCP_SERVER)]}}}
    (claude.work / "next").write_text(call("mcp__odd__look_at", place="here", missing=1))
    search = '[[sim:tool ToolSearch {"query": "select:mcp__odd__look_at", "max_results": 5}]]' if deferred else ""
    given = {} if deferred else {"ENABLE_TOOL_SEARCH": "false"}
    run = claude.ask(search + bash("cat next"), "--mcp-config", json.dumps(servers), **given)
    assert_done(run, upstream)
    assert 'look.at saw {"place": "here", "missing": 1}' in list(results_of(last_history(upstream)).values())[-1]
    offered = [tool["function"] for tool in upstream.bodies()[-1]["tools"]]
    assert "mcp__odd__look_at" in {function["name"] for function in offered}
    assert max(len(function["name"]) for function in offered) <= 64
    first = {tool["function"]["name"] for tool in upstream.bodies()[0]["tools"]}
    assert ("mcp__odd__look_at" in first) is not deferred


def test_a_sub_agent(claude: ClaudeCode, upstream: Simulator) -> None:
    asked = "Say it. [[sim:say the agent's word]]"
    run = claude.ask(call("Agent", description="asks", prompt=asked, subagent_type="general-purpose"))
    assert_done(run, upstream)
    systems = {json.dumps(body["messages"][0]["content"]) for body in upstream.bodies()}
    assert len(systems) > 1, "the agent has a system prompt of its own"
    assert "the agent's word" in json.dumps(last_history(upstream))


def test_a_session_that_is_resumed(claude: ClaudeCode, upstream: Simulator) -> None:
    first = claude.ask("My word is cedar. [[sim:say I keep it.]]")
    (short,) = (body["messages"] for body in upstream.bodies())
    second = claude.ask("And now? [[sim:say cedar]]", "--resume", first.session)
    assert_done(second, upstream)
    assert second.said == "cedar"
    long = last_history(upstream)
    assert long[: len(short)] == short, "the longer history begins with the same messages"
    assert "I keep it." in json.dumps(long[len(short)])


@pytest.mark.parametrize("name", ["claude-sonnet-5", "claude-opus-4-6", "claude-haiku-4-5"])
def test_a_name_of_claudes(claude: ClaudeCode, upstream: Simulator, name: str) -> None:
    """The endpoint's own model answers. Each name has another set of hints in its requests."""
    run = replace(claude, model=name).ask(bash("echo done > proof"))
    assert_done(run, upstream)
    assert (claude.work / "proof").read_text() == "done\n"
    assert {body["model"] for body in upstream.bodies()}.isdisjoint({name})
    assert name in run.report["modelUsage"]


LIMIT = 23_000
"""Tokens of input; the first request has about 12,000."""


@pytest.fixture(scope="session")
def narrow(certificates: Certificates) -> Iterator[Way]:
    """An endpoint with a window that a few turns fill."""
    with run_way(certificates, "tokenhub", "--max-input", str(LIMIT)) as running:
        yield running


@pytest.mark.parametrize("told", [False, True], ids=["by its error", "by the client's own count"])
def test_a_history_that_passes_the_window(narrow: Way, tmp_path: Path, told: bool) -> None:
    """It is compacted, and the session goes on. `told`: the client knows the window before the endpoint refuses."""
    narrow.upstream.reset()
    known = {"CLAUDE_CODE_MAX_CONTEXT_TOKENS": "54000"} if told else {}
    claude = ClaudeCode(tmp_path, narrow.base_url, "hy3", known)
    session: tuple[str, ...] = ()
    for turn in range(5):
        run = claude.ask(f"[[sim:say answer {turn}]] {'alpha beta gamma delta ' * 600}", *session)
        assert run.code == 0, run.output
        assert run.said == f"answer {turn}"
        session = ("--resume", run.session)
    requests = narrow.upstream.requests()
    compacting = [request for request in requests if "Respond with TEXT ONLY" in json.dumps(request["body"])]
    assert compacting, "it was compacted"
    assert {request["row"] for request in requests} == ({"", "overflow"} if not told else {""})
    sizes = [len(json.dumps(request["body"])) for request in requests]
    place = requests.index(compacting[0])
    assert min(sizes[place + 1 :]) < max(sizes[:place])


@pytest.mark.parametrize("fault", ["rate_limit", "internal", "cut:2", "error_event_mid"])
def test_a_fault_of_the_endpoint_is_tried_again(claude: ClaudeCode, upstream: Simulator, fault: str) -> None:
    upstream.program({"fault": fault, "retry_after": "1"})
    run = claude.ask("[[sim:say all of it at last]]")
    assert run.code == 0, run.output
    assert run.said.endswith("all of it at last")
    assert len(upstream.requests()) >= 2


def test_what_cannot_succeed_is_asked_once(claude: ClaudeCode, upstream: Simulator) -> None:
    upstream.program({"fault": "quota", "times": 20})
    run = claude.ask("hello")
    assert run.code == 1
    assert len(upstream.requests()) == 1, "no ladder of tries"
    assert ("资源包" in run.said) or ("QUOTA" in run.said), "the endpoint's own words are shown"


def test_what_moderation_refuses_is_said(claude: ClaudeCode, upstream: Simulator) -> None:
    run = claude.ask("[[sim:say half of this is cut off]][[sim:sensitive]]")
    assert len(upstream.requests()) == 1
    assert run.said


def test_without_the_addon_the_same_is_refused(bare_proxy: Proxy, simulator: Simulator, tmp_path: Path) -> None:
    claude = ClaudeCode(tmp_path, bare_proxy.reverse_url.removesuffix("/v1"), "claude-sonnet-5")
    run = claude.ask("[[sim:say hello]]")
    assert run.code == 1
    assert {request["status"] for request in simulator.requests()} == {404}
