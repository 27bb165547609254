"""Clients of chat, Messages and Responses through a real mitmproxy to a stand-in for Tencent Cloud's own API."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import openai
import pytest

from hunyuan_fix.simulator.server import Served as Simulator
from hunyuan_fix.simulator.server import serve as simulate
from hunyuan_fix.simulator.settings import Settings
from hunyuan_fix.simulator.tencent_cloud import Native
from hunyuan_fix.simulator.vision import data_url, png_with_text
from scripts.lib.processes import free_port
from tests.dialects.tencent_cloud.test_errors import ROWS
from tests.end_to_end.processes import LEGACY, Certificates, run_proxy, run_simulator
from tests.end_to_end.served import serve
from tests.proxying import LOCAL, Endpoint, Trust

type Json = dict[str, Any]

KEY = "AKIDstandin|standinsecret"
NATIVE_HOST = "hunyuan.tencentcloudapi.com"
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


OURS = {"insufficient_quota": (400, "insufficient_quota")}
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


# Streams that are odd


@pytest.mark.parametrize(
    "fault", ["crlf", "tabs", "comments", "no_final_blank", "big_event", "malformed_sse", "no_done", "gzip_stream"]
)
async def test_an_odd_stream_is_read(setting: Setting, fault: str) -> None:
    messages: Any = [{"role": "user", "content": "[[sim:say 一二三四五六七八]] [[sim:chunks 8]]"}]
    setting.fail(fault)
    stream = await setting.client.chat.completions.create(model=MODEL, messages=messages, stream=True)
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "一二三四五六七八"
    assert chunks[-1].choices[0].finish_reason == "stop"


@pytest.mark.parametrize("fault", ["error_event_mid", "no_finish", "cut:2"])
async def test_a_stream_that_breaks_ends_with_an_error(setting: Setting, fault: str) -> None:
    messages: Any = [{"role": "user", "content": "[[sim:say 一二三四五六七八]] [[sim:chunks 8]]"}]
    setting.fail(fault, 9)
    with pytest.raises(openai.APIError) as raised:
        async for _ in await setting.client.chat.completions.create(model=MODEL, messages=messages, stream=True):
            pass
    setting.simulator.simulator.faults.rules.clear()
    body: Any = raised.value.body
    if fault == "error_event_mid":
        assert (body["code"], body["native_code"], body["status"]) == ("upstream_timeout", "4001", 504)
    else:
        assert body["code"] in ("stream_incomplete", "stream_broken")


async def test_an_error_first_in_a_stream_is_never_an_empty_stream(setting: Setting) -> None:
    setting.fail("error_event_first", 9)
    with pytest.raises(openai.APIError) as raised:
        async for _ in await setting.client.chat.completions.create(model=MODEL, messages=HELLO, stream=True):
            pass
    setting.simulator.simulator.faults.rules.clear()
    body: Any = raised.value.body
    assert body["native_code"] == "4001"


async def test_moderation_ends_a_stream_as_content_filter(setting: Setting) -> None:
    messages: Any = [{"role": "user", "content": "[[sim:say 一二三]] [[sim:sensitive]]"}]
    stream = await setting.client.chat.completions.create(model=MODEL, messages=messages, stream=True)
    chunks = [chunk async for chunk in stream]
    assert chunks[-1].choices[0].finish_reason == "content_filter"


@pytest.mark.parametrize("streamed", [False, True])
async def test_the_stop_text_is_cut_off(setting: Setting, streamed: bool) -> None:
    messages: Any = [{"role": "user", "content": "[[sim:say one STOP two]] [[sim:chunks 4]]"}]
    answer = await setting.client.chat.completions.create(
        model=MODEL, messages=messages, stop=["STOP"], stream=streamed
    )
    if streamed:
        said = "".join([chunk.choices[0].delta.content or "" async for chunk in cast("Any", answer)])
    else:
        said = cast("Any", answer).choices[0].message.content
    assert said == "one "
    assert setting.sent()["Stop"] == ["STOP"]


async def test_a_silent_stream_is_kept_alive(trust: Trust) -> None:
    async with running(trust, "hunyuan_heartbeat=0.2") as setting:
        await setting.client.chat.completions.create(model=MODEL, messages=HELLO)
        messages = [{"role": "user", "content": "[[sim:say 一二三四]] [[sim:chunks 4]]"}]
        for path, more in (("chat/completions", {}), ("messages", {"max_tokens": 9})):
            setting.fail("stall:2")
            body = {"model": MODEL, "messages": messages, "stream": True, **more}
            headers = {"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01"}
            client = httpx.AsyncClient(trust_env=False, timeout=30, headers=headers)
            async with client, client.stream("POST", f"{setting.url}/v1/{path}", json=body) as answer:
                got = b""
                async for data in answer.aiter_bytes():
                    got += data
                    if got.count(b"keep-alive") + got.count(b"event: ping") >= 3:
                        break
            assert "一".encode() in got, path


# Clocks


@pytest.mark.parametrize("skew", [4000.0, -4000.0])
@pytest.mark.parametrize("retry", ["vision", "all"])
async def test_a_wrong_clock_costs_one_more_try_once(trust: Trust, skew: float, retry: str) -> None:
    async with running(trust, f"hunyuan_retry={retry}", native=Native(skew=skew)) as setting:
        journal = setting.simulator.simulator.journal
        for _ in range(3):
            stream = await setting.client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
            assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "好的"
        await setting.client.embeddings.create(model="hunyuan-embedding", input=["x"] * 60)
        assert journal.by_row == {"AuthFailure.SignatureExpire": 1}
        assert len(journal.requests) == 6
        # Somebody sets the clock there: one more try, again.
        native = setting.simulator.simulator.settings.native
        assert native is not None
        object.__setattr__(native, "skew", 0.0)
        await setting.client.embeddings.create(model="hunyuan-embedding", input=["x"] * 60)
        assert journal.by_row["AuthFailure.SignatureExpire"] in (2, 3), "both parts may be under way"


# Keys


@pytest.mark.parametrize(
    "key", ["13|AKIDstandin|standinsecret", "AKIDstandin|standinsecret||token", "0|AKIDstandin|standinsecret||token"]
)
async def test_keys_of_each_shape(trust: Trust, key: str) -> None:
    token = {"AKIDstandin": "token"} if "||" in key else {}
    async with running(trust, native=Native(tokens=token), key=key) as setting:
        await setting.client.chat.completions.create(model=MODEL, messages=HELLO)
        request = setting.simulator.simulator.journal.requests[-1]
        assert request.header("authorization").startswith("TC3-HMAC-SHA256 Credential=AKIDstandin/")
        assert not any("standinsecret" in value for _, value in request.headers)


BAD = [
    "sk-1234",
    "a|b|c|d",
    "AKIDstandin|",
    "|standinsecret",
    "x|AKIDstandin|standinsecret",
    "AKIDstandin|stand insecret",
]


async def test_keys_that_cannot_sign_are_refused_and_nothing_is_sent(setting: Setting) -> None:
    journal = setting.simulator.simulator.journal
    before = len(journal.requests)
    for key in BAD:
        with pytest.raises(openai.AuthenticationError) as raised:
            await setting.with_key(key).chat.completions.create(model=MODEL, messages=HELLO)
        said = raised.value.response.text
        assert "standinsecret" not in said
        assert "SecretId" in said or "AppId" in said or "key" in said
        assert raised.value.response.headers["x-should-retry"] == "false"
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {"x-api-key": key, "anthropic-version": "2023-06-01"}
            body = {"model": MODEL, "max_tokens": 5, "messages": HELLO}
            answer = await client.post(f"{setting.url}/v1/messages", headers=headers, json=body)
        assert (answer.status_code, answer.json()["type"]) == (401, "error")
    assert len(journal.requests) == before


async def test_a_lent_pair_and_a_lent_key_are_each_for_their_own_api(trust: Trust) -> None:
    pair = {
        "TENCENTCLOUD_SECRET_ID": "AKIDstandin",
        "TENCENTCLOUD_SECRET_KEY": "standinsecret",
        "TENCENTCLOUD_SESSION_TOKEN": "tok",
        "HUNYUAN_API_KEY": "sk-not-for-this",
    }
    async with simulate(Settings(native=Native(tokens={"AKIDstandin": "tok"}))) as simulator:
        address = Endpoint(port=int(simulator.url.rpartition(":")[2]))
        async with serve(trust, address, hosts=f"{LOCAL}=tencent-cloud", environment=pair) as proxy:
            url = f"http://{LOCAL}:{proxy.reverse_port}/v1/chat/completions"
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.post(url, json={"model": MODEL, "messages": HELLO})
                simulator.simulator.faults.program([{"fault": "native:AuthFailure.SecretIdNotFound AKIDstandin"}])
                refused = await client.post(url, json={"model": MODEL, "messages": HELLO})
            assert answer.json()["choices"][0]["message"]["content"] == "好的"
            assert refused.status_code == 401
            assert "AKIDstandin" not in refused.text, "the endpoint quotes it"
            request = simulator.simulator.journal.requests[-1]
            assert request.header("x-tc-token") == "tok"
            assert "sk-not-for-this" not in str(request.headers)
            said = proxy.process.output
            assert "standinsecret" not in said
            assert "AKIDstandin" not in said


async def test_the_raw_key_is_in_no_output(trust: Trust, tmp_path: Path) -> None:
    """Terminal, log file, saved flows, store, admin server, errors: of a lent pair, and of a client's own."""
    admin, store = free_port(), tmp_path / "store.sqlite"
    given = {
        "save_stream_file": tmp_path / "flows",
        "hunyuan_log_file": tmp_path / "log",
        "hunyuan_admin": f"127.0.0.1:{admin}",
        "hunyuan_keep": "store",
    }
    options = [word for name, value in given.items() for word in ("--set", f"{name}={value}")]
    pair = {
        "TENCENTCLOUD_SECRET_ID": "AKIDlentstandin",
        "TENCENTCLOUD_SECRET_KEY": "lentsecretstandin",
        "TENCENTCLOUD_SESSION_TOKEN": "lenttokenstandin",
    }
    secrets = {"AKIDlentstandin": "lentsecretstandin", "AKIDownstandin": "ownsecretstandin"}
    own = "AKIDownstandin|ownsecretstandin"
    said: list[str] = []
    async with simulate(Settings(native=Native(secrets, {"AKIDlentstandin": "lenttokenstandin"}))) as simulator:
        address = Endpoint(port=int(simulator.url.rpartition(":")[2]))
        faults = simulator.simulator.faults
        async with serve(
            trust, address, *options, hosts=f"{LOCAL}=tencent-cloud", store=f"sqlite:{store}", environment=pair
        ) as proxy:
            url = f"http://{LOCAL}:{proxy.reverse_port}/v1"
            async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
                for key in ("", own, f"{own}||tok", f"1|2|{own}", f"x|{own}", f"{own}|"):
                    headers = {"authorization": f"Bearer {key}"} if key else {}
                    quoting = "native:AuthFailure.SecretIdNotFound AKIDlentstandin" if not key else ""
                    for fault in ("", quoting, "native:InternalError"):
                        faults.rules.clear()
                        if fault:
                            faults.program([{"fault": fault}])
                        for path, more in (("chat/completions", {}), ("messages", {"max_tokens": 9})):
                            for stream in (False, True):
                                body = {"model": MODEL, "messages": HELLO, "stream": stream, **more}
                                answer = await client.post(f"{url}/{path}", json=body, headers=headers)
                                said.append(f"{answer.headers} {answer.text}")
                    faults.rules.clear()
                    kept_one = {"model": MODEL, "input": "[[sim:say x]]"}
                    said.append((await client.post(f"{url}/responses", json=kept_one, headers=headers)).text)
                for page in ("/status", "/metrics", "/api/exchanges?limit=1000", "/healthz"):
                    said.append((await client.get(f"http://127.0.0.1:{admin}{page}")).text)
            proxy.process.terminate()
            await proxy.ended()
            said.append(proxy.process.output)
        signed = [request for request in simulator.simulator.journal.requests if request.status]
    assert {request.header("authorization").partition("/")[0].rpartition("=")[2] for request in signed} == set(secrets)
    kept = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}
    assert {"flows", "log", "store.sqlite"} <= kept.keys()
    everything = b"".join([*kept.values(), *(text.encode() for text in said)])
    assert everything.count(b"chat/completions") > 50
    for secret in ("AKIDlent", "lentsecret", "lenttoken", "AKIDown", "ownsecret"):
        place = everything.find(secret.encode())
        assert place < 0, everything[max(0, place - 200) : place + 50]


