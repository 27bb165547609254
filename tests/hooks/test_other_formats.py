"""Clients of Anthropic's format at a request's headers: one key, no key elsewhere, what is answered or refused here."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from mitmproxy.exceptions import OptionsError

from hunyuan_fix.access.client_tokens import digest_of
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
from tests.tunnels import names

ALICE = f"hf-{'a' * 43}"
LENT, OWN = "sk-lent", "sk-ant-own"
CHAT: dict[str, Any] = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}
ASKED = CHAT | {"model": "claude-opus-4-6", "max_tokens": 100}
VERSION = {"anthropic-version": "2023-06-01"}
SECRETS = {
    "x-api-key": OWN,
    "authorization": f"Bearer {OWN}-oauth",
    "api-key": OWN,
    "cookie": f"sessionKey={OWN}",
    "x-session-token": OWN,
}
VENDOR, OPENAI, OTHER = "api.anthropic.com", "api.openai.com", "llm.example.com"
"""Hosts of other vendors, and one that only its user knows."""

both_versions = pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])
each_mode = pytest.mark.parametrize("mode", ["repair", "observe", "off"])


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNYUAN_API_KEY", LENT)


def answer(request: Arrived) -> Any:
    if request.target.startswith("/v1/models"):
        return json_answer({"object": "list", "data": [{"id": "hunyuan-lite", "created": 0}]})
    return chat_answer("hello") if "completions" in request.target else json_answer({"error": {"message": "no"}}, 404)


@pytest.fixture(autouse=True)
def answers(endpoint: Endpoint) -> None:
    endpoint.answer = answer


@pytest.fixture
def tokens(tmp_path: Path) -> str:
    path = tmp_path / "clients.toml"
    path.touch(0o600)
    path.write_text(f'[clients.alice]\nhash = "sha256:{digest_of(ALICE).hex()}"\nrequests_per_minute = 2\n')
    return str(path)


def keys_of(request: Arrived) -> dict[str, str]:
    return {
        name: request.headers[name] for name in ("authorization", "x-api-key", "api-key") if name in request.headers
    }


# One key


@both_versions
@pytest.mark.parametrize(
    ("sent", "leaves", "moved"),
    [
        ({"x-api-key": OWN}, OWN, True),
        ({"api-key": OWN}, OWN, True),
        ({"x-api-key": f"Bearer {OWN}"}, OWN, True),
        ({"authorization": f"Bearer {OWN}"}, OWN, False),
        ({"authorization": f"Bearer {OWN}", "x-api-key": "sk-two"}, OWN, False),
        ({"authorization": "Bearer", "x-api-key": OWN, "api-key": "sk-two"}, OWN, True),
        ({"authorization": "Basic eDp5", "x-api-key": OWN}, OWN, True),
        ({"x-api-key": ""}, LENT, False),
        ({}, LENT, False),
    ],
)
async def test_a_key_goes_to_a_chat_endpoint_as_bearer_and_alone(
    proxy: Proxy, endpoint: Endpoint, http2: bool, sent: dict[str, str], leaves: str, moved: bool
):
    async with proxy.client(http2=http2) as client:
        got = await client.post("/messages", json=ASKED, headers=VERSION | sent)
        listed = await client.get("/models", headers=VERSION | sent)
    assert (got.status_code, listed.status_code) == (200, 200)
    assert [keys_of(request) for request in endpoint.arrived] == [{"authorization": f"Bearer {leaves}"}] * 2
    assert ("key" in got.headers["x-hunyuan-fix"]) == moved


async def test_a_chat_clients_key_in_another_header_is_moved_too(proxy: Proxy, endpoint: Endpoint):
    async with proxy.client() as client:
        moved = await client.post("/chat/completions", json=CHAT, headers={"x-api-key": OWN})
        both = {"authorization": f"Bearer {OWN}", "x-api-key": "sk-two"}
        await client.post("/chat/completions", json=CHAT, headers=both)
        passed = await client.post("/files", headers={"x-api-key": OWN})
    assert keys_of(endpoint.arrived[0]) == {"authorization": f"Bearer {OWN}"}
    assert moved.headers["x-hunyuan-fix"] == "key"
    assert keys_of(endpoint.arrived[1]) == both, "it reads the first and is sent what was meant for it"
    assert keys_of(endpoint.arrived[2]) == {"x-api-key": OWN}, "not a chat endpoint"
    assert "x-hunyuan-fix" not in passed.headers


async def test_both_headers_are_one_account(trust: Trust, endpoint: Endpoint):
    """The endpoint counts calls by key: a second header is no second queue."""
    come, go = asyncio.Event(), asyncio.Event()

    async def held(_: Arrived) -> Answer:
        come.set()
        await go.wait()
        return chat_answer("hello")

    endpoint.answer = held
    one_at_once: dict[str, Any] = {"hunyuan_concurrency": "1", "hunyuan_queue_max": "0"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **one_at_once) as proxy, proxy.client() as client:
        first = asyncio.create_task(client.post("/messages", json=ASKED, headers={"x-api-key": OWN}))
        await come.wait()
        second = await client.post("/chat/completions", json=CHAT, headers={"authorization": f"Bearer {OWN}"})
        other = asyncio.create_task(client.post("/messages", json=ASKED, headers={"x-api-key": "sk-two"}))
        go.set()
        assert second.json()["error"]["code"] == "proxy_queue_full"
        assert [(await task).status_code for task in (first, other)] == [200, 200]


@pytest.mark.parametrize("header", ["x-api-key", "authorization"])
async def test_a_client_token_counts_in_either(trust: Trust, endpoint: Endpoint, tokens: str, header: str):
    sent = VERSION | {header: ALICE if header == "x-api-key" else f"Bearer {ALICE}"}
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target, hunyuan_client_tokens_file=tokens) as proxy, proxy.client() as client:
        for _ in range(3):
            await client.head(f"http://{LOCAL}:{proxy.reverse_port}/", headers=sent)
        got = [await client.post("/messages", json=ASKED, headers=sent) for _ in range(3)]
    assert [one.status_code for one in got] == [200, 200, 429], "what is answered here doesn't count"
    assert got[2].json()["type"] == "error"
    assert [keys_of(request) for request in endpoint.arrived] == [{"authorization": f"Bearer {LENT}"}] * 2
    assert ALICE not in str(endpoint.arrived)


@pytest.mark.parametrize("mode", ["repair", "off"])
@pytest.mark.parametrize("stream", [True, False])
async def test_tokens_of_what_passes_untouched_count_too(
    trust: Trust, endpoint: Endpoint, tmp_path: Path, stream: bool, mode: str
):
    """The key is lent to it, and the client's limit holds for what the key pays for."""
    path = tmp_path / "clients.toml"
    path.touch(0o600)
    path.write_text(f'[clients.alice]\nhash = "sha256:{digest_of(ALICE).hex()}"\ntokens_per_minute = 1000\n')
    event = b'event: content_block_delta\ndata: {"type":"content_block_delta"}\n\n'
    end = b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n'
    events = [*[event] * 3000, end, b'event: message_stop\ndata: {"type":"message_stop"}\n\n']
    endpoint.answer = stream_answer(*events) if stream else json_answer({"type": "message", "content": "x" * 9000})
    given: dict[str, Any] = {"hunyuan_client_tokens_file": str(path), "hunyuan_profile": "tokenhub"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **given) as proxy, proxy.client() as client:
        sent = VERSION | {"x-api-key": ALICE, "x-hunyuan-mode": mode}
        first = await client.post("/messages", json=ASKED, headers=sent)
        while (second := await client.post("/messages", json=ASKED, headers=sent)).status_code == 200:
            await asyncio.sleep(0)
    assert first.status_code == 200
    assert first.content == (b"".join(events) if stream else first.content)
    assert second.status_code == 429
    assert len(endpoint.arrived) < 5


