"""openai-python, pointed at the real endpoint through HTTPS_PROXY, or at the reverse proxy."""

from __future__ import annotations

import asyncio
import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest
from openai.types.chat.chat_completion import Choice

from tests.end_to_end.processes import KEY, LEGACY, Proxy, Simulator
from tests.end_to_end.requests import MODEL, VISION_MODEL, agent_request, good_request, image, tool


@pytest.fixture(params=["proxy", "reverse"])
def either(request: pytest.FixtureRequest, through_proxy: Proxy) -> Iterator[openai.OpenAI]:
    """The client in both modes; one mitmdump serves both at once."""
    base_url = f"https://{LEGACY}/v1" if request.param == "proxy" else through_proxy.reverse_url
    with openai.OpenAI(api_key=KEY, base_url=base_url, max_retries=0) as client:
        yield client


def test_the_endpoint_refuses_such_a_history_without_the_addon(simulator: Simulator) -> None:
    http = openai.DefaultHttpxClient(verify=simulator.verify, trust_env=False)
    with (
        openai.OpenAI(api_key=KEY, base_url=simulator.base_url, http_client=http, max_retries=0) as client,
        pytest.raises(openai.BadRequestError),
    ):
        client.chat.completions.create(**agent_request("[[sim:say 好]]"))


def test_a_broken_history_is_answered(either: openai.OpenAI, simulator: Simulator) -> None:
    answer = either.chat.completions.create(**agent_request("[[sim:say 好的]]"))
    assert answer.choices[0].message.content == "好的"
    assert [message["role"] for message in simulator.bodies()[0]["messages"]] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]