# Other clients


async def test_messages_whole_and_streamed(setting: Setting) -> None:
    headers = {"x-api-key": KEY, "anthropic-version": "2023-06-01"}
    tools = [{"name": "ls", "input_schema": LS["parameters"]}]
    body = {
        "model": MODEL,
        "max_tokens": 99,
        "system": "Be brief.",
        "tools": tools,
        "messages": [{"role": "user", "content": '[[sim:tool ls {"path": "a"}]]'}],
    }
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        whole = (await client.post(f"{setting.url}/v1/messages", json=body)).json()
        streamed = await client.post(f"{setting.url}/v1/messages", json={**body, "stream": True})
        setting.fail("native:OperationDenied.TextIllegalDetected")
        refused = await client.post(f"{setting.url}/v1/messages", json=body)
        listed = await client.get(f"{setting.url}/v1/models")
    assert whole["stop_reason"] == "tool_use"
    assert [block["input"] for block in whole["content"] if block["type"] == "tool_use"] == [{"path": "a"}]
    assert "event: message_stop" in streamed.text
    assert refused.status_code == 400
    assert refused.json()["type"] == "error"
    assert any(item["type"] == "model" for item in listed.json()["data"])
    assert setting.sent()["Messages"][0] == {"Role": "system", "Content": "Be brief."}


