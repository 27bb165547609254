"""Errors are said in the client's language, in each format, whole and in streams; the log has a code and a reason."""

from __future__ import annotations

import json
import logging
import re
from typing import Any

import httpx
import pytest

from hunyuan_fix.exchange import KEY
from tests.kept_flows import Kept, saved_and_read
from tests.matrix import each
from tests.proxying import LOCAL, Answer, Endpoint, Proxy, Trust, json_answer, run_proxy, stream_answer

HAN = re.compile(r"[\u3400-\u9fff]")
SECRET = "sk-tp-0123456789abcdef"
TURN = {"role": "user", "content": "my private diary"}
FORMATS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", {"model": "hy3", "messages": [TURN]}),
    "messages": ("/v1/messages", {"model": "hy3", "max_tokens": 9, "messages": [TURN]}),
    "responses": ("/v1/responses", {"model": "hy3", "input": [TURN]}),
}
ACCEPTS = {
    "nothing": ({}, None, False),
    "chinese": ({"accept-language": "zh-CN,zh;q=0.9,en;q=0.8"}, None, True),
    "english": ({"accept-language": "en-US, zh;q=0.5"}, None, False),
    "the option is over the header": ({"accept-language": "en"}, "zh", True),
    "the option is over the header, too": ({"accept-language": "zh"}, "en", False),
}
TRANSLATES = {"native": "auto", "translated": "always"}


def started(
    trust: Trust, endpoint: Endpoint | None, language: str | None = None, *beside: object, **options: Any
) -> Any:
    port = endpoint.port if endpoint else 1
    given = {"hunyuan_language": language} if language else {}
    options = {"hunyuan_hosts": f"{LOCAL}=tokenhub", "hunyuan_breaker_failures": "0", **given, **options}
    scheme = "https" if endpoint else "http"
    return run_proxy(trust, f"{scheme}://{LOCAL}:{port}", *beside, **options)


async def ask(proxy: Proxy, given: Any, headers: dict[str, str], **more: Any) -> httpx.Response:
    path, body = given
    async with proxy.client() as client:
        return await client.post(
            str(client.base_url).rstrip("/").removesuffix("/v1") + path,
            json=body | more,
            headers={"authorization": f"Bearer {SECRET}", **headers},
        )


def said(answer: httpx.Response) -> str:
    """The error's message, in whatever format and event."""
    for line in [answer.text, *(line.removeprefix("data: ") for line in answer.text.splitlines())]:
        try:
            value = json.loads(line)
        except ValueError:
            continue
        error = value.get("error") or (value.get("response") or {}).get("error")
        if error:
            return str(error["message"])
    raise AssertionError(answer.text)