# On the way


async def test_what_is_sent_of_a_translated_request(proxy: Proxy, endpoint: Endpoint):
    sent = VERSION | {"anthropic-beta": "a,b", "Anthropic-Dangerous-Direct-Browser-Access": "true", "x-other": "y"}
    async with proxy.client() as client:
        got = await client.post(
            f"http://{LOCAL}:{proxy.reverse_port}/v1/v1/messages?beta=true", json=ASKED, headers=sent
        )
    (request,) = endpoint.arrived
    assert request.target == "/v1/chat/completions"
    assert request.json["model"] == "hunyuan-2.0-instruct-20251111"
    assert not [name for name in request.headers if name.startswith("anthropic")]
    assert request.headers["x-other"] == "y"
    assert got.json()["model"] == "claude-opus-4-6"
    assert got.headers["x-hunyuan-fix"] == "path,anthropic,model"


async def test_under_never_what_the_endpoint_speaks_itself_passes(
    trust: Trust, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
):
    endpoint.answer = json_answer({"type": "message"})
    body = json.dumps(ASKED, indent=3).encode()
    target = f"https://{LOCAL}:{endpoint.port}"
    options: dict[str, Any] = {"hunyuan_profile": "tokenhub", "hunyuan_translate": "never"}
    async with run_proxy(trust, target, **options) as proxy, proxy.client() as client:
        got = await client.post("/messages?beta=true", content=body, headers=VERSION | {"anthropic-beta": "x"})
        own = await client.post("/messages", content=body, headers=VERSION | {"x-api-key": OWN})
    assert got.json() == own.json() == {"type": "message"}
    assert [request.body for request in endpoint.arrived] == [body, body]
    assert endpoint.arrived[0].target == "/v1/messages?beta=true"
    assert endpoint.arrived[0].headers["anthropic-beta"] == "x"
    assert [keys_of(request) for request in endpoint.arrived] == [
        {"authorization": f"Bearer {LENT}"},
        {"x-api-key": OWN},
    ]
    assert any("the endpoint speaks this format itself" in line for line in caplog.messages)


