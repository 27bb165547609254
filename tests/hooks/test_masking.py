"""Masking through a real mitmproxy: no value reaches an endpoint by any way, and clients have theirs as they were."""

from __future__ import annotations

import base64
import json
import re
import shlex
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from hunyuan_fix.dialects.anthropic import thinking
from hunyuan_fix.exchange import KEY as METADATA
from hunyuan_fix.masking import bodies
from hunyuan_fix.masking.placeholders import FORM
from hunyuan_fix.steps.mask import MASKED, RETURNED
from tests.documents.pdfs import pdf
from tests.hooks.test_fallback import error, there
from tests.hooks.test_mended_try import TOO_LONG, longer
from tests.proxying import (
    LOCAL,
    Answer,
    Arrived,
    Endpoint,
    Proxy,
    Trust,
    chat_answer,
    json_answer,
    run_endpoint,
    run_proxy,
    stream_answer,
)
from tests.vision_server import image_part, png, text_part
from tests.wire.test_secret_shapes import letters

SECRET = "sk-" + letters(40)
PHONE = "13812345678"
MADE_UP = "MASKED-KEY-ABCDEFGHIJKLMNOP"
TEXT = f"Deploy with {SECRET} and call {PHONE}."
PATHS = {"chat": "/chat/completions", "anthropic": "/messages", "responses": "/responses"}
WAYS = ["chat", "anthropic", "responses", "tencent", "anthropic-native", "responses-native"]
TOOL = {"name": "write", "parameters": {"type": "object", "properties": {"text": {"type": "string"}}}}
OPTIONS: dict[str, Any] = {"hunyuan_mask": "keys,ids", "hunyuan_language": "en", "hunyuan_profile": "tokenhub"}


@asynccontextmanager
async def masking(trust: Trust, endpoint: Endpoint, **options: Any) -> AsyncIterator[Proxy]:
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **(OPTIONS | options)) as running:
        yield running


async def ask(proxy: Proxy, path: str, body: Any, **headers: str) -> httpx.Response:
    named = {"authorization": "Bearer sk-own", **headers}
    async with proxy.client() as client:
        return await client.post(path, json=body, headers=named)


def assert_nothing_left(arrived: Iterable[Arrived], *values: str) -> None:
    """In no spelling that JSON has."""
    count = 0
    for request in arrived:
        count += 1
        said = {request.body.decode(), json.dumps(request.json), json.dumps(request.json, ensure_ascii=False)}
        said |= {request.target, *(value for name, value in request.headers.items())}
        for value in values or (SECRET, PHONE):
            assert not any(value in text for text in said), request.body
    assert count


def said_in(request: Arrived) -> str:
    """What the model of a stand-in says: the text that it was asked last, with its placeholders."""
    found = [one for one in FORM.findall(request.body.decode()) if one != MADE_UP]
    return f"Found {', '.join(dict.fromkeys(found))}."