@each("asked", FORMATS, accepts=ACCEPTS, translate=TRANSLATES)
async def test_the_endpoints_error_is_finished_in_the_clients_language(
    trust: Trust, endpoint: Endpoint, asked: Any, accepts: Any, translate: str, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    headers, language, chinese = accepts
    error = {"type": "authentication_error", "code": "401002", "message": f"invalid api key {SECRET[:4]}"}
    endpoint.answer = json_answer({"error": error}, status=401)
    kept = Kept()
    async with started(trust, endpoint, language, kept, hunyuan_translate=translate) as proxy:
        answer = await ask(proxy, asked, headers)
    assert answer.status_code == 401
    assert said(answer).startswith("invalid api key sk-t")
    assert ("这个接口的密钥在这里创建" in said(answer)) == chinese
    assert ("Keys for this endpoint are made at" in said(answer)) != chinese
    assert "https://api.lkeap.cloud.tencent.com/plan" in said(answer)
    failure = kept.last.metadata[KEY]["failure"]
    refused = "API 密钥被接口拒绝" if language == "zh" else "the endpoint refuses the API key"  # the log's language
    assert failure == f"401002 invalid_api_key: {refused}"
    told = answer.text + caplog.text + json.dumps(saved_and_read(kept.last).metadata, default=str)
    assert SECRET not in told


@each("asked", FORMATS, accepts=ACCEPTS, retry={"off": "off", "all": "all"})
async def test_an_endpoint_that_cant_be_reached_is_told_in_the_clients_language(
    trust: Trust, asked: Any, accepts: Any, retry: str
):
    headers, language, chinese = accepts
    kept = Kept()
    async with started(trust, None, language, kept, hunyuan_retry=retry, hunyuan_retry_tries="1") as proxy:
        answer = await ask(proxy, asked, headers)
    assert answer.headers["content-type"] == "application/json"
    assert answer.status_code == 502
    assert ("无法连接接口" in said(answer)) == chinese
    assert ("could not be reached" in said(answer)) != chinese
    assert LOCAL in said(answer)
    assert kept.last.metadata[KEY]["failure"].startswith("upstream_unreachable: ")


STREAM = b'data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"hi"}}]}\n\n'


@each("asked", FORMATS, accepts=ACCEPTS)
async def test_a_stream_without_an_end_says_so_in_the_clients_language(
    trust: Trust, endpoint: Endpoint, asked: Any, accepts: Any
):
    headers, language, chinese = accepts
    endpoint.answer = stream_answer(STREAM)
    kept = Kept()
    async with started(trust, endpoint, language, kept, hunyuan_translate="always") as proxy:
        answer = await ask(proxy, asked, headers, stream=True)
    assert bool(HAN.search(said(answer))) == chinese
    assert kept.last.metadata[KEY]["failure"].startswith("stream_incomplete: ")


@each("done", {"no end": [STREAM], "an end alone": [b": hi\n\n", b"data: [DONE]\n\n"]})
async def test_a_chat_stream_without_a_reason_is_told_in_chinese(trust: Trust, endpoint: Endpoint, done: list[bytes]):
    endpoint.answer = stream_answer(*done)
    async with started(trust, endpoint) as proxy:
        answer = await ask(proxy, FORMATS["chat"], {"accept-language": "zh"}, stream=True)
    assert "回答不完整" in said(answer)


@each("asked", FORMATS, translate=TRANSLATES)
async def test_an_error_without_words_gets_some_in_the_clients_language(
    trust: Trust, endpoint: Endpoint, asked: Any, translate: str
):
    endpoint.answer = Answer(503, {"content-type": "text/html"}, [b"<title>nginx</title>"])
    async with started(trust, endpoint, hunyuan_translate=translate, hunyuan_mend="off") as proxy:
        answer = await ask(proxy, asked, {"accept-language": "zh"})
    assert answer.status_code == 503
    if asked is FORMATS["chat"]:
        assert answer.content == b"<title>nginx</title>"  # it passes as it is where it is no error object
    else:
        assert said(answer) == "接口返回 HTTP 503，内容是网页，不是错误信息：nginx。"


@each("asked", FORMATS, accepts=ACCEPTS)
async def test_a_request_that_is_refused_here_is_told_why_in_the_clients_language(
    trust: Trust, endpoint: Endpoint, asked: Any, accepts: Any
):
    headers, language, chinese = accepts
    kept = Kept()
    async with started(trust, endpoint, language, kept, hunyuan_max_body="1k", hunyuan_translate="always") as proxy:
        answer = await ask(proxy, asked, headers, metadata={"x": "y" * 2000})
    assert bool(HAN.search(said(answer))) == chinese
    assert kept.last.metadata[KEY]["failure"].startswith("request_too_large: ")
    assert endpoint.arrived == []


async def test_the_reason_of_a_bad_request_is_translated(trust: Trust, endpoint: Endpoint):
    path, body = FORMATS["messages"]
    async with started(trust, endpoint, hunyuan_translate="always") as proxy:
        answer = await ask(proxy, (path, body | {"messages": 1}), {"accept-language": "zh"})
    assert said(answer).startswith("请求无法转换为接口的格式：messages：必须是列表")


async def test_a_stream_of_the_endpoints_own_format_ends_in_the_clients_language(trust: Trust, endpoint: Endpoint):
    begun = b'event: message_start\ndata: {"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[],"model":"hy3","usage":{"input_tokens":1,"output_tokens":1}}}\n\n'  # noqa: E501
    endpoint.answer = stream_answer(begun)
    async with started(trust, endpoint) as proxy:
        answer = await ask(proxy, FORMATS["messages"], {"accept-language": "zh-Hans"}, stream=True)
    assert "回答不完整" in said(answer)


async def test_what_the_endpoint_quotes_of_a_conversation_is_not_in_the_log(
    trust: Trust, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    quoted = f"content violates policy: my private diary of Alice, key {SECRET}"
    endpoint.answer = json_answer({"error": {"code": "400009", "message": quoted}}, status=400)
    kept = Kept()
    async with started(trust, endpoint, None, kept) as proxy:
        answer = await ask(proxy, FORMATS["chat"], {})
    assert said(answer) == quoted  # the client gets the endpoint's words
    failure = kept.last.metadata[KEY]["failure"]
    assert failure.startswith("400009")
    for word in ("diary", "Alice", "sk-tp", SECRET):
        assert word not in failure
        assert word not in caplog.text


async def test_the_language_changes_nothing_of_what_is_sent(trust: Trust, endpoint: Endpoint):
    sent = []
    for accepted in ("zh", "en", "*"):
        endpoint.answer = Answer()
        async with started(trust, endpoint) as proxy:
            await ask(proxy, FORMATS["chat"], {"accept-language": accepted})
        sent.append(endpoint.arrived[-1].body)
    assert len(set(sent)) == 1


LISTED = {"object": "list", "data": [{"id": name, "object": "model"} for name in ("ep-diary-7", "hy3", "glm-5.2")]}


@each("asked", FORMATS, form={"as it is": {}, "in the client's form": {"anthropic-version": "2023-06-01"}})
async def test_a_misspelt_model_is_told_what_the_key_has_once_a_list_has_passed(
    trust: Trust, endpoint: Endpoint, asked: Any, form: dict[str, str]
):
    path, body = asked
    missing = {"error": {"code": "400002", "message": "The model or service ID ep-dairy-7 does not exist"}}
    async with started(trust, endpoint) as proxy:
        told = []
        for key in (SECRET, SECRET, "sk-another"):
            endpoint.answer = json_answer(missing, status=400)
            answer = await ask(proxy, (path, body | {"model": "ep-dairy-7"}), {"authorization": f"Bearer {key}"})
            told.append(said(answer))
            endpoint.answer = json_answer(LISTED)
            async with proxy.client() as client:
                listed = await client.get("/models", headers={"authorization": f"Bearer {SECRET}"} | form)
            assert len(listed.json()["data"]) >= 3
    assert [" with a similar id: ep-diary-7" in text for text in told] == [False, True, False]


@each(
    "form",
    {"as it is": {}, "in the client's form": {"anthropic-version": "2023-06-01"}},
    http2={"1.1": False, "2": True},
)
async def test_a_refused_list_of_models_is_told_where_there_is_a_key(
    trust: Trust, endpoint: Endpoint, form: dict[str, str], http2: bool
):
    """It is what most people try first."""
    error = {"type": "authentication_error", "code": "401002", "message": "invalid api key"}
    endpoint.answer = json_answer({"error": error}, status=401)
    kept = Kept()
    async with started(trust, endpoint, None, kept) as proxy, proxy.client(http2=http2) as client:
        headers = {"authorization": f"Bearer {SECRET}", "accept-language": "zh"} | form
        answer = await client.get("/models", headers=headers)
    assert answer.status_code == 401
    assert "这个接口的密钥在这里创建" in said(answer)
    assert "https://api.lkeap.cloud.tencent.com/plan" in said(answer)
    assert SECRET not in answer.text
    assert kept.last.metadata[KEY]["failure"].startswith("401002 invalid_api_key")


async def test_a_list_of_models_passes_byte_for_byte(trust: Trust, endpoint: Endpoint):
    body = b'{ "object":"list", "data":[ {"id":"hy3"} ] }'
    endpoint.answer = Answer(200, {"content-type": "application/json"}, [body[:9], body[9:]])
    async with started(trust, endpoint) as proxy, proxy.client() as client:
        assert (await client.get("/models")).content == body
