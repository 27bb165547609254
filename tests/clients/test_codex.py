"""The real Codex on endpoints that don't speak Responses, or only part of it: it works through the addon.

It is started with the settings that the start helper gives. What the model does stands in the prompt and in what the
tools return: the simulator carries out the directives in the last message.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.simulator.vision import png_with_text
from tests.cli.shell_environment import command, environment
from tests.clients.codex import Codex, Run
from tests.clients.histories import History, history_of, tool_names
from tests.clients.translating import Way, run_way
from tests.end_to_end.processes import KEY, Certificates, Proxy, Simulator, run_simulator

PROFILES = {"hunyuan": "hunyuan", "tokenhub": "tokenhub", "chat-only": "tokenhub"}
MODELS = {"hunyuan": "hunyuan-turbos-latest", "tokenhub": "hy3", "chat-only": "hy3"}
"""Names that Codex doesn't know: it offers plain tools and namespaces."""
GPT = "gpt-5.5"
"""With this one it offers `apply_patch` as a tool that takes text."""
GPT_LITE = "gpt-6.2-sol"
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
    return Codex(tmp_path, way.proxy, PROFILES[way.name], MODELS[way.name])


def sent(upstream: Simulator) -> dict[str, Any]:
    """The body of the last request that isn't one to a vision model."""
    found: dict[str, Any] = [body for body in upstream.bodies() if body.get("tools")][-1]
    return found


def last(upstream: Simulator) -> History:
    """Its history."""
    return history_of(sent(upstream))


def assert_done(run: Run, way: Way) -> None:
    assert run.code == 0, run.output
    requests = way.upstream.requests()
    assert {request["status"] for request in requests} == {200}
    path = "/v1/responses" if way.native else "/v1/chat/completions"
    assert {request["path"] for request in requests if request["body"].get("tools")} <= {path}


def test_three_tools_one_after_the_other(codex: Codex, upstream: Simulator, way: Way) -> None:
    (codex.work / "two").write_text(shell("cat three"))
    (codex.work / "three").write_text(shell("printf done >proof"))
    run = codex.ask(shell("cat two"))
    assert_done(run, way)
    assert (codex.work / "proof").read_text() == "done"
    history = last(upstream)
    assert [made.name for made in history.calls] == ["exec_command"] * 3
    assert [made.id for made in history.calls] == list(history.results)
    assert len(run.items("command_execution")) == 3
    assert min(run.usage["input_tokens"], run.usage["output_tokens"]) > 0


def test_two_tools_at_once(codex: Codex, upstream: Simulator, way: Way) -> None:
    run = codex.ask(shell("sleep 0.3; echo first") + shell("echo second"))
    assert_done(run, way)
    history = last(upstream)
    first, second = history.results.values()
    assert "first" in first
    assert "second" in second
    assert [made.id for made in history.calls] == list(history.results)
    assert way.native or sum("tool_calls" in message for message in history.messages) == 1, "they are one turn"


def test_a_tool_that_fails(codex: Codex, upstream: Simulator, way: Way) -> None:
    run = codex.ask(shell("echo no such thing >&2; exit 3"))
    assert_done(run, way)
    (result,) = last(upstream).results.values()
    assert "no such thing" in result
    assert "code 3" in result


def test_a_tool_that_there_is_not(codex: Codex, upstream: Simulator, way: Way) -> None:
    """A model invents a tool: Codex answers it with an error, and the turn goes on."""
    run = codex.ask(call("no_such_tool"))
    assert_done(run, way)
    (result,) = last(upstream).results.values()
    assert "unsupported call" in result


def test_a_patch(codex: Codex, upstream: Simulator, way: Way) -> None:
    """A tool that takes text as it is: a chat model gives it as one argument."""
    run = replace(codex, model=GPT).ask(call("apply_patch", input=PATCH))
    assert_done(run, way)
    assert (codex.work / "proof").read_text() == "done\n"
    history = last(upstream)
    (made,) = history.calls
    assert made.arguments == {"input": PATCH}
    assert list(history.results) == [made.id]
    assert "Begin Patch" in json.dumps(upstream.bodies()[0]["tools"]), "its grammar is told"


