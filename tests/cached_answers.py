"""An endpoint whose answers are told apart, before a real mitmproxy with the answer cache; and what its clients got."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from typing import Any

import httpx

from hunyuan_fix.answers.gathered import gathering
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, json_answer, run_endpoint, run_proxy

USE: dict[str, Any] = {"hunyuan_answer_cache": "use"}
ASKED = [{"role": "user", "content": "What is in a.txt?"}]
TOOLS = [{"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}]
MODEL = "hunyuan-turbos-latest"
CHAT, MESSAGES, RESPONSES = "/chat/completions", "/messages", "/responses"


def answering(message: dict[str, Any] | None = None, finish: str = "tool_calls") -> Callable[[Arrived], Answer]:
    """Whole or as a stream, as it is asked for; each answer has an id of its own."""
    number = count(1)

    def answer(request: Arrived) -> Answer:
        own = f"chatcmpl-{next(number)}"
        call = {"id": f"call_{own}", "type": "function", "function": {"name": "read", "arguments": '{"path": "a"}'}}
        said = message or {"reasoning_content": "Look.", "content": f"Answer {own} 好", "tool_calls": [call]}
        head = {"id": own, "created": 1_700_000_000, "model": request.json["model"]}
        usage = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
        if not request.json.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", **said}, "finish_reason": finish}
            return json_answer({**head, "object": "chat.completion", "choices": [choice], "usage": usage})
        calls = [{**one, "index": place} for place, one in enumerate(said.get("tool_calls", ()))]
        deltas = [{"role": "assistant"}, *({name: value} for name, value in said.items() if name != "tool_calls")]
        deltas += [{"tool_calls": calls}] if calls else []
        chunks = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
        chunks.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if (request.json.get("stream_options") or {}).get("include_usage"):
            chunks.append({**head, "choices": [], "usage": usage})
        data = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
        return Answer(headers={"content-type": "text/event-stream"}, chunks=[*data, b"data: [DONE]\n\n"])

    return answer


@asynccontextmanager
async def served(
    trust: Trust, answer: Callable[[Arrived], Any] | None = None, *beside: object, **options: Any
) -> AsyncIterator[tuple[Endpoint, Proxy, Callable[..., Any]]]:
    async with run_endpoint(trust, tls=False) as endpoint:
        endpoint.answer = answer or answering()
        url = f"http://{LOCAL}:{endpoint.port}"
        async with run_proxy(trust, url, *beside, **options) as proxy, proxy.client() as client:

            async def ask(
                path: str = CHAT, *, key: str = "k", headers: dict[str, str] | None = None, **more: Any
            ) -> Any:
                body: dict[str, Any] = {"model": MODEL, "messages": ASKED, "tools": TOOLS, **more}
                if path == MESSAGES:
                    body = {"model": MODEL, "max_tokens": 500, "messages": ASKED, **more}
                if path == RESPONSES:
                    body = {"model": MODEL, "input": ASKED, **more}
                given = {"authorization": f"Bearer {key}", **(headers or {})}
                return await client.post(path, json=body, headers=given)

            yield endpoint, proxy, ask


def is_hit(answer: httpx.Response) -> bool:
    assert answer.status_code == 200, answer.text
    assert ("age" in answer.headers) == (answer.headers.get("x-hunyuan-cache") == "hit")
    return "age" in answer.headers


def chunks(answer: httpx.Response) -> list[Any]:
    data = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in data if line != "[DONE]"]


def said(answer: httpx.Response, form: str = "chat") -> dict[str, Any]:
    """A whole answer, or what a stream brought."""
    if not answer.headers["content-type"].startswith("text/event-stream"):
        return dict(answer.json())
    gathered = gathering(form, 1 << 20)
    for chunk in chunks(answer):
        gathered.event(chunk)
    whole = gathered.whole()
    assert whole is not None, answer.text
    return whole


def without_ids(answer: dict[str, Any]) -> dict[str, Any]:
    answer = json.loads(json.dumps(answer))
    for name in ("id", "usage", "object", "created_at", "created", "completed_at"):
        answer.pop(name, None)
    for choice in answer.get("choices", ()):
        for call in choice["message"].get("tool_calls", ()):
            call.pop("id")
            call.pop("index", None)
        choice["message"].pop("role", None)
        choice.pop("logprobs", None)
    for part in [*(answer.get("content") or ()), *(answer.get("output") or ())]:
        for name in ("id", "call_id", "encrypted_content"):
            part.pop(name, None)
    return dict(answer)


def native(request: Arrived) -> Answer:
    """An endpoint that speaks Messages and Responses itself."""
    call = {"path": "a", "好": [1, 2.50]}
    is_stream = request.json.get("stream")
    if request.target.endswith(MESSAGES):
        blocks: list[dict[str, Any]] = [
            {"type": "thinking", "thinking": "Look.", "signature": "c2ln"},
            {"type": "text", "text": "Answer 好"},
            {"type": "tool_use", "id": "toolu_01abcdefgh", "name": "read", "input": call},
        ]
        usage = {"input_tokens": 11, "output_tokens": 7}
        message: dict[str, Any] = {
            "id": "msg_01",
            "type": "message",
            "role": "assistant",
            "model": "hy3",
            "content": blocks,
        }
        message |= {"model": "hy3", "stop_reason": "tool_use", "stop_sequence": None, "usage": usage}
        if not is_stream:
            return json_answer(message)
        begun = {**message, "content": [], "stop_reason": None, "usage": {"input_tokens": 11, "output_tokens": 1}}
        told: list[dict[str, Any]] = [{"type": "message_start", "message": begun}]
        starts: list[dict[str, Any]] = [
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "text", "text": ""},
        ]
        starts.append({**blocks[2], "input": {}})
        arguments = json.dumps(call, ensure_ascii=False)
        deltas: list[list[dict[str, Any]]] = [
            [{"type": "thinking_delta", "thinking": "Lo"}, {"type": "thinking_delta", "thinking": "ok."}],
            [{"type": "text_delta", "text": "Answer "}, {"type": "text_delta", "text": "好"}],
            [{"type": "input_json_delta", "partial_json": piece} for piece in ("", arguments[:9], arguments[9:])],
        ]
        deltas[0].append({"type": "signature_delta", "signature": "c2ln"})
        for index, (start, pieces) in enumerate(zip(starts, deltas, strict=True)):
            told.append({"type": "content_block_start", "index": index, "content_block": start})
            told += [{"type": "content_block_delta", "index": index, "delta": piece} for piece in pieces]
            told.append({"type": "content_block_stop", "index": index})
        ending = {"stop_reason": "tool_use", "stop_sequence": None}
        told.append({"type": "message_delta", "delta": ending, "usage": {"output_tokens": 7}})
        told.append({"type": "message_stop"})
    else:
        items: list[dict[str, Any]] = [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "c2ln"},
            {
                "type": "message",
                "id": "msg_1",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "Answer 好", "annotations": []}],
            },
            {
                "type": "function_call",
                "id": "fc_1",
                "call_id": "call_01abcdefgh",
                "name": "read",
                "status": "completed",
            },
        ]
        items[2]["arguments"] = json.dumps(call, ensure_ascii=False)
        response: dict[str, Any] = {"id": "resp_1", "object": "response", "created_at": 1, "model": "hy3"}
        response |= {"status": "completed", "output": items, "usage": {"input_tokens": 11, "output_tokens": 7}}
        if not is_stream:
            return json_answer(response)
        told = [{"type": "response.created", "response": {**response, "status": "in_progress", "output": []}}]
        for index, item in enumerate(items):
            told += [
                {"type": f"response.output_item.{k}", "output_index": index, "item": item} for k in ("added", "done")
            ]
        told.append({"type": "response.completed", "response": {**response, "output": []}})
        told = [{**event, "sequence_number": number} for number, event in enumerate(told)]
    data = [f"event: {one['type']}\ndata: {json.dumps(one, ensure_ascii=False)}\n\n".encode() for one in told]
    return Answer(headers={"content-type": "text/event-stream"}, chunks=data)


NATIVE: dict[str, Any] = {**USE, "hunyuan_profile": "tokenhub"}
