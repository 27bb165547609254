"""The real Codex on endpoints that don't speak Responses, or only part of it: it works through the addon.

It is started with the settings that the start helper gives. What the model does stands in the prompt and in what the
tools return: the simulator carries out the directives in the last message.
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
from tests.clients.codex import Codex, Run
from tests.clients.translating import Way, run_way
from tests.end_to_end.processes import Certificates, Proxy, Simulator

MODELS = {"hunyuan": "hunyuan-turbos-latest", "tokenhub": "hy3"}
"""Names that Codex doesn't know: it offers plain tools and namespaces."""
GPT = "gpt-5.5"
"""With this one it offers `apply_patch` as a tool that takes text."""
GPT_LITE = "gpt-6.2"
"""With this one the tools stand in the input, and it offers one that takes JavaScript."""
MCP_SERVER = Path(__file__).parent / "odd_mcp_server.py"
PATCH = "*** Begin Patch\n*** Add File: proof\n+done\n*** End Patch\n"


def call(tool: str, **arguments: Any) -> str:
    """What makes the model call a tool, without a word beside it."""
    return f"[[sim:say]][[sim:tool {tool} {json.dumps(arguments)}]]"


def shell(command: str) -> str:
    return call("exec_command", cmd=command)


@pytest.fixture
def upstream(way: Way) -> Simulator:
    """The endpoint, with an empty journal."""
    return way.upstream


@pytest.fixture
def codex(way: Way, tmp_path: Path) -> Codex:
    """Codex behind the proxy."""
    return Codex(tmp_path, way.proxy, way.profile, MODELS[way.profile])


def last_history(upstream: Simulator) -> list[dict[str, Any]]:
    """The messages of the last chat request that isn't one to a vision model."""
    found: list[dict[str, Any]] = [body for body in upstream.bodies() if body.get("tools")][-1]["messages"]
    return found