@pytest.mark.parametrize(
    "patch",
    [f"```\n{PATCH}```", f"apply_patch <<'EOF'\n{PATCH}EOF", PATCH.rstrip("\n")],
    ids=["in a fence", "in a heredoc", "without an end of line"],
)
def test_a_patch_in_a_wrapping(codex: Codex, upstream: Simulator, patch: str, way: Way) -> None:
    run = replace(codex, model=GPT).ask(call("apply_patch", input=patch))
    assert_done(run, way)
    assert (codex.work / "proof").read_text() == "done\n"


def test_an_image_that_is_attached(codex: Codex, upstream: Simulator, way: Way) -> None:
    (codex.work / "shot.png").write_bytes(png_with_text(f"a red square attached to Codex before {way.name}"))
    run = codex.ask("What is it? [[sim:say It is red.]]", "--image", "shot.png")
    assert_done(run, way)
    assert run.said == "It is red."
    assert f"a red square attached to Codex before {way.name}" in json.dumps(last(upstream).messages)
    assert "image_url" not in json.dumps(last(upstream).messages)


def test_an_image_that_a_tool_reads(codex: Codex, upstream: Simulator, way: Way) -> None:
    (codex.work / "shot.png").write_bytes(png_with_text(f"a blue square seen by Codex before {way.name}"))
    run = codex.ask(call("view_image", path=str(codex.work / "shot.png")))
    assert_done(run, way)
    assert f"a blue square seen by Codex before {way.name}" in json.dumps(last(upstream).messages)
    assert "image_url" not in json.dumps(last(upstream).messages)


def odd_server(codex: Codex) -> Codex:
    """Codex with the MCP server whose tools have odd schemas."""
    command, arguments = json.dumps(sys.executable), json.dumps([str(MCP_SERVER)])
    return replace(codex, config=(f"mcp_servers.odd={{command={command},args={arguments}}}",))


def test_an_mcp_tool_with_an_odd_schema(codex: Codex, upstream: Simulator, way: Way) -> None:
    run = odd_server(codex).ask(call("mcp__odd__look_at", place="here", missing=1))
    assert_done(run, way)
    (result,) = last(upstream).results.values()
    assert 'look.at saw {"place": "here", "missing": 1}' in result
    names = tool_names(upstream.bodies()[0])
    assert "mcp__odd__look_at" in names
    assert max(map(len, names)) <= 64
    (done,) = run.items("mcp_tool_call")
    assert (done["server"], done["status"]) == ("odd", "completed")


def test_an_mcp_tool_that_has_to_be_searched_for(codex: Codex, upstream: Simulator, way: Way) -> None:
    """For the names that it knows, Codex holds MCP tools back behind a search that it makes itself."""
    (codex.work / "next").write_text(call("mcp__odd__look_at", place="here", missing=1))
    searching = odd_server(replace(codex, model=GPT))
    run = searching.ask(call("tool_search", query="look at a place") + shell("cat next"))
    assert_done(run, way)
    assert 'look.at saw {"place": "here", "missing": 1}' in list(last(upstream).results.values())[-1]
    first, *_, after = upstream.bodies()
    assert "tool_search" in tool_names(first)
    assert ("mcp__odd__look_at" in tool_names(first), "mcp__odd__look_at" in tool_names(after)) == (False, True)


def test_a_sub_agent(codex: Codex, upstream: Simulator, way: Way) -> None:
    asked = "Say it. [[sim:say the agent's word]]"
    run = codex.ask(call("multi_agent_v1__spawn_agent", message=asked))
    assert_done(run, way)
    firsts = {json.dumps(history_of(body).messages[-1].get("content")) for body in upstream.bodies()}
    assert any("Say it." in first and "spawn_agent" not in first for first in firsts), "the agent asked by itself"


