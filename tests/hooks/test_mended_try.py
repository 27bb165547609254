"""One more try for refused requests: a real mitmproxy and its relay, before an endpoint that refuses one thing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from mitmproxy import http

from hunyuan_fix import profiles
from hunyuan_fix.exchange import KEY
from hunyuan_fix.observe.statistics import MENDED
from tests.proxying import (
    LOCAL,
    Answer,
    Arrived,
    Endpoint,
    Proxy,
    Trust,
    chat_answer,
    json_answer,
    run_proxy,
    stream_answer,
)
from tests.waiting import until

OPTIONS: dict[str, Any] = {"hunyuan_profile": "tokenhub", "hunyuan_language": "en"}
CHAT: dict[str, Any] = {"model": "a-model", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 64_000}
TOO_LONG = {
    "error": {
        "message": "max_tokens is too large: 64000. This model supports at most 8192 completion tokens, whereas you "
        "provided 64000.",
        "type": "invalid_request_error",
        "param": "max_tokens",
        "code": None,
    }
}
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"hello"},"finish_reason":null}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


class Refusing:
    """Refuses a request with `error` as long as `wrong` says so of it, and answers any other."""

    def __init__(self, wrong: Callable[[Any], bool], error: object, status: int = 400) -> None:
        self.wrong, self.error, self.status = wrong, error, status

    def __call__(self, request: Arrived) -> Answer:
        body = request.json
        if self.wrong(body):
            return json_answer(self.error, status=self.status)
        return stream_answer(EVENT, LAST) if body.get("stream") else chat_answer("hello")


def longer(body: Any) -> bool:
    return bool(body.get("max_tokens", 0) > 8192)


class Ended:
    """The flows whose answers are complete."""

    def __init__(self, proxy: Proxy) -> None:
        self.flows: list[http.HTTPFlow] = []
        proxy.master.addons.add(self)

    def response(self, flow: http.HTTPFlow) -> None:
        self.flows.append(flow)


@pytest.fixture(params=["vision", "all", "off"])
async def proxy(request: pytest.FixtureRequest, trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    options = OPTIONS | {"hunyuan_retry": request.param}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as running:
        yield running


@pytest.fixture
async def usual(trust: Trust, endpoint: Endpoint) -> AsyncIterator[Proxy]:
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **OPTIONS) as running:
        yield running


async def ask(proxy: Proxy, body: Any = CHAT, target: str = "/chat/completions", **headers: str) -> httpx.Response:
    async with proxy.client() as client:
        return await client.post(target, json=body, headers=headers)


def counted(proxy: Proxy, kind: str, outcome: str) -> float:
    return proxy.addon.runtime.metrics.value(MENDED, kind, outcome)


async def test_a_refused_request_is_mended_and_learnt_from(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = Refusing(longer, TOO_LONG)
    got = await ask(proxy)
    assert (got.status_code, got.json()["choices"][0]["message"]["content"]) == (200, "hello")
    assert [request.json["max_tokens"] for request in endpoint.arrived] == [64_000, 8192]
    assert "mended" in got.headers["x-hunyuan-fix"].split(",")
    assert got.headers["x-hunyuan-fix-tries"] == "2"
    assert counted(proxy, "output-limit", "helped") == 1
    assert "a-model (chat): output=8192" in proxy.addon.stats()

    got = await ask(proxy)
    assert got.status_code == 200
    assert [request.json["max_tokens"] for request in endpoint.arrived[2:]] == [8192]
    assert got.headers["x-hunyuan-fix"] == "parameters"


@pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])
async def test_a_stream_is_mended_before_anything_is_sent(proxy: Proxy, endpoint: Endpoint, http2: bool):
    endpoint.answer = Refusing(longer, TOO_LONG)
    async with proxy.client(http2=http2) as client:
        got = await client.post("/chat/completions", json=CHAT | {"stream": True})
    assert got.status_code == 200
    assert got.content == EVENT + LAST
    assert "mended" in got.headers["x-hunyuan-fix"]
    await ask(proxy)
    assert len(endpoint.arrived) == 3


async def test_the_flow_shows_what_was_answered(usual: Proxy, endpoint: Endpoint):
    ended = Ended(usual)
    endpoint.answer = Refusing(longer, TOO_LONG)
    await ask(usual)
    (flow,) = ended.flows
    assert json.loads(flow.request.content or b"")["max_tokens"] == 8192
    plain = flow.metadata[KEY]
    assert plain["rewritten"]
    assert json.loads(plain["original"]) == CHAT
    assert [change[:2] for change in plain["changes"]] == [["mended", ""], ["parameters", "/max_tokens"]]
    why = "it asks for a longer answer than the model gives"
    assert plain["changes"][0][2] == f"the endpoint refused it: {why}; mended and sent once more"
    assert flow.request.port == endpoint.port
    json.dumps({**plain, "original": None})


async def test_where_it_does_not_help_the_first_error_is_given(proxy: Proxy, endpoint: Endpoint):
    second = {"error": {"message": "another thing", "type": "invalid_request_error"}}

    def refuse(request: Arrived) -> Answer:
        return json_answer(TOO_LONG if longer(request.json) else second, status=400)

    endpoint.answer = refuse
    got = await ask(proxy)
    assert (got.status_code, got.json()) == (400, TOO_LONG)
    assert "x-hunyuan-fix" not in got.headers
    assert len(endpoint.arrived) == 2
    assert counted(proxy, "output-limit", "failed") == 1
    assert "learnt" not in proxy.addon.stats().splitlines()[-2:]
    assert not len(proxy.addon.runtime.learnt)
    # What didn't help isn't tried again for a while.
    got = await ask(proxy)
    assert (got.status_code, len(endpoint.arrived)) == (400, 3)


async def test_what_is_not_certain_is_not_sent_again(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = json_answer({"error": {"message": "bad request", "type": "invalid_request_error"}}, status=400)
    assert (await ask(proxy)).status_code == 400
    assert len(endpoint.arrived) == 1


async def test_a_try_that_fails_for_a_while_is_no_lesson(usual: Proxy, endpoint: Endpoint):
    busy = json_answer({"error": {"message": "busy", "type": "overloaded_error"}}, status=503)

    def answer(request: Arrived) -> Answer:
        return json_answer(TOO_LONG, status=400) if longer(request.json) else busy

    endpoint.answer = answer
    assert (await ask(usual)).json() == TOO_LONG
    endpoint.answer = Refusing(longer, TOO_LONG)
    assert (await ask(usual)).status_code == 200


async def test_switched_off_nothing_is_sent_again(trust: Trust, endpoint: Endpoint):
    endpoint.answer = Refusing(longer, TOO_LONG)
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **OPTIONS, hunyuan_mend="off") as running:
        assert (await ask(running)).status_code == 400
        assert running.addon.runtime.relay.counts.calls == 0
    assert len(endpoint.arrived) == 1


async def test_observe_only_names_it(trust: Trust, endpoint: Endpoint):
    endpoint.answer = Refusing(longer, TOO_LONG)
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **OPTIONS, hunyuan_mode="observe") as running:
        got = await ask(running)
    assert (got.status_code, len(endpoint.arrived)) == (400, 1)
    assert "mended" in got.headers["x-hunyuan-fix-observed"].split(",")
    assert "it asks for a longer answer than the model gives" in got.headers["x-hunyuan-fix-warning"]


async def test_a_model_that_does_not_think_goes_straight(usual: Proxy, endpoint: Endpoint):
    await ask(usual, CHAT | {"model": "hy-mt2-pro"})
    assert usual.addon.runtime.relay.counts.calls == 0
    await ask(usual, CHAT | {"model": "a-model-of-next-year"})
    assert usual.addon.runtime.relay.counts.calls == 1


async def test_a_request_in_which_nothing_could_be_mended_goes_straight(usual: Proxy, endpoint: Endpoint):
    plain = {"model": "a-model", "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "hi"}]}
    await ask(usual, plain | {"stream": False})
    assert usual.addon.runtime.relay.counts.calls == 0
    history = [*plain["messages"], {"role": "assistant", "content": "a"}, {"role": "user", "content": "b"}]
    for asked in (plain | {"temperature": 1}, plain | {"messages": history}):
        await ask(usual, asked)
    assert usual.addon.runtime.relay.counts.calls == 2


async def test_a_client_that_leaves_between_the_tries(usual: Proxy, endpoint: Endpoint):
    second, held = asyncio.Event(), asyncio.Event()

    async def answer(request: Arrived) -> Answer:
        if longer(request.json):
            return json_answer(TOO_LONG, status=400)
        second.set()
        await held.wait()
        return chat_answer("late")

    endpoint.answer = answer
    asking = asyncio.create_task(ask(usual))
    await second.wait()
    asking.cancel()
    await until(lambda: usual.addon.runtime.relay.counts.abandoned == 1)
    held.set()
    await until(lambda: not usual.addon.process.dispatcher.under_way)
    assert not len(usual.addon.runtime.learnt)
    queues = usual.addon.runtime.admission.state().queues
    assert sum(queue.under_way + queue.waiting for queue in queues) == 0


async def test_both_tries_pass_the_gate(trust: Trust, endpoint: Endpoint):
    endpoint.answer = Refusing(longer, TOO_LONG)
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **OPTIONS, hunyuan_concurrency="1") as running:
        answers = await asyncio.gather(*(ask(running, CHAT | {"model": f"m{number}"}) for number in range(3)))
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert running.addon.runtime.admission.state().admitted == 6
        assert running.addon.runtime.relay.counts.retries["mended"] == 3


async def test_a_reading_that_changes_nothing_makes_way_for_the_next(usual: Proxy, endpoint: Endpoint):
    said = "tools.function.parameters is not a valid moonshot flavored json schema, details: <At path 'properties.a'>"

    def answer(request: Arrived) -> Answer:
        schema = request.json["tools"][0]["function"]["parameters"]["properties"]["a"]
        if isinstance(schema.get("type"), list) and "default" in schema:  # what the stricter flavour refuses
            return json_answer({"error": {"message": said}}, status=400)
        return chat_answer("hello")

    endpoint.answer = answer
    schema = {"type": "object", "properties": {"a": {"type": ["string", "null"], "default": "b"}}}
    tools = [{"type": "function", "function": {"name": "f", "parameters": schema}}]
    got = await ask(usual, CHAT | {"max_tokens": 100, "tools": tools})
    assert (got.status_code, len(endpoint.arrived)) == (200, 2)
    assert "schema=mfjs-strict" in usual.addon.stats()


async def test_where_no_reading_changes_anything_nothing_is_sent_again(usual: Proxy, endpoint: Endpoint):
    said = "tools.function.parameters is not a valid moonshot flavored json schema, details: <At path 'properties.a'>"
    endpoint.answer = json_answer({"error": {"message": said}}, status=400)
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    got = await ask(usual, CHAT | {"max_tokens": 100, "tools": tools})
    assert (got.status_code, len(endpoint.arrived)) == (400, 1)
    assert "x-hunyuan-fix" not in got.headers


# Requests in a format that the endpoint speaks itself

MESSAGES: dict[str, Any] = {
    "model": "hy3",
    "max_tokens": 100,
    "metadata": {"user_id": "u"},
    "messages": [{"role": "user", "content": "hi"}],
}
MESSAGE = {"type": "message", "role": "assistant", "content": [{"type": "text", "text": "hello"}]}
CLAUDE = {"anthropic-version": "2023-06-01", "x-api-key": "sk-own", "user-agent": "claude-cli/2.1.332 (external)"}


def anthropic_error(message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": "invalid_request_error", "message": message}}


async def test_a_field_that_messages_refuses_goes(proxy: Proxy, endpoint: Endpoint):
    def answer(request: Arrived) -> Answer:
        if "metadata" in request.json:
            return json_answer(anthropic_error("metadata: Extra inputs are not permitted"), status=400)
        return json_answer(MESSAGE)

    endpoint.answer = answer
    got = await ask(proxy, MESSAGES, "/messages", **CLAUDE)
    assert got.json() == MESSAGE
    assert [request.target for request in endpoint.arrived] == ["/v1/messages"] * 2
    assert endpoint.arrived[1].headers["x-api-key"] == "sk-own"
    assert "hy3 (anthropic): refused=metadata" in proxy.addon.stats()
    await ask(proxy, MESSAGES, "/messages", **CLAUDE)
    assert "metadata" not in endpoint.arrived[2].json
    await ask(proxy, CHAT | {"model": "hy3"})  # chat has not been refused anything


def facade(refusal: Answer) -> Callable[[Arrived], Answer]:
    def answer(request: Arrived) -> Answer:
        if not request.target.endswith("/chat/completions"):
            return refusal
        return stream_answer(EVENT, LAST) if request.json.get("stream") else chat_answer("hello")

    return answer


REFUSALS = {
    "400": json_answer(anthropic_error("invalid request"), status=400),
    "404": Answer(404, {"content-type": "text/html"}, [b"<html><title>404 Not Found</title></html>"]),
    "405": json_answer({"detail": "Method Not Allowed"}, status=405),
}


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS.keys())
async def test_a_facade_that_refuses_messages_gets_chat(
    usual: Proxy, endpoint: Endpoint, refusal: Answer, streamed: bool
):
    endpoint.answer = facade(refusal)
    got = await ask(usual, MESSAGES | {"stream": streamed}, "/messages", **CLAUDE)
    assert got.status_code == 200
    if streamed:
        assert b"event: message_stop" in got.content
        assert b'"text":"hello"' in got.content
    else:
        assert got.json()["content"] == [{"type": "text", "text": "hello"}]
    assert [request.target for request in endpoint.arrived] == ["/v1/messages", "/v1/chat/completions"]
    assert endpoint.arrived[1].headers["authorization"] == "Bearer sk-own"
    assert "anthropic-version" not in endpoint.arrived[1].headers
    assert {"mended", "anthropic"} <= set(got.headers["x-hunyuan-fix"].split(","))
    assert "hy3 (anthropic): translated" in usual.addon.stats()

    await ask(usual, MESSAGES, "/messages", **CLAUDE)
    assert [request.target for request in endpoint.arrived[2:]] == ["/v1/chat/completions"]


async def test_the_flow_of_a_translated_try_shows_where_it_went_and_no_key(usual: Proxy, endpoint: Endpoint):
    ended = Ended(usual)
    endpoint.answer = facade(REFUSALS["404"])
    await ask(usual, MESSAGES, "/messages", **CLAUDE)
    (flow,) = ended.flows
    assert flow.request.path == "/v1/chat/completions"
    assert json.loads(flow.request.content or b"")["messages"] == [{"role": "user", "content": "hi"}]
    assert json.loads(flow.metadata[KEY]["original"]) == MESSAGES
    assert "sk-own" not in repr(flow.get_state())


async def test_a_facade_that_refuses_responses_gets_chat(usual: Proxy, endpoint: Endpoint):
    endpoint.answer = facade(json_answer({"error": {"message": "bad", "type": "invalid_request_error"}}, status=400))
    asked = {"model": "hy3", "input": "hi", "store": False}
    got = await ask(usual, asked, "/responses", authorization="Bearer sk-own")
    assert got.status_code == 200
    assert got.json()["output"][0]["content"][0]["text"] == "hello"
    assert [request.target for request in endpoint.arrived] == ["/v1/responses", "/v1/chat/completions"]


async def test_a_facade_that_refuses_chat_too_gives_its_first_error(usual: Proxy, endpoint: Endpoint):
    error = anthropic_error("invalid request")
    endpoint.answer = json_answer(error, status=400)
    usual.master.options.update(hunyuan_mend="off")
    as_ever = await ask(usual, MESSAGES, "/messages", **CLAUDE)
    usual.master.options.update(hunyuan_mend="on")
    endpoint.arrived.clear()
    got = await ask(usual, MESSAGES, "/messages", **CLAUDE)
    assert (got.status_code, got.json()) == (as_ever.status_code, as_ever.json())
    assert got.json()["type"] == "error"
    assert [request.target for request in endpoint.arrived] == ["/v1/messages", "/v1/chat/completions"]
    await ask(usual, MESSAGES, "/messages", **CLAUDE)
    assert [request.target for request in endpoint.arrived[2:]] == ["/v1/messages"]


CONTENT = {
    "moderation": (400, anthropic_error("The request was rejected because it was considered high risk")),
    "overflow": (400, anthropic_error("prompt is too long: 210000 tokens > 200000 maximum")),
    "key": (401, anthropic_error("invalid x-api-key")),
    "quota": (400, anthropic_error("Your account balance is insufficient")),
    "model": (404, {"error": {"message": "Not found the model hy3 or Permission denied"}}),
}


@pytest.mark.parametrize(("status", "error"), CONTENT.values(), ids=CONTENT.keys())
async def test_what_chat_would_refuse_too_is_not_translated(usual: Proxy, endpoint: Endpoint, status: int, error: Any):
    endpoint.answer = facade(json_answer(error, status=status))
    got = await ask(usual, MESSAGES, "/messages", **CLAUDE)
    assert got.status_code >= 400
    assert len(endpoint.arrived) == 1


# What the answer needs of the request is kept


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "stream"])
async def test_a_translated_request_is_mended_as_chat_and_answered_in_its_format(
    trust: Trust, endpoint: Endpoint, streamed: bool
):
    endpoint.answer = Refusing(longer, TOO_LONG)
    asked = MESSAGES | {"model": "a-model", "max_tokens": 64_000, "stream": streamed}
    options = OPTIONS | {"hunyuan_translate": "always"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as running:
        got = await ask(running, asked, "/messages", **CLAUDE)
        assert got.status_code == 200
        assert b'"text":"hello"' in got.content
        assert (b"event: message_stop" in got.content) == streamed
        assert [request.json["max_tokens"] for request in endpoint.arrived] == [64_000, 8192]
        assert {request.target for request in endpoint.arrived} == {"/v1/chat/completions"}
        assert "a-model (chat): output=8192" in running.addon.stats()


async def test_a_translated_request_that_stays_refused_gets_its_error_in_its_format(trust: Trust, endpoint: Endpoint):
    endpoint.answer = Refusing(lambda body: True, TOO_LONG)
    options = OPTIONS | {"hunyuan_translate": "always"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as running:
        asked = MESSAGES | {"model": "a-model", "max_tokens": 64_000}
        got = await ask(running, asked, "/messages", **CLAUDE)
        assert got.json()["type"] == "error"
        assert "64000 > 4096" in got.json()["error"]["message"] or "8192" in got.json()["error"]["message"]
    assert len(endpoint.arrived) == 2


async def test_renamed_tools_and_deprecated_functions_come_back_as_they_were_asked_for(
    usual: Proxy, endpoint: Endpoint
):
    def answer(request: Arrived) -> Answer:
        body = request.json
        if longer(body):
            return json_answer(TOO_LONG, status=400)
        name = body["tools"][0]["function"]["name"]
        call = {"id": "c", "type": "function", "function": {"name": name, "arguments": "{}"}}
        message = {"role": "assistant", "content": None, "tool_calls": [call]}
        return json_answer({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})

    endpoint.answer = answer
    asked = CHAT | {"functions": [{"name": "look.up", "parameters": {"type": "object", "properties": {}}}]}
    got = (await ask(usual, asked)).json()["choices"][0]
    assert got["message"]["function_call"] == {"name": "look.up", "arguments": "{}"}
    assert got["finish_reason"] == "function_call"
    assert len(endpoint.arrived) == 2


async def test_json_that_is_asked_for_in_words_is_bare_in_the_answer(usual: Proxy, endpoint: Endpoint):
    unavailable = {"error": {"message": "This response_format type is unavailable now"}}

    def answer(request: Arrived) -> Answer:
        if "response_format" in request.json:
            return json_answer(unavailable, status=400)
        return chat_answer('```json\n{"a": 1}\n```')

    endpoint.answer = answer
    got = await ask(usual, CHAT | {"max_tokens": 100, "response_format": {"type": "json_object"}})
    assert got.json()["choices"][0]["message"]["content"] == '{"a": 1}'
    assert "JSON" in json.dumps(endpoint.arrived[1].json["messages"])


async def test_tools_that_a_native_request_had_made_functions_come_back_in_their_kind(usual: Proxy, endpoint: Endpoint):
    def answer(request: Arrived) -> Answer:
        if "top_logprobs" in request.json:
            return json_answer({"error": {"message": "Unknown parameter: 'top_logprobs'."}}, status=400)
        call = {"type": "function_call", "id": "f", "call_id": "c", "name": "apply_patch", "status": "completed"}
        output = [call | {"arguments": json.dumps({"input": "*** Begin"})}]
        return json_answer({"id": "r", "object": "response", "status": "completed", "output": output})

    endpoint.answer = answer
    tool = {"type": "custom", "name": "apply_patch", "description": "x", "format": {"type": "text"}}
    asked = {"model": "hy3", "input": "hi", "store": False, "tools": [tool], "top_logprobs": 3}
    got = await ask(usual, asked, "/responses", authorization="Bearer sk-own")
    assert [request.target for request in endpoint.arrived] == ["/v1/responses"] * 2
    (item,) = got.json()["output"]
    assert (item["type"], item["name"], item["input"]) == ("custom_tool_call", "apply_patch", "*** Begin")


async def test_reasoning_that_was_seen_goes_back_where_a_refusal_asks_for_it(usual: Proxy, endpoint: Endpoint):
    thought = {"role": "assistant", "content": "hello", "reasoning_content": "I greet back."}
    missing = "Missing `reasoning_content` field in the assistant message at message index 1."

    def answer(request: Arrived) -> Answer:
        messages = request.json["messages"]
        if len(messages) == 1:
            return json_answer({"choices": [{"index": 0, "message": thought, "finish_reason": "stop"}]})
        if not messages[1].get("reasoning_content"):
            return json_answer({"error": {"message": missing}}, status=400)
        return chat_answer("done")

    endpoint.answer = answer
    asked = {"model": "a-model", "messages": [{"role": "user", "content": "hi"}]}
    await ask(usual, asked)
    lost = [*asked["messages"], {"role": "assistant", "content": "hello"}, {"role": "user", "content": "go on"}]
    got = await ask(usual, asked | {"messages": lost})
    assert got.status_code == 200
    assert [request.json["messages"][1].get("reasoning_content") for request in endpoint.arrived[1:]] == [
        None,
        "I greet back.",
    ]
    assert "reasoning-memory" in got.headers["x-hunyuan-fix"].split(",")


async def test_a_beta_that_is_refused_goes(usual: Proxy, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch):
    known = profiles.load("tokenhub")
    accepted = replace(known.native["anthropic"], betas=frozenset({"a-2025", "b-2025"}))
    profile = replace(known, native={**known.native, "anthropic": accepted})
    monkeypatch.setattr(profiles, "load", lambda name: profile)
    said = "Unexpected value(s) `a-2025` for the `anthropic-beta` header."

    def answer(request: Arrived) -> Answer:
        if "a-2025" in request.headers.get("anthropic-beta", ""):
            return json_answer(anthropic_error(said), status=400)
        return json_answer(MESSAGE)

    endpoint.answer = answer
    for _ in range(2):
        got = await ask(usual, MESSAGES, "/messages", **CLAUDE, **{"anthropic-beta": "a-2025,b-2025"})
        assert got.status_code == 200
    betas = [request.headers.get("anthropic-beta") for request in endpoint.arrived]
    assert betas == ["a-2025,b-2025", "b-2025", "b-2025"]
