"""Clients of chat and of Responses, real mitmdump, and endpoints that speak Anthropic's Messages alone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import openai
import pytest

from hunyuan_fix.simulator.anthropic_facade import Facade, usual
from hunyuan_fix.simulator.rows import ProfileName
from hunyuan_fix.simulator.server import Served as Simulator
from hunyuan_fix.simulator.server import serve as simulate
from hunyuan_fix.simulator.settings import Settings
from hunyuan_fix.simulator.vision import data_url, png_with_text
from tests.end_to_end.served import serve
from tests.proxying import LOCAL, Endpoint, Trust

type Json = dict[str, Any]

LS = {"name": "ls", "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}
TOOLS: Any = [{"type": "function", "function": LS}]


@dataclass(frozen=True, slots=True)
class Setting:
    """A client of the proxy, and the simulator behind it."""

    client: openai.AsyncOpenAI
    simulator: Simulator

    def sent(self) -> Json:
        """The body of the last request."""
        request = self.simulator.simulator.journal.requests[-1]
        assert request.path.endswith("/v1/messages")
        assert request.header("anthropic-version")
        body: Json = json.loads(request.body)
        return body


@contextlib.asynccontextmanager
async def running(trust: Trust, profile: ProfileName, *options: str, base: str = "/v1") -> AsyncIterator[Setting]:
    facade = Facade(profile, usual(profile), anthropic_words=True)
    async with simulate(Settings(profile=profile, facade=facade)) as simulator:
        address = Endpoint(port=int(simulator.url.rpartition(":")[2]))
        arguments = [part for option in options for part in ("--set", option)]
        async with serve(trust, address, *arguments, hosts=f"{LOCAL}=anthropic") as proxy:
            url = f"http://{LOCAL}:{proxy.reverse_port}{base}"
            async with openai.AsyncOpenAI(api_key="sk-test", base_url=url, max_retries=0) as client:
                yield Setting(client, simulator)


@pytest.fixture(params=["off", "all"])
async def setting(request: pytest.FixtureRequest, trust: Trust) -> AsyncIterator[Setting]:
    """With and without the relay."""
    async with running(trust, "tokenhub", f"hunyuan_retry={request.param}") as started:
        yield started


def history(said: str) -> Any:
    """A conversation with parallel calls, answered late, under ids that repeat."""
    calls = [
        {"id": id, "type": "function", "function": {"name": "ls", "arguments": '{"path": "a"}'}}
        for id in ("functions.ls:0", "functions.ls:1")
    ]
    turn = [
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "functions.ls:1", "content": "b"},
        {"role": "tool", "tool_call_id": "functions.ls:0", "content": ""},
    ]
    return [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "list"},
        *turn,
        *turn,
        {"role": "developer", "content": "Now."},
        {"role": "user", "content": said},
    ]


async def test_a_whole_answer(setting: Setting) -> None:
    answer = await setting.client.chat.completions.create(
        model="hy3", messages=history("[[sim:say 好的]]"), tools=TOOLS
    )
    assert answer.choices[0].message.content == "好的"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    sent = setting.sent()
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant"] * 2 + ["user"]
    assert sent["system"] == [{"type": "text", "text": "Be brief."}]


@pytest.mark.parametrize("asked", [False, True])
async def test_a_stream(setting: Setting, asked: bool) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if asked else {}
    text = "一句话，分成许多块。" * 5
    stream = await setting.client.chat.completions.create(
        model="hy3", messages=history(f"[[sim:say {text}]] [[sim:chunks 25]]"), tools=TOOLS, stream=True, **options
    )
    chunks = [chunk async for chunk in stream]
    said = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert "".join(said) == text
    assert len(said) >= 25
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [chunk.choices == [] for chunk in chunks] == [*[False] * (len(chunks) - 1), asked]
    assert chunks[-1].usage is not None


@pytest.mark.parametrize("streamed", [False, True])
async def test_calls(setting: Setting, streamed: bool) -> None:
    messages: Any = [{"role": "user", "content": '[[sim:tool ls {"path": "a"}]] [[sim:tool ls {}]]'}]
    if streamed:
        async with setting.client.chat.completions.stream(model="hy3", messages=messages, tools=TOOLS) as stream:
            choice: Any = (await stream.get_final_completion()).choices[0]
    else:
        answer = await setting.client.chat.completions.create(model="hy3", messages=messages, tools=TOOLS)
        choice = answer.choices[0]
    calls = choice.message.tool_calls
    assert choice.finish_reason == "tool_calls"
    assert [json.loads(call.function.arguments) for call in calls] == [{"path": "a"}, {}]
    assert len({call.id for call in calls}) == 2
    results = [{"role": "tool", "tool_call_id": call.id, "content": "done"} for call in calls]
    again = [*messages, choice.message.model_dump(exclude_none=True), *results]
    answer = await setting.client.chat.completions.create(model="hy3", messages=again, tools=TOOLS)
    assert answer.choices[0].message.content


async def test_thinking(setting: Setting) -> None:
    messages: Any = [{"role": "user", "content": "[[sim:reasoning hm]] [[sim:say a]]"}]
    answer = await setting.client.chat.completions.create(
        model="hy3", messages=messages, reasoning_effort="high", max_tokens=10_000
    )
    message = answer.choices[0].message.model_dump()
    assert (message["reasoning_content"], message["content"]) == ("hm", "a")
    assert setting.sent()["thinking"] == {"type": "enabled", "budget_tokens": 8000}
    again = [*messages, message, {"role": "user", "content": "[[sim:say b]]"}]
    answer = await setting.client.chat.completions.create(model="hy3", messages=again)
    assert answer.choices[0].message.content == "b"
    (thought,) = (block for block in setting.sent()["messages"][1]["content"] if block["type"] == "thinking")
    assert thought["thinking"] == "hm"
    assert thought["signature"] == message["thinking_blocks"][0]["signature"], "as the vendor signed it"


async def test_images_also_of_results(setting: Setting) -> None:
    shown = {"type": "image_url", "image_url": {"url": data_url(png_with_text("a cat"))}}
    call = {"id": "a", "type": "function", "function": {"name": "ls", "arguments": "{}"}}
    messages: Any = [
        {"role": "user", "content": [{"type": "text", "text": "what is it"}, shown]},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "a", "content": [shown]},
    ]
    model = "hy-vision-2.0-instruct"
    await setting.client.chat.completions.create(model=model, messages=messages)
    kinds = [[block["type"] for block in message["content"]] for message in setting.sent()["messages"]]
    assert kinds == [["text", "image"], ["tool_use"], ["tool_result"]]
    assert "image" in json.dumps(setting.sent()["messages"][2])


async def test_errors(setting: Setting) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        await setting.client.chat.completions.create(model="gone", messages=[{"role": "user", "content": "a"}])
    assert missing.value.type == "not_found_error"
    audio: Any = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}
    with pytest.raises(openai.BadRequestError, match="no input_audio") as unknown:
        await setting.client.chat.completions.create(
            model="hy3", messages=[{"role": "user", "content": [{"type": "text", "text": "hear"}, audio]}]
        )
    assert unknown.value.param == "messages.0.content.1"
    with pytest.raises(openai.BadRequestError, match="no embeddings"):
        await setting.client.embeddings.create(model="a", input="b")


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("status:529", openai.InternalServerError), ("status:429", openai.RateLimitError)],
)
async def test_an_error_that_another_try_helps(trust: Trust, fault: str, kind: type[openai.APIStatusError]) -> None:
    async with running(trust, "tokenhub") as setting:
        setting.simulator.simulator.faults.program([{"fault": fault}])
        with pytest.raises(kind) as refused:
            await setting.client.chat.completions.create(model="hy3", messages=[{"role": "user", "content": "a"}])
        assert refused.value.status_code == int(fault.partition(":")[2])
        assert refused.value.type in ("overloaded_error", "rate_limit_error")


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_client_of_responses(setting: Setting, streamed: bool) -> None:
    """Two translations: Responses to chat, chat to Messages."""
    tools: Any = [{"type": "function", "strict": False, **LS}]
    asked: Any = [{"role": "user", "content": '[[sim:tool ls {"path": "a"}]]'}]
    response = await _response(setting, streamed, input=asked, tools=tools)
    (call,) = (item for item in response["output"] if item["type"] == "function_call")
    assert json.loads(call["arguments"]) == {"path": "a"}
    given = {"type": "function_call_output", "call_id": call["call_id"], "output": "done"}
    more = {"role": "user", "content": "[[sim:say 好]]"}
    again = [*asked, *response["output"], given, more]
    response = await _response(setting, streamed, input=again, tools=tools)
    assert response["output"][-1]["content"][0]["text"] == "好"
    assert response["usage"]["total_tokens"] > 0
    assert [message["role"] for message in setting.sent()["messages"]] == ["user", "assistant", "user"]


async def _response(setting: Setting, streamed: bool, **asked: Any) -> Json:
    answer: Any = await setting.client.responses.create(model="hy3", store=False, stream=streamed, **asked)
    if streamed:
        *_, last = [event async for event in answer]
        answer = last.response
    found: Json = answer.model_dump(exclude_none=True)
    return found


@pytest.mark.parametrize("streamed", [False, True])
async def test_thoughts_that_a_chat_client_loses_go_back_to_kimi(trust: Trust, streamed: bool) -> None:
    """Its Messages route refuses a turn with calls that no thinking stands before."""
    async with running(trust, "moonshot", base="/anthropic/v1") as setting:
        messages: list[Any] = []
        for number in range(3):
            messages.append({"role": "user", "content": f'step {number} [[sim:tool ls {{"path": "{number}"}}]]'})
            if streamed:
                async with setting.client.chat.completions.stream(
                    model="kimi-k2.6", messages=messages, tools=TOOLS
                ) as stream:
                    said: Any = (await stream.get_final_completion()).choices[0].message
            else:
                answer = await setting.client.chat.completions.create(model="kimi-k2.6", messages=messages, tools=TOOLS)
                said = answer.choices[0].message
            calls = [
                {"id": call.id, "type": "function", "function": call.function.model_dump()} for call in said.tool_calls
            ]
            messages.append({"role": "assistant", "content": said.content, "tool_calls": calls})
            messages += [{"role": "tool", "tool_call_id": call["id"], "content": "found"} for call in calls]
        judged = setting.simulator.simulator.journal.requests[-1].reasoning
        assert judged is not None
        assert [one["what"] for one in judged if one["calls"]] == ["real", "real"]
