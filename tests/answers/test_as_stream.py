from __future__ import annotations

import json
from typing import Any

import httpx2
import openai
import pytest

from hunyuan_fix.answers import as_stream
from hunyuan_fix.exchange import AnswerPlan, JsonObject
from tests.answers.streamed import DONE, by_index, by_openai, run, text, values

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def answer(*messages: JsonObject, finish: str | None = "stop", **fields: object) -> JsonObject:
    choices = [{"index": place, "message": m, "finish_reason": finish} for place, m in enumerate(messages)]
    return {"id": "1", "object": "chat.completion", "created": 5, "model": "m", "choices": choices, **fields}


def test_a_whole_answer_says_the_same_as_a_stream() -> None:
    message = {"role": "assistant", "content": "你好", "reasoning_content": "hm", "refusal": None, "tool_calls": [CALL]}
    usage = {"total_tokens": 3}
    sent = as_stream.of_answer(answer(message, {"role": "assistant", "content": "b"}, finish="tool_calls", usage=usage))
    assert (text(sent), text(sent, 1)) == ("你好", "b")
    assert by_index(sent) == by_openai(sent) == {0: {"id": "c1", "type": "function", "name": "f", "arguments": "{}"}}
    first, last = values(sent)
    assert first["choices"][0]["delta"]["reasoning_content"] == "hm"
    assert [choice["finish_reason"] for choice in last["choices"]] == ["tool_calls"] * 2
    assert last["usage"] == usage
    assert first["object"] == last["object"] == "chat.completion.chunk"
    assert sent.endswith(DONE)


@pytest.mark.parametrize("message", [None, 5, {"content": None, "tool_calls": [1, CALL]}])
def test_any_message_becomes_a_good_stream(message: Any) -> None:
    sent = as_stream.of_answer(answer(message, finish=None))
    assert values(sent)[-1]["choices"][0]["finish_reason"] == "stop"
    again, stream = run(AnswerPlan(), [sent])
    assert stream.unreadable == 0
    assert again.endswith(DONE)


def test_openai_python_reads_both_kinds_of_events() -> None:
    sent = as_stream.of_answer(answer({"role": "assistant", "content": "hi"}))

    def reads(body: bytes) -> str:
        def answers(_: httpx2.Request) -> httpx2.Response:
            return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

        client = openai.OpenAI(api_key="x", base_url="http://x", http_client=_client(answers))
        events = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}], stream=True)
        return "".join(event.choices[0].delta.content or "" for event in events)

    assert reads(sent) == "hi"
    with pytest.raises(openai.APIError, match="slow down"):
        reads(as_stream.of_error(json.dumps({"error": {"message": "slow down"}}, indent=1).encode()))


def _client(answers: Any) -> Any:
    return openai.DefaultHttpxClient(transport=httpx2.MockTransport(answers))
