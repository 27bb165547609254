"""Clients of chat, Messages and Responses through a real mitmproxy to a stand-in for Tencent Cloud's own API."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

import openai
import pytest

from hunyuan_fix.simulator.server import Served as Simulator
from hunyuan_fix.simulator.server import serve as simulate
from hunyuan_fix.simulator.settings import Settings
from hunyuan_fix.simulator.tencent_cloud import Native
from hunyuan_fix.simulator.vision import data_url, png_with_text
from tests.dialects.tencent_cloud.test_errors import ROWS
from tests.end_to_end.served import serve
from tests.proxying import LOCAL, Endpoint, Trust

type Json = dict[str, Any]

KEY = "AKIDstandin|standinsecret"
LS = {"name": "ls", "parameters": {"type": "object", "properties": {"path": {"type": "string"}}}}
TOOLS: Any = [{"type": "function", "function": LS}]
MODEL = "hunyuan-turbos-latest"
HELLO: Any = [{"role": "user", "content": "[[sim:say 好的]]"}]


@dataclass(frozen=True, slots=True)
class Setting:
    """A client of the proxy, and the stand-in behind it."""

    client: openai.AsyncOpenAI
    simulator: Simulator
    url: str
    """The proxy's, without a path."""

    def sent(self) -> Json:
        """The body of the last request."""
        request = self.simulator.simulator.journal.requests[-1]
        assert request.path == "/"
        assert request.header("content-type") == "application/json"
        body: Json = json.loads(request.body)
        return body

    def fail(self, fault: str, times: int = 1) -> None:
        """Let the next requests suffer `fault`."""
        self.simulator.simulator.faults.program([{"fault": fault, "times": times}])

    def with_key(self, key: str) -> openai.AsyncOpenAI:
        return self.client.with_options(api_key=key)


@contextlib.asynccontextmanager
async def running(trust: Trust, *options: str, native: Native | None = None, key: str = KEY) -> AsyncIterator[Setting]:
    async with simulate(Settings(native=native or Native())) as simulator:
        address = Endpoint(port=int(simulator.url.rpartition(":")[2]))
        arguments = [part for option in options for part in ("--set", option)]
        async with serve(trust, address, *arguments, hosts=f"{LOCAL}=tencent-cloud") as proxy:
            url = f"http://{LOCAL}:{proxy.reverse_port}"
            async with openai.AsyncOpenAI(api_key=key, base_url=f"{url}/v1", max_retries=0) as client:
                yield Setting(client, simulator, url)


@pytest.fixture(params=["vision", "all"])
async def setting(request: pytest.FixtureRequest, trust: Trust) -> AsyncIterator[Setting]:
    """With and without the relay; the first call goes by it in any case, since nothing is known of the clocks."""
    async with running(trust, f"hunyuan_retry={request.param}", "hunyuan_retry_tries=1") as started:
        await started.client.chat.completions.create(model=MODEL, messages=HELLO)
        yield started


def history(said: str) -> Any:
    """What no endpoint of the old platform takes: a late system message, neighbours of one role, calls without text."""
    call = {"id": "call_1", "type": "function", "function": {"name": "ls", "arguments": '{"path": "<a>&"}'}}
    return [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "列出 <目录> & 文件"},
        {"role": "assistant", "content": None, "tool_calls": [call], "reasoning_content": "hm"},
        {"role": "tool", "tool_call_id": "call_1", "content": ""},
        {"role": "developer", "content": "Now."},
        {"role": "user", "content": "so"},
        {"role": "user", "content": said},
    ]


async def test_a_whole_answer(setting: Setting) -> None:
    raw = await setting.client.chat.completions.with_raw_response.create(
        model=MODEL, messages=history("[[sim:say 好的]]"), tools=TOOLS, max_tokens=5, user="u"
    )
    answer = raw.parse()
    assert answer.choices[0].message.content == "好的"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == MODEL
    assert answer.id.startswith("chatcmpl-")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0
    details = answer.usage.prompt_tokens_details
    assert details is not None
    assert details.cached_tokens == answer.usage.prompt_tokens // 2
    assert raw.headers["x-request-id"] == raw.headers["x-tc-requestid"]
    assert "parameters" in raw.headers["x-hunyuan-fix"]
    sent = setting.sent()
    assert sent.keys() == {"Model", "Messages", "Tools"}
    assert [message["Role"] for message in sent["Messages"]] == ["system", "user", "assistant", "tool", *_rest(sent)]
    assert all(message["Content"] for message in sent["Messages"])
    assert json.loads(sent["Tools"][0]["Function"]["Parameters"]) == LS["parameters"]


def _rest(sent: Json) -> list[str]:
    roles = [message["Role"] for message in sent["Messages"][4:]]
    assert roles in ([], ["assistant", "user"])
    return roles


@pytest.mark.parametrize("asked", [False, True])
async def test_a_stream(setting: Setting, asked: bool) -> None:
    options: Any = {"stream_options": {"include_usage": True}} if asked else {}
    text = "一句话，分成许多块。" * 5
    stream = await setting.client.chat.completions.create(
        model=MODEL, messages=history(f"[[sim:say {text}]] [[sim:chunks 25]]"), tools=TOOLS, stream=True, **options
    )
    chunks = [chunk async for chunk in stream]
    said = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert "".join(said) == text
    assert len(said) >= 25
    assert chunks[0].choices[0].delta.role == "assistant"
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert [chunk.choices == [] for chunk in chunks] == [*[False] * (len(chunks) - 1), asked]
    assert chunks[-1].usage is not None
    assert setting.sent()["Stream"] is True


