"""The real Claude Code on endpoints that don't speak Messages, or only part of it: it works through the addon.

What the model does stands in the prompt and in the files that it reads: the simulator carries out the directives in the
last message.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.simulator.vision import png_with_text
from tests.clients.claude_code import ClaudeCode, Run
from tests.clients.histories import History, history_of, tool_names
from tests.clients.translating import Way, run_way
from tests.documents.pdfs import pdf
from tests.end_to_end.processes import Certificates, Proxy, Simulator

MODELS = {"hunyuan": "hunyuan-turbos-latest", "tokenhub": "hy3", "chat-only": "hy3"}
"""Names that Claude Code doesn't know: it puts system messages into the list and defers tools."""
ODD_SERVER = (
    "--mcp-config",
    json.dumps(
        {"mcpServers": {"odd": {"command": sys.executable, "args": [str(Path(__file__).parent / "odd_mcp_server.py")]}}}
    ),
)


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
    return ClaudeCode(tmp_path, way.base_url, MODELS[way.name])


def last_history(upstream: Simulator) -> History:
    """The history in the last request that isn't one to a vision model."""
    return history_of([body for body in upstream.bodies() if body.get("tools")][-1])


def assert_ended_well(run: Run, way: Way) -> None:
    """The endpoint has refused nothing."""
    assert run.code == 0, run.output
    assert not run.report["is_error"], run.output
    assert {request["status"] for request in way.upstream.requests()} == {200}


def assert_done(run: Run, way: Way) -> None:
    """It ended well, and all requests but those to a vision model were in the endpoint's format."""
    assert_ended_well(run, way)
    assert {request["path"] for request in way.upstream.requests() if request["body"].get("tools")} == {way.path}


