"""Responses requests to an endpoint that speaks Responses itself, but not all of it, through a real mitmproxy."""

from __future__ import annotations

import base64
import copy
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hunyuan_fix.dialects.responses import sealing
from hunyuan_fix.simulator import openai_events
from hunyuan_fix.simulator.openai_checks import all_problems
from hunyuan_fix.simulator.openai_facade import Facade
from tests.dialects.responses import event_order
from tests.dialects.responses.captures import RECORDED
from tests.dialects.responses.test_native import APPLY_PATCH, NAMESPACE, PATCH, PLAIN, TEXT, call_of, response
from tests.documents.pdfs import pdf
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, chat_answer, json_answer, run_proxy
from tests.vision_server import png

OPTIONS: dict[str, Any] = {"hunyuan_profile": "tokenhub", "hunyuan_language": "en"}
CODEX = {"user-agent": "codex_exec/0.171.0 (Debian 12.0.0; x86_64)", "originator": "codex_exec"}
CLEAN: dict[str, Any] = {"model": "hy3", "store": False, "input": [{"role": "user", "content": "hi"}]}


class Strict:
    """TokenHub's own: it refuses what its facade does, and answers with `output`."""

    def __init__(self) -> None:
        self.whole = response(TEXT)
        self.refused: list[str] = []

    def __call__(self, request: Arrived) -> Answer:
        if "completions" in request.target:
            return chat_answer("a fish")
        body = request.json
        self.refused = [f"{found.row}: {found.detail}" for found in all_problems(body, Facade("tokenhub"))]
        if self.refused:
            return json_answer({"error": {"message": self.refused[0], "type": "invalid_request_error"}}, 400)
        if not body.get("stream"):
            return json_answer(self.whole)
        frames = openai_events.events(copy.deepcopy(self.whole), [])
        return Answer(headers={"content-type": "text/event-stream"}, chunks=[*frames.said, *frames.ending, frames.done])


@pytest.fixture
def strict(endpoint: Endpoint) -> Strict:
    made = Strict()
    endpoint.answer = made
    return made


@pytest.fixture(params=["off", "all"])
async def proxy(
    request: pytest.FixtureRequest, trust: Trust, endpoint: Endpoint, strict: Strict
) -> AsyncIterator[Proxy]:
    options = OPTIONS | {"hunyuan_retry": request.param}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as running:
        yield running


