"""Which exchange an answer is of: its id in the answer's headers, in its record, in the log."""

from __future__ import annotations

import logging
from typing import Any

import httpx
import pytest

from hunyuan_fix import events
from hunyuan_fix.events import Event
from tests.proxying import LOCAL, Answer, Endpoint, Proxy, Trust, chat_answer, json_answer, run_proxy, stream_answer
from tests.waiting import until

CHAT: dict[str, Any] = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "a"}]}
MESSAGES = CHAT | {"max_tokens": 9}
OURS = "x-hunyuan-request-id"
REFUSED = {"error": {"code": "model_not_found", "message": "no such model", "type": "invalid_request_error"}}


class Heard:
    """A sink."""

    name = "test"
    kinds = (events.DONE,)

    def __init__(self) -> None:
        self.told: list[Any] = []

    def hear(self, event: Event) -> None:
        self.told.append(event.data)


async def posted(
    proxy: Proxy, body: Any = CHAT, path: str = "/chat/completions", **headers: str
) -> tuple[httpx.Response, Any]:
    """The answer, and the record of its exchange."""
    heard = Heard()
    proxy.addon.runtime.sinks.add(heard)
    sent = {name.replace("_", "-"): text for name, text in headers.items()}
    async with proxy.client() as client:
        answer = await client.post(path, json=body, headers=sent)
    await until(lambda: heard.told)
    return answer, heard.told[0]


async def test_it_is_the_clients_own_if_that_is_sane(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = chat_answer("ok")
    answer, done = await posted(proxy, x_request_id="mine-1")
    assert answer.headers[OURS] == done["request_id"] == "mine-1"
    assert endpoint.arrived[0].headers["x-request-id"] == "mine-1", "it goes on as it came"
    answer, done = await posted(proxy, x_request_id="no sane one")
    assert answer.headers[OURS] == done["request_id"] == done["id"]
    assert endpoint.arrived[1].headers["x-request-id"] == "no sane one"


async def test_one_that_is_made_here_is_not_sent_on(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = chat_answer("ok")
    answer, done = await posted(proxy)
    assert answer.headers[OURS] == done["request_id"] == done["id"]
    assert "x-request-id" not in answer.headers, "only the endpoint's, or an error's"
    assert not any("request-id" in name for name in endpoint.arrived[0].headers)


@pytest.mark.parametrize("relayed", [False, True])
@pytest.mark.parametrize("body", [CHAT, CHAT | {"stream": True}])
async def test_the_endpoints_own_stays_where_libraries_show_it(
    trust: Trust, endpoint: Endpoint, body: Any, relayed: bool
):
    whole = json_answer({"choices": [{"index": 0, "message": {"content": "ok"}, "finish_reason": "stop"}]})
    streamed = stream_answer(
        b'data: {"choices":[{"index":0,"delta":{"content":"ok"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
    )
    given = streamed if body.get("stream") else whole
    endpoint.answer = Answer(200, {**given.headers, "x-request-id": "theirs"}, given.chunks)
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_retry="all" if relayed else "off") as proxy:
        answer, done = await posted(proxy, body, x_request_id="mine")
    assert (answer.headers["x-request-id"], answer.headers[OURS]) == ("theirs", "mine")
    assert (done["request_id"], done["upstream_id"]) == ("mine", "theirs")


@pytest.mark.parametrize("relayed", [False, True])
@pytest.mark.parametrize("theirs", [{}, {"x_request_id": "theirs"}])
async def test_an_error_of_the_endpoints_names_theirs_if_it_has_one(
    trust: Trust, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, theirs: dict[str, str], relayed: bool
):
    caplog.set_level(logging.INFO)
    endpoint.answer = json_answer(REFUSED, 404, **theirs)
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_retry="all" if relayed else "off") as proxy:
        answer, done = await posted(proxy)
        assert answer.headers["x-request-id"] == (theirs.get("x_request_id") or done["id"])
        answer, done = await posted(proxy, MESSAGES, "/messages")
        assert answer.headers["request-id"] == answer.json()["request_id"] == (theirs.get("x_request_id") or done["id"])
    assert any(f" request_id={done['id']} -> 404 " in line for line in caplog.messages)


async def test_whatever_id_the_endpoint_gives_its_error_stays(proxy: Proxy, endpoint: Endpoint):
    endpoint.answer = json_answer(REFUSED, 404, x_request_id="no sane one")
    answer, done = await posted(proxy)
    assert (answer.headers["x-request-id"], done["upstream_id"]) == ("no sane one", "")
    assert "answer-error" in answer.headers["x-hunyuan-fix"], "its words are ours"


@pytest.mark.parametrize("relayed", [False, True])
async def test_an_error_made_here_names_ours(trust: Trust, endpoint: Endpoint, relayed: bool):
    endpoint.answer = Answer(200, {"content-type": "text/html"}, [b"<html>down"])
    async with run_proxy(
        trust,
        f"https://{LOCAL}:{endpoint.port}",
        hunyuan_retry="all" if relayed else "off",
        hunyuan_retry_tries="1",
        hunyuan_max_body="200",
    ) as proxy:
        answer, done = await posted(proxy)
        assert answer.headers["x-request-id"] == answer.headers[OURS] == done["id"]
        answer, done = await posted(proxy, CHAT | {"pad": "x" * 300}, x_request_id="mine")
        assert answer.status_code == 413
        assert answer.headers["x-request-id"] == answer.headers[OURS] == "mine"
        answer, done = await posted(proxy, MESSAGES | {"pad": "x" * 300}, "/messages")
        assert answer.headers["request-id"] == answer.json()["request_id"] == done["id"]


async def test_a_translated_answer_shows_theirs_where_its_clients_look(proxy: Proxy, endpoint: Endpoint):
    given = chat_answer("ok")
    endpoint.answer = Answer(200, {**given.headers, "x-tc-requestid": "tc-1"}, given.chunks)
    answer, done = await posted(proxy, MESSAGES, "/messages")
    assert answer.headers["request-id"] == done["upstream_id"] == "tc-1"
    answer, done = await posted(proxy)
    assert answer.headers["x-request-id"] == "tc-1"


@pytest.mark.parametrize("mode", ["observe", "off"])
async def test_what_passes_unchanged_keeps_its_headers(trust: Trust, endpoint: Endpoint, mode: str):
    given = chat_answer("ok")
    endpoint.answer = Answer(200, {**given.headers, "x-tc-requestid": "tc-1"}, given.chunks)
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hunyuan_mode=mode) as proxy:
        answer, done = await posted(proxy)
    assert "x-request-id" not in answer.headers
    assert (OURS in answer.headers) == (mode == "observe")
    assert done["upstream_id"] == "tc-1"
