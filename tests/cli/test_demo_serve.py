"""`demo --serve`: real programs do what the pages of docs/clients prove, without a key, against one running demo."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.cli.demo import serving
from hunyuan_fix.texts import terminal
from tests import client_guides
from tests.cli.shell_environment import command, environment
from tests.waiting import until

WRITE = {
    "type": "object",
    "properties": {"filePath": {"type": "string"}, "content": {"type": "string"}},
    "required": ["filePath", "content"],
}
PROMPT = "Create proof.txt with the word done in it."


@dataclass
class Served:
    """A running demo: its output so far, and what it says to set."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text("utf-8")

    @property
    def base_url(self) -> str:
        found = re.search(r"^Base URL for clients: (\S+)", self.said, re.MULTILINE)
        assert found
        return found[1]

    @property
    def variables(self) -> dict[str, str]:
        return dict(re.findall(r"^  export (\w+)=(.*)$", self.said, re.MULTILINE))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("serve")
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command("demo", "--serve"),
            env=environment(folder, HUNYUAN_LANGUAGE="en", PYTHONUNBUFFERED="1"),
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    demo = Served(process, log)
    try:
        asyncio.run(until(lambda: "Ctrl-C ends it." in demo.said or process.poll() is not None, lambda: demo.said, 100))
        yield demo
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, demo.said


def prove(served: Served, page: str, folder: Path) -> str:
    """The output of the page's proof, carried out in `folder` with what the demo says to set."""
    guide = client_guides.read(page)
    for name, text in guide.files.items():
        (folder / name).write_text(text)
    (folder / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (folder / "python").chmod(0o755)
    given = {**environment(folder), **served.variables, "PATH": f"{folder}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", guide.script], cwd=folder, env=given, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("page", ["openai-python", "openai-python-responses"])
def test_a_library_is_told_the_word_by_its_tool(page: str, served: Served, tmp_path: Path) -> None:
    assert prove(served, page, tmp_path).rstrip().endswith(client_guides.read(page).printed)


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_it_says_where_its_operator_can_look(served: Served) -> None:
    found = re.search(r"^In a browser, what goes on:  (\S+)/$", served.said, re.MULTILINE)
    assert found
    httpx.post(f"{served.base_url}/chat/completions", json={"model": "hy3", "messages": []}, trust_env=False)
    shown = httpx.get(f"{found[1]}/api/exchanges", trust_env=False).json()["exchanges"]
    assert "/v1/chat/completions" in [one["path"] for one in shown]


def test_a_client_without_a_key_gets_the_proxys(served: Served) -> None:
    body = {"model": "hy3", "n": 1, "messages": [{"role": "user", "content": "Hi"}] * 2}
    answer = httpx.post(f"{served.base_url}/chat/completions", json=body, trust_env=False, timeout=60)
    assert (answer.status_code, answer.headers["x-hunyuan-fix"]) == (200, "merge,parameters")


def test_the_reason_of_a_failure_is_in_the_language_of_the_terminal() -> None:
    line = "[12:00] POST /v1/x model=a -> 404 model_not_found: "
    reason = "the endpoint does not know the model, or has retired it"
    terminal.use("zh")
    try:
        assert serving._in_language(line + reason) == f"{line}模型不存在或已下线"
        assert serving._in_language("POST /v1/x model=a -> 200") == "POST /v1/x model=a -> 200"
    finally:
        terminal.use("en")


def test_curl_is_told_the_repairs(served: Served, tmp_path: Path) -> None:
    assert re.match(r"x-hunyuan-fix: .*merge", prove(served, "curl", tmp_path))


def test_an_agents_loop_with_a_tool_in_a_stream(served: Served, tmp_path: Path) -> None:
    """As opencode's: it streams, runs the tool, and sends its result with empty content beside the call."""
    messages: list[Any] = [
        {"role": "system", "content": f"You are an agent.\nWorking directory: {tmp_path}\n"},
        {"role": "user", "content": PROMPT},
    ]
    tool = {"type": "function", "function": {"name": "write", "description": "Writes.", "parameters": WRITE}}
    body = {"model": "hunyuan-t1-latest", "stream": True, "messages": messages, "tools": [tool]}
    call = streamed_call(served, body)
    arguments = json.loads(call["arguments"])
    Path(arguments["filePath"]).write_text(arguments["content"])
    function = {"name": call["name"], "arguments": call["arguments"]}
    messages += [
        {"role": "assistant", "content": "", "tool_calls": [{"id": "c1", "type": "function", "function": function}]},
        {"role": "tool", "tool_call_id": "c1", "content": "Wrote file."},
    ]
    answer = httpx.post(f"{served.base_url}/chat/completions", json={**body, "stream": False}, headers=KEY).json()
    assert (tmp_path / "proof.txt").read_text() == "done"
    assert answer["choices"][0]["finish_reason"] == "stop"
    asyncio.run(until(lambda: served.said.count("/v1/chat/completions") >= 2))


KEY = {"authorization": "Bearer sk-demo"}


def streamed_call(served: Served, body: dict[str, Any]) -> dict[str, str]:
    call = {"name": "", "arguments": ""}
    with httpx.stream("POST", f"{served.base_url}/chat/completions", json=body, headers=KEY, timeout=30) as answer:
        for line in answer.iter_lines():
            if not line.startswith("data: {"):
                continue
            for choice in json.loads(line[6:])["choices"]:
                for frame in choice["delta"].get("tool_calls") or ():
                    for name in call:
                        call[name] += frame["function"].get(name) or ""
    return call


def test_messages_as_claude_code_sends_them(served: Served, tmp_path: Path) -> None:
    text = f"<env>\nWorking directory: {tmp_path}\n</env>"
    tools = [
        {"name": "Write", "input_schema": {**WRITE, "properties": {"file_path": {}, "content": {}}, "required": []}}
    ]
    body = {
        "model": "hy3",
        "max_tokens": 1000,
        "system": [{"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": PROMPT}]}],
        "tools": tools,
        "thinking": {"type": "adaptive"},
    }
    headers = {"x-api-key": "sk-demo", "anthropic-version": "2023-06-01", "anthropic-beta": "claude-code-20250219"}
    content = httpx.post(f"{served.base_url}/messages", json=body, headers=headers, timeout=30).json()["content"]
    (call,) = [block for block in content if block["type"] == "tool_use"]
    assert call["name"] == "Write"
    assert call["input"] == {"file_path": f"{tmp_path}/proof.txt", "content": "done"}


def test_an_agent_with_a_shell_alone(served: Served) -> None:
    command_ = {"type": "array", "items": {"type": "string"}}
    tools = [
        {"type": "function", "name": "shell", "parameters": {"type": "object", "properties": {"command": command_}}}
    ]
    asked = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": PROMPT}]}]
    body = {"model": "hy3", "input": asked, "tools": tools, "store": False}
    answer = httpx.post(f"{served.base_url}/responses", json=body, headers=KEY, timeout=30).json()
    (call,) = [item for item in answer["output"] if item["type"] == "function_call"]
    assert json.loads(call["arguments"]) == {"command": ["bash", "-c", "printf done >proof.txt"]}