def calls_of(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [made for message in history for made in message.get("tool_calls", ())]


def results_of(history: list[dict[str, Any]]) -> dict[str, str]:
    return {message["tool_call_id"]: message["content"] for message in history if message["role"] == "tool"}


def offered(body: dict[str, Any]) -> set[str]:
    return {tool["function"]["name"] for tool in body["tools"]}


def assert_done(run: Run, upstream: Simulator) -> None:
    assert run.code == 0, run.output
    assert {request["status"] for request in upstream.requests()} == {200}
    assert {request["path"] for request in upstream.requests()} == {"/v1/chat/completions"}


def test_three_tools_one_after_the_other(codex: Codex, upstream: Simulator) -> None:
    (codex.work / "two").write_text(shell("cat three"))
    (codex.work / "three").write_text(shell("printf done >proof"))
    run = codex.ask(shell("cat two"))
    assert_done(run, upstream)
    assert (codex.work / "proof").read_text() == "done"
    history = last_history(upstream)
    calls = calls_of(history)
    assert [made["function"]["name"] for made in calls] == ["exec_command"] * 3
    assert [made["id"] for made in calls] == list(results_of(history))
    assert len(run.items("command_execution")) == 3
    assert min(run.usage["input_tokens"], run.usage["output_tokens"]) > 0


def test_two_tools_at_once(codex: Codex, upstream: Simulator) -> None:
    run = codex.ask(shell("sleep 0.3; echo first") + shell("echo second"))
    assert_done(run, upstream)
    history = last_history(upstream)
    first, second = results_of(history).values()
    assert "first" in first
    assert "second" in second
    (calling,) = (message for message in history if message.get("tool_calls"))
    assert [made["id"] for made in calling["tool_calls"]] == list(results_of(history))


def test_a_tool_that_fails(codex: Codex, upstream: Simulator) -> None:
    run = codex.ask(shell("echo no such thing >&2; exit 3"))
    assert_done(run, upstream)
    (result,) = results_of(last_history(upstream)).values()
    assert "no such thing" in result
    assert "code 3" in result


def test_a_tool_that_there_is_not(codex: Codex, upstream: Simulator) -> None:
    """A model invents a tool: Codex answers it with an error, and the turn goes on."""
    run = codex.ask(call("no_such_tool"))
    assert_done(run, upstream)
    (result,) = results_of(last_history(upstream)).values()
    assert "unsupported call" in result


@pytest.mark.parametrize("name", [GPT, "gpt-5.4"])
def test_a_patch(codex: Codex, upstream: Simulator, name: str) -> None:
    """A tool that takes text as it is: a chat model gives it as one argument."""
    run = replace(codex, model=name).ask(call("apply_patch", input=PATCH))
    assert_done(run, upstream)
    assert (codex.work / "proof").read_text() == "done\n"
    history = last_history(upstream)
    (made,) = calls_of(history)
    assert json.loads(made["function"]["arguments"]) == {"input": PATCH}
    assert list(results_of(history)) == [made["id"]]
    assert "Begin Patch" in json.dumps(upstream.bodies()[0]["tools"]), "its grammar is told"


@pytest.mark.parametrize(
    "patch",
    [f"```\n{PATCH}```", f"apply_patch <<'EOF'\n{PATCH}EOF", PATCH.rstrip("\n")],
    ids=["in a fence", "in a heredoc", "without an end of line"],
)
def test_a_patch_in_a_wrapping(codex: Codex, upstream: Simulator, patch: str) -> None:
    run = replace(codex, model=GPT).ask(call("apply_patch", input=patch))
    assert_done(run, upstream)
    assert (codex.work / "proof").read_text() == "done\n"


def test_an_image_that_is_attached(codex: Codex, upstream: Simulator, way: Way) -> None:
    (codex.work / "shot.png").write_bytes(png_with_text(f"a red square attached to Codex before {way.profile}"))
    run = codex.ask("What is it? [[sim:say It is red.]]", "--image", "shot.png")
    assert_done(run, upstream)
    assert run.said == "It is red."
    assert f"a red square attached to Codex before {way.profile}" in json.dumps(last_history(upstream))
    assert "image_url" not in json.dumps(last_history(upstream))


def test_an_image_that_a_tool_reads(codex: Codex, upstream: Simulator, way: Way) -> None:
    (codex.work / "shot.png").write_bytes(png_with_text(f"a blue square seen by Codex before {way.profile}"))
    run = codex.ask(call("view_image", path=str(codex.work / "shot.png")))
    assert_done(run, upstream)
    assert f"a blue square seen by Codex before {way.profile}" in json.dumps(last_history(upstream))
    assert "image_url" not in json.dumps(last_history(upstream))


def odd_server(codex: Codex) -> Codex:
    """Codex with the MCP server whose tools have odd schemas."""
    command, arguments = json.dumps(sys.executable), json.dumps([str(MCP_SERVER)])
    return replace(codex, config=(f"mcp_servers.odd={{command={command},args={arguments}}}",))


def test_an_mcp_tool_with_an_odd_schema(codex: Codex, upstream: Simulator) -> None:
    run = odd_server(codex).ask(call("mcp__odd__look_at", place="here", missing=1))
    assert_done(run, upstream)
    (result,) = results_of(last_history(upstream)).values()
    assert 'look.at saw {"place": "here", "missing": 1}' in result
    names = offered(upstream.bodies()[0])
    assert "mcp__odd__look_at" in names
    assert max(map(len, names)) <= 64
    (done,) = run.items("mcp_tool_call")
    assert (done["server"], done["status"]) == ("odd", "completed")


def test_a_sub_agent(codex: Codex, upstream: Simulator) -> None:
    asked = "Say it. [[sim:say the agent's word]]"
    run = codex.ask(call("multi_agent_v1__spawn_agent", message=asked))
    assert_done(run, upstream)
    firsts = {json.dumps(body["messages"][-1]["content"]) for body in upstream.bodies()}
    assert any("Say it." in first and "spawn_agent" not in first for first in firsts), "the agent asked by itself"


def test_a_session_that_is_resumed(codex: Codex, upstream: Simulator) -> None:
    first = codex.ask("My word is cedar. [[sim:reasoning I should remember it.]][[sim:say I keep it.]]")
    (short,) = (body["messages"] for body in upstream.bodies())
    second = codex.ask("And now? [[sim:say cedar]]", resume=first.thread)
    assert_done(second, upstream)
    assert second.said == "cedar"
    long = last_history(upstream)
    assert long[: len(short)] == short, "the longer history begins with the same messages"
    assert "I keep it." in json.dumps(long[len(short)])


@pytest.mark.parametrize("name", [GPT, GPT_LITE, "gpt-5.6", "gpt-5.1-codex"])
def test_a_name_of_openais(codex: Codex, upstream: Simulator, name: str) -> None:
    """The endpoint's own model answers. Each name has another set of tools in its requests."""
    run = replace(codex, model=name).ask("Hello. [[sim:say hello]]")
    assert_done(run, upstream)
    assert run.said == "hello"
    assert {body["model"] for body in upstream.bodies()}.isdisjoint({name})


def test_a_tool_that_takes_javascript(codex: Codex, upstream: Simulator) -> None:
    """`additional_tools` in the input instead of tools; a tool that takes a program as text."""
    program = 'const out = await tools.exec_command({cmd: "printf done >proof"}); text(JSON.stringify(out));'
    run = replace(codex, model=GPT_LITE).ask(call("exec", input=program))
    assert_done(run, upstream)
    assert "exec" in offered(upstream.bodies()[0])
    assert (codex.work / "proof").read_text() == "done"


def test_an_answer_by_a_schema(codex: Codex, upstream: Simulator) -> None:
    schema = {
        "type": "object",
        "properties": {"word": {"type": "string"}},
        "required": ["word"],
        "additionalProperties": False,
    }
    file = codex.folder / "schema.json"
    file.write_text(json.dumps(schema))
    run = codex.ask('Say it. [[sim:say {"word": "cedar"}]]', "--output-schema", str(file))
    assert_done(run, upstream)
    assert json.loads(run.said) == {"word": "cedar"}


LIMIT = 23_000
"""Tokens of input; the first request has about 9,000."""


@pytest.fixture(scope="session")
def narrow(certificates: Certificates) -> Iterator[Way]:
    """An endpoint with a window that a few turns fill."""
    with run_way(certificates, "tokenhub", "--max-input", str(LIMIT), options=(f"hunyuan_window={LIMIT}",)) as running:
        yield running


@pytest.mark.parametrize("told", [False, True], ids=["by its error", "by the client's own count"])
def test_a_history_that_passes_the_window(narrow: Way, tmp_path: Path, told: bool) -> None:
    """It is compacted, and the session goes on. `told`: Codex knows the window, as the start helper tells it."""
    narrow.upstream.reset()
    codex = Codex(tmp_path, narrow.proxy, "tokenhub", "hy3", window=LIMIT)
    if not told:
        codex = replace(codex, config=("model_context_window=258400", "model_auto_compact_token_limit=240000"))
    thread, failed = "", 0
    for turn in range(5):
        run = codex.ask(f"[[sim:say answer {turn}]] {'alpha beta gamma delta ' * 600}", resume=thread)
        thread = thread or run.thread
        if run.code:
            assert "ran out of room" in run.output
            failed += 1
        else:
            assert run.said == f"answer {turn}"
    assert failed == (0 if told else 1), "a refused turn is lost, and the next one compacts"
    requests = narrow.upstream.requests()
    compacting = [request for request in requests if "CONTEXT CHECKPOINT" in json.dumps(request["body"])]
    assert compacting, "it was compacted"
    assert {request["row"] for request in requests} == {""}, "the endpoint never had to refuse"
    sizes = [len(json.dumps(request["body"])) for request in requests]
    place = requests.index(compacting[0])
    assert min(sizes[place + 1 :]) < max(sizes[:place])


@pytest.mark.parametrize("fault", ["rate_limit", "internal", "cut:2", "error_event_mid"])
def test_a_fault_of_the_endpoint_is_tried_again(codex: Codex, upstream: Simulator, fault: str) -> None:
    upstream.program({"fault": fault, "retry_after": "1"})
    run = codex.ask("[[sim:say all of it at last]]")
    assert run.code == 0, run.output
    assert run.said.endswith("all of it at last")
    assert len(upstream.requests()) >= 2


def test_a_stream_that_breaks_off_after_a_call_repeats_no_command(codex: Codex, upstream: Simulator) -> None:
    upstream.program({"fault": "cut:6"})
    run = codex.ask(shell("echo once >>proof"))
    assert run.code == 0, run.output
    assert (codex.work / "proof").read_text() == "once\n"


@pytest.mark.parametrize("fault", ["quota", "status:401", "status:404"])
def test_what_cannot_succeed_is_asked_once(codex: Codex, upstream: Simulator, fault: str) -> None:
    """Codex tries everything but a 400 again."""
    upstream.program({"fault": fault, "times": 20})
    run = codex.ask("hello")
    assert run.code == 1
    assert len(upstream.requests()) == 1, "no ladder of tries"
    assert "unexpected status" in run.output or "资源包" in run.output


def test_what_moderation_refuses_is_said(codex: Codex, upstream: Simulator) -> None:
    run = codex.ask("[[sim:say half of this is cut off]][[sim:sensitive]]")
    assert len(upstream.requests()) == 1
    assert run.items("agent_message") or run.code == 1


def test_an_answer_that_is_cut_by_its_length_is_told(codex: Codex, upstream: Simulator) -> None:
    run = codex.ask("[[sim:say half of this is cut off]][[sim:length]]")
    assert len(upstream.requests()) == 1
    assert "max_output_tokens" in run.output


def test_without_the_addon_the_same_is_refused(bare_proxy: Proxy, simulator: Simulator, tmp_path: Path) -> None:
    run = Codex(tmp_path, bare_proxy, "hunyuan", "hunyuan-turbos-latest").ask("[[sim:say hello]]")
    assert run.code == 1
    assert {request["status"] for request in simulator.requests()} == {404}
