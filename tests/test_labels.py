"""What a client gets where an answer isn't what its status or its label says, by both ways to the endpoint."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.answers.streamed import DONE, chunk, content, deltas, text, values
from tests.proxying import LOCAL, Answer, Endpoint, Proxy, Trust, json_answer, run_endpoint, run_proxy

BODY = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "x"}]}
STREAMED = BODY | {"stream": True}
COMPLETION = {
    "id": "1",
    "object": "chat.completion",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "你好"}, "finish_reason": "stop"}],
}
LIMITED = {"error": {"message": "请求限频，请稍后重试", "type": "runtime_error", "param": None, "code": "2003"}}
EVENTS = (content("你"), content("好"), chunk(finish="stop"), DONE)
LABELS = [None, "text/plain", "text/plain; charset=utf-8", "application/octet-stream", "application/json"]


@pytest.fixture(params=["off", "all"])
async def both(request: pytest.FixtureRequest, trust: Trust) -> AsyncIterator[tuple[Proxy, Endpoint]]:
    """An endpoint and a proxy before it, by default and with the relay."""
    async with run_endpoint(trust, tls=False) as endpoint:
        target = f"http://{LOCAL}:{endpoint.port}"
        async with run_proxy(trust, target, hunyuan_retry=request.param, hunyuan_retry_tries="1") as proxy:
            yield proxy, endpoint


def labelled(label: str | None, *pieces: bytes, **headers: str) -> Answer:
    named = {"content-type": label} if label else {}
    return Answer(headers=named | {name.replace("_", "-"): value for name, value in headers.items()}, chunks=pieces)


def data(body: object) -> bytes:
    return json.dumps(body, ensure_ascii=False).encode()


async def asked(both: tuple[Proxy, Endpoint], answer: Answer, body: dict[str, Any]) -> Any:
    proxy, endpoint = both
    endpoint.answer = answer
    async with proxy.client() as client:
        return await client.post("/chat/completions", json=body)


PACKED = labelled("application/json", gzip.compress(data(LIMITED)), content_encoding="gzip")
WHOLE: dict[str, tuple[Answer, int, str]] = {
    "a rate limit": (json_answer(LIMITED), 429, "rate_limit_exceeded"),
    "a packed rate limit": (PACKED, 429, "rate_limit_exceeded"),
    "an unlabelled rate limit": (labelled(None, data(LIMITED)), 429, "rate_limit_exceeded"),
    "a text as error": (json_answer({"error": "broken"}), 502, "upstream_invalid_answer"),
    "another product's error": (json_answer({"code": 11127, "msg": "no"}), 502, "11127"),
    "no choices": (json_answer({"id": "x", "choices": []}), 502, "upstream_invalid_answer"),
    "a page": (labelled("text/html", b"<html>", b"login</html>"), 502, "upstream_invalid_answer"),
    "nothing": (labelled("application/json", content_length="0"), 502, "upstream_invalid_answer"),
    "a list": (json_answer([]), 502, "upstream_invalid_answer"),
}  # fmt: skip


@pytest.mark.parametrize("body", [BODY, STREAMED], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", [name for name in WHOLE if name != "an unlabelled rate limit"])
async def test_a_success_that_is_no_answer_has_an_honest_status(
    both: tuple[Proxy, Endpoint], name: str, body: dict[str, Any]
) -> None:
    given, status, code = WHOLE[name]
    answer = await asked(both, given, body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == code
    assert "content-encoding" not in answer.headers
    if status == 429:
        assert "retry-after" in answer.headers


async def test_an_unlabelled_error_has_an_honest_status(both: tuple[Proxy, Endpoint]) -> None:
    for body in (BODY, STREAMED):
        answer = await asked(both, labelled(None, data(LIMITED), content_length=str(len(data(LIMITED)))), body)
        assert answer.status_code == 429


@pytest.mark.parametrize("length", [True, False])
@pytest.mark.parametrize("label", LABELS)
async def test_a_stream_without_its_label_is_one(both: tuple[Proxy, Endpoint], label: str | None, length: bool) -> None:
    counted = {"content_length": str(len(b"".join(EVENTS)))} if length else {}
    answer = await asked(both, labelled(label, *EVENTS, **counted), STREAMED)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.content == b"".join(EVENTS)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("label", [*LABELS, "text/event-stream"])
async def test_a_whole_answer_to_a_request_for_a_stream_becomes_one(
    both: tuple[Proxy, Endpoint], label: str | None, packed: bool
) -> None:
    body = gzip.compress(data(COMPLETION)) if packed else data(COMPLETION)
    coding = {"content_encoding": "gzip"} if packed else {}
    answer = await asked(both, labelled(label, body[:30], body[30:], **coding), STREAMED)
    assert answer.headers["content-type"] == "text/event-stream"
    assert "content-encoding" not in answer.headers
    assert text(answer.content) == "你好"
    assert answer.content.endswith(DONE)


@pytest.mark.parametrize("label", ["text/event-stream", None])
@pytest.mark.parametrize("body", [data(LIMITED), b"<html>", b"{", b'{"choices":[]}'])
async def test_an_error_in_a_streams_place_can_be_read(
    both: tuple[Proxy, Endpoint], label: str | None, body: bytes
) -> None:
    answer = await asked(both, labelled(label, b" \n", body), STREAMED)
    if answer.status_code == 200:
        (event,) = values(answer.content)
    else:
        event = answer.json()
    assert event["error"]["code"] == ("rate_limit_exceeded" if body == data(LIMITED) else "upstream_invalid_answer")


async def test_json_labelled_as_a_stream_passes_where_none_was_asked_for(trust: Trust) -> None:
    async with (
        run_endpoint(trust, tls=False) as endpoint,
        run_proxy(trust, f"http://{LOCAL}:{endpoint.port}") as proxy,
    ):
        answer = await asked((proxy, endpoint), labelled("text/event-stream", data(COMPLETION)), BODY)
    assert answer.content == data(COMPLETION)


async def test_other_successes_and_methods_are_left_alone(both: tuple[Proxy, Endpoint]) -> None:
    proxy, endpoint = both
    async with proxy.client() as client:
        endpoint.answer = Answer(headers={"content-type": "text/html"}, chunks=(b"<html>",))
        assert (await client.get("/models")).content == b"<html>"


async def test_an_embeddings_answer_without_vectors_is_none(both: tuple[Proxy, Endpoint]) -> None:
    proxy, endpoint = both
    endpoint.answer = json_answer({"object": "list"})
    async with proxy.client() as client:
        answer = await client.post("/embeddings", json={"model": "hunyuan-embedding", "input": "x"})
    assert answer.status_code == 502


async def test_a_stream_of_odd_tool_calls_is_repaired_by_both_ways(both: tuple[Proxy, Endpoint]) -> None:
    tools = [
        {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}}
        for name in ("fs:read", "read_note")
    ]
    proxy, endpoint = both
    call = {"index": 0, "type": "function"}

    def says(request: Any) -> Answer:
        name = request.json["tools"][0]["function"]["name"]
        frames = [
            {**call, "id": "c1", "function": {"name": name[:3], "arguments": ""}},
            {"index": 0, "function": {"name": name[3:], "arguments": '{"a":1}'}},
            {**call, "id": "c2", "function": {"name": name, "arguments": {"b": 2}}},
            {**call, "id": "c3", "function": {"name": "read_"}},
            {**call, "id": "c3", "function": {"name": "note", "arguments": "{}"}},
        ]
        parts = [chunk({"tool_calls": [frame]}) for frame in frames]
        return labelled("text/event-stream", *parts, chunk(finish="stop"), DONE)

    endpoint.answer = says
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", json={**STREAMED, "tools": tools})
    calls = [frame for delta in deltas(answer.content) for frame in delta.get("tool_calls", ())]
    assert [(frame["index"], frame["function"]) for frame in calls] == [
        (0, {"name": "fs:read", "arguments": '{"a":1}'}),
        (1, {"name": "fs:read", "arguments": '{"b":2}'}),
        (2, {"name": "read_note", "arguments": "{}"}),
    ]
    assert values(answer.content)[-1]["choices"][0]["finish_reason"] == "tool_calls"