def test_a_provider_with_websockets_goes_on_over_http(codex: Codex, upstream: Simulator, way: Way) -> None:
    asking = replace(codex, config=("model_providers.hunyuan-fix.supports_websockets=true",))
    run = asking.ask("[[sim:say hello]]")
    assert_done(run, way)
    assert run.said == "hello"
    assert "426" in way.proxy.process.output


def test_a_summary_in_the_place_of_an_answer(narrow: Way, tmp_path: Path) -> None:
    """A provider named `OpenAI` is asked for one item that stands for the history, which it sends back from then on."""
    narrow.upstream.reset()
    codex = Codex(tmp_path, narrow.proxy, "tokenhub", "hy3", config=("model_providers.hunyuan-fix.name=OpenAI",))
    codex = replace(codex, window=LIMIT)
    (codex.work / "script").write_text(SCRIPT)
    run = codex.ask(shell("sh script"))
    assert run.code == 0, run.output
    assert not any(is_compacting(request) for request in narrow.upstream.requests()), "not by Codex's own prompt"
    sizes = [len(json.dumps(request["body"])) for request in narrow.upstream.requests()]
    assert any(after < before for before, after in pairwise(sizes)), "it became shorter"


def test_a_session_that_is_resumed(codex: Codex, upstream: Simulator, way: Way) -> None:
    first = codex.ask("My word is cedar. [[sim:reasoning I should remember it.]][[sim:say I keep it.]]")
    (short,) = (history_of(body).messages for body in upstream.bodies())
    second = codex.ask("And now? [[sim:say cedar]]", resume=first.thread)
    assert_done(second, way)
    assert second.said == "cedar"
    long = last(upstream).messages
    assert long[: len(short)] == short, "the longer history begins with the same messages"
    assert "I keep it." in json.dumps(long[len(short) :])


@pytest.mark.parametrize("name", [GPT, GPT_LITE, "gpt-6-astra", "gpt-5.6-luna"])
def test_a_name_of_openais(codex: Codex, upstream: Simulator, name: str, way: Way) -> None:
    """The endpoint's own model answers. Each name has another set of tools in its requests."""
    run = replace(codex, model=name).ask("Hello. [[sim:say hello]]")
    assert_done(run, way)
    assert run.said == "hello"
    assert {body["model"] for body in upstream.bodies()}.isdisjoint({name})


def test_a_tool_that_takes_javascript(codex: Codex, upstream: Simulator, way: Way) -> None:
    """The tools stand in the input, in namespaces; one takes a program, which may return more than once."""
    program = 'notify("begun"); const ran = await tools.exec_command({cmd: "printf done >proof"}); text(ran.output);'
    run = replace(codex, model=GPT_LITE).ask(call("functions__exec", input=program))
    assert_done(run, way)
    assert (codex.work / "proof").read_text() == "done"
    history = last(upstream)
    assert "functions__exec" in tool_names(sent(upstream))
    assert [made.arguments for made in history.calls] == [{"input": program}]
    assert "begun" in json.dumps(history.messages)
    assert way.native or sum(message["role"] == "tool" for message in history.messages) == 1, "a call has one result"


def test_an_answer_by_a_schema(codex: Codex, upstream: Simulator, way: Way) -> None:
    schema = {
        "type": "object",
        "properties": {"word": {"type": "string"}},
        "required": ["word"],
        "additionalProperties": False,
    }
    file = codex.folder / "schema.json"
    file.write_text(json.dumps(schema))
    run = codex.ask('Say it. [[sim:say {"word": "cedar"}]]', "--output-schema", str(file))
    assert_done(run, way)
    assert json.loads(run.said) == {"word": "cedar"}


