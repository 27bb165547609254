"""The server as agents have it: real processes, the SDK's own client, a live proxy, each client's format."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp import MCPError

from hunyuan_fix.cli import state
from hunyuan_fix.simulator.vision import data_url, png_with_text
from tests.cli.mcp.conftest import COMMAND, agent, ask, refused
from tests.end_to_end.processes import Simulator, clean_environment
from tests.page.conftest import Watch, Watched

TWICE = [{"role": "user", "content": "Hi"}, {"role": "user", "content": "there"}]


@dataclass(frozen=True)
class Format:
    """What a program sends in its format, and what is changed of it."""

    path: str
    program: str
    agent: str
    """Its User-Agent."""
    client: str
    """What its MCP client calls itself."""
    body: Mapping[str, Any]
    rules: tuple[str, ...]
    """How the names of its changes begin: a request that keeps its format is changed by `anthropic-native`."""
    headers: Mapping[str, str] = field(default_factory=dict)


FORMATS = (
    Format(
        "/chat/completions",
        "opencode",
        "opencode/1.18.33",
        "opencode",
        {"model": "hy3", "n": 1, "messages": TWICE},
        ("merge", "parameters"),
    ),
    Format(
        "/messages",
        "claude-code",
        "claude-cli/2.1.332 (external, cli)",
        "claude-code",
        {"model": "hy3", "max_tokens": 99, "messages": TWICE, "container": "c"},
        ("anthropic",),
        {"x-claude-code-session-id": "the-agents-own"},
    ),
    Format(
        "/responses",
        "codex",
        "codex_exec/0.171.0",
        "codex-mcp-client",
        {"model": "hy3", "input": "Hi", "tools": [{"type": "custom", "name": "patch", "description": "x"}]},
        ("responses",),
    ),
)


def send(watched: Watched, form: Format, **more: object) -> int:
    with watched.client() as client:
        headers = {"user-agent": form.agent, **form.headers}
        return client.post(form.path, json={**form.body, **more}, headers=headers).status_code


@pytest.mark.parametrize(
    ("form", "mode"),
    [*((form, "auto") for form in FORMATS), (FORMATS[0], "legacy")],
    ids=lambda one: one if isinstance(one, str) else one.program,
)
async def test_an_agent_asks_what_was_changed_in_its_last_request(
    watched: Watched, tokenhub: Simulator, form: Format, mode: str
) -> None:
    assert send(watched, form) == 200
    async with agent("--url", watched.admin, name=form.client, mode=mode) as client:
        said, data = await ask(client, "what_was_changed")
    assert f"Of {form.program}, the program that asks" in said
    assert data["request"]["program"] == form.program
    for rule in form.rules:
        assert any(change["rule"].startswith(rule) for change in data["changes"])
        assert f"- {rule}" in said
    if form.path == "/chat/completions":
        assert "Without hunyuan-fix the endpoint would have answered 400" in said
        assert "“there”" in said or "there" in said.partition("before:")[2]


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.program)
async def test_an_agent_asks_why_its_request_failed(watched: Watched, tokenhub: Simulator, form: Format) -> None:
    tokenhub.program({"fault": "quota"})
    assert send(watched, form) >= 400
    async with agent("--url", watched.admin, name=form.client) as client:
        said, data = await ask(client, "why_it_failed")
    assert "The endpoint answered with an error" in said
    assert "What to do: the vendor's console." in said
    assert (data["request"]["program"], data["refused_by"]) == (form.program, "endpoint")
    assert data["may_succeed_later"] is False


async def test_a_session_is_known_by_the_agents_own_id(watched: Watched, tokenhub: Simulator) -> None:
    send(watched, FORMATS[1])
    send(watched, FORMATS[0])
    async with agent("--url", watched.admin) as client:
        said, data = await ask(client, "last_requests", session="the-agents-own")
        assert {one["program"] for one in data["requests"]} == {"claude-code"}
        cache, of_cache = await ask(client, "what_broke_the_cache", session="the-agents-own")
        assert of_cache["session"] == data["requests"][0]["session"]
        assert of_cache["session"] in said and "turn" in cache


async def test_why_a_request_with_an_image_was_slow(watched: Watched, tokenhub: Simulator) -> None:
    tokenhub.program({"fault": "slow:0.5", "match": {"vision": True}})
    image = {"type": "image_url", "image_url": {"url": data_url(png_with_text("a slow picture for mcp"))}}
    parts = [{"type": "text", "text": "What is it?"}, image]
    messages = [{"role": "user", "content": parts}]
    assert send(watched, FORMATS[0], messages=messages, tools=[{"type": "function", "function": {"name": "f"}}]) == 200
    async with agent("--url", watched.admin, name="opencode") as client:
        said, data = await ask(client, "why_it_was_slow", id="last")
    assert "described by a vision model" in said
    assert data["milliseconds"]["images"] >= 500
    assert any("images became text: 1 described" in line for line in data["events"])


async def test_each_tool_answers_and_says_that_it_only_reads(watched: Watched, tokenhub: Simulator) -> None:
    send(watched, FORMATS[0])
    tokenhub.program({"fault": "quota"})
    send(watched, FORMATS[0])
    async with agent("--url", watched.admin) as client:
        tools = (await client.list_tools()).tools
        for tool in tools:
            assert tool.annotations is not None and tool.annotations.read_only_hint is True
            said, data = await ask(client, tool.name)
            assert said and data
    assert [tool.name for tool in tools] == [
        "last_requests",
        "what_was_changed",
        "why_it_failed",
        "what_broke_the_cache",
        "why_it_was_slow",
        "usage",
        "proxy_status",
        "explain_rule",
    ]


async def test_arguments_that_are_none_are_said_to_the_model(watched: Watched) -> None:
    async with agent("--url", watched.admin) as client:
        assert "'limit'" in await refused(client, "last_requests", limit="ten")
        assert "'nonsense' was unexpected" in await refused(client, "usage", nonsense=1)
        assert "'status'" in await refused(client, "last_requests", status="9xx")
        assert "no request with the id 'x'" in await refused(client, "what_was_changed", id="x")
        with pytest.raises(MCPError, match="did you mean usage"):
            await client.call_tool("usages", {})


async def test_the_proxy_ends_and_another_one_starts(watch: Watch, tmp_path: Path) -> None:
    """It is found by the file that `run` keeps, each time."""
    async with agent(HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path / "data")) as client:
        assert "Start one" in await refused(client, "last_requests")
        with watch() as watched:
            keep_state(tmp_path / "data", watched)
            said, _ = await ask(client, "proxy_status")
            assert said.startswith("hunyuan-fix ")
        assert "Start one" in await refused(client, "proxy_status")
        # An address that nothing listens at any more is the same as no proxy; explaining needs none.
        assert "merge: " in (await ask(client, "explain_rule", name="merge"))[0]


def keep_state(data: Path, watched: Watched) -> None:
    """The file that `hunyuan-fix run` would keep of this proxy."""
    folder = data / "hunyuan-fix" / "running"
    folder.mkdir(parents=True)
    one = state.Running(
        pid=watched.proxy.process.pid,
        host="127.0.0.1",
        port=watched.proxy.port,
        reverse_port=watched.proxy.reverse_port,
        upstream="",
        profile="",
        mode="repair",
        confdir="",
        version="",
        language="en",
        started="2026-11-29T00:00:00+00:00",
        admin_url=watched.admin,
    )
    (folder / f"{one.pid}.json").write_text(json.dumps(vars_of(one)))


def vars_of(one: state.Running) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__slots__}


async def test_a_token_is_asked_for_in_words_and_taken_from_a_file(watch: Watch, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text("a-token-of-the-admin-server")
    with watch("--set", f"hunyuan_admin_token_file={file}") as watched:
        async with agent("--url", watched.admin) as client:
            assert "--token-file" in await refused(client, "last_requests")
        async with agent("--url", watched.admin, "--token-file", str(file)) as client:
            await ask(client, "last_requests")
            file.write_text("another-token-that-is-wrong")
            assert "another-token" not in await refused(client, "last_requests")


def test_standard_output_is_the_protocols_alone(tmp_path: Path) -> None:
    """What is no message is answered with an error, and the end of the input ends it."""
    first = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    done = subprocess.run(
        COMMAND,
        input=b"nonsense\n\n" + json.dumps(first).encode() + b"\n",
        env={**clean_environment(), "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for line in done.stdout.splitlines():
        assert json.loads(line)["jsonrpc"] == "2.0"
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_it_without_a_word(tmp_path: Path) -> None:
    started = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**clean_environment(), "HOME": str(tmp_path)},
    )
    assert started.stdin and started.stdout
    started.stdin.write(b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18",')
    started.stdin.write(b'"capabilities":{},"clientInfo":{"name":"x","version":"1"}}}\n')
    started.stdin.flush()
    assert b"serverInfo" in started.stdout.readline()
    started.send_signal(signal.SIGINT)
    out, err = started.communicate(timeout=60)
    assert (started.returncode, out, err) == (-signal.SIGINT, b"", b"")