async def ask(proxy: Proxy, body: object, **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with proxy.client() as client:
        sent = {"authorization": "Bearer sk-own", "content-type": "application/json"} | headers
        return await client.post("/responses", content=content, headers=sent)


async def test_codex_gets_its_freeform_tool_and_its_namespaces(proxy: Proxy, endpoint: Endpoint, strict: Strict):
    body = CLEAN | {"tools": [PLAIN, NAMESPACE, APPLY_PATCH, {"type": "web_search"}], "stream": True}
    for name, arguments, expected in (
        ("apply_patch", {"input": PATCH}, {"type": "custom_tool_call", "name": "apply_patch", "input": PATCH}),
        ("mcp__demo__add", {"a": 1}, {"type": "function_call", "name": "add", "namespace": "mcp__demo"}),
        ("ls", {}, {"type": "function_call", "name": "ls"}),
    ):
        strict.whole = call_of(name, arguments)
        got = await ask(proxy, body, **CODEX)
        assert (got.status_code, strict.refused) == (200, []), got.text
        read = event_order.read(got.content)
        assert read.response is not None
        (item,) = read.response["output"]
        assert expected.items() <= item.items()
        whole = await ask(proxy, body | {"stream": False}, **CODEX)
        assert whole.json()["output"] == [item]
    assert {request.target for request in endpoint.arrived} == {"/v1/responses"}
    assert "responses-native" in got.headers["x-hunyuan-fix"].split(",")


async def test_what_clients_really_send_is_accepted(proxy: Proxy, endpoint: Endpoint, strict: Strict):
    """Some of each client; none that goes on from what another endpoint keeps."""
    for recorded in RECORDED[::9]:
        if recorded.path != "/responses" or {"previous_response_id", "prompt"} & recorded.body.keys():
            continue
        got = await ask(proxy, recorded.body | {"model": "hy3"}, **recorded.headers)
        assert (got.status_code, strict.refused) == (200, []), recorded.name


async def test_a_good_request_and_its_answer_keep_their_bytes(proxy: Proxy, endpoint: Endpoint, strict: Strict):
    body = json.dumps(CLEAN | {"tools": [PLAIN], "metadata": {"a": "\u00e9"}}, indent=3).encode()
    got = await ask(proxy, body)
    assert endpoint.arrived[0].body == body
    assert got.content == b"".join(json_answer(strict.whole).chunks)  # type: ignore[arg-type]
    stream = json.dumps(CLEAN | {"stream": True}, indent=1).encode()
    got = await ask(proxy, stream)
    assert endpoint.arrived[1].body == stream
    assert got.content == b"".join(strict(endpoint.arrived[1]).chunks)  # type: ignore[arg-type]
    await ask(proxy, b"{not json")
    assert endpoint.arrived[2].body == b"{not json"


@pytest.mark.parametrize(
    ("asked", "target", "answered"),
    [
        ("hy3", "/v1/responses", "hy3"),
        ("gpt-5.5", "/v1/responses", "gpt-5.5"),
        ("minimax-m3", "/v1/responses", "hy3"),
        ("kimi-k3", "/v1/chat/completions", "kimi-k3"),
        ("glm-5.2", "/v1/chat/completions", "glm-5.2"),
    ],
)
async def test_only_models_that_speak_it_get_it(
    proxy: Proxy, endpoint: Endpoint, asked: str, target: str, answered: str
):
    got = await ask(proxy, CLEAN | {"model": asked})
    assert (endpoint.arrived[0].target, got.status_code) == (target, 200)
    assert got.json()["model"] == answered
    assert got.json()["output"][-1]["content"][0]["type"] == "output_text"


async def test_images_and_pdfs_are_read_to_a_model_that_sees_none(proxy: Proxy, endpoint: Endpoint, strict: Strict):
    image = {"type": "input_image", "detail": "high", "image_url": png("a fish")}
    file = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,"}
    file["file_data"] += base64.b64encode(pdf("Hello")).decode()
    history = [
        {"role": "user", "content": [{"type": "input_text", "text": "Look."}, image, file]},
        {"type": "function_call", "call_id": "c", "name": "ls", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [image]},
        {"type": "custom_tool_call", "call_id": "d", "name": "exec", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "d", "output": [image]},
        {"role": "user", "content": png("a fish")},
    ]
    got = await ask(proxy, CLEAN | {"input": history, "tools": [PLAIN]})
    assert (got.status_code, strict.refused) == (200, [])
    sent = endpoint.arrived[-1].json["input"]
    look, seen, read = sent[0]["content"]
    assert look == {"type": "input_text", "text": "Look."}
    assert seen["type"] == read["type"] == "input_text"
    assert "a fish" in seen["text"]
    assert "Hello" in read["text"]
    assert "a fish" in sent[2]["output"][0]["text"]
    assert "a fish" in json.dumps(sent[4]["output"])
    assert "a fish" in sent[5]["content"]
    assert json.dumps(sent).isascii()
    assert "\\u" not in json.dumps(sent), "the signs around the proxy's own marks are taken out"
    rules = got.headers["x-hunyuan-fix"].split(",")
    assert {"cascade", "documents"} <= set(rules)


async def test_what_needs_a_memory_is_translated_and_kept_here(proxy: Proxy, endpoint: Endpoint):
    stored = {key: value for key, value in CLEAN.items() if key != "store"}
    first = (await ask(proxy, stored)).json()
    second = await ask(proxy, stored | {"previous_response_id": first["id"], "input": "and?"})
    assert {request.target for request in endpoint.arrived} == {"/v1/chat/completions"}
    said = [message["content"] for message in endpoint.arrived[1].json["messages"]]
    assert said == ["hi", "a fish", "and?"]
    async with proxy.client() as client:
        got = await client.get(f"/responses/{first['id']}", headers={"authorization": "Bearer sk-own"})
    assert got.json()["id"] == first["id"]
    assert second.status_code == 200
    assert len(endpoint.arrived) == 2


async def test_a_summary_in_the_place_of_an_answer_is_translated(proxy: Proxy, endpoint: Endpoint):
    got = await ask(proxy, CLEAN | {"input": [*CLEAN["input"], {"type": "compaction_trigger"}]}, **CODEX)
    (item,) = got.json()["output"]
    assert item["type"] == "compaction"
    assert sealing.opened("compaction", item["encrypted_content"]) == "a fish"
    await ask(proxy, CLEAN | {"input": [item, *CLEAN["input"]]}, **CODEX)
    assert endpoint.arrived[1].target == "/v1/responses"
    assert "a fish" in json.dumps(endpoint.arrived[1].json["input"][0])


@pytest.mark.parametrize(
    ("status", "error", "codex", "other"),
    [
        (403, {"message": "denied", "code": 403002}, 400, 403),
        (400, {"message": "Range of input length should be [1, 9]"}, 400, 400),
        (402, {"message": "FREE_QUOTA_EXHAUSTED", "code": "401007"}, 400, 402),
    ],
)
async def test_errors_of_the_endpoint(
    proxy: Proxy, endpoint: Endpoint, status: int, error: dict[str, Any], codex: int, other: int
):
    endpoint.answer = json_answer({"error": error}, status)
    got = await ask(proxy, CLEAN, **CODEX)
    assert (got.status_code, "error" in got.json()) == (codex, True)
    assert (await ask(proxy, CLEAN)).status_code == other
    if "length" in error["message"]:
        assert got.json()["error"]["code"] == "context_length_exceeded"


async def test_what_is_too_long_is_refused_in_the_clients_words(trust: Trust, endpoint: Endpoint, strict: Strict):
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target, **OPTIONS, hunyuan_window="1000") as proxy:
        got = await ask(proxy, CLEAN | {"instructions": "word " * 2000}, **CODEX)
    assert (got.status_code, got.json()["error"]["code"]) == (400, "context_length_exceeded")
    assert endpoint.arrived == []


