"""Refusals of content: one meaning for every vendor's spelling, in each format, whole and streamed, no second try."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from hunyuan_fix.exchange import JsonObject
from hunyuan_fix.wire import vendor_errors
from tests.hooks.test_json_answers import PATHS, events
from tests.proxying import LOCAL, Answer, Arrived, Endpoint, Proxy, Trust, json_answer, run_proxy, stream_answer
from tests.refused_content import CODE, VENDORS

AGENTS = {"": "openai/python 2", "claude-code": "claude-cli/2.1.332 (external, cli)", "codex": "codex_exec/0.171.0"}
WAYS = [
    ("chat", ""),
    ("anthropic", ""),
    ("anthropic", "claude-code"),
    ("anthropic-native", ""),
    ("anthropic-native", "claude-code"),
    ("responses", ""),
    ("responses", "codex"),
    ("responses-native", ""),
    ("responses-native", "codex"),
]


class Way:
    def __init__(self, proxy: Proxy, endpoint: Endpoint, form: str, agent: str) -> None:
        self.proxy, self.endpoint, self.form, self.agent = proxy, endpoint, form, agent

    async def ask(self, answer: Answer, *, stream: bool) -> httpx.Response:
        self.endpoint.answer = answer
        self.endpoint.arrived.clear()
        said = [{"role": "user", "content": "hi"}]
        body: JsonObject = {"model": "hy3", "stream": stream, "max_tokens": 9, "messages": said, "temperature": 0.5}
        if self.form == "responses":
            body = {"model": "hy3", "stream": stream, "input": "hi", "store": False, "temperature": 0.5}
        named = {"authorization": "Bearer sk-own", "user-agent": AGENTS[self.agent], "anthropic-version": "2023-06-01"}
        if self.agent == "codex":
            named |= {"originator": "codex_exec", "session-id": "s"}
        async with self.proxy.client() as client:
            return await client.post(PATHS[self.form], json=body, headers=named)

    def is_refusal(self, got: httpx.Response, error: JsonObject) -> None:
        """A whole error, with the status that this client stops at."""
        assert got.status_code == (451 if self.agent == "claude-code" else 400)
        assert got.headers["x-should-retry"] == "false"
        told = got.json()["error"]
        assert str(error["message"]).rstrip(".。") in told["message"]
        if self.form == "anthropic":
            assert (got.json()["type"], told["type"]) == ("error", "invalid_request_error")
        else:
            assert told["code"] == CODE
        assert len(self.endpoint.arrived) == 1

    def is_refusal_in_stream(self, got: httpx.Response, error: JsonObject) -> None:
        """An error in a stream, once, by the code that this client stops at."""
        assert got.status_code == 200
        if self.form == "anthropic":
            found = [event["error"] for event in events(got) if event.get("type") == "error"]
            assert [one["type"] for one in found] == ["invalid_request_error"]
        elif self.form == "responses":
            found = [event["response"]["error"] for event in events(got) if event.get("type") == "response.failed"]
            assert [one["code"] for one in found] == ["invalid_prompt"]
        else:
            found = [event["error"] for event in events(got) if event.get("error")]
            assert [(one["code"], one["type"]) for one in found] == [(CODE, "invalid_request_error")]
            assert found[0]["vendor"]["message"] == error["message"]
        assert str(error["message"]).rstrip(".。") in found[0]["message"]
        assert len(self.endpoint.arrived) == 1


NATIVE = [(form, agent) for form, agent in WAYS if form.endswith("native")]
TRANSLATED = [way for way in WAYS if way not in NATIVE]


def over(ways: list[tuple[str, str]], *retries: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("way", [(*way, retry) for way in ways for retry in retries], indirect=True)


@pytest.fixture
async def way(request: pytest.FixtureRequest, trust: Trust, endpoint: Endpoint) -> AsyncIterator[Way]:
    name, agent, retry = request.param
    form, _, native = name.partition("-")
    given: dict[str, Any] = {"hunyuan_language": "en", "hunyuan_retry": retry, "hunyuan_retry_tries": "3"}
    given |= {"hunyuan_profile": "tokenhub"} if native else {"hunyuan_translate": "always"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **given) as running:
        yield Way(running, endpoint, form, agent)


@over(WAYS, "off", "all")
async def test_every_vendors_refusal_is_one_and_final(way: Way) -> None:
    for status, error in VENDORS.values():
        for stream in (False, True):
            got = await way.ask(json_answer({"error": error}, status), stream=stream)
            way.is_refusal(got, error)


@over(WAYS, "off", "all")
async def test_bodies_in_other_shapes(way: Way) -> None:
    risk = {"message": "Content Exists Risk"}
    for body in (
        {"type": "error", "error": {"type": "invalid_request_error", **risk}},
        {"detail": risk["message"]},
        {"code": "DataInspectionFailed", "message": risk["message"]},
    ):
        way.is_refusal(await way.ask(json_answer(body, 400), stream=False), risk)


def chunk(text: str) -> bytes:
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "hy3"}
    delta = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": None}
    return b"data: " + json.dumps({**head, "choices": [delta]}).encode() + b"\n\n"


def refusing(error: JsonObject) -> bytes:
    return b"data: " + json.dumps({"error": error}).encode() + b"\n\n"


@over(TRANSLATED, "off", "all")
async def test_in_a_stream_before_and_after_its_first_word(way: Way) -> None:
    relayed = way.proxy.addon.settings.retry == "all"
    for _, error in VENDORS.values():
        first = await way.ask(stream_answer(refusing(error), b"data: [DONE]\n\n"), stream=True)
        if relayed:
            way.is_refusal(first, error)
        else:
            way.is_refusal_in_stream(first, error)
        later = await way.ask(stream_answer(chunk("Once "), refusing(error), b"data: [DONE]\n\n"), stream=True)
        way.is_refusal_in_stream(later, error)
        assert "Once" in later.text


@over(TRANSLATED, "off", "all")
async def test_an_answer_that_is_filtered_stays_an_answer(way: Way) -> None:
    message = {"role": "assistant", "content": "Once"}
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "hy3"}
    for reason in ("sensitive", "content_filter"):
        choice = {"index": 0, "message": message, "finish_reason": reason}
        got = await way.ask(json_answer({**whole, "choices": [choice]}), stream=False)
        assert (got.status_code, "Once" in got.text) == (200, True)
        assert len(way.endpoint.arrived) == 1


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


@over(NATIVE, "off", "all")
async def test_in_a_stream_of_the_endpoints_own_format(way: Way) -> None:
    for _, error in VENDORS.values():
        if way.form == "anthropic":
            head = {"id": "m", "type": "message", "role": "assistant", "model": "hy3", "content": [], "usage": {}}
            answer = stream_answer(event("message_start", message=head), event("error", error=error))
        else:
            made = {"id": "r", "object": "response", "created_at": 1, "model": "hy3", "output": []}
            begun = event("response.created", response=made | {"status": "in_progress"}, sequence_number=0)
            failed = event("response.failed", response=made | {"status": "failed", "error": error}, sequence_number=1)
            answer = stream_answer(begun, failed)
        way.is_refusal_in_stream(await way.ask(answer, stream=True), error)


OTHERS = [
    {"type": "invalid_request_error", "message": "the content must not be empty"},
    {"type": "invalid_request_error", "message": "messages.1: filter is not allowed, high risk of confusion"},
    {"type": "rate_limit_error", "code": "429001", "message": "rate limit exceeded on policy: rpm"},
    {"code": 451, "message": "m"},
    {"code": ["content_filter"], "message": {"content_filter": 1}, "type": {}},
    {"message": None, "code": None, "type": None, "vendor": []},
    {},
]


@pytest.mark.parametrize("error", OTHERS)
def test_other_errors_are_no_refusals(error: JsonObject) -> None:
    assert not vendor_errors.refuses_content(error)
    assert not vendor_errors.is_refusal_of_content(json.dumps({"error": error}).encode())
    assert vendor_errors.policy_error(error) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"<html>content_filter</html>", b'{"error": 1}', b"\xff"])
def test_what_is_no_error_object_is_no_refusal(body: bytes) -> None:
    assert not vendor_errors.is_refusal_of_content(body)
    assert vendor_errors.policy_error(body) is None


def test_an_error_of_ours_is_not_told_twice() -> None:
    made = vendor_errors.policy_error({"message": "Content Exists Risk"})
    assert made is not None
    assert vendor_errors.policy_error(made.fields()) is None
    assert vendor_errors.refuses_content(made.fields())


async def test_nothing_else_is_asked(trust: Trust, endpoint: Endpoint) -> None:
    """A thinking model's request goes by the relay to be mended: a refusal of content is nothing to mend."""
    said = "Content Exists Risk; invalid temperature: only 1 is allowed for this model"
    error = {"message": said, "type": "invalid_request_error"}

    def answer(request: Arrived) -> Answer:
        return json_answer({"error": error}, 400)

    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_profile="tokenhub") as running:
        way = Way(running, endpoint, "chat", "")
        endpoint.answer = answer
        body = {"model": "hy3", "messages": [{"role": "user", "content": "hi"}], "temperature": 0.5}
        async with running.client() as client:
            got = await client.post("/chat/completions", json=body, headers={"authorization": "Bearer sk-own"})
        way.is_refusal(got, error)


async def test_no_fallback_is_asked(trust: Trust, endpoint: Endpoint) -> None:
    given: dict[str, Any] = {
        "hunyuan_profile": "tokenhub",
        "hunyuan_fallbacks": "hy3>hy3-preview>kimi-k2.6",
        "hunyuan_retry": "all",
    }
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **given) as running:
        way = Way(running, endpoint, "chat", "")
        for status, error in VENDORS.values():
            for stream in (False, True):
                way.is_refusal(await way.ask(json_answer({"error": error}, status), stream=stream), error)
