"""Plug-ins in a real mitmdump: all examples at once, beside one that fails everywhere and one that can't be loaded."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.lib.processes import free_port
from tests.end_to_end.processes import ROOT
from tests.end_to_end.served import Served, serve
from tests.proxying import Answer, Arrived, Endpoint, Trust, json_answer, run_endpoint, stream_answer
from tests.test_examples import EXAMPLES
from tests.waiting import until

RAISING = ROOT / "tests/end_to_end/raising_plugin.py"
USAGE = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
BODY = {
    "model": "hunyuan-lite",
    "messages": [
        {"role": "user", "content": "swordfish"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "a\n\n\n\nb"},
    ],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
}
EVENTS = (
    b'data: {"choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n',
)
WHOLE = {"choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}]}


def answer(request: Arrived) -> Answer:
    return stream_answer(*EVENTS) if request.json.get("stream") else json_answer(WHOLE | {"usage": USAGE})


@pytest.fixture
async def endpoint(trust: Trust) -> AsyncIterator[Endpoint]:
    async with run_endpoint(trust, tls=False) as running:
        running.answer = answer
        yield running


async def post(served: Served, **more: Any) -> httpx.Response:
    async with served.client() as client:
        return await client.post("/chat/completions", json=BODY | more, headers={"authorization": "Bearer sk-own"})


async def test_all_examples_and_failing_ones_in_one_process(trust: Trust, endpoint: Endpoint, tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text("1 / 0\n", "utf-8")
    usage, backup = tmp_path / "usage.jsonl", tmp_path / "backup"
    named = ",".join(map(str, [*EXAMPLES, RAISING, broken]))
    admin = f"127.0.0.1:{free_port()}"
    options = ("--set", f"hunyuan_plugins={named}", "--set", f"hunyuan_admin={admin}")
    environment = {"USAGE_LOG": str(usage), "FILE_AGE": str(backup)}
    async with serve(trust, endpoint, *options, environment=environment) as served:
        # 1. A request and its answers: what works has its effect, what fails has none.
        whole, streamed = await post(served), await post(served, stream=True)
        sent = endpoint.arrived[0].json["messages"]
        assert sent[0]["content"] == "Comments in code are in English."
        assert [message["content"] for message in sent if message["role"] == "tool"] == ["a\n\nb"]
        assert sent[1]["content"] == "swordfish"
        assert whole.json()["choices"] == WHOLE["choices"]
        assert streamed.content == b"".join(EVENTS)
        assert {"house-style", "blank-lines"} <= set(whole.headers["x-hunyuan-fix"].replace(",", " ").split())

        # 2. The sink has written a line, of the answer that told its usage.
        await until(usage.exists)
        assert json.loads(usage.read_text().splitlines()[0])["usage"]["input"] == 3

        # 3. Checks, alert, provider, failures: the admin server tells of all.
        async with httpx.AsyncClient(trust_env=False, base_url=f"http://{admin}") as client:
            told = (await client.get("/status")).json()
            metrics = (await client.get("/metrics")).text
            while "file-age.file" not in {row["name"] for row in told["checks"] if row["looked"]}:
                await asyncio.sleep(0)
                told = (await client.get("/status")).json()
        checks = {row["name"]: row for row in told["checks"]}
        assert checks["file-age.file"]["message"] == f"{backup} is missing."
        assert checks["raising.ill"]["message"].startswith("The check failed itself (ValueError)")
        assert checks["plugins"]["state"] == "degraded"
        assert "broken (ZeroDivisionError, " in checks["plugins"]["message"]
        assert "refused" in {row["name"] for row in told["alerts"]}
        by_name = {row["name"]: row for row in told["plugins"]}
        assert by_name["own-provider"]["profiles"] == ["company"]
        assert by_name["broken"]["loaded"] is False
        counted = {
            (found["plugin"], found["part"])
            for line in metrics.splitlines()
            if line.startswith("hunyuan_plugin_failures_total{")
            for found in [dict(re.findall(r'(\w+)="([^"]*)"', line))]
        }
        parts = ("request", "answer", "chunk", "done", "rule", "sink", "check")
        assert counted == {("broken", "load"), *(("raising", part) for part in parts)}

        # 4. What is said of failures names them, and quotes nothing.
        said = served.process.output
        assert "Plug-in broken: load of" in said
        for part in ("request", "answer", "chunk", "done", "rule"):
            assert f"Plug-in raising: {part} of raises" in said
        assert "swordfish" not in said
        assert "sk-own" not in said


HEAD = "from hunyuan_fix.plugins import *\n"
ROW = {
    **{"severity": "info", "kind": "growth", "of": "hunyuan_exchange_total", "minutes": 1, "threshold": 1, "ends": 1},
    **{"for": 0, "unit": "count", "summary": "s", "action": "a"},
}
BAD_STARTS = {
    "": "has no PLUGIN",
    f"{HEAD}class S(Step):\n name = 's'; after = 'nobody'\nPLUGIN = Plugin('a', steps=(S(),))": "no step nobody",
    f"{HEAD}PLUGIN = Plugin('a', alerts={{'x': {ROW!r}}})": "there is no metric hunyuan_exchange_total; did you mean "
    "hunyuan_exchanges_total?",
}


@pytest.mark.parametrize("text", [None, *BAD_STARTS])
async def test_what_cant_be_used_ends_the_start(
    trust: Trust, endpoint: Endpoint, tmp_path: Path, text: str | None
) -> None:
    said = "there is no file" if text is None else BAD_STARTS[text]
    mine = tmp_path / "mine.py"
    if text is not None:
        mine.write_text(text, "utf-8")
    async with serve(trust, endpoint, "--set", f"hunyuan_plugins={mine}", awaited=False) as served:
        assert await served.ended() == 1
        assert f"hunyuan_plugins={mine}: " in served.process.output
        assert said in served.process.output


async def test_a_change_while_it_runs_is_refused_in_words(trust: Trust, endpoint: Endpoint, tmp_path: Path) -> None:
    file = tmp_path / "hunyuan.yaml"
    file.write_text(f"plugins: {ROOT}/examples/house_style.py\nlanguage: en\n", "utf-8")
    ran = tmp_path / "ran"
    other = tmp_path / "other.py"
    other.write_text(
        f"open({str(ran)!r}, 'w')\nfrom hunyuan_fix.plugins import Plugin\nPLUGIN = Plugin('o')\n", "utf-8"
    )
    async with serve(trust, endpoint, "--set", f"hunyuan_config={file}") as served:
        assert (await post(served)).headers["x-hunyuan-fix"].startswith("house-style")
        new = tmp_path / "new.yaml"
        new.write_text(f"plugins: {other}\nlanguage: en\n", "utf-8")
        new.replace(file)
        await served.until("plug-ins are loaded at the start only; start the proxy again with these")
        assert (await post(served)).headers["x-hunyuan-fix"].startswith("house-style")
        assert not ran.exists()
