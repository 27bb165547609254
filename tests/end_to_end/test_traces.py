"""Traces of a real mitmdump, as a collector gets them by its end: a chat, and one whose image is described."""

from __future__ import annotations

import signal
from typing import Any

from hunyuan_fix.wire.trace_context import parent
from tests.end_to_end.requests import image, tool
from tests.end_to_end.served import serve
from tests.otlp_collector import run_collector
from tests.proxying import LOCAL, Answer, Arrived, Trust, json_answer, run_endpoint

KEY = "sk-0123456789abcdef0123456789abcdef"
SECRET = "a-secret-of-the-user"
WORDS = "a picture of a ticket"
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
MODEL = "hunyuan-lite"
LATER = {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_RESOURCE_ATTRIBUTES": "team=a"}
"""Nothing leaves by itself during the test."""


def answer(request: Arrived) -> Answer:
    model = request.json["model"]
    text = SECRET if model == MODEL else WORDS
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    usage = {"prompt_tokens": 20, "completion_tokens": 7, "total_tokens": 27}
    return json_answer({"id": f"of-{model}", "model": model, "choices": [choice], "usage": usage})


def asked(*parts: dict[str, Any]) -> dict[str, Any]:
    content = [{"type": "text", "text": SECRET}, *parts]
    return {"model": MODEL, "messages": [{"role": "user", "content": content}], "tools": [tool()]}


async def test_a_collector_gets_a_chat_and_a_described_image(trust: Trust) -> None:
    with run_collector() as collector:
        async with run_endpoint(trust, tls=False) as endpoint:
            endpoint.answer = answer
            # 1. Two exchanges: the first continues its client's trace, the second begins one of its own.
            options = ("--set", f"hunyuan_traces={collector.url}")
            async with serve(trust, endpoint, *options, environment=LATER) as running:
                async with running.client() as client:
                    client.headers["authorization"] = f"Bearer {KEY}"
                    given = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}
                    assert (await client.post("/chat/completions", json=asked(), headers=given)).status_code == 200
                    pictured = await client.post("/chat/completions", json=asked(image("a ticket")))
                    assert pictured.status_code == 200
                assert collector.raw == []
                running.process.signal(signal.SIGTERM)
                assert await running.ended() == 0
            came = [(request.json["model"], request) for request in endpoint.arrived]
    chat, described = sorted(collector.roots, key=lambda span: span.began)
    # 2. The chat: the exchange below the client's span, its try below the exchange and named at the endpoint.
    assert (chat.name, chat.trace_id, chat.parent_id, chat.status) == (f"chat {MODEL}", TRACE, SPAN, 0)
    (sent,) = collector.below(chat)
    assert (sent.name, sent.kind, sent.trace_id) == ("POST /v1/chat/completions", "CLIENT", TRACE)
    assert came[0][1].headers["traceparent"] == f"00-{TRACE}-{sent.span_id}-01"
    assert came[0][1].headers["tracestate"] == "vendor=1"
    # 3. The image: a call of the vision model, then the try, in a new trace.
    assert (described.name, described.parent_id) == (f"chat {MODEL}", "")
    assert described.trace_id != TRACE
    vision, sent = collector.below(described)
    (_, (vision_model, seeing), (_, repaired)) = came
    assert vision_model != MODEL
    assert (vision.name, vision.kind) == (f"chat {vision_model}", "CLIENT")
    assert vision.attributes["hunyuan_fix.purpose"] == "vision"
    assert vision.attributes["gen_ai.response.id"] == f"of-{vision_model}"
    assert (sent.name, sent.attributes["server.address"]) == ("POST /v1/chat/completions", LOCAL)
    for request, span in ((seeing, vision), (repaired, sent)):
        named = parent(request.headers["traceparent"])
        assert named is not None
        assert (named.trace_id, named.span_id) == (described.trace_id, span.span_id)
    assert described.attributes["hunyuan_fix.images.described"] == 1
    assert "cascade" in described.attributes["hunyuan_fix.rules"]
    # 4. Who it is, and nothing of what was said.
    assert (described.resource["service.name"], described.resource["team"]) == ("hunyuan-fix", "a")
    for secret in (KEY, SECRET, WORDS, "a ticket"):
        assert not [raw for raw in collector.raw if secret.encode() in raw]