LIMIT = 40_000
"""Tokens of input; the first request has about 12,000."""
HELPLESS = ("model_context_window=258400", "model_auto_compact_token_limit=232560")
"""What Codex does by itself for a model that it doesn't know."""


@pytest.fixture(scope="session", params=["chat-only", "tokenhub"])
def narrow(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Way]:
    """An endpoint with a window that a few turns fill."""
    with run_way(certificates, request.param, options=(f"hunyuan_window={LIMIT}",)) as running:
        yield running


READS = 10
SCRIPT = f"""
count=$(($(cat count 2>/dev/null || echo 0) + 1)); echo $count >count
test $count -lt {READS} || {{ echo '[[sim:say read]]'; exit; }}
seq -f 'line %g of a long file that fills' 650
echo '{shell("sh script")}'
"""
"""What the model calls again and again: each time it reads 24 KB, and the last time it says so."""


@pytest.mark.parametrize("told", [True, False], ids=["by the client's own count", "by what the addon answers"])
def test_a_history_that_passes_the_window(narrow: Way, tmp_path: Path, told: bool) -> None:
    """It is compacted in the middle of a turn, and the turn goes on. `told`: Codex has the helper's settings."""
    narrow.upstream.reset()
    codex = Codex(tmp_path, narrow.proxy, "tokenhub", "hy3", window=LIMIT)
    if not told:
        codex = replace(codex, config=HELPLESS)
    (codex.work / "script").write_text(SCRIPT)
    run = codex.ask(shell("sh script"))
    assert run.code == 0, run.output
    assert run.said
    # In chat the request for a summary is one message with the user's own, which the model follows once more.
    assert narrow.native or (run.said, (codex.work / "count").read_text()) == ("read", f"{READS}\n")
    requests = narrow.upstream.requests()
    assert {request["status"] for request in requests} == {200}
    assert any(is_compacting(request) for request in requests)
    sizes = [len(json.dumps(request["body"])) for request in requests]
    assert run.usage["input_tokens"] < sum(sizes), "what is told of the usage is true"


@pytest.mark.parametrize("name", ["chat-only", "tokenhub"])
def test_a_history_that_the_endpoint_refuses(certificates: Certificates, tmp_path: Path, name: str) -> None:
    """Its window is smaller than anything that is known of it."""
    with run_way(certificates, name, "--max-input", "20000") as way:
        codex = Codex(tmp_path, way.proxy, "tokenhub", "hy3", config=HELPLESS)
        (codex.work / "script").write_text(SCRIPT)
        run = codex.ask(shell("sh script"))
        assert run.code == 0, run.output
        requests = way.upstream.requests()
        assert [request["row"] for request in requests].count("overflow") >= 1
        assert any(is_compacting(request) for request in requests)


def is_compacting(request: dict[str, Any]) -> bool:
    return "CONTEXT CHECKPOINT" in json.dumps(request["body"])


def test_only_what_compacting_drops_is_compacted(narrow: Way, tmp_path: Path) -> None:
    """A single message that is too long stays an error: there is nothing to compact."""
    narrow.upstream.reset()
    codex = Codex(tmp_path, narrow.proxy, "tokenhub", "hy3", window=LIMIT)
    run = codex.ask(" ".join(str(number * 7919) for number in range(12_000)))
    assert run.code == 1
    assert "ran out of room" in run.output
    assert not narrow.upstream.requests()


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
    """Codex tries everything but a 400 again. Where an endpoint of Responses says 404, chat is asked once, too."""
    upstream.program({"fault": fault, "times": 20})
    run = codex.ask("hello")
    assert run.code == 1
    paths = [request["path"] for request in upstream.requests()]
    assert paths in (["/v1/chat/completions"], ["/v1/responses"], ["/v1/responses", "/v1/chat/completions"]), (
        "no ladder of tries"
    )
    assert len(paths) == 1 or fault == "status:404"
    words = ("资源包", "FREE_QUOTA_EXHAUSTED") if fault == "quota" else ("内部错误", "upstream error")
    assert any(word in run.output for word in words), "the endpoint's own words are shown"