def test_a_stream_comes_in_pieces_with_its_usage(either: openai.OpenAI, simulator: Simulator) -> None:
    text = "一句话，分成许多块。" * 5
    stream = either.chat.completions.create(
        **agent_request(f"[[sim:say {text}]] [[sim:chunks 25]]"),
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    pieces = [choice.delta.content for chunk in chunks for choice in chunk.choices if choice.delta.content]
    assert "".join(pieces) == text
    assert len(pieces) >= 25
    assert chunks[-1].usage is not None


def test_the_first_chunk_arrives_before_the_last_is_sent(client: openai.OpenAI, simulator: Simulator) -> None:
    simulator.program({"fault": "stall:3"})
    stream = client.chat.completions.create(**agent_request("[[sim:say 一二三四五六七八九十]]"), stream=True)
    with stream:
        text = next(chunk.choices[0].delta.content for chunk in stream if chunk.choices[0].delta.content)
    assert text


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
def test_tool_calls_come_back_under_the_name_the_client_gave(
    client: openai.OpenAI, simulator: Simulator, streamed: bool
) -> None:
    request = agent_request('[[sim:tool #1 {"path": "a.txt"}]]') | {"tools": [tool("files:read.file")]}
    if streamed:
        with client.chat.completions.stream(**request) as stream:
            choice: Choice = stream.get_final_completion().choices[0]
    else:
        choice = client.chat.completions.create(**request).choices[0]
    (call,) = choice.message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "files:read.file"
    assert json.loads(call.function.arguments) == {"path": "a.txt"}
    assert choice.finish_reason == "tool_calls"
    assert simulator.bodies()[0]["tools"][0]["function"]["name"] != "files:read.file"


def test_a_loop_with_tools_goes_on_for_several_turns(client: openai.OpenAI, simulator: Simulator) -> None:
    """The loop of OpenAI's documentation: the assistant's message goes back as it was received."""
    messages: list[Any] = [{"role": "user", "content": '[[sim:tool read_file {"path": "a.txt"}]]'}]
    for _ in range(3):
        request: dict[str, Any] = {"model": MODEL, "messages": messages, "tools": [tool()]}
        answer = client.chat.completions.create(**request)
        message = answer.choices[0].message
        messages.append(message)
        for call in message.tool_calls or []:
            messages.append({"role": "tool", "tool_call_id": call.id, "content": ""})
        messages.append({"role": "user", "content": '[[sim:tool read_file {"path": "b.txt"}]]'})
    assert simulator.stats()["by_status"] == {"200": 3}


async def test_the_asynchronous_client_sends_many_at_once(through_proxy: Proxy, simulator: Simulator) -> None:
    async with openai.AsyncOpenAI(api_key=KEY, base_url=f"https://{LEGACY}/v1", max_retries=0) as client:

        async def ask(number: int) -> str | None:
            answer = await client.chat.completions.create(**agent_request(f"[[sim:say 第{number}个]]"))
            content: str | None = answer.choices[0].message.content
            return content

        assert await asyncio.gather(*map(ask, range(4))) == [f"第{number}个" for number in range(4)]


async def test_http2_on_both_sides(through_proxy: Proxy, simulator: Simulator) -> None:
    """Several streams of one connection, each with an image of its own, don't wait for each other."""
    http = openai.DefaultAsyncHttpxClient(http2=True)
    async with openai.AsyncOpenAI(
        api_key=KEY, base_url=f"https://{LEGACY}/v1", http_client=http, max_retries=0
    ) as client:

        async def ask(number: int) -> tuple[str, str | None]:
            content = [{"type": "text", "text": "Read."}, image(f"[[sim:say stream {number}]]")]
            request: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": content}]}
            raw = await client.chat.completions.with_raw_response.create(**request)
            return raw.http_response.http_version, raw.parse().choices[0].message.content

        answers = await asyncio.gather(*map(ask, range(3)))
    assert answers == [("HTTP/2", f"stream {number}") for number in range(3)]
    chats = [request for request in simulator.requests() if request["body"]["model"] == MODEL]
    assert [request["http_version"] for request in chats] == ["2"] * 3


def test_an_image_beside_tools_is_read_to_the_text_model(either: openai.OpenAI, simulator: Simulator) -> None:
    text = f"[[sim:say 屏幕上写着 {either.base_url.scheme}-42]]"
    content = [{"type": "text", "text": "What does it say?"}, image(text)]
    request: dict[str, Any] = {"model": MODEL, "messages": [{"role": "user", "content": content}], "tools": [tool()]}
    answer = either.chat.completions.create(**request)
    assert answer.choices[0].message.content == f"屏幕上写着 {either.base_url.scheme}-42"
    vision, chat = simulator.bodies()
    assert (vision["model"], chat["model"]) == (VISION_MODEL, MODEL)
    assert "image_url" not in json.dumps(chat)


def test_a_vision_model_without_tools_sees_the_image_itself(client: openai.OpenAI, simulator: Simulator) -> None:
    content = [{"type": "text", "text": "What does it say?"}, image("invoice 7")]
    request: dict[str, Any] = {"model": VISION_MODEL, "messages": [{"role": "user", "content": content}]}
    answer = client.chat.completions.create(**request)
    assert "invoice 7" in (answer.choices[0].message.content or "")
    assert simulator.stats()["requests"] == 1


def test_embeddings_in_the_clients_default_format(either: openai.OpenAI, simulator: Simulator) -> None:
    """openai-python asks for base64, which the endpoint doesn't know, and unpacks it."""
    inputs = [f"text {number}" for number in range(60)]
    answer = either.embeddings.create(model="hunyuan-embedding", input=inputs)
    assert [item.index for item in answer.data] == list(range(60))
    assert {len(item.embedding) for item in answer.data} == {1024}
    sent = sorted(simulator.bodies(), key=lambda body: len(body["input"]), reverse=True)
    assert [text for body in sent for text in body["input"]] == inputs
    assert all(len(body["input"]) <= 50 and body.keys() == {"model", "input"} for body in sent)


def test_base64_embeddings_hold_the_floats_of_the_endpoint(http: httpx.Client, simulator: Simulator) -> None:
    body = {"model": "hunyuan-embedding", "input": "text"}
    floats = http.post("embeddings", json=body).json()["data"][0]["embedding"]
    packed = http.post("embeddings", json=body | {"encoding_format": "base64"}).json()["data"][0]["embedding"]
    data = base64.b64decode(packed)
    assert list(struct.unpack(f"<{len(floats)}f", data)) == pytest.approx(floats, rel=1e-6)


def test_a_structured_answer_is_parsed(client: openai.OpenAI, simulator: Simulator) -> None:
    request = agent_request('[[sim:say {"answer": "四"}]] [[sim:fence]]', response_format={"type": "json_object"})
    answer = client.chat.completions.create(**request)
    assert json.loads(answer.choices[0].message.content or "") == {"answer": "四"}
    assert "response_format" not in simulator.bodies()[0]


@pytest.mark.parametrize(
    ("fault", "error", "status", "code"),
    [
        ("rate_limit", openai.RateLimitError, 429, "rate_limit_exceeded"),
        ("quota", openai.BadRequestError, 400, "insufficient_quota"),
        ("internal", openai.InternalServerError, 500, "2000"),
    ],
)
def test_errors_have_honest_statuses(
    either: openai.OpenAI,
    simulator: Simulator,
    fault: str,
    error: type[openai.APIStatusError],
    status: int,
    code: str,
) -> None:
    simulator.program({"fault": fault})
    with pytest.raises(error) as raised:
        either.chat.completions.create(**good_request())
    assert (raised.value.status_code, raised.value.code) == (status, code)


def test_a_rate_limit_is_waited_out_by_the_client_itself(client: openai.OpenAI, simulator: Simulator) -> None:
    """Without the addon it is a 400, which no client ever tries again."""
    simulator.program({"fault": "rate_limit", "retry_after": "0"})
    answer = client.with_options(max_retries=1).chat.completions.create(**good_request("[[sim:say 好]]"))
    assert answer.choices[0].message.content == "好"
    assert simulator.stats()["requests"] == 2


def test_an_unknown_model_is_not_found(client: openai.OpenAI, simulator: Simulator) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.chat.completions.create(**good_request() | {"model": "hunyuan-nowhere"})
    assert raised.value.code == "model_not_found"


def test_a_wrong_key_is_the_endpoints_own_answer(through_proxy: Proxy, simulator: Simulator) -> None:
    with httpx.Client(proxy=through_proxy.url, verify=through_proxy.certificates.proxy_trusted()) as http:
        answer = http.post(f"https://{LEGACY}/v1/chat/completions", json=agent_request("hi"))
    assert answer.status_code == 401
    assert answer.json()["error"]["message"]


def test_a_stream_that_ends_without_a_finish_reason_is_an_error_for_the_client(
    client: openai.OpenAI, simulator: Simulator
) -> None:
    simulator.program({"fault": "no_finish"})
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(**good_request(), stream=True))


def test_the_answer_names_the_rules_and_the_log_has_one_line_without_content(
    http: httpx.Client, proxy: Proxy, simulator: Simulator
) -> None:
    secret = "words-that-stay-between-client-and-model"
    answer = http.post("chat/completions", json=agent_request(secret))
    assert answer.status_code == 200
    assert "merge" in answer.headers["x-hunyuan-fix"]
    proxy.process.wait_for(r"POST /v1/chat/completions.*merge")
    assert secret not in proxy.process.output
    assert KEY not in proxy.process.output
