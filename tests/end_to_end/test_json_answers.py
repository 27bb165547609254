"""Answers in JSON through a real mitmdump and the simulator: three formats, whole and streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.end_to_end.processes import KEY, TOKENHUB, Certificates, Proxy, Simulator, run_proxy

SAID = "[[sim:say {'n': 1.10, \"ok\": True,} // done]]"
MENDED = '{"n": 1.10, "ok": true}'
WRONG = '[[sim:say {"n": "He said "hi" to me"}]]'


@pytest.fixture(scope="module")
def asking(certificates: Certificates, running_tokenhub: Simulator) -> Iterator[Proxy]:
    options = ("--set", "hunyuan_json=ask", "--set", "hunyuan_translate=always")
    with run_proxy(certificates, {f"{TOKENHUB}:443": running_tokenhub.port}, *options) as running:
        yield running


def bodies(said: str) -> dict[str, dict[str, Any]]:
    messages = [{"role": "user", "content": said}]
    return {
        "/chat/completions": {"model": "hy3", "messages": messages, "response_format": {"type": "json_object"}},
        "/messages": {
            "model": "hy3",
            "max_tokens": 500,
            "messages": messages,
            "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        },
        "/responses": {"model": "hy3", "input": said, "text": {"format": {"type": "json_object"}}},
    }


def text_of(answer: httpx.Response, path: str) -> str:
    if "event-stream" not in answer.headers["content-type"]:
        body = answer.json()
        if path == "/messages":
            return "".join(block.get("text", "") for block in body["content"])
        if path == "/responses":
            return "".join(
                part["text"] for item in body["output"] for part in item.get("content", ()) if "text" in part
            )
        return str(body["choices"][0]["message"]["content"])
    events = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: {")]
    if path == "/messages":
        return "".join(event.get("delta", {}).get("text", "") for event in events)
    if path == "/responses":
        return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
    return "".join(choice["delta"].get("content") or "" for event in events for choice in event["choices"])


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/chat/completions", "/messages", "/responses"])
def test_an_answer_is_json(asking: Proxy, tokenhub: Simulator, path: str, stream: bool) -> None:
    with httpx.Client(
        proxy=asking.url,
        verify=asking.certificates.proxy_trusted(),
        trust_env=False,
        timeout=60,
        base_url=f"https://{TOKENHUB}/v1",
        headers={"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01"},
    ) as client:
        # 1. Respelt.
        answer = client.post(path, json=bodies(SAID)[path] | {"stream": stream})
        assert answer.status_code == 200
        assert text_of(answer, path) == MENDED
        assert answer.headers["x-hunyuan-json"] == ("held" if stream else "repaired")
        assert len(tokenhub.requests()) == 1
        # 2. Asked for once more: the simulator has JSON for every question that doesn't say what to answer.
        answer = client.post(path, json=bodies(WRONG)[path] | {"stream": stream})
        assert json.loads(text_of(answer, path)).keys() == {"answer"}
        assert len(tokenhub.requests()) == 3
        # 3. Not at all.
        answer = client.post(path, json=bodies(WRONG)[path] | {"stream": stream}, headers={"x-hunyuan-json": "off"})
        assert text_of(answer, path) == '{"n": "He said "hi" to me"}'
        assert "x-hunyuan-json" not in answer.headers