def test_what_moderation_refuses_is_said(codex: Codex, upstream: Simulator) -> None:
    run = codex.ask("[[sim:say half of this is cut off]][[sim:sensitive]]")
    assert len(upstream.requests()) == 1
    assert run.items("agent_message") or run.code == 1


def test_an_answer_that_is_cut_by_its_length_is_told(codex: Codex, upstream: Simulator) -> None:
    run = codex.ask("[[sim:say half of this is cut off]][[sim:length]]")
    assert len(upstream.requests()) == 1
    assert "max_output_tokens" in run.output


def test_the_start_helper_starts_it_and_leaves_no_setting(certificates: Certificates, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    clients = Path(os.environ["HUNYUAN_FIX_CLIENTS"])
    given = environment(home, HUNYUAN_API_KEY=KEY, PATH=f"{clients}/node_modules/.bin:{os.environ['PATH']}")
    asking = [
        "exec",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
        shell("printf done >proof"),
    ]
    with run_simulator(certificates, "--no-mentions", profile="tokenhub") as upstream:
        options = [f"hunyuan_upstream={upstream.base_url}", "hunyuan_profile=tokenhub", "hunyuan_window=30000"]
        words = [word for option in options for word in ("--set", option)]
        started = command("run", *words, "--", "codex", *asking)
        done = subprocess.run(
            started, env=given, cwd=tmp_path, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        said = (done.stdout + done.stderr).decode()
        assert done.returncode == 0, said
        assert (tmp_path / "proof").read_text() == "done"
        assert {dict(request["headers"])["authorization"] for request in upstream.requests()} == {f"Bearer {KEY}"}
    assert "hy3 (tokenhub), a window of 30,000 tokens" in said
    assert not (home / ".codex/config.toml").exists()
    assert KEY not in said


@pytest.fixture(scope="module")
def slow(certificates: Certificates) -> Iterator[Way]:
    """An endpoint that is silent for longer than Codex waits."""
    with run_way(certificates, "chat-only", "--chunk-delay", str(SILENCE)) as running:
        yield running


SILENCE = 18
"""Seconds between two chunks. The addon lets no stream be silent for more than ten."""


@pytest.mark.timeout(200)
def test_a_long_silence_ends_no_stream(slow: Way, tmp_path: Path) -> None:
    waits = f"model_providers.hunyuan-fix.stream_idle_timeout_ms={(SILENCE - 2) * 1000}"
    run = Codex(tmp_path, slow.proxy, "tokenhub", "hy3", config=(waits,)).ask("[[sim:say hello]][[sim:chunks 1]]")
    assert run.code == 0, run.output
    assert run.said == "hello"
    assert len(slow.upstream.requests()) == 1


def test_without_the_addon_the_same_is_refused(bare_proxy: Proxy, simulator: Simulator, tmp_path: Path) -> None:
    run = Codex(tmp_path, bare_proxy, "hunyuan", "hunyuan-turbos-latest").ask("[[sim:say hello]]")
    assert run.code == 1
    assert {request["status"] for request in simulator.requests()} == {404}


@pytest.mark.parametrize("name", ["hy3", GPT, GPT_LITE])
def test_without_the_addon_tokenhubs_own_api_refuses_it(certificates: Certificates, tmp_path: Path, name: str) -> None:
    with run_simulator(certificates, "--no-mentions", profile="tokenhub") as upstream:
        straight = Proxy(upstream.process, 9, int(upstream.base_url.rpartition(":")[2].partition("/")[0]), certificates)
        run = Codex(tmp_path, straight, "tokenhub", name).ask("[[sim:say hello]]")
        assert run.code == 1
        assert {request["status"] for request in upstream.requests()} == {400}