async def test_responses_whole_and_streamed(setting: Setting) -> None:
    tools: Any = [{"type": "function", "name": "ls", "parameters": LS["parameters"]}]
    asked: Any = '[[sim:tool ls {"path": "a"}]]'
    whole = await setting.client.responses.create(model=MODEL, input=asked, tools=tools)
    assert [item.type for item in whole.output][-1] == "function_call"
    stream = await setting.client.responses.create(model=MODEL, input="[[sim:say 好]]", stream=True)
    events = [event async for event in stream]
    assert events[-1].type == "response.completed"
    setting.fail("native:FailedOperation.EngineServerError", 9)
    with pytest.raises(openai.APIStatusError) as raised:
        await setting.client.responses.create(model=MODEL, input="x")
    assert raised.value.status_code == 500
    setting.simulator.simulator.faults.rules.clear()


# Requests that are odd


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "text/plain", "application/JSON;x=y"])
async def test_what_is_signed_is_this_proxys_own_content_type(setting: Setting, content_type: str) -> None:
    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "[[sim:say <&> 你好]]"}]}).encode()
    headers = {"authorization": f"Bearer {KEY}", "content-type": content_type, "x-tc-version": "2017-01-01"}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as client:
        answer = await client.post(f"{setting.url}/v1/chat/completions", content=body)
    assert answer.json()["choices"][0]["message"]["content"] == "<&> 你好"
    assert setting.sent()["Messages"][0]["Content"] == "[[sim:say <&> 你好]]"