async def test_the_list_of_models_of_an_endpoint_that_speaks_it_has_no_aliases(trust: Trust, endpoint: Endpoint):
    """They would pass untouched."""
    endpoint.answer = json_answer({"object": "list", "data": [{"id": "hy3", "created": 0}]})
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target, hunyuan_profile="tokenhub") as proxy, proxy.client() as client:
        own = await client.get("/models", headers=VERSION)
        proxy.master.options.update(hunyuan_translate="always")
        translated = await client.get("/models", headers=VERSION)
    assert [entry["id"] for entry in own.json()["data"]] == ["hy3"]
    assert [entry["id"] for entry in translated.json()["data"]] == ["hy3", "claude-hy3"]


async def test_never_and_off_leave_it_alone(trust: Trust, endpoint: Endpoint):
    target = f"https://{LOCAL}:{endpoint.port}"
    for name, value in (("translate", "never"), ("mode", "off"), ("mode", "observe")):
        endpoint.arrived.clear()
        given: dict[str, Any] = {f"hunyuan_{name}": value}
        async with run_proxy(trust, target, **given) as proxy, proxy.client() as client:
            got = await client.post("/messages", json=ASKED, headers=VERSION | {"x-api-key": OWN})
            assert got.status_code == 404
            listed = await client.get("/models?limit=5", headers=VERSION)
            assert listed.json()["object"] == "list"
        asked, models = endpoint.arrived
        assert (asked.target, asked.json) == ("/v1/messages", ASKED)
        assert models.target == "/v1/models?limit=5"


# Tokens, models, and what is answered or refused here


async def test_tokens_are_counted_here(proxy: Proxy, endpoint: Endpoint):
    async with proxy.client() as client:
        few = await client.post("/messages/count_tokens?beta=true", json=CHAT, headers=VERSION)
        many = await client.post("/messages/count_tokens", json=CHAT | {"messages": CHAT["messages"] * 50})
        wrong = await client.post("/messages/count_tokens", json={"messages": 5})
    assert few.status_code == 200
    assert list(few.json()) == ["input_tokens"]
    assert "x-hunyuan-fix" not in few.headers, "nothing is sent that could have been changed"
    assert 0 < few.json()["input_tokens"] < many.json()["input_tokens"]
    assert (wrong.status_code, wrong.json()["type"]) == (400, "error")
    assert not endpoint.arrived


async def test_the_list_of_models_in_the_form_of_its_reader(proxy: Proxy, endpoint: Endpoint):
    async with proxy.client() as client:
        openai = await client.get("/models?limit=5")
        own = await client.get(f"http://{LOCAL}:{proxy.reverse_port}/anthropic/v1/models?limit=1000", headers=VERSION)
        endpoint.answer = json_answer({"error": {"message": "no such path"}}, 404)
        of_profile = await client.get("/models", headers=VERSION)
        endpoint.answer = json_answer({"error": {"message": "wrong key"}}, 401)
        refused = await client.get("/models", headers=VERSION)
    assert openai.json()["object"] == "list"
    assert "x-hunyuan-fix" not in openai.headers
    assert [entry["id"] for entry in own.json()["data"]] == ["hunyuan-lite", "claude-hunyuan-lite"]
    assert own.headers["x-hunyuan-fix"] == "path,answer-models"
    assert [request.target for request in endpoint.arrived[:2]] == ["/v1/models?limit=5", "/v1/models"]
    assert "claude-hunyuan-lite" in [entry["id"] for entry in of_profile.json()["data"]]
    assert (refused.status_code, refused.json()["error"]["message"]) == (401, "wrong key")
    assert refused.json()["type"] == "error"


