"""A fallback whose endpoint speaks Tencent Cloud's own API: clients of any format get its answer in theirs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.hooks.test_fallback import CHAT, MESSAGES, RESPONSES, ask, error
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Trust, json_answer, run_endpoint, run_proxy, stream_answer

SAID = {
    "Created": 1,
    "Id": "i1",
    "Note": "n",
    "Usage": {"PromptTokens": 3, "CompletionTokens": 4, "TotalTokens": 7},
}
QUOTA = error(429, "insufficient_quota", "You exceeded your current quota", "insufficient_quota")


def native(request: Arrived) -> Answer:
    if request.json.get("Stream"):
        parts = (("other", ""), ("", "stop"))
        deltas = [
            {"Index": 0, "Delta": {"Role": "assistant", "Content": text}, "FinishReason": end} for text, end in parts
        ]
        return stream_answer(*(b"data: " + json.dumps(SAID | {"Choices": [one]}).encode() + b"\n\n" for one in deltas))
    message = {"Role": "assistant", "Content": "other"}
    choice = {"Index": 0, "Message": message, "FinishReason": "stop"}
    return json_answer({"Response": SAID | {"RequestId": "r", "Choices": [choice]}})


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("path", "body"),
    [("/chat/completions", CHAT), ("/messages", MESSAGES), ("/responses", RESPONSES)],
    ids=["chat", "anthropic", "responses"],
)
async def test_it_answers_in_the_clients_format(
    trust: Trust, endpoint: Endpoint, path: str, body: dict[str, Any], streamed: bool
) -> None:
    async with run_endpoint(trust) as other:
        endpoint.answer = lambda _: QUOTA
        other.answer = native
        options: dict[str, Any] = {
            "hunyuan_profile": "tokenhub",
            "hunyuan_breaker_failures": "0",
            "hunyuan_fallbacks": f"hy3>tencent-cloud@https://{LOCAL}:{other.port}:hunyuan-turbos-latest",
        }
        async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy:
            got = await ask(proxy, body | {"stream": streamed}, path)
    assert (got.status_code, "other" in got.text, "Choices" in got.text) == (200, True, False)
    assert got.headers["x-hunyuan-fallback"] == f"hunyuan-turbos-latest@{LOCAL}:{other.port}"
    (arrived,) = other.arrived
    assert (arrived.target, arrived.headers["x-tc-action"]) == ("/", "ChatCompletions")
    assert arrived.json["Messages"] == [{"Role": "user", "Content": "hi"}]
    assert "authorization" not in arrived.headers, "the client's key is for its own endpoint"