async def test_what_is_more_than_the_endpoint_takes_is_not_sent(setting: Setting) -> None:
    before = len(setting.simulator.simulator.journal.requests)
    messages: Any = [{"role": "user", "content": "x" * (10 * 2**20)}]
    with pytest.raises(openai.APIStatusError) as raised:
        await setting.client.chat.completions.create(model=MODEL, messages=messages)
    body: Any = raised.value.body
    assert (raised.value.status_code, body["code"]) == (413, "request_too_large")
    assert len(setting.simulator.simulator.journal.requests) == before


async def test_a_part_that_the_api_has_no_field_for_is_a_clear_error(setting: Setting) -> None:
    part = {"type": "video_url", "video_url": {"fps": 1}}
    content: Any = [{"type": "text", "text": "x"}, part]
    with pytest.raises(openai.BadRequestError) as raised:
        await setting.client.chat.completions.create(
            model="hunyuan-vision", messages=[{"role": "user", "content": content}]
        )
    assert "video_url" in str(raised.value)


async def test_a_client_that_leaves_ends_the_call(setting: Setting) -> None:
    messages: Any = [{"role": "user", "content": "[[sim:say 一二三四]] [[sim:chunks 4]]"}]
    setting.fail("stall:2")
    stream = await setting.client.chat.completions.create(model=MODEL, messages=messages, stream=True)
    async for _ in stream:
        break
    await stream.close()
    async with asyncio.timeout(30):
        while setting.simulator.simulator.journal.active:
            await asyncio.sleep(0.02)


# Dispatch by the key, between two endpoints


def test_where_no_endpoint_is_named_the_key_says_which_one_it_is_for(certificates: Certificates) -> None:
    with (
        run_simulator(certificates, "--native", hosts=[NATIVE_HOST]) as native,
        run_simulator(certificates, hosts=[LEGACY]) as legacy,
        run_proxy(certificates, {f"{NATIVE_HOST}:443": native.port, f"{LEGACY}:443": legacy.port}) as proxy,
        httpx.Client(trust_env=False, timeout=60) as client,
    ):
        body = {"model": "hunyuan-lite", "messages": HELLO}
        for key, reached in ((KEY, native), ("sk-test", legacy)):
            for upstream in (native, legacy):
                upstream.reset()
            url = f"{proxy.reverse_url}/chat/completions"
            answer = client.post(url, json=body, headers={"authorization": f"Bearer {key}"})
            assert answer.status_code == 200, answer.text
            assert answer.json()["choices"][0]["message"]["content"] == "好的"
            assert len(native.requests()) == (reached is native)
            assert len(legacy.requests()) == (reached is legacy)
            if reached is legacy:
                assert "standin" not in str(legacy.requests())
