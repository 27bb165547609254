"""What a web page finds in answers: pure, and with mitmproxy and an endpoint around it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from mitmproxy.http import Headers

from hunyuan_fix.access import cors
from hunyuan_fix.access.client_tokens import digest_of
from tests.hooks.test_request_headers import ALICE, CHUNK, open_proxy
from tests.proxying import LOCAL, Answer, Endpoint, Proxy, Trust, chat_answer, json_answer, run_proxy, stream_answer

PAGE, OTHER = "http://localhost:5173", "https://evil.example"
pytestmark = pytest.mark.usefixtures("early_in_a_minute")

CHAT = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}
ASKS = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization,content-type",
    "access-control-request-private-network": "true",
}

both_versions = pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNYUAN_API_KEY", "sk-lent")


@pytest.fixture
def tokens(tmp_path: Path) -> str:
    path = tmp_path / "clients.toml"
    path.touch(0o600)
    path.write_text(f'[clients.alice]\nhash = "sha256:{digest_of(ALICE).hex()}"\nrequests_per_minute = 1\n')
    return str(path)


@pytest.fixture
async def proxy(trust: Trust, endpoint: Endpoint, tokens: str) -> AsyncIterator[Proxy]:
    options: dict[str, Any] = {
        "hunyuan_allowed_origins": PAGE,
        "hunyuan_max_body": "500",
        "hunyuan_client_tokens_file": tokens,
    }
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as running:
        yield running


def headers(**given: str) -> Headers:
    return Headers([(name.replace("_", "-").encode(), value.encode()) for name, value in given.items()])


def test_what_a_preflight_is():
    asked = headers(origin=PAGE, access_control_request_method="POST")
    assert cors.is_preflight("OPTIONS", asked)
    assert not cors.is_preflight("POST", asked)
    assert not cors.is_preflight("OPTIONS", headers(origin=PAGE))
    assert not cors.is_preflight("OPTIONS", headers(access_control_request_method="POST"))


@pytest.mark.parametrize(
    ("status", "answer", "good"),
    [
        (204, {"origin": "*", "headers": "authorization, X-Mode"}, True),
        (200, {"origin": PAGE, "headers": "*, Authorization"}, True),
        (200, {"origin": PAGE, "methods": "GET", "headers": "authorization,x-mode"}, True),
        (302, {"origin": "*", "headers": "authorization,x-mode"}, False),
        (200, {"headers": "authorization,x-mode"}, False),
        (200, {"origin": OTHER, "headers": "authorization,x-mode"}, False),
        (200, {"origin": PAGE, "headers": "*"}, False),
        (200, {"origin": PAGE, "headers": "authorization"}, False),
        (200, {"origin": PAGE}, False),
    ],
)
def test_an_answer_that_lets_the_page_send_what_it_asks_for(status: int, answer: dict[str, str], good: bool):
    asked = headers(
        origin=PAGE, access_control_request_method="POST", access_control_request_headers="authorization,x-mode"
    )
    given = headers(**{f"access_control_allow_{name}": value for name, value in answer.items()})
    assert cors.answers_preflight(status, given, asked) is good


@pytest.mark.parametrize(("methods", "good"), [("", False), ("GET, POST", False), ("delete", True), ("*", True)])
def test_a_method_that_must_be_named(methods: str, good: bool):
    asked = headers(origin=PAGE, access_control_request_method="DELETE")
    given = headers(access_control_allow_origin="*", access_control_allow_methods=methods)
    assert cors.answers_preflight(204, given, asked) is good


def test_the_endpoints_own_word_stands():
    answer = headers(access_control_allow_origin="*", vary="Accept")
    cors.add(answer, cors.for_answer(headers(origin=PAGE)))
    assert (answer["access-control-allow-origin"], answer["vary"]) == ("*", "Accept, Origin")


@pytest.mark.parametrize("origin", [PAGE, OTHER, "null"])
@both_versions
async def test_a_page_can_read_an_error_of_the_proxys_own(proxy: Proxy, endpoint: Endpoint, origin: str, http2: bool):
    """Any page: there is nothing of the endpoint's in it, and no key."""
    bearer = {"authorization": f"Bearer {ALICE}"}
    async with proxy.client(http2=http2, headers={"origin": origin}) as client:
        answers = {
            413: await client.post("/chat/completions", content=b"x" * 600),
            400: await client.post("/embeddings", json={"model": "hunyuan-embedding", "input": [1, 2]}),
            401: await client.post("/chat/completions", headers={"authorization": f"Bearer hf-{'u' * 43}"}),
        }
        await client.get("/models", headers=bearer)
        answers[429] = await client.post("/chat/completions", json=CHAT, headers=bearer)
        proxy.addon.process.draining.begin()
        answers[503] = await client.post("/chat/completions", json=CHAT)
    for status, answer in answers.items():
        assert answer.status_code == status
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["vary"] == "Origin"
        assert answer.headers["access-control-expose-headers"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        assert "sk-lent" not in answer.text


async def test_who_is_no_page_gets_none(proxy: Proxy):
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", content=b"x" * 600)
    assert answer.status_code == 413
    assert not any(name.startswith("access-control") or name == "vary" for name in answer.headers)


@pytest.mark.parametrize("retry", ["vision", "all"])
async def test_an_allowed_page_can_read_what_the_endpoint_answers(proxy: Proxy, endpoint: Endpoint, retry: str):
    proxy.master.options.update(hunyuan_retry=retry, hunyuan_retry_tries="1")
    async with proxy.client() as client:
        for answer in (chat_answer("hi"), json_answer({"error": {"message": "no"}}, 400), stream_answer(CHUNK)):
            endpoint.answer = answer
            for origin, allowed in ((PAGE, PAGE), (OTHER, None)):
                got = await client.post("/chat/completions", json={**CHAT, "stream": True}, headers={"origin": origin})
                assert got.headers.get("access-control-allow-origin") == allowed
                assert ("answer-cors" in got.headers.get("x-hunyuan-fix", "")) == (allowed is not None)


@pytest.mark.parametrize("retry", ["vision", "all"])
@pytest.mark.parametrize("status", [200, 400, 503])
async def test_the_endpoints_own_headers_come_through(proxy: Proxy, endpoint: Endpoint, retry: str, status: int):
    proxy.master.options.update(hunyuan_retry=retry, hunyuan_retry_tries="1")
    own = {"access_control_allow_origin": "https://its.own", "access_control_expose_headers": "x-request-id"}
    choice = {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    endpoint.answer = json_answer(
        {"choices": [choice]} if status == 200 else {"error": {"message": "no"}}, status, **own
    )
    async with proxy.client(headers={"origin": PAGE}) as client:
        got = await client.post("/chat/completions", json={**CHAT, "n": 1})
    if got.status_code == status:
        assert got.headers.get_list("access-control-allow-origin") == ["https://its.own"]
        assert got.headers["access-control-expose-headers"] == "x-request-id"
    else:
        assert got.headers["access-control-allow-origin"] == PAGE


async def test_a_page_can_read_an_error_of_the_relays_own(proxy: Proxy, endpoint: Endpoint):
    proxy.master.options.update(hunyuan_retry="all", hunyuan_retry_tries="1")
    endpoint.answer = Answer(502, {"content-type": "text/html"}, [b"<html>"])
    async with proxy.client() as client:
        for origin in (PAGE, OTHER):
            got = await client.post("/chat/completions", json=CHAT, headers={"origin": origin})
            assert got.json()["error"]["code"] == "upstream_error"
            assert got.headers["access-control-allow-origin"] == origin
            assert "x-hunyuan-fix-own" not in got.headers


async def test_an_answer_that_is_made_here_is_for_allowed_pages_alone(proxy: Proxy, endpoint: Endpoint):
    """What is kept, what is counted: it has the content of conversations."""
    endpoint.answer = chat_answer("hi")
    counted = {"model": "hunyuan-lite", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]}
    async with proxy.client() as client:
        kept = (await client.post("/responses", json={"model": "hunyuan-lite", "input": "hi"})).json()["id"]
        for origin, allowed in ((PAGE, PAGE), (OTHER, None), ("null", None)):
            page = {"origin": origin}
            got = await client.get(f"/responses/{kept}", headers=page)
            assert (got.status_code, got.headers.get("access-control-allow-origin")) == (200, allowed)
            got = await client.post("/messages/count_tokens", json=counted, headers=page)
            assert (got.status_code, got.headers.get("access-control-allow-origin")) == (200, allowed)
            got = await client.get("/responses/resp_unknown", headers=page)
            assert (got.status_code, got.headers.get("access-control-allow-origin")) == (404, origin)


# Preflights


async def preflight(
    proxy: Proxy, origin: str, *, http2: bool = False, more: Mapping[str, str] | None = None
) -> httpx.Response:
    async with proxy.client(http2=http2) as client:
        return await client.options("/chat/completions/", headers={"origin": origin, **ASKS, **(more or {})})


@both_versions
async def test_a_preflight_that_the_endpoint_answers_is_its_own(proxy: Proxy, endpoint: Endpoint, http2: bool):
    own = {"origin": "*", "headers": "authorization, content-type"}
    named = {f"access-control-allow-{name}": value for name, value in own.items()}
    endpoint.answer = Answer(204, {**named, "access-control-max-age": "7"}, ())
    for origin in (PAGE, OTHER):
        got = await preflight(proxy, origin, http2=http2)
        assert (got.status_code, got.headers["access-control-max-age"]) == (204, "7")
    assert [request.target for request in endpoint.arrived] == ["/v1/chat/completions"] * 2
    assert not any("authorization" in request.headers for request in endpoint.arrived)


@pytest.mark.parametrize(
    "answer",
    [
        Answer(404),
        Answer(405, {"access-control-allow-origin": "*"}),
        Answer(401),
        Answer(200),
        Answer(302, {"location": "/"}),
        Answer(204, {"access-control-allow-origin": "*"}, ()),
        Answer(204, {"access-control-allow-origin": "https://its.own", "access-control-allow-headers": "*"}, ()),
    ],
    ids=lambda answer: f"{answer.status}",
)
@both_versions
async def test_where_the_endpoint_has_none_an_allowed_page_gets_ours(
    proxy: Proxy, endpoint: Endpoint, answer: Answer, http2: bool
):
    endpoint.answer = answer
    got = await preflight(proxy, PAGE, http2=http2)
    assert (got.status_code, got.content) == (204, b"")
    assert got.headers["access-control-allow-origin"] == PAGE
    assert got.headers["access-control-allow-methods"] == "POST"
    assert got.headers["access-control-allow-headers"] == "authorization,content-type"
    assert got.headers["access-control-allow-private-network"] == "true"
    assert "content-length" not in got.headers
    other = await preflight(proxy, OTHER, http2=http2)
    assert other.status_code == answer.status
    assert "sk-lent" not in str(endpoint.arrived)


async def test_nothing_here_stands_in_a_preflights_way(proxy: Proxy, endpoint: Endpoint):
    """No limit, no unknown token, no loop guard, no end of the proxy."""
    endpoint.answer = Answer(204, {"access-control-allow-origin": "*"}, ())
    for more in ({}, {"authorization": f"Bearer {ALICE}"}, {"authorization": f"Bearer hf-{'u' * 43}"}):
        for _ in range(2):
            assert (await preflight(proxy, PAGE, more=more)).status_code == 204
    assert (await preflight(proxy, PAGE, more={"x-hunyuan-fix-call": "1"})).status_code == 204
    async with proxy.client(headers={"origin": PAGE}) as client:
        connection = await client.get("/models")
        proxy.addon.process.draining.begin()
        asked = await client.options("/models", headers=ASKS)
    assert (connection.status_code, asked.status_code) == (204, 204)
    assert ALICE not in str(endpoint.arrived)


async def test_proxyauth_does_not_stand_in_its_way_either(trust: Trust, endpoint: Endpoint, tokens: str):
    """A browser sends no password with it; and a POST without one gets no further."""
    endpoint.answer = Answer(204, {"access-control-allow-origin": "*"}, ())
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", proxyauth="team:s3cret") as proxy:
        assert (await preflight(proxy, PAGE)).status_code == 204
        async with proxy.client(headers={"origin": PAGE}) as client:
            assert (await client.post("/chat/completions", json=CHAT)).status_code == 401
    assert len(endpoint.arrived) == 1


async def test_a_strangers_preflight_is_answered_and_goes_nowhere(trust: Trust, endpoint: Endpoint, tokens: str):
    """The page can read then why its request is refused."""
    async with open_proxy(trust, endpoint, hunyuan_client_tokens_file=tokens) as proxy:
        got = await preflight(proxy, OTHER)
        assert (got.status_code, got.headers["access-control-allow-origin"]) == (204, OTHER)
        async with proxy.client(headers={"origin": OTHER}) as client:
            refused = await client.post("/chat/completions", json=CHAT)
            assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, OTHER)
    assert not endpoint.arrived


async def test_a_preflight_that_leads_back_to_the_proxy_ends_here(proxy: Proxy):
    proxy.master.options.update(hunyuan_upstream=f"http://127.0.0.1:{proxy.port}/v1")
    assert (await preflight(proxy, PAGE)).status_code == 204