def model(request: Arrived) -> Answer:
    """Says what it found, and calls a tool with it; in the format that it was asked in, a stream letter by letter."""
    body, text = request.json, said_in(request)
    arguments = json.dumps({"text": f"\n{text}", "inner": json.dumps({"a": text})})
    if "Messages" in body:
        return _tencent(body, text, arguments)
    if request.target.endswith("/messages"):
        return _messages(body, text, arguments)
    if request.target.endswith("/responses"):
        return _responses(body, text, arguments)
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "write", "arguments": arguments}}
    if not body.get("stream"):
        message = {"role": "assistant", "content": text, "reasoning_content": text, "tool_calls": [call]}
        return json_answer({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": letter} for letter in text]
    deltas += [{"content": letter} for letter in text]
    deltas += [{"tool_calls": [{**call, "function": {"name": "write", "arguments": ""}}]}]
    deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": letter}}]} for letter in arguments]
    return stream_answer(*_chunks(deltas, "tool_calls"))


def _chunks(deltas: list[dict[str, Any]], reason: str) -> Iterable[bytes]:
    said = [(delta, None) for delta in deltas]
    for delta, finish in [*said, ({}, reason)]:
        chunk = {"id": "c", "created": 1, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
        yield b"data: " + json.dumps(chunk).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def _tencent(body: Any, text: str, arguments: str) -> Answer:
    used = {"PromptTokens": 3, "CompletionTokens": 4, "TotalTokens": 7}
    head: dict[str, Any] = {"Created": 1, "Id": "i1", "Note": "n", "Usage": used}
    call = {"Id": "call_1", "Type": "function", "Function": {"Name": "write", "Arguments": arguments}, "Index": 0}
    message: dict[str, Any] = {"Role": "assistant", "Content": text, "ToolCalls": [call]}
    if not body.get("Stream"):
        choice = {"Index": 0, "Message": message, "FinishReason": "tool_calls"}
        return json_answer({"Response": head | {"RequestId": "r", "Choices": [choice]}})
    deltas: list[Any] = [({"Role": "assistant", "Content": letter}, "") for letter in text]
    deltas += [({"Role": "assistant", "Content": "", "ToolCalls": [call]}, ""), ({}, "tool_calls")]
    return stream_answer(
        *(
            b"data: "
            + json.dumps(head | {"Choices": [{"Index": 0, "Delta": delta, "FinishReason": end}]}).encode()
            + b"\n\n"
            for delta, end in deltas
        )
    )


def _messages(body: Any, text: str, arguments: str) -> Answer:
    head: dict[str, Any] = {
        "id": "m",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "stop_reason": None,
    }
    head |= {"stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 1}}
    blocks: list[Any] = [
        {"type": "thinking", "thinking": text, "signature": ""},
        {"type": "text", "text": text},
        {"type": "tool_use", "id": "call_1", "name": "write", "input": json.loads(arguments)},
    ]
    if not body.get("stream"):
        return json_answer({**head, "content": blocks, "stop_reason": "tool_use"})
    empty: tuple[Any, ...] = ({"thinking": ""}, {"text": ""}, {"input": {}})
    kinds = (("thinking_delta", "thinking"), ("text_delta", "text"), ("input_json_delta", "partial_json"))
    events: list[Any] = [{"type": "message_start", "message": {**head, "content": []}}]
    for index, (block, start, (kind, key)) in enumerate(zip(blocks, empty, kinds, strict=True)):
        events.append({"type": "content_block_start", "index": index, "content_block": block | start})
        for letter in text if index < 2 else arguments:
            delta = {"type": kind, key: letter}
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
        events.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": "tool_use", "stop_sequence": None}
    events += [{"type": "message_delta", "delta": end, "usage": {"output_tokens": 2}}, {"type": "message_stop"}]
    return _events(events)


def _responses(body: Any, text: str, arguments: str) -> Answer:
    part = {"type": "output_text", "text": text, "annotations": []}
    message: dict[str, Any] = {
        "type": "message",
        "id": "o1",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    call: dict[str, Any] = {
        "type": "function_call",
        "id": "o2",
        "call_id": "call_1",
        "name": "write",
        "arguments": arguments,
    }
    whole: dict[str, Any] = {
        "id": "r",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": body["model"],
    }
    whole |= {"output": [message, call], "usage": {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2}}
    if not body.get("stream"):
        return json_answer(whole)
    events: list[Any] = [{"type": "response.created", "response": {**whole, "status": "in_progress", "output": []}}]
    for index, (item, kind, said) in enumerate(
        ((message, "output_text", text), (call, "function_call_arguments", arguments))
    ):
        place = {"item_id": item["id"], "output_index": index, "content_index": 0}
        events.append({"type": "response.output_item.added", "output_index": index, "item": item})
        events += [{"type": f"response.{kind}.delta", **place, "delta": letter} for letter in said]
        events.append({"type": f"response.{kind}.done", **place, ("text" if index == 0 else "arguments"): said})
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": "response.completed", "response": whole})
    return _events([{**event, "sequence_number": number} for number, event in enumerate(events)])


def _events(events: list[Any]) -> Answer:
    return stream_answer(
        *(f"event: {event['type']}\n".encode() + b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
    )


def request_in(way: str, text: str = TEXT, **more: Any) -> tuple[str, Any]:
    """A path and a body, in whose history the values stand everywhere."""
    form = way.partition("-")[0].replace("tencent", "chat")
    arguments = json.dumps({"text": text})
    body: Any
    if form == "anthropic":
        body = {
            "model": "hy3",
            "max_tokens": 99,
            "system": [{"type": "text", "text": text}],
            "messages": [
                {"role": "user", "content": text},
                {
                    "role": "assistant",
                    "content": [{"type": "tool_use", "id": "c0", "name": "write", "input": {"text": text}}],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c0", "content": text}]},
            ],
            "tools": [{"name": "write", "input_schema": TOOL["parameters"]}],
        }
    elif form == "responses":
        body = {
            "model": "hy3",
            "store": False,
            "instructions": text,
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": text}]},
                {"type": "function_call", "call_id": "c0", "name": "write", "arguments": arguments},
                {"type": "function_call_output", "call_id": "c0", "output": text},
            ],
            "tools": [{"type": "function", **TOOL}],
        }
    else:
        call = {"id": "c0", "type": "function", "function": {"name": "write", "arguments": arguments}}
        body = {
            "model": "hy3",
            "messages": [
                {"role": "system", "content": text},
                {"role": "user", "content": text},
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "c0", "content": text},
            ],
            "tools": [{"type": "function", "function": TOOL}],
        }
    return PATHS[form], body | more


def options_of(way: str) -> dict[str, Any]:
    if way == "tencent":
        return {"hunyuan_profile": "tencent-cloud", "hunyuan_upstream": ""}
    return {} if way.endswith("native") else {"hunyuan_translate": "always"}


def texts_of(got: httpx.Response) -> tuple[str, str]:
    """The text and the arguments of the call in an answer of any format."""
    if not got.headers["content-type"].startswith("text/event-stream"):
        body = got.json()
        if "choices" in body:
            message = body["choices"][0]["message"]
            assert message.get("reasoning_content") in (None, message["content"])
            return message["content"], message["tool_calls"][0]["function"]["arguments"]
        if "content" in body:
            said = {block["type"]: block for block in body["content"]}
            assert said.get("thinking", {}).get("thinking") in (None, said["text"]["text"])
            return said["text"]["text"], json.dumps(said["tool_use"]["input"])
        said = {item["type"]: item for item in body["output"]}
        return said["message"]["content"][0]["text"], said["function_call"]["arguments"]
    text = arguments = ""
    for line in got.text.splitlines():
        event = json.loads(line[6:]) if line.startswith("data: {") else {}
        delta = event.get("delta", {})
        for choice in event.get("choices", ()):
            text += choice["delta"].get("content") or ""
            for frame in choice["delta"].get("tool_calls", ()):
                arguments += frame["function"].get("arguments") or ""
        if event.get("type") == "response.output_text.delta":
            text += delta
        elif event.get("type") == "response.function_call_arguments.delta":
            arguments += delta
        elif isinstance(delta, dict):
            text += delta.get("text", "")
            arguments += delta.get("partial_json", "")
    return text, arguments


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("way", WAYS)
async def test_in_every_format(trust: Trust, endpoint: Endpoint, way: str, stream: bool) -> None:
    endpoint.answer = model
    headers = {"authorization": "Bearer AKIDexampleexample|secretsecretsecretsecret"} if way == "tencent" else {}
    async with masking(trust, endpoint, **options_of(way)) as proxy:
        path, body = request_in(way, stream=stream)
        got = await ask(proxy, path, body, **headers)
        assert got.status_code == 200, got.text
        (arrived,) = endpoint.arrived
        assert_nothing_left(endpoint.arrived)
        assert len(set(FORM.findall(arrived.body.decode()))) == 2
        assert arrived.target == {"tencent": "/"}.get(way, f"/v1{path if 'native' in way else '/chat/completions'}")
        text, arguments = texts_of(got)
        assert text == f"Found {SECRET}, {PHONE}."
        assert json.loads(arguments) == {"text": f"\n{text}", "inner": json.dumps({"a": text})}
        assert FORM.search(got.text) is None
        assert "masking" in got.headers["x-hunyuan-fix"].split(",")
        assert ("answer-masking" in got.headers["x-hunyuan-fix"].split(",")) != stream
        metrics = proxy.addon.runtime.metrics
        assert metrics.value(MASKED, "key") == metrics.value(MASKED, "phone") == 4
        assert metrics.value(RETURNED, "put_back") > 0
        assert metrics.value(RETURNED, "unknown") == 0


class Flows:
    """Those whose answers are complete."""

    def __init__(self, proxy: Proxy) -> None:
        self.flows: list[Any] = []
        proxy.master.addons.add(self)

    def response(self, flow: Any) -> None:
        self.flows.append(flow)


async def test_what_is_told_of_it_has_no_value(trust: Trust, endpoint: Endpoint) -> None:
    endpoint.answer = model
    async with masking(trust, endpoint, hunyuan_keep_original="0") as proxy:
        seen = Flows(proxy)
        path, body = request_in("chat")
        await ask(proxy, path, body)
        noted = seen.flows[0].metadata[METADATA]
        changes = [change for change in noted["changes"] if change[0] == "masking"]
        assert ["masking", "/messages/2/tool_calls/0/function/arguments", bodies.WHY["phone"]] in changes
        assert len(changes) == 8
        assert SECRET not in json.dumps({key: value for key, value in noted.items() if key != "original"}, default=repr)
        assert FORM.search(repr(noted["changes"])) is None


@pytest.mark.parametrize("mode", ["observe", "off"])
async def test_observed_or_switched_off_nothing_changes(trust: Trust, endpoint: Endpoint, mode: str) -> None:
    endpoint.answer = model
    path, body = request_in("chat")
    async with masking(trust, endpoint, hunyuan_mode=mode) as proxy:
        got = await ask(proxy, path, body)
        assert endpoint.arrived[0].json == body
        assert "masking" not in got.headers.get("x-hunyuan-fix", "")
        assert (got.headers.get("x-hunyuan-fix-observed") == "masking") == (mode == "observe")
        assert proxy.addon.runtime.metrics.value(MASKED, "key") == 0
    async with masking(trust, endpoint, hunyuan_mask="off") as proxy:
        await ask(proxy, path, body)
        assert SECRET.encode() in endpoint.arrived[1].body


@pytest.mark.parametrize(("mask", "leaves"), [("keys", PHONE), ("ids", SECRET)])
async def test_each_kind_alone(trust: Trust, endpoint: Endpoint, mask: str, leaves: str) -> None:
    endpoint.answer = model
    async with masking(trust, endpoint, hunyuan_mask=mask) as proxy:
        await ask(proxy, *request_in("chat"))
    assert_nothing_left(endpoint.arrived, *({SECRET, PHONE} - {leaves}))
    assert leaves.encode() in endpoint.arrived[0].body


# Every other way on which a text leaves


async def test_the_question_beside_an_image_and_what_was_read_in_it(trust: Trust, endpoint: Endpoint) -> None:
    other = "sk-" + letters(43)

    def answer(request: Arrived) -> Answer:
        return chat_answer(f"a screen with {other}") if "image_url" in request.body.decode() else model(request)

    endpoint.answer = answer
    said = [text_part(TEXT), image_part(png("a"))]
    async with masking(trust, endpoint, hunyuan_profile="hunyuan", hunyuan_cascade="always") as proxy:
        body = {"model": "hunyuan-turbos-latest", "messages": [{"role": "user", "content": said}]}
        got = await ask(proxy, "/chat/completions", body)
    assert len(endpoint.arrived) == 2
    assert_nothing_left(endpoint.arrived, SECRET, PHONE)
    assert FORM.search(endpoint.arrived[0].body.decode())  # the question went with it
    assert_nothing_left(endpoint.arrived[1:], other)
    assert other in got.text


async def test_searches_and_the_calls_around_them(trust: Trust, endpoint: Endpoint, tmp_path: Path) -> None:
    program, seen = tmp_path / "search.py", tmp_path / "seen"
    program.write_text(f"import sys; open({str(seen)!r}, 'w').write(sys.argv[1]); print('{{\"results\": []}}')")
    calls: list[Any] = []

    def answer(request: Arrived) -> Answer:
        calls.append(request)
        if len(calls) > 1:
            return model(request)
        call = {"name": "web_search", "arguments": json.dumps({"query": said_in(request)})}
        message = {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "s", "type": "function", "function": call}],
        }
        return json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})

    endpoint.answer = answer
    command = shlex.join([sys.executable, str(program), "{query}"])
    async with masking(trust, endpoint, hunyuan_translate="always", hunyuan_search_command=command) as proxy:
        path, body = request_in("anthropic")
        body["tools"].append({"type": "web_search_20250305", "name": "web_search"})
        got = await ask(proxy, path, body)
    assert len(endpoint.arrived) == 2
    assert_nothing_left(endpoint.arrived)
    assert FORM.search(seen.read_text())
    assert SECRET not in seen.read_text()
    assert texts_of(got)[0] == f"Found {SECRET}, {PHONE}."


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_further_rounds_of_a_cut_answer(trust: Trust, endpoint: Endpoint, stream: bool) -> None:
    """The cut is in the middle of a placeholder."""

    def answer(request: Arrived) -> Answer:
        text = FORM.findall(request.body.decode())[0]
        is_first = request.json["messages"][-1]["role"] == "user" and len(endpoint.arrived) == 1
        said, reason = (text[:13], "length") if is_first else (text[13:], "stop")
        if stream:
            return stream_answer(*_chunks([{"content": letter} for letter in said], reason))
        message = {"role": "assistant", "content": said}
        return json_answer({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": reason}]})

    endpoint.answer = answer
    async with masking(trust, endpoint, hunyuan_continue="on") as proxy:
        body = {"model": "hy3", "stream": stream, "messages": [{"role": "user", "content": TEXT}]}
        got = await ask(proxy, "/chat/completions", body)
    assert len(endpoint.arrived) == 2
    assert_nothing_left(endpoint.arrived)
    said = texts_of(got)[0] if stream else got.json()["choices"][0]["message"]["content"]
    assert said == SECRET


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_second_question_for_json(trust: Trust, endpoint: Endpoint, stream: bool) -> None:
    def answer(request: Arrived) -> Answer:
        text = FORM.findall(request.body.decode())[0]
        said = f"the key: {text}" if len(endpoint.arrived) == 1 else json.dumps({"key": text})
        if request.json.get("stream"):
            return stream_answer(*_chunks([{"content": letter} for letter in said], "stop"))
        return chat_answer(said)

    endpoint.answer = answer
    body = {"model": "hy3", "stream": stream, "messages": [{"role": "user", "content": TEXT + " JSON"}]}
    async with masking(trust, endpoint, hunyuan_json="ask") as proxy:
        got = await ask(proxy, "/chat/completions", body | {"response_format": {"type": "json_object"}})
    assert len(endpoint.arrived) == 2
    assert_nothing_left(endpoint.arrived)
    said = texts_of(got)[0] if stream else got.json()["choices"][0]["message"]["content"]
    assert json.loads(said) == {"key": SECRET}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("way", ["chat", "anthropic-native", "responses-native"])
async def test_another_endpoint(trust: Trust, endpoint: Endpoint, way: str, stream: bool) -> None:
    endpoint.answer = lambda _: error(429, "insufficient_quota", f"over your quota: {SECRET}", "insufficient_quota")
    async with run_endpoint(trust) as other:
        other.answer = model
        chain = f"hy3>{there(other)}"
        async with masking(trust, endpoint, hunyuan_fallbacks=chain, hunyuan_breaker_failures="0") as proxy:
            got = await ask(proxy, *request_in(way, stream=stream))
        assert_nothing_left(endpoint.arrived)
        assert_nothing_left(other.arrived)
        assert texts_of(got)[0] == f"Found {SECRET}, {PHONE}."


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("way", ["chat", "anthropic-native", "responses-native"])
async def test_a_mended_try(trust: Trust, endpoint: Endpoint, way: str, stream: bool) -> None:
    """A refused parameter is dropped; a refused format is translated."""

    def answer(request: Arrived) -> Answer:
        if "native" in way and request.target != "/v1/chat/completions":
            return json_answer({"error": {"message": "bad", "type": "invalid_request_error"}}, status=400)
        return json_answer(TOO_LONG, status=400) if longer(request.json) else model(request)

    endpoint.answer = answer
    async with masking(trust, endpoint, hunyuan_mend="on") as proxy:
        more: dict[str, Any] = {"model": "a-model", "max_tokens": 64_000} if way == "chat" else {}
        path, body = request_in(way, stream=stream, **more)
        got = await ask(proxy, path, body)
    assert len(endpoint.arrived) > 1
    assert_nothing_left(endpoint.arrived)
    assert texts_of(got)[0] == f"Found {SECRET}, {PHONE}."


async def test_the_text_of_a_document(trust: Trust, endpoint: Endpoint) -> None:
    endpoint.answer = model
    data = base64.b64encode(pdf(f"the key {SECRET}")).decode()
    file = {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"}}
    async with masking(trust, endpoint) as proxy:
        body = {"model": "hy3", "messages": [{"role": "user", "content": [text_part("Read."), file]}]}
        got = await ask(proxy, "/chat/completions", body)
    assert_nothing_left(endpoint.arrived)
    assert "the key MASKED-KEY-" in endpoint.arrived[0].body.decode()
    assert SECRET in got.text


async def test_a_history_that_is_kept_here(trust: Trust, endpoint: Endpoint) -> None:
    """Stored at the endpoint it would have placeholders whose values no later request brings: so it is kept here."""
    endpoint.answer = model
    async with masking(trust, endpoint, hunyuan_profile="openai") as proxy:
        first = await ask(proxy, "/responses", {"model": "hy3", "input": TEXT})
        more = {"model": "hy3", "input": "Again.", "previous_response_id": first.json()["id"]}
        more["tools"] = [{"type": "function", **TOOL}]
        second = await ask(proxy, "/responses", more)
        kept = await _get(proxy, f"/responses/{first.json()['id']}")
    assert [request.target for request in endpoint.arrived] == ["/v1/chat/completions"] * 2
    assert_nothing_left(endpoint.arrived)
    assert f"Found {SECRET}, {PHONE}." in second.text
    assert SECRET in kept.text
    assert FORM.search(kept.text) is None


async def _get(proxy: Proxy, path: str) -> httpx.Response:
    async with proxy.client() as client:
        return await client.get(path, headers={"authorization": "Bearer sk-own"})


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("way", ["chat", "anthropic-native"])
async def test_thoughts_that_are_put_back(trust: Trust, endpoint: Endpoint, way: str, stream: bool) -> None:
    """The client drops them; they are found again though they were heard with other words than they left with."""
    endpoint.answer = model
    async with masking(trust, endpoint, hunyuan_profile="moonshot") as proxy:
        path, body = request_in(way, stream=stream, model="kimi-k2-thinking")
        got = await ask(proxy, path, body)
        text, arguments = texts_of(got)
        if way == "chat":
            call = {"id": "call_1", "type": "function", "function": {"name": "write", "arguments": arguments}}
            body["messages"] += [
                {"role": "assistant", "content": text, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": "call_1", "content": "ok"},
            ]
        else:
            use = {"type": "tool_use", "id": "call_1", "name": "write", "input": json.loads(arguments)}
            result = {"type": "tool_result", "tool_use_id": "call_1", "content": "ok"}
            body["messages"] += [
                {"role": "assistant", "content": [{"type": "text", "text": text}, use]},
                {"role": "user", "content": [result]},
            ]
        await ask(proxy, path, body)
    assert_nothing_left(endpoint.arrived)
    last = endpoint.arrived[-1].json["messages"][-2]
    thought = last["reasoning_content"] if way == "chat" else last["content"][0]["thinking"]
    assert thought == said_in(endpoint.arrived[0])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_thoughts_that_their_endpoint_signs(trust: Trust, endpoint: Endpoint, stream: bool) -> None:
    """They stay byte for byte both ways: the client sends back what the endpoint has signed."""
    endpoint.answer = model
    async with masking(trust, endpoint, hunyuan_profile="anthropic") as proxy:
        path, body = request_in("anthropic-native", stream=stream, model="claude-sonnet-4-5")
        thought = {"type": "thinking", "thinking": MADE_UP, "signature": "EqQBCgIYAhIM"}
        body["messages"][1]["content"].insert(0, thought)
        got = await ask(proxy, path, body)
    assert got.status_code == 200, got.text
    assert_nothing_left(endpoint.arrived)
    assert endpoint.arrived[0].json["messages"][1]["content"][0] == thought
    events = [json.loads(line[6:]) for line in got.text.splitlines() if line.startswith("data: {")] if stream else []
    thoughts = "".join(event.get("delta", {}).get("thinking", "") for event in events)
    thoughts += "" if stream else got.json()["content"][0]["thinking"]
    assert thoughts == said_in(endpoint.arrived[0])
    assert SECRET in got.text


async def test_reasoning_that_its_endpoint_encrypts(trust: Trust, endpoint: Endpoint) -> None:
    endpoint.answer = model
    async with masking(trust, endpoint, hunyuan_profile="zenmux") as proxy:
        path, body = request_in("responses-native", model="openai/gpt-5")
        summary = [{"type": "summary_text", "text": f"from before: sk-{letters(43)[::-1]}"}]
        item = {"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": "gAAAAABo"}
        body["input"].insert(1, item)
        await ask(proxy, path, body)
    assert endpoint.arrived[0].target.endswith("/responses")
    assert_nothing_left(endpoint.arrived)
    assert endpoint.arrived[0].json["input"][1] == item


async def test_a_thought_that_a_signature_of_ours_carries(trust: Trust, endpoint: Endpoint) -> None:
    """It was hidden from the client of a translated request; a later one goes to an endpoint that speaks Messages."""
    endpoint.answer = model
    async with masking(trust, endpoint) as proxy:
        path, body = request_in("anthropic-native")
        carried = {"type": "thinking", "thinking": "", "signature": thinking.signature(TEXT, omitted=True)}
        body["messages"][1]["content"].insert(0, carried)
        await ask(proxy, path, body)
    assert endpoint.arrived[0].target == "/v1/messages"
    assert_nothing_left(endpoint.arrived)
    assert "Deploy with MASKED-KEY-" in endpoint.arrived[0].json["messages"][1]["content"][0]["thinking"]


@pytest.mark.parametrize("given", [TEXT, [TEXT, "b", TEXT]])
async def test_embeddings(trust: Trust, endpoint: Endpoint, given: Any) -> None:
    vectors = [{"object": "embedding", "index": number, "embedding": [0.5]} for number in range(3)]
    endpoint.answer = lambda request: json_answer(
        {
            "object": "list",
            "data": vectors[: len(request.json["input"]) if isinstance(request.json["input"], list) else 1],
        }
    )
    async with masking(trust, endpoint, hunyuan_embedding_cache="use") as proxy:
        for _ in range(2):
            got = await ask(proxy, "/embeddings", {"model": "bge-m3", "input": given})
            assert len(got.json()["data"]) == (1 if isinstance(given, str) else 3)
    assert_nothing_left(endpoint.arrived)
    assert len(endpoint.arrived) == 1  # the second time they are known by what was sent


# What can't be masked


@pytest.mark.parametrize(
    "body", [f'{{"model": "hy3", "messages": "{SECRET}'.encode(), f'["{SECRET}"]'.encode(), b"x" + TEXT.encode()]
)
@pytest.mark.parametrize("path", ["/chat/completions", "/embeddings", "/messages", "/responses"])
async def test_what_can_t_be_read_is_refused(trust: Trust, endpoint: Endpoint, body: bytes, path: str) -> None:
    async with masking(trust, endpoint) as proxy, proxy.client() as client:
        got = await client.post(path, content=body, headers={"content-type": "application/json"})
    assert got.status_code == 400
    assert "cant_be_masked" in got.text or path in ("/messages", "/responses")
    assert SECRET not in got.text
    assert endpoint.arrived == []


async def test_a_format_that_passes_untouched_is_refused(trust: Trust, endpoint: Endpoint) -> None:
    async with masking(trust, endpoint, hunyuan_translate="never") as proxy:
        for way in ("anthropic", "responses"):
            got = await ask(proxy, *request_in(way))
            assert got.status_code == 400, got.text
    assert endpoint.arrived == []
    async with masking(trust, endpoint, hunyuan_translate="never", hunyuan_mask="off") as proxy:
        await ask(proxy, *request_in("anthropic"))
    assert len(endpoint.arrived) == 1


async def test_a_fault_lets_nothing_out(trust: Trust, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError(SECRET)

    monkeypatch.setattr(bodies, "mask", fails)
    async with masking(trust, endpoint) as proxy:
        got = await ask(proxy, *request_in("chat"))
    assert (got.status_code, got.json()["error"]["code"]) == (400, "masking_failed")
    assert SECRET not in got.text
    assert endpoint.arrived == []


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("way", ["chat", "anthropic", "anthropic-native", "responses-native"])
async def test_a_fault_gives_no_placeholder_to_the_client(
    trust: Trust, endpoint: Endpoint, way: str, stream: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise RuntimeError(SECRET)

    endpoint.answer = model
    monkeypatch.setattr(bodies, "changed", fails)
    async with masking(trust, endpoint, **options_of(way)) as proxy:
        got = await ask(proxy, *request_in(way, stream=stream))
    assert FORM.search(got.text) is None
    assert SECRET not in got.text
    assert got.status_code == (200 if stream else 502)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("way", ["chat", "anthropic-native"])
async def test_an_answer_that_can_t_be_unpacked_gives_none(
    trust: Trust, endpoint: Endpoint, way: str, stream: bool
) -> None:
    def packed(request: Arrived) -> Answer:
        said = model(request)
        return Answer(said.status, {**said.headers, "content-encoding": "x-own"}, said.chunks)

    endpoint.answer = packed
    async with masking(trust, endpoint) as proxy:
        got = await ask(proxy, *request_in(way, stream=stream))
    assert got.status_code == 502
    assert FORM.search(got.text) is None


# The prompt cache, and who has which placeholder


async def test_it_is_the_same_over_turns_restarts_and_workers(trust: Trust, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.answer = model
    file = tmp_path / "seal.keys"
    file.write_text("k" * 40 + "\n")
    file.chmod(0o600)
    path, body = request_in("chat")
    for _ in range(2):
        async with masking(trust, endpoint, hunyuan_seal_key_file=str(file)) as proxy:
            got = await ask(proxy, path, body)
            body["messages"].append(got.json()["choices"][0]["message"])
            body["messages"].append({"role": "tool", "tool_call_id": "call_1", "content": "ok"})
    one, other = (request.json["messages"] for request in endpoint.arrived)
    assert other[: len(one)] == one
    assert other[len(one)]["content"] == said_in(endpoint.arrived[0])  # what the model wrote goes back as it wrote it
    assert other[len(one)]["tool_calls"][0]["function"]["arguments"].count("MASKED-KEY-") == 2


async def test_another_key_or_caller_has_others(trust: Trust, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.answer = model
    for number in range(2):
        file = tmp_path / f"{number}.keys"
        file.write_text(f"{number}" * 40 + "\n")
        file.chmod(0o600)
        async with masking(trust, endpoint, hunyuan_seal_key_file=str(file)) as proxy:
            for caller in ("Bearer sk-own", "Bearer sk-other"):
                await ask(proxy, *request_in("chat"), authorization=caller)
    assert len({FORM.findall(request.body.decode())[0] for request in endpoint.arrived}) == 4


async def test_what_looks_like_one_and_is_none_stays(trust: Trust, endpoint: Endpoint) -> None:
    endpoint.answer = lambda _: chat_answer(f"{MADE_UP}, MASKED-KEY-AB")
    async with masking(trust, endpoint) as proxy:
        body = {"model": "hy3", "messages": [{"role": "user", "content": f"{TEXT} {MADE_UP}"}]}
        got = await ask(proxy, "/chat/completions", body)
        assert MADE_UP in endpoint.arrived[0].body.decode()
        assert got.json()["choices"][0]["message"]["content"] == f"{MADE_UP}, MASKED-KEY-AB"
        assert proxy.addon.runtime.metrics.value(RETURNED, "unknown") == 1


async def test_an_agent_never_writes_a_placeholder(trust: Trust, endpoint: Endpoint, tmp_path: Path) -> None:
    """A loop: the model reads a file, writes what it read, in pieces of any size, and reads what it has written."""
    (tmp_path / "env").write_text(f"API_KEY={SECRET}\nPHONE={PHONE}\n")
    steps: list[Callable[[str], tuple[str, Any]]] = [
        lambda _: ("read", {"path": "env"}),
        lambda seen: ("write", {"path": "copy", "text": seen}),
        lambda _: ("read", {"path": "copy"}),
        lambda seen: ("write", {"path": "copy.json", "text": json.dumps({"env": seen}, ensure_ascii=True)}),
    ]

    def answer(request: Arrived) -> Answer:
        turn, last = len(endpoint.arrived) - 1, request.json["messages"][-1]["content"]
        if turn == len(steps):
            return stream_answer(*_chunks([{"content": "done"}], "stop"))
        name, arguments = steps[turn](last)
        written = json.dumps(arguments)
        frames = [{"index": 0, "id": f"c{turn}", "type": "function", "function": {"name": name, "arguments": ""}}]
        pieces = re.findall(rf"(?s).{{1,{turn * 5 + 3}}}", written)
        frames += [{"index": 0, "function": {"arguments": piece}} for piece in pieces]
        return stream_answer(*_chunks([{"tool_calls": [frame]} for frame in frames], "tool_calls"))

    endpoint.answer = answer
    messages: list[Any] = [{"role": "user", "content": "Copy env."}]
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("read", "write")
    ]
    async with masking(trust, endpoint) as proxy:
        for turn in range(len(steps)):
            got = await ask(
                proxy, "/chat/completions", {"model": "hy3", "stream": True, "messages": messages, "tools": tools}
            )
            name = "read" if turn % 2 == 0 else "write"
            arguments = texts_of(got)[1]
            call = {"id": f"c{turn}", "type": "function", "function": {"name": name, "arguments": arguments}}
            asked = json.loads(arguments)
            if name == "write":
                (tmp_path / asked["path"]).write_text(asked["text"])
            result = (tmp_path / asked["path"]).read_text() if name == "read" else "ok"
            messages += [
                {"role": "assistant", "content": None, "tool_calls": [call]},
                {"role": "tool", "tool_call_id": f"c{turn}", "content": result},
            ]
    assert_nothing_left(endpoint.arrived)
    assert (tmp_path / "copy").read_text() == (tmp_path / "env").read_text()
    assert json.loads((tmp_path / "copy.json").read_text()) == {"env": (tmp_path / "env").read_text()}


# An unknown placeholder in a call


def recalls(placeholder: str, *, in_call: bool = True) -> Callable[[Arrived], Answer]:
    """A model that says a placeholder in its text, and in a call where that is wanted; in every format."""

    def answer(request: Arrived) -> Answer:
        body, arguments = request.json, json.dumps({"text": placeholder if in_call else "x"})
        if "Messages" in body:
            return _tencent(body, placeholder, arguments)
        if request.target.endswith("/messages"):
            return _messages(body, placeholder, arguments)
        if request.target.endswith("/responses"):
            return _responses(body, placeholder, arguments)
        call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "write", "arguments": arguments}}
        if not body.get("stream"):
            message = {"role": "assistant", "content": placeholder, "tool_calls": [call]}
            return json_answer(
                {"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
            )
        deltas: list[dict[str, Any]] = [{"content": placeholder}]
        deltas += [{"tool_calls": [{**call, "function": {"name": "write", "arguments": ""}}]}]
        deltas += [{"tool_calls": [{"index": 0, "function": {"arguments": letter}}]} for letter in arguments]
        return stream_answer(*_chunks(deltas, "tool_calls"))

    return answer


def error_in(got: httpx.Response) -> Any:
    """The error of an answer, or the last event of a stream, in any format."""
    events = [json.loads(line[6:]) for line in got.text.splitlines() if line.startswith("data: {")]
    last = events[-1] if events else got.json()
    found = last.get("error") or last.get("response", last.get("Response", {})).get("error") or last
    return {**found, **last.get("Response", {}).get("Error", {})}


@pytest.mark.parametrize("text", [TEXT, "Nothing to mask."], ids=["masked", "nothing"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("way", WAYS)
async def test_an_unknown_one_in_a_call_is_an_error(
    trust: Trust, endpoint: Endpoint, way: str, stream: bool, text: str
) -> None:
    endpoint.answer = recalls(MADE_UP)
    headers = {"authorization": "Bearer AKIDexampleexample|secretsecretsecretsecret"} if way == "tencent" else {}
    async with masking(trust, endpoint, **options_of(way)) as proxy:
        seen = Flows(proxy)
        got = await ask(proxy, *request_in(way, text, stream=stream), **headers)
        assert got.status_code == (200 if stream else 502), got.text
        assert "hunyuan_mask=off" in json.dumps(error_in(got)), got.text
        if way in ("chat", "tencent"):
            assert error_in(got)["code"] == "placeholder_unknown"
        if stream:
            text, arguments = texts_of(got)
            assert text == MADE_UP
            assert '{"text": "'.startswith(arguments)
            assert "[DONE]" not in got.text and "message_stop" not in got.text
        metrics = proxy.addon.runtime.metrics
        assert metrics.value(RETURNED, "refused") == 1
        assert metrics.value(RETURNED, "unknown") > 0  # in the text
        assert seen.flows[0].metadata[METADATA]["error"] == "placeholder_unknown"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("way", WAYS)
async def test_one_that_the_client_wrote_may_stand_in_a_call(
    trust: Trust, endpoint: Endpoint, way: str, stream: bool
) -> None:
    endpoint.answer = recalls(MADE_UP)
    headers = {"authorization": "Bearer AKIDexampleexample|secretsecretsecretsecret"} if way == "tencent" else {}
    async with masking(trust, endpoint, **options_of(way)) as proxy:
        for _ in range(2):  # the second time its long texts are known to have nothing to mask
            got = await ask(proxy, *request_in(way, f"{'a' * 300} {MADE_UP}", stream=stream), **headers)
            assert got.status_code == 200, got.text
            assert json.loads(texts_of(got)[1]) == {"text": MADE_UP}
        assert proxy.addon.runtime.metrics.value(RETURNED, "refused") == 0


@pytest.mark.parametrize("way", ["chat", "anthropic", "responses", "anthropic-native", "responses-native"])
async def test_one_that_only_the_model_said_may_not(trust: Trust, endpoint: Endpoint, way: str) -> None:
    endpoint.answer = recalls(MADE_UP)
    async with masking(trust, endpoint, **options_of(way)) as proxy:
        path, body = request_in(way, "x")
        kind = "output_text" if path == PATHS["responses"] else "text"
        body["input" if path == PATHS["responses"] else "messages"].append(
            {"role": "assistant", "content": [{"type": kind, "text": MADE_UP}]}
        )
        body["input" if path == PATHS["responses"] else "messages"].append({"role": "user", "content": "Go on."})
        got = await ask(proxy, path, body)
        assert got.status_code == 502, got.text


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("way", ["chat", "anthropic-native", "responses-native"])
async def test_a_refused_answer_is_not_kept(trust: Trust, endpoint: Endpoint, way: str, stream: bool) -> None:
    endpoint.answer = recalls(MADE_UP)
    async with masking(trust, endpoint, **options_of(way), hunyuan_answer_cache="use") as proxy:
        path, body = request_in(way, stream=stream, temperature=0)
        await ask(proxy, path, body)
        endpoint.answer = model
        got = await ask(proxy, path, body)
    assert len(endpoint.arrived) == 2
    assert texts_of(got)[0] == f"Found {SECRET}, {PHONE}."


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("way", ["chat", "anthropic", "anthropic-native", "responses-native"])
async def test_a_kept_answer_has_its_values(trust: Trust, endpoint: Endpoint, way: str, stream: bool) -> None:
    endpoint.answer = model
    async with masking(trust, endpoint, **options_of(way), hunyuan_answer_cache="use") as proxy:
        path, body = request_in(way, stream=stream, temperature=0)
        for _ in range(2):
            got = await ask(proxy, path, body)
            assert f"Found {SECRET}, {PHONE}." in (texts_of(got)[0] or got.text)
            assert FORM.search(got.text) is None
    assert len(endpoint.arrived) == 1


async def test_one_in_a_call_behind_a_search_is_an_error(trust: Trust, endpoint: Endpoint) -> None:
    endpoint.answer = recalls(MADE_UP)
    command = shlex.join([sys.executable, "-c", "print(1)", "{query}"])
    async with masking(trust, endpoint, hunyuan_translate="always", hunyuan_search_command=command) as proxy:
        path, body = request_in("anthropic")
        body["tools"].append({"type": "web_search_20250305", "name": "web_search"})
        got = await ask(proxy, path, body)
    assert got.status_code == 502
    assert "hunyuan_mask=off" in got.text


@pytest.mark.parametrize("way", ["chat", "anthropic-native"])
async def test_a_whole_answer_under_the_label_of_a_stream(trust: Trust, endpoint: Endpoint, way: str) -> None:
    says: list[Callable[[Arrived], Answer]] = [model]

    def labelled(request: Arrived) -> Answer:
        asked = json.dumps(request.json | {"stream": False}).encode()
        made = says[-1](replace(request, body=asked))
        return Answer(made.status, {**made.headers, "content-type": "text/event-stream"}, made.chunks)

    endpoint.answer = labelled
    async with masking(trust, endpoint, **options_of(way)) as proxy:
        got = await ask(proxy, *request_in(way))
        assert SECRET in got.text
        says.append(recalls(MADE_UP))
        got = await ask(proxy, *request_in(way))
        assert got.status_code == 502
        got = await ask(proxy, *request_in(way, stream=True))
        assert got.status_code == 200
        assert "hunyuan_mask=off" in json.dumps(error_in(got))
        assert "tool_use" not in got.text and "tool_calls" not in got.text


@pytest.mark.parametrize("way", ["chat", "anthropic-native"])
async def test_a_refused_stream_that_breaks_off_later_is_a_refused_one(
    trust: Trust, endpoint: Endpoint, way: str
) -> None:
    def cut(request: Arrived) -> Answer:
        made = recalls(MADE_UP)(request)
        assert isinstance(made.chunks, Iterable)
        return replace(made, chunks=list(made.chunks)[:-3])

    endpoint.answer = cut
    async with masking(trust, endpoint) as proxy:
        seen = Flows(proxy)
        got = await ask(proxy, *request_in(way, stream=True))
        assert "hunyuan_mask=off" in json.dumps(error_in(got))
        assert seen.flows[0].metadata[METADATA]["error"] == "placeholder_unknown"