@pytest.mark.parametrize(
    ("name", "headers", "status", "has"),
    [
        ("hunyuan-lite", {}, 200, {"object": "model"}),
        ("claude-hunyuan-lite", {}, 200, {"object": "model"}),
        ("mine%5B1m%5D", {}, 200, {"object": "model"}),
        ("gpt-5", {}, 404, {}),
        ("hunyuan-lite", VERSION, 200, {"type": "model", "max_input_tokens": 90_000}),
        ("claude-hunyuan-lite", VERSION, 200, {"type": "model", "display_name": "hunyuan-lite"}),
        ("mine%5B1m%5D", VERSION, 200, {"display_name": "hunyuan-lite"}),
        ("gpt-5", VERSION, 200, {"display_name": "hunyuan-lite"}),
        ("nothing", VERSION, 404, {"type": "error"}),
    ],
)
async def test_one_model_in_the_form_of_its_reader(
    proxy: Proxy, endpoint: Endpoint, name: str, headers: dict[str, str], status: int, has: dict[str, Any]
):
    proxy.master.options.update(
        hunyuan_window="90000", hunyuan_text_model="hunyuan-lite", hunyuan_models="mine[1m]=hunyuan-lite"
    )
    endpoint.answer = json_answer({"object": "list", "data": [{"id": "hunyuan-lite", "object": "model"}]})
    async with proxy.client() as client:
        got = await client.get(f"/models/{name}", headers=headers)
    assert got.status_code == status
    assert has.items() <= got.json().items()
    assert status == 404 or got.json()["id"] == unquote(name)
    assert got.headers["x-hunyuan-fix"] == "answer-models"
    assert [request.target for request in endpoint.arrived] == ["/v1/models"]


@pytest.mark.parametrize(
    "changed", [{"hunyuan_mode": "observe"}, {"hunyuan_mode": "off"}, {"hunyuan_translate": "never"}]
)
async def test_one_model_is_asked_for_as_it_was_where_nothing_is_changed(
    proxy: Proxy, endpoint: Endpoint, changed: dict[str, str]
):
    proxy.master.options.update(**changed)
    async with proxy.client() as client:
        await client.get("/models/hunyuan-lite?x=1", headers=VERSION)
    assert [request.target for request in endpoint.arrived] == ["/v1/models/hunyuan-lite?x=1"]


@both_versions
@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("HEAD", "/", ""), ("GET", "/api/hello?x=1", '{"message":"hello"}'), ("POST", "/api/event_logging/batch", "{}")],
)
async def test_what_a_reverse_port_answers(
    proxy: Proxy, endpoint: Endpoint, trust: Trust, method: str, path: str, body: str, http2: bool
):
    async with proxy.client(http2=http2) as client:
        url = f"{client.base_url.scheme}://{LOCAL}:{proxy.reverse_port}{path}"
        got = await client.request(method, url, headers={"x-api-key": OWN})
    assert (got.status_code, got.text) == (200, body)
    assert not endpoint.arrived
    async with proxy.proxied(trust.of_proxy()) as client:
        await client.request(method, f"https://{LOCAL}:{endpoint.port}{path}")
    assert len(endpoint.arrived) == 1, "the endpoint that the client has named answers itself"