def test_three_tools_one_after_the_other(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    (claude.work / "two").write_text(bash("cat three"))
    (claude.work / "three").write_text(call("Write", file_path=str(claude.work / "proof"), content="done"))
    run = claude.ask(bash("cat two"))
    assert_done(run, way)
    assert (claude.work / "proof").read_text() == "done"
    history = last_history(upstream)
    assert [made.name for made in history.calls] == ["Bash", "Bash", "Write"]
    assert [made.id for made in history.calls] == list(history.results)
    assert run.report["num_turns"] == 4
    assert run.report["usage"]["output_tokens"] > 0


def test_two_tools_at_once(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    run = claude.ask(bash("sleep 0.3; echo first") + bash("echo second"))
    assert_done(run, way)
    history = last_history(upstream)
    assert [history.results[made.id].split()[0] for made in history.calls] == ["first", "second"]
    if not way.native:
        assert [made.id for made in history.calls] == list(history.results), "in the order of the calls"


def test_a_tool_that_fails(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    run = claude.ask(bash("echo no such thing >&2; exit 3"))
    assert_done(run, way)
    history = last_history(upstream)
    (result,) = history.results.values()
    assert "no such thing" in result
    if way.native:
        assert history.messages[-1]["content"][0]["is_error"] is True
    else:
        assert "rror" in result


def test_a_long_output_is_counted_by_the_proxy(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    wide = {"hunyuan": "hunyuan-a13b", "tokenhub": "hy3", "chat-only": "hy3"}[way.name]
    run = replace(claude, model=wide).ask(call("Read", file_path=str(long_file(claude.work))))
    assert_done(run, way)
    assert "/v1/messages/count_tokens" in way.proxy.process.output


@pytest.mark.parametrize("running_way", ["hunyuan", "chat-only"], indirect=True)
def test_what_the_model_cannot_read_is_not_sent(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    """A single exchange past the window: it is said, and the endpoint, which cuts in silence, never gets it.

    Not before TokenHub's own API: there the models with a window that one exchange can pass take fewer tokens of output
    than Claude Code asks for.
    """
    narrow = {"hunyuan": "hunyuan-turbos-latest", "chat-only": "hunyuan-role-latest"}[way.name]
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
    (claude.work / "shot.png").write_bytes(png_with_text(f"a red square attached before {way.name}"))
    run = claude.ask("What is it? @shot.png [[sim:say It is red.]]")
    assert_done(run, way)
    assert run.said == "It is red."
    assert f"a red square attached before {way.name}" in json.dumps(last_history(upstream).messages)
    assert '"image' not in json.dumps(last_history(upstream).messages)


def test_an_image_that_a_tool_reads(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    (claude.work / "shot.png").write_bytes(png_with_text(f"a blue square read before {way.name}"))
    run = claude.ask(call("Read", file_path=str(claude.work / "shot.png")))
    assert_done(run, way)
    assert f"a blue square read before {way.name}" in json.dumps(last_history(upstream).messages)
    assert '"image' not in json.dumps(last_history(upstream).messages)


def test_an_image_of_an_mcp_tool(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    """Text, picture and text in one result: the texts stay, and the picture is described."""
    picture = claude.folder / "shot.png"
    picture.write_bytes(png_with_text(f"a green square shown before {way.name}"))
    shown = claude.ask(call("mcp__odd__picture", path=str(picture)), *ODD_SERVER, ENABLE_TOOL_SEARCH="false")
    assert_done(shown, way)
    (result,) = last_history(upstream).results.values()
    words = json.dumps(last_history(upstream).messages)
    assert "before it" in result
    assert "after it" in words
    assert f"a green square shown before {way.name}" in words
    assert '"image' not in words


def test_a_pdf_that_a_tool_reads(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    """No endpoint here takes PDFs: the text of its pages is sent."""
    (claude.work / "paper.pdf").write_bytes(pdf("The first page is about cedars.", "The second one about pines."))
    run = claude.ask(call("Read", file_path=str(claude.work / "paper.pdf")))
    assert_done(run, way)
    words = json.dumps(last_history(upstream).messages)
    assert "about cedars" in words
    assert "about pines" in words
    assert '"document"' not in words


@pytest.mark.parametrize("deferred", [True, False], ids=["deferred", "at once"])
def test_an_mcp_tool_with_an_odd_schema(claude: ClaudeCode, upstream: Simulator, way: Way, deferred: bool) -> None:
    (claude.work / "next").write_text(call("mcp__odd__look_at", place="here", missing=1))
    search = '[[sim:tool ToolSearch {"query": "select:mcp__odd__look_at", "max_results": 5}]]' if deferred else ""
    given = {} if deferred else {"ENABLE_TOOL_SEARCH": "false"}
    run = claude.ask(search + bash("cat next"), *ODD_SERVER, **given)
    assert_done(run, way)
    assert 'look.at saw {"place": "here", "missing": 1}' in list(last_history(upstream).results.values())[-1]
    offered = tool_names(upstream.bodies()[-1])
    assert "mcp__odd__look_at" in offered
    assert max(map(len, offered)) <= (128 if way.native else 64)
    assert ("mcp__odd__look_at" in tool_names(upstream.bodies()[0])) is not deferred


def test_a_sub_agent(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    asked = "Say it. [[sim:say the agent's word]]"
    run = claude.ask(call("Agent", description="asks", prompt=asked, subagent_type="general-purpose"))
    assert_done(run, way)
    systems = {json.dumps(body["messages"][0]["content"]) for body in upstream.bodies()}
    assert len(systems) > 1, "the agent has a system prompt of its own"
    assert "the agent's word" in json.dumps(last_history(upstream).messages)


def test_a_session_that_is_resumed(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    first = claude.ask("My word is cedar. [[sim:say I keep it.]]")
    (short,) = (without_marks(body["messages"]) for body in upstream.bodies())
    second = claude.ask("And now? [[sim:say cedar]]", "--resume", first.session)
    assert_done(second, way)
    assert second.said == "cedar"
    long = without_marks(last_history(upstream).messages)
    assert long[: len(short)] == short, "the longer history begins with the same messages"
    assert "I keep it." in json.dumps(long[len(short)])


def without_marks(messages: Any) -> Any:
    """Messages without what Claude Code marks for a cache: the marks move on with each turn."""
    if isinstance(messages, list):
        return [without_marks(item) for item in messages]
    if isinstance(messages, dict):
        return {key: without_marks(value) for key, value in messages.items() if key != "cache_control"}
    return messages


@pytest.mark.parametrize("name", ["claude-sonnet-5", "claude-opus-4-6", "claude-haiku-4-5"])
def test_a_name_of_claudes(claude: ClaudeCode, upstream: Simulator, way: Way, name: str) -> None:
    """The endpoint's own model answers. Each name has another set of hints in its requests."""
    run = replace(claude, model=name).ask(bash("echo done > proof"))
    assert_done(run, way)
    assert (claude.work / "proof").read_text() == "done\n"
    assert {body["model"] for body in upstream.bodies()}.isdisjoint({name})
    assert name in run.report["modelUsage"]


@dataclass(frozen=True, slots=True)
class Window:
    """A window that a few turns fill: whose it is, what the client is told of it, and the words of a turn.

    The first request of a session has about 12,000 tokens.
    """

    model: str
    told: str
    words: int
    arguments: tuple[str, ...] = ()


NARROW = Window("hy3", "54000", 2_400, ("--max-input", "23000"))
WINDOWS = {
    "hunyuan": Window("hunyuan-2.0-instruct-20251111", "128000", 20_000),  # the true one, as the start helper tells it
    "tokenhub": NARROW,
    "chat-only": NARROW,
}


@pytest.fixture(scope="session", params=WINDOWS)
def filled(request: pytest.FixtureRequest, certificates: Certificates) -> Iterator[Way]:
    """An endpoint whose window is filled soon, and the proxy before it."""
    with run_way(certificates, request.param, *WINDOWS[request.param].arguments) as running:
        yield running


@pytest.mark.parametrize("told", [False, True], ids=["by an error", "by the client's own count"])
def test_a_history_that_passes_the_window(filled: Way, tmp_path: Path, told: bool) -> None:
    """It is compacted, and the session goes on. `told`: the client knows the window, and no request is refused.

    The old platform cuts what is too long without an error: there the proxy refuses it.
    """
    filled.upstream.reset()
    window = WINDOWS[filled.name]
    known = {"CLAUDE_CODE_MAX_CONTEXT_TOKENS": window.told} if told else {}
    claude = ClaudeCode(tmp_path, filled.base_url, window.model, known)
    session: tuple[str, ...] = ()
    for turn in range(6):
        run = claude.ask(f"[[sim:say answer {turn}]] {'alpha beta gamma delta ' * (window.words // 4)}", *session)
        assert run.code == 0, run.output
        assert run.said == f"answer {turn}"
        session = ("--resume", run.session)
    requests = filled.upstream.requests()
    compacting = [request for request in requests if "Respond with TEXT ONLY" in json.dumps(request["body"])]
    assert compacting, "it was compacted"
    assert {request["row"] for request in requests} == ({""} if told or filled.name == "hunyuan" else {"", "overflow"})
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


def web_search(query: str, asked: str) -> str:
    """What makes the model use Claude Code's tool, whose own request then has the directive `asked` in its query."""
    arguments = json.dumps({"query": f"{query} {asked}"}).replace("[", "\\u005b")
    return f"[[sim:say]][[sim:tool WebSearch {arguments}]]"


def test_a_search_of_the_web(searching: Way, tmp_path: Path) -> None:
    """Its own request is one that no endpoint here can serve: it is translated, also where others keep their format."""
    searching.upstream.reset()
    claude = ClaudeCode(tmp_path, searching.base_url, MODELS[searching.name])
    run = claude.ask(web_search("cedars", '[[sim:tool web_search {"query": "the height of cedars"}]]'))
    assert_ended_well(run, searching)
    assert "https://trees.example/cedar" in next(iter(last_history(searching.upstream).results.values()))
    assert [used["webSearchRequests"] for used in run.report["modelUsage"].values()] == [1]


def test_a_search_of_the_web_without_a_program(claude: ClaudeCode, upstream: Simulator, way: Way) -> None:
    """The model is told that it can't search; what it says instead is the tool's result, and the agent goes on."""
    run = claude.ask(web_search("cedars", "[[sim:say nothing was searched]]"))
    assert_done(run, way)
    (result,) = last_history(upstream).results.values()
    assert "\n\nnothing was searched\n" in result