async def test_a_codex_that_can_compact_is_made_to(proxy: Proxy, endpoint: Endpoint, caplog: pytest.LogCaptureFixture):
    """By an answer that says that the window is full, as where its requests are translated."""
    caplog.set_level(logging.INFO, "hunyuan_fix")
    endpoint.answer = json_answer({"error": {"message": "Range of input length should be [1, 9]"}}, 400)
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]}
    turn = CODEX | {"x-codex-turn-metadata": '{"request_kind": "turn"}'}
    got = await ask(proxy, CLEAN | {"input": [*CLEAN["input"], said], "stream": True}, **turn)
    assert got.status_code == 200
    (*_, (kind, last)) = event_order.events(got.content)
    assert (kind, last["response"]["output"]) == ("response.completed", [])
    assert last["response"]["usage"]["total_tokens"] > 1_000_000
    assert last["response"]["model"] == "hy3"
    assert "-> 200" in caplog.text
    assert "-> 200 context_length" not in caplog.text  # the client has got no error


@pytest.mark.parametrize("option", [("translate", "never"), ("mode", "observe"), ("mode", "off")])
async def test_never_observe_and_off_leave_it_alone(trust: Trust, endpoint: Endpoint, option: tuple[str, str]):
    endpoint.answer = json_answer(response(TEXT))
    given = OPTIONS | {f"hunyuan_{option[0]}": option[1]}
    body = CLEAN | {"tools": [NAMESPACE], "previous_response_id": "resp_1"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **given) as proxy:
        got = await ask(proxy, body)
    (request,) = endpoint.arrived
    assert (request.target, request.json, got.json()) == ("/v1/responses", body, response(TEXT))