@pytest.mark.parametrize(
    "path", ["/messages/batches", "/messages/batches/b_1/results", "/files", "/skills", "/complete"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("profile", ["hunyuan", "tokenhub"])
async def test_what_has_no_counterpart_is_refused_in_the_clients_format(
    trust: Trust, endpoint: Endpoint, method: str, path: str, profile: str
):
    """On TokenHub, too: it speaks Messages, but documents neither batches nor files."""
    given: dict[str, Any] = {"hunyuan_profile": profile}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **given) as proxy, proxy.client() as client:
        got = await client.request(method, path, headers=VERSION)
        assert not endpoint.arrived
        await client.request(method, path)
    assert (got.status_code, got.json()["type"]) == (404, "error")
    assert f"/v1{path}" in got.json()["error"]["message"]
    assert got.headers["x-should-retry"] == "false"
    assert len(endpoint.arrived) == 1, "an OpenAI client gets the endpoint's own answer"


# Hosts of others


@pytest.fixture
async def elsewhere(trust: Trust) -> AsyncIterator[Endpoint]:
    """The host that the client names; nothing may reach it."""
    async with run_endpoint(trust) as running:
        yield running


@pytest.fixture(params=[VENDOR, OPENAI, OTHER])
async def foreign(
    request: pytest.FixtureRequest, trust: Trust, endpoint: Endpoint, elsewhere: Endpoint
) -> AsyncIterator[tuple[Proxy, str]]:
    """A proxy that sends elsewhere what clients ask of another host."""
    host = request.param
    upstream = f"https://{LOCAL}:{endpoint.port}/v1"
    with names(dict.fromkeys((VENDOR, OPENAI, OTHER), elsewhere.port)):
        async with run_proxy(
            trust, f"https://{host}", hunyuan_hosts=f"{LOCAL},{host}=hunyuan", hunyuan_upstream=upstream
        ) as running:
            yield running, host


def assert_no_secret(endpoint: Endpoint, elsewhere: Endpoint) -> None:
    assert not elsewhere.arrived
    assert OWN not in str(endpoint.arrived)


CALLS = [
    ("POST", "/v1/messages?beta=true", ASKED),
    ("POST", "/anthropic/v1/messages", ASKED),
    ("POST", "/v1/responses?key=sk-ant-own", {"model": "hunyuan-lite", "input": "hi"}),
    ("POST", "/v1/v1/responses", {"model": "hunyuan-lite", "input": "hi"}),
    ("POST", "/v1/chat/completions?key=sk-ant-own", CHAT),
    ("POST", "/v1/embeddings", {"model": "hunyuan-embedding", "input": "x"}),
    ("GET", "/v1/models", None),
]


@each_mode
@both_versions
@pytest.mark.parametrize("reverse", [False, True], ids=["proxy", "reverse"])
@pytest.mark.parametrize("secrets", [SECRETS, {"x-api-key": OWN}, {}], ids=["all", "key", "none"])
async def test_a_key_for_another_host_stays_here_and_the_lent_one_leaves(
    foreign: tuple[Proxy, str],
    endpoint: Endpoint,
    elsewhere: Endpoint,
    trust: Trust,
    secrets: dict[str, str],
    reverse: bool,
    http2: bool,
    mode: str,
):
    proxy, host = foreign
    making = proxy.client(http2=http2) if reverse else proxy.proxied(trust.of_proxy(http2=http2), http2=http2)
    async with making as client:
        base = f"{client.base_url.scheme}://{LOCAL}:{proxy.reverse_port}" if reverse else f"https://{host}"
        for method, path, body in CALLS:
            headers = VERSION | secrets | {"x-hunyuan-mode": mode}
            await client.request(method, base + path, json=body, headers=headers)
    assert_no_secret(endpoint, elsewhere)
    assert len(endpoint.arrived) == len(CALLS)
    assert {tuple(keys_of(request).items()) for request in endpoint.arrived} == {(("authorization", f"Bearer {LENT}"),)}
    assert not [request for request in endpoint.arrived if "cookie" in request.headers]


@each_mode
async def test_without_a_key_to_lend_it_says_so(
    foreign: tuple[Proxy, str],
    endpoint: Endpoint,
    elsewhere: Endpoint,
    trust: Trust,
    monkeypatch: pytest.MonkeyPatch,
    mode: str,
):
    proxy, host = foreign
    monkeypatch.delenv("HUNYUAN_API_KEY")
    headers = VERSION | SECRETS | {"x-hunyuan-mode": mode}
    async with proxy.proxied(trust.of_proxy()) as client:
        local = await client.post(f"https://{host}/v1/chat/completions", json=CHAT, headers=headers)
        assert (local.status_code, keys_of(endpoint.arrived.pop())) == (200, {}), "a local endpoint may need none"
        proxy.master.options.update(hunyuan_upstream="https://tokenhub.tencentmaas.com/v1")
        got = await client.post(f"https://{host}/v1/messages", json=ASKED, headers=headers)
        asked = {"model": "hy3", "input": "hi"}
        same = await client.post(f"https://{host}/v1/responses", json=asked, headers=headers)
    assert (got.status_code, got.headers["x-should-retry"]) == (401, "false")
    assert (same.status_code, same.headers["x-should-retry"]) == (401, "false")
    assert f"is for {host} and is not sent" in got.json()["error"]["message"]
    assert "HUNYUAN_API_KEY" in got.json()["error"]["message"]
    assert OWN not in got.text
    assert not endpoint.arrived
    assert not elsewhere.arrived


@each_mode
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/oauth/token"),
        ("POST", "/api/oauth/claude_cli/create_api_key"),
        ("GET", "/api/oauth/profile"),
        ("POST", "/v1/files"),
        ("POST", "/v1/messages/batches"),
        ("PUT", "/v1/messages"),
        ("GET", "/v1/responses"),
        ("PUT", "/v1/responses/resp_1"),
        ("POST", "/v1/vector_stores"),
        ("GET", "/"),
        ("OPTIONS", "/v1/oauth/token"),
    ],
)
async def test_nothing_but_known_calls_leaves_a_foreign_host(
    foreign: tuple[Proxy, str], endpoint: Endpoint, elsewhere: Endpoint, trust: Trust, method: str, path: str, mode: str
):
    """A refresh token stands in a body."""
    proxy, host = foreign
    headers = SECRETS | {"x-hunyuan-mode": mode}
    async with proxy.proxied(trust.of_proxy()) as client:
        got = await client.request(
            method, f"https://{host}{path}", content=b"refresh_token=" + OWN.encode(), headers=headers
        )
    assert got.status_code == 404
    assert not endpoint.arrived
    assert not elsewhere.arrived


