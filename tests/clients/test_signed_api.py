"""The real Claude Code and Codex on Tencent Cloud's own API, whose requests the proxy signs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hunyuan_fix.access.keys import PLACEHOLDER
from tests.clients.claude_code import ClaudeCode
from tests.clients.codex import Codex
from tests.clients.sdk_scripts import run
from tests.clients.translating import Way
from tests.end_to_end.processes import Certificates, run_proxy, run_simulator

HOST = "hunyuan.tencentcloudapi.com"
MODEL = "hunyuan-turbos-latest"
PAIR = {"TENCENTCLOUD_SECRET_ID": "AKIDstandin", "TENCENTCLOUD_SECRET_KEY": "standinsecret"}
KEY = "13|AKIDstandin|standinsecret"


def call(tool: str, **arguments: Any) -> str:
    """What makes the model call a tool, without a word beside it."""
    return f"[[sim:say]][[sim:tool {tool} {json.dumps(arguments)}]]"


@pytest.fixture(scope="module")
def running_native(certificates: Certificates) -> Iterator[Way]:
    with (
        run_simulator(certificates, "--native", "--no-mentions", hosts=[HOST]) as upstream,
        run_proxy(
            certificates,
            {f"{HOST}:443": upstream.port},
            *("--set", f"hunyuan_upstream=https://{HOST}"),
            environment=PAIR,
        ) as proxy,
    ):
        yield Way("native", upstream, proxy)


@pytest.fixture
def native(running_native: Way) -> Way:
    running_native.upstream.reset()
    return running_native


def assert_all_taken(way: Way) -> None:
    """The endpoint has refused nothing, and each request was signed by its last bytes."""
    requests = way.upstream.requests()
    assert {request["row"] for request in requests} == {""}
    assert {dict(map(tuple, request["headers"]))["x-tc-action"] for request in requests} == {"ChatCompletions"}


def results(way: Way) -> list[str]:
    """What the tools returned, in the last request that offers some."""
    body = [request["body"] for request in way.upstream.requests() if request["body"].get("Tools")][-1]
    return [message["Content"] for message in body["Messages"] if message["Role"] == "tool"]


def test_claude_code(native: Way, tmp_path: Path) -> None:
    """With a key of its own; two tools one after the other."""
    claude = ClaudeCode(tmp_path, native.base_url, MODEL, {"ANTHROPIC_AUTH_TOKEN": KEY})
    (claude.work / "two").write_text(call("Bash", command="echo third", description="runs it"))
    run = claude.ask(call("Bash", command="cat two", description="runs it"))
    assert run.code == 0, run.output
    assert not run.report["is_error"], run.output
    assert_all_taken(native)
    assert "third" in results(native)[-1]
    assert KEY not in run.output


def test_codex(native: Way, tmp_path: Path) -> None:
    """With the keys that the proxy lends: its own is the word that stands for none."""
    codex = Codex(tmp_path, native.proxy, "tencent-cloud", MODEL, key=PLACEHOLDER)
    run = codex.ask(call("exec_command", cmd="echo first"))
    assert run.code == 0, run.output
    assert_all_taken(native)
    assert "first" in results(native)[-1]


def test_anthropics_sdk_for_python(native: Way, tmp_path: Path) -> None:
    """Each answer is judged by the SDK's own types: whole, streamed, with images, tools, a schema, errors."""
    got = run(tmp_path, "anthropic_python.py", native.base_url, "hunyuan-a13b", key=KEY)
    assert got["whole"] == {"text": "hello", "stop": "end_turn", "model": "hunyuan-a13b", "counted": [True, True]}
    assert got["streamed"]["text"] == "one two three four"
    assert (got["image"], got["document"], got["paper"]) == ("seen", "from the document", "from the paper")
    assert got["stopped"][2] == "one "
    assert got["models"] is True
    assert_all_taken(native)
