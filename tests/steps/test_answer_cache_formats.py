"""The answer cache in every format: translated, natively spoken, Tencent Cloud's own; whole and streamed."""

from __future__ import annotations

import json
import time

import pytest

from tests.cached_answers import (
    ASKED,
    MESSAGES,
    NATIVE,
    RESPONSES,
    USE,
    answering,
    chunks,
    is_hit,
    native,
    said,
    served,
    without_ids,
)
from tests.proxying import Answer, Arrived, Trust, json_answer


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_other_formats_get_theirs_whole_or_streamed(trust: Trust, path: str, streamed: bool, again: bool):
    form = "anthropic-native" if path == MESSAGES else "responses-native"
    async with served(trust, **USE) as (endpoint, _, ask):
        first, second = await ask(path, stream=streamed), await ask(path, stream=again)
        assert (is_hit(first), is_hit(second)) == (False, True)
        assert len(endpoint.arrived) == 1
    assert without_ids(said(first, form)) == without_ids(said(second, form))
    assert said(first, form)["id"] != said(second, form)["id"]
    assert said(second, form)["usage"] == said(first, form)["usage"]


async def test_one_format_finds_what_another_one_asked(trust: Trust):
    async with served(trust, **USE) as (endpoint, _, ask):
        # What both are translated into is the same: all that a request says is in it.
        first = await ask(RESPONSES, max_output_tokens=500, store=False)
        second = await ask(RESPONSES, max_output_tokens=500, stream=True)
        assert (is_hit(first), is_hit(second)) == (False, True)
        assert len(endpoint.arrived) == 1


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
@pytest.mark.parametrize("streamed", [False, True])
async def test_so_it_does_where_the_endpoint_speaks_the_format_itself(trust: Trust, path: str, streamed: bool):
    key = "sk-Zx81Qm4Lr72Tn95Vb03Kc68Wd"

    def echoing(request: Arrived) -> Answer:
        asked = request.json.get("messages") or request.json["input"]
        said_there = asked[0]["content"] if isinstance(asked[0]["content"], str) else asked[0]["content"][0]["text"]
        answer = native(request)
        return Answer(
            headers={"content-type": answer.headers["content-type"]},
            chunks=[
                chunk.replace("好".encode(), said_there.encode())
                for chunk in list(answer.chunks)  # type: ignore[arg-type]
            ],
        )

    form = "anthropic-native" if path == MESSAGES else "responses-native"
    question = [{"role": "user", "content": f"my key {key} ok"}]
    more = {"messages": question} if path == MESSAGES else {"input": question, "store": False}
    async with served(trust, echoing, **NATIVE, hunyuan_mask="keys") as (endpoint, _, ask):
        answers = [await ask(path, model="hy3", stream=stream, **more) for stream in (streamed, False, True)]
        assert [is_hit(answer) for answer in answers] == [False, True, True]
        assert endpoint.arrived[0].target.endswith(path)
        assert key.encode() not in endpoint.arrived[0].body
        for answer in answers:
            assert key in json.dumps(said(answer, form))
            assert "MASKED" not in answer.text


@pytest.mark.parametrize("path", [MESSAGES, RESPONSES])
@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_where_the_endpoint_speaks_the_format_itself(trust: Trust, path: str, streamed: bool, again: bool):
    form = "anthropic-native" if path == MESSAGES else "responses-native"
    async with served(trust, native, **NATIVE) as (endpoint, _, ask):
        more = {"store": False} if path == RESPONSES else {}
        first = await ask(path, stream=streamed, **more, **{"model": "hy3"})
        assert "answer-cache" not in first.headers.get("x-hunyuan-fix", "")
        second = await ask(path, stream=again, **more, **{"model": "hy3"})
        assert (is_hit(first), is_hit(second)) == (False, True)
        assert [arrived.target.rpartition("/v1")[2] for arrived in endpoint.arrived] == [path]
        one, other = said(first, form), said(second, form)
        assert without_ids(one) == without_ids(other)
        assert one["usage"] == other["usage"]
        assert one["id"] != other["id"]
        parts = [(answer.get("content") or answer["output"])[2] for answer in (one, other)]
        ids = [part.get("call_id", part["id"]) for part in parts]
        assert ids[0] != ids[1]
        assert ids[1].rpartition("_")[0] == ids[0].rpartition("_")[0]
        # The next question of the conversation is known, whatever ids the calls had.
        for answer in (one, other):
            if path == MESSAGES:
                result = {"type": "tool_result", "tool_use_id": answer["content"][2]["id"], "content": "text"}
                said_since = [
                    {"role": "assistant", "content": answer["content"]},
                    {"role": "user", "content": [result]},
                ]
                turn = {"messages": [*ASKED, *said_since]}
            else:
                result = {"type": "function_call_output", "call_id": answer["output"][2]["call_id"], "output": "text"}
                turn = {"input": [*ASKED, *answer["output"], result]}
            last = await ask(path, **more, **turn, **{"model": "hy3"})
        assert is_hit(last)
        assert len(endpoint.arrived) == 2


async def test_an_endpoint_of_another_format(trust: Trust):
    def tencent(request: Arrived) -> Answer:
        message = {"Role": "assistant", "Content": "Answer 好"}
        choice = {"Index": 0, "Message": message, "FinishReason": "stop"}
        usage = {"PromptTokens": 11, "CompletionTokens": 7, "TotalTokens": 18}
        body = {"Created": 1, "Id": "i1", "Note": "n", "Usage": usage, "Choices": [choice], "RequestId": "r"}
        return json_answer({"Response": body})

    options = {**USE, "hunyuan_profile": "tencent-cloud"}
    async with served(trust, tencent, **options) as (endpoint, _, ask):
        first, second = [await ask(tools=[], key="AKIDsecretid|secretkey", stream=stream) for stream in (False, True)]
        assert (is_hit(first), is_hit(second)) == (False, True)
        assert without_ids(said(first)) == without_ids(said(second))
        assert len(endpoint.arrived) == 1


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("streamed", [False, True])
async def test_programs_of_tencent_clouds_sdk(trust: Trust, streamed: bool, again: bool):
    """Their format, whole and streamed, from the same answer; each has the id of its own request."""
    body = {"Model": "hunyuan-lite", "Messages": [{"Role": "user", "Content": "hi"}]}
    named = {"x-tc-action": "ChatCompletions", "x-tc-version": "2023-09-01", "authorization": "SKIP"}
    async with served(trust, answering({"content": "Answer 好"}, "stop"), **USE) as (endpoint, proxy, _):
        answers = []
        async with proxy.client() as client:
            for stream in (streamed, again):
                headers = {**named, "x-tc-timestamp": str(int(time.time()))}
                root = client.base_url.copy_with(path="/")
                answers.append(await client.post(root, json={**body, "Stream": stream}, headers=headers))
        assert [is_hit(answer) for answer in answers] == [False, True]
        assert len(endpoint.arrived) == 1
    for stream, answer in zip((streamed, again), answers, strict=True):
        assert answer.headers["content-type"] == ("text/event-stream" if stream else "application/json")
        given = chunks(answer) if stream else [answer.json()["Response"]]
        part = "Delta" if stream else "Message"
        assert "".join(one["Choices"][0][part].get("Content") or "" for one in given) == "Answer 好"
        assert given[-1]["Choices"][0]["FinishReason"] == "stop"
        assert given[-1]["Usage"]["TotalTokens"] == 18