async def test_a_preflight_takes_no_secret_along(
    foreign: tuple[Proxy, str], endpoint: Endpoint, elsewhere: Endpoint, trust: Trust
):
    proxy, host = foreign
    headers = {"origin": "http://localhost:3000", "access-control-request-method": "POST"} | SECRETS
    async with proxy.proxied(trust.of_proxy()) as client:
        await client.options(f"https://{host}/v1/messages", headers=headers)
    assert_no_secret(endpoint, elsewhere)


async def test_its_saved_flows_and_its_log_have_no_key(
    foreign: tuple[Proxy, str], endpoint: Endpoint, trust: Trust, caplog: pytest.LogCaptureFixture, tmp_path: Path
):
    proxy, host = foreign
    proxy.master.options.update(save_stream_file=str(tmp_path / "flows"))
    async with proxy.proxied(trust.of_proxy()) as client:
        await client.post(f"https://{host}/v1/messages?key={OWN}", json=ASKED, headers=VERSION | SECRETS)
    proxy.master.options.update(save_stream_file="")
    assert OWN.encode() not in (tmp_path / "flows").read_bytes()
    assert OWN not in "".join(line for line in caplog.messages if "hunyuan" in line)


@pytest.mark.parametrize(
    "changed",
    [
        {"hunyuan_hosts": f"{VENDOR}=tokenhub"},
        {"hunyuan_hosts": f"{LOCAL},{VENDOR}=hunyuan", "hunyuan_upstream": f"https://{VENDOR}/v1"},
    ],
)
async def test_a_change_that_would_lend_the_key_to_another_vendor_is_refused(
    proxy: Proxy, endpoint: Endpoint, changed: dict[str, str]
):
    before = proxy.addon.settings
    with pytest.raises(OptionsError, match="another"):
        proxy.master.options.update(**changed)
    assert proxy.addon.settings == before
    proxy.master.options.update(**changed | {"hunyuan_upstream": f"https://{LOCAL}:{endpoint.port}/v1"})
    with pytest.raises(OptionsError, match="only together with hunyuan_upstream"):
        proxy.master.options.update(hunyuan_upstream="")
    assert proxy.addon.routes.known(VENDOR)


async def test_models_and_translation_change_while_it_runs(proxy: Proxy, endpoint: Endpoint):
    async def model(**beside: str) -> Any:
        async with proxy.client() as client:
            got: httpx.Response = await client.post("/messages", json=ASKED | beside, headers=VERSION)
        assert got.status_code in (200, 404)
        return endpoint.arrived[-1].json["model"]

    assert await model() == "hunyuan-2.0-instruct-20251111"
    proxy.master.options.update(hunyuan_models="claude-*=hunyuan-a13b")
    assert await model() == "hunyuan-a13b"
    assert await model(model="kimi-k3[1m]") == "kimi-k3"
    proxy.master.options.update(hunyuan_models="kimi-k3[1m]=hunyuan-large, kimi-k3=hunyuan-a13b")
    assert await model(model="kimi-k3[1m]") == "hunyuan-large"
    assert await model(model="kimi-k3") == "hunyuan-a13b"
    proxy.master.options.update(hunyuan_translate="never")
    assert await model() == "claude-opus-4-6"
    with pytest.raises(OptionsError, match="hunyuan_models"):
        proxy.master.options.update(hunyuan_models="claude-*")
    with pytest.raises(OptionsError, match="hunyuan_translate"):
        proxy.master.options.update(hunyuan_translate="sometimes")