@pytest.mark.parametrize("streamed", [False, True])
async def test_calls(setting: Setting, streamed: bool) -> None:
    messages: Any = [{"role": "user", "content": '[[sim:tool ls {"path": "a"}]] [[sim:tool ls {}]]'}]
    if streamed:
        async with setting.client.chat.completions.stream(model=MODEL, messages=messages, tools=TOOLS) as stream:
            choice: Any = (await stream.get_final_completion()).choices[0]
    else:
        choice = (await setting.client.chat.completions.create(model=MODEL, messages=messages, tools=TOOLS)).choices[0]
    assert choice.finish_reason == "tool_calls"
    calls = choice.message.tool_calls
    assert [(call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("ls", {"path": "a"}),
        ("ls", {}),
    ]
    assert len({call.id for call in calls}) == 2


async def test_a_tool_that_must_be_called(setting: Setting) -> None:
    other = {"type": "function", "function": {**LS, "name": "other"}}
    named: Any = {"type": "function", "function": {"name": "other"}}
    tools = [*TOOLS, other]
    await setting.client.chat.completions.create(model=MODEL, messages=HELLO, tools=tools, tool_choice=named)
    assert (setting.sent()["ToolChoice"], setting.sent()["CustomTool"]["Function"]["Name"]) == ("custom", "other")
    await setting.client.chat.completions.create(model=MODEL, messages=HELLO, tools=TOOLS, tool_choice="required")
    assert (setting.sent()["ToolChoice"], setting.sent()["CustomTool"]["Function"]["Name"]) == ("custom", "ls")
    await setting.client.chat.completions.create(model=MODEL, messages=HELLO, tools=tools, tool_choice="required")
    assert setting.sent()["ToolChoice"] == "auto"


async def test_an_image(setting: Setting) -> None:
    image: Any = {"type": "image_url", "image_url": {"url": data_url(png_with_text("STOP")), "detail": "low"}}
    answer = await setting.client.chat.completions.create(
        model="hunyuan-vision", messages=[{"role": "user", "content": [image]}]
    )
    assert "STOP" in (answer.choices[0].message.content or "")
    contents = setting.sent()["Messages"][0]["Contents"]
    assert [part["Type"] for part in contents] == ["text", "image_url"]
    assert contents[1]["ImageUrl"].keys() == {"Url"}


async def test_an_image_for_a_model_that_sees_none_is_described_by_signed_calls(setting: Setting) -> None:
    image: Any = {"type": "image_url", "image_url": {"url": data_url(png_with_text("EXIT"))}}
    content: Any = [{"type": "text", "text": "[[sim:say seen]]"}, image]
    answer = await setting.client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": content}])
    assert answer.choices[0].message.content == "seen"
    assert "EXIT" in json.dumps(setting.sent(), ensure_ascii=False)
    assert setting.simulator.simulator.journal.by_row.total() == 0


@pytest.mark.parametrize("format_", ["float", "base64"])
async def test_embeddings_in_parts_of_fifty(setting: Setting, format_: Any) -> None:
    texts = [f"text {number}" for number in range(120)]
    before = len(setting.simulator.simulator.journal.requests)
    answer = await setting.client.embeddings.create(model="hunyuan-embedding", input=texts, encoding_format=format_)
    assert [item.index for item in answer.data] == list(range(120))
    if format_ == "float":
        assert {len(item.embedding) for item in answer.data} == {1024}
    else:
        assert all(isinstance(item.embedding, str) for item in answer.data)
    assert answer.usage.prompt_tokens == sum(-(-len(text) // 2) for text in texts)
    requests = list(setting.simulator.simulator.journal.requests)[before:]
    assert sorted(len(json.loads(request.body)["InputList"]) for request in requests) == [20, 50, 50]
    assert {request.header("x-tc-action") for request in requests} == {"GetEmbedding"}


async def test_token_ids_are_no_texts(setting: Setting) -> None:
    with pytest.raises(openai.BadRequestError):
        await setting.client.embeddings.create(model="hunyuan-embedding", input=[1, 2])


async def test_the_list_of_models_is_that_of_the_data(setting: Setting) -> None:
    before = len(setting.simulator.simulator.journal.requests)
    listed = [model.id async for model in setting.client.models.list()]
    assert MODEL in listed
    assert (await setting.client.models.retrieve(MODEL)).id == MODEL
    with pytest.raises(openai.NotFoundError):
        await setting.client.models.retrieve("gpt-9")
    assert len(setting.simulator.simulator.journal.requests) == before


OURS = {"content_policy_violation": (400, "content_filter"), "insufficient_quota": (400, "insufficient_quota")}
"""Where this proxy's catalogue has an error of this meaning, its status and code count."""


@pytest.mark.parametrize("streamed", [False, True])
async def test_each_error(setting: Setting, streamed: bool) -> None:
    for native, status, _, code, retry in ROWS:
        if not native or native.isdigit():
            continue  # those of a stream
        setting.fail(f"native:{native}", 9)
        with pytest.raises(openai.APIStatusError) as raised:
            await setting.client.chat.completions.create(model=MODEL, messages=HELLO, stream=streamed)
        setting.simulator.simulator.faults.rules.clear()
        error, body = raised.value, cast("Any", raised.value.body)
        assert body["native_code"] == native
        assert body["request_id"], native
        assert "fault on request" in body["message"], native
        assert (error.status_code, body["code"]) == OURS.get(code, (status, code)), native
        assert (error.response.headers.get("x-should-retry") == "false") is not retry, native
        if code == "rate_limit_exceeded":
            assert int(error.response.headers["retry-after"]) > 0
