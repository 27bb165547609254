"""What becomes of a request at its headers, in a mitmproxy in this process: tokens, limits, open listeners."""

from __future__ import annotations

import base64
import io
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from mitmproxy.connection import Client
from mitmproxy.http import HTTPFlow
from mitmproxy.io import FlowWriter

from hunyuan_fix import events
from hunyuan_fix.access import listeners
from hunyuan_fix.access.client_tokens import digest_of
from hunyuan_fix.events import Event
from hunyuan_fix.upstream.client import ASKED, LOOP_GUARD, PROFILE, UPSTREAM
from tests.proxying import LOCAL, Endpoint, Proxy, Trust, chat_answer, json_answer, run_proxy, stream_answer

ALICE, GONE, UNKNOWN = (f"hf-{letter * 43}" for letter in "agu")
KEY, PAGE = "sk-lent", "http://localhost:3000"
pytestmark = pytest.mark.usefixtures("early_in_a_minute")

CHAT = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}
PASSWORD = "Basic " + base64.b64encode(b"team:s3cret").decode()
CHUNK = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'

both_versions = pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "http/2"])


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def limits(answer: httpx.Response) -> dict[str, str]:
    return {name.removeprefix("x-ratelimit-"): value for name, value in answer.headers.items() if "x-ratelimit" in name}


class Elsewhere:
    """Lets every client come from another machine, as far as the addons after it can see."""

    def client_connected(self, client: Client) -> None:
        client.peername = ("192.0.2.7", client.peername[1])


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUNYUAN_API_KEY", KEY)


@pytest.fixture(autouse=True)
def answers(endpoint: Endpoint) -> None:
    endpoint.answer = chat_answer("hi")


@pytest.fixture
def tokens(tmp_path: Path) -> str:
    """A file with Alice's token and one that is disabled."""
    path = tmp_path / "clients.toml"
    path.touch(0o600)
    path.write_text(
        f'[clients.alice]\nhash = "sha256:{digest_of(ALICE).hex()}"\nrequests_per_minute = 2\ntokens_per_minute = 999\n'
        f'[clients.gone]\nhash = "sha256:{digest_of(GONE).hex()}"\ndisabled = true\n'
    )
    return str(path)


@pytest.fixture
async def proxy(trust: Trust, endpoint: Endpoint, tokens: str) -> AsyncIterator[Proxy]:
    """A proxy for clients with tokens, on this machine."""
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target, hunyuan_client_tokens_file=tokens) as running:
        yield running


@asynccontextmanager
async def open_proxy(trust: Trust, endpoint: Endpoint, **options: Any) -> AsyncIterator[Proxy]:
    """A proxy that seems to listen for other machines, and whose clients all seem to be such."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(listeners, "open_addresses", lambda _hosts, _settings: ["192.0.2.1"])
        async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as running:
            running.master.addons.chain.insert(0, Elsewhere())
            yield running


# Tokens


@both_versions
async def test_a_token_is_changed_for_the_key(proxy: Proxy, endpoint: Endpoint, http2: bool):
    async with proxy.client(http2=http2) as client:
        answer = await client.post("/chat/completions", json=CHAT, headers=bearer(ALICE))
    assert answer.status_code == 200
    assert endpoint.arrived[0].headers["authorization"] == f"Bearer {KEY}"
    assert ALICE not in str(endpoint.arrived)


@pytest.mark.parametrize("carrier", ["x-api-key", "api-key"])
async def test_a_token_in_any_header_that_carries_keys_goes_no_further(proxy: Proxy, endpoint: Endpoint, carrier: str):
    async with proxy.client() as client:
        await client.post("/chat/completions", json=CHAT, headers={carrier: ALICE})
    assert endpoint.arrived[0].headers["authorization"] == f"Bearer {KEY}"
    assert carrier not in endpoint.arrived[0].headers


@both_versions
async def test_a_token_through_a_tunnel(proxy: Proxy, endpoint: Endpoint, trust: Trust, http2: bool):
    url = f"https://{LOCAL}:{endpoint.port}/v1/chat/completions"
    async with proxy.proxied(trust.of_proxy(http2=http2), http2=http2) as client:
        answer = await client.post(url, json=CHAT, headers=bearer(ALICE))
    assert (answer.status_code, answer.http_version) == (200, "HTTP/2" if http2 else "HTTP/1.1")
    assert endpoint.arrived[0].headers["authorization"] == f"Bearer {KEY}"


@both_versions
@pytest.mark.parametrize("token", [UNKNOWN, GONE], ids=["unknown", "disabled"])
async def test_a_token_that_is_not_valid_reaches_nobody(
    proxy: Proxy, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, token: str, http2: bool
):
    async with proxy.client(http2=http2) as client:
        answer = await client.post("/chat/completions", json=CHAT, headers=bearer(token))
    assert code(answer) == (401, "invalid_api_key")
    assert answer.headers["x-should-retry"] == "false"
    assert not endpoint.arrived
    assert token not in caplog.text


@both_versions
@pytest.mark.parametrize("path", ["/chat/completions", "/files"], ids=["repaired", "passed"])
@pytest.mark.parametrize("mode", ["repair", "observe", "off"])
async def test_a_valid_token_goes_nowhere_and_stands_in_no_log(
    proxy: Proxy, endpoint: Endpoint, caplog: pytest.LogCaptureFixture, path: str, mode: str, http2: bool
):
    caplog.set_level(logging.DEBUG)
    saved: list[bytes] = []
    proxy.master.addons.add(Saving(saved))
    packed = base64.b64encode(f"x{ALICE}".encode()).decode()
    said = [ALICE, f"a{ALICE}b", packed, ALICE.replace("-", "\\u002d"), "from hf-mirror"]
    body = {**CHAT, "messages": [{"role": "user", "content": " ".join(said)}]}
    fields = {"authorization": "Bearer sk-own", "cookie": f"a={ALICE}", f"x-{ALICE.lower()}": "1", "x-packed": packed}
    async with proxy.client(http2=http2) as client:
        headers = {**fields, "x-hunyuan-mode": mode, "content-type": "application/json"}
        content = json.dumps(body).replace("\\\\u", "\\u").encode()
        answer = await client.post(path, content=content, headers=headers, params={"key": ALICE})
    assert answer.status_code == 200
    (arrived,) = endpoint.arrived
    everything = f"{arrived.target} {arrived.headers} {arrived.body.decode()}"
    assert "hf-mirror" in everything
    assert len(arrived.body) == len(content) or mode == "repair"
    # The test's own client logs what it sends.
    logged = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith(("hunyuan_fix", "mitmproxy"))
    )
    assert logged
    for text in (everything, logged, b"".join(saved).decode("latin-1")):
        assert ALICE not in text
        assert packed not in text
    assert ALICE not in json.dumps(arrived.json)


class Saving:
    """Writes each flow as mitmproxy saves it, as soon as its exchange is over."""

    def __init__(self, saved: list[bytes]) -> None:
        self._saved = saved

    def response(self, flow: HTTPFlow) -> None:
        file = io.BytesIO()
        FlowWriter(file).add(flow)
        self._saved.append(file.getvalue())


async def test_a_token_for_another_host_goes_no_further(proxy: Proxy, endpoint: Endpoint, trust: Trust):
    async with proxy.proxied(trust.of_endpoint()) as client:
        answer = await client.post(f"http://127.0.0.1:{endpoint.port}/v1/chat/completions", headers=bearer(ALICE))
    assert code(answer) == (401, "invalid_api_key")
    assert not endpoint.arrived


async def test_a_token_lends_no_key_for_other_paths(proxy: Proxy, endpoint: Endpoint):
    async with proxy.client() as client:
        answer = await client.get("/files", headers=bearer(ALICE))
    assert code(answer) == (401, "invalid_api_key")
    assert not endpoint.arrived


@pytest.mark.parametrize("mode", ["repair", "off"])
async def test_a_token_lends_no_key_to_another_vendors_host(trust: Trust, endpoint: Endpoint, tokens: str, mode: str):
    target = f"https://{LOCAL}:{endpoint.port}"
    hosts = f"{LOCAL}=moonshot"
    async with (
        run_proxy(trust, target, hunyuan_hosts=hosts, hunyuan_client_tokens_file=tokens) as proxy,
        proxy.client() as client,
    ):
        answer = await client.post("/chat/completions", json=CHAT, headers={**bearer(ALICE), "x-hunyuan-mode": mode})
        assert code(answer)[0] == 401
        assert "another vendor's" in answer.json()["error"]["message"]
        assert not endpoint.arrived
        proxy.master.options.update(hunyuan_upstream=f"{target}/v1")  # now it is this vendor's
        answer = await client.post("/chat/completions", json=CHAT, headers={**bearer(ALICE), "x-hunyuan-mode": mode})
    assert answer.status_code == 200
    assert endpoint.arrived[0].headers["authorization"] == f"Bearer {KEY}"


async def test_a_key_of_its_own_is_kept(proxy: Proxy, endpoint: Endpoint):
    async with proxy.client() as client:
        answer = await client.post("/chat/completions", json=CHAT, headers=bearer("sk-own"))
    assert endpoint.arrived[0].headers["authorization"] == "Bearer sk-own"
    assert not limits(answer)


async def test_a_web_page_gets_the_key_where_it_is_allowed(trust: Trust, endpoint: Endpoint, tokens: str):
    options: dict[str, Any] = {"hunyuan_client_tokens_file": tokens, "hunyuan_allowed_origins": PAGE}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy, proxy.client() as client:
        for origin in (PAGE, "https://evil.example", "null"):
            answer = await client.post("/chat/completions", json=CHAT, headers={"origin": origin})
            assert answer.status_code == 200
        answer = await client.post("/chat/completions", json=CHAT, headers={"origin": "null", **bearer(ALICE)})
    assert [request.headers.get("authorization") for request in endpoint.arrived] == [f"Bearer {KEY}", None, None]
    assert code(answer) == (401, "invalid_api_key")


# Limits


@both_versions
async def test_every_answer_says_where_its_client_stands(proxy: Proxy, endpoint: Endpoint, http2: bool):
    async with proxy.client(http2=http2) as client:
        whole = await client.post("/chat/completions", json=CHAT, headers=bearer(ALICE))
        endpoint.answer = stream_answer(CHUNK)
        streamed = await client.post("/chat/completions", json={**CHAT, "stream": True}, headers=bearer(ALICE))
        refused = await client.post("/chat/completions", json=CHAT, headers=bearer(ALICE))
    assert [limits(answer)["remaining-requests"] for answer in (whole, streamed, refused)] == ["1", "0", "0"]
    assert {limits(answer)["limit-requests"] for answer in (whole, streamed, refused)} == {"2"}
    assert all(limits(answer)["limit-tokens"] == "999" for answer in (whole, streamed, refused))
    assert int(limits(refused)["remaining-tokens"]) < 999
    assert streamed.content == CHUNK
    assert code(refused) == (429, "rate_limit_exceeded")
    assert 0 < int(refused.headers["retry-after"]) <= 61
    assert len(endpoint.arrived) == 2


async def test_the_log_names_the_client_that_is_refused(proxy: Proxy, caplog: pytest.LogCaptureFixture):
    async with proxy.client() as client:
        for _ in range(3):
            await client.post("/chat/completions", json=CHAT, headers=bearer(ALICE))
    line = caplog.messages[-1]
    assert "client=alice " in line
    assert line.endswith("-> 429 rate_limit_exceeded: a client token has used up its requests or tokens a minute")


# Open listeners


@pytest.mark.parametrize("headers", [{}, bearer("sk-own")], ids=["nothing", "own key"])
async def test_a_stranger_can_do_nothing(trust: Trust, endpoint: Endpoint, tokens: str, headers: dict[str, str]):
    async with open_proxy(trust, endpoint, hunyuan_client_tokens_file=tokens) as proxy:
        async with proxy.client(headers=headers) as client:
            assert code(await client.post("/chat/completions", json=CHAT)) == (401, "invalid_api_key")
            assert code(await client.get("/files")) == (401, "invalid_api_key")
        async with proxy.proxied(trust.of_endpoint(), headers=headers) as client:
            elsewhere = await client.get(f"http://127.0.0.1:{endpoint.port}/")
            assert code(elsewhere) == (403, "host_not_allowed")
            with pytest.raises(httpx.ProxyError, match="403"):
                await client.get(f"https://127.0.0.1:{endpoint.port}/")
    assert not endpoint.arrived


async def test_who_shows_a_token_is_no_stranger(trust: Trust, endpoint: Endpoint, tokens: str):
    async with open_proxy(trust, endpoint, hunyuan_client_tokens_file=tokens) as proxy, proxy.client() as client:
        answer = await client.post("/chat/completions", json=CHAT, headers=bearer(ALICE))
        again = await client.post("/chat/completions", json=CHAT)
    assert answer.status_code == 200
    assert code(again) == (401, "invalid_api_key"), "a connection says nothing of who sends the next request"


# proxyauth


async def test_a_token_overrules_proxyauth_on_a_reverse_port(trust: Trust, endpoint: Endpoint, tokens: str):
    options: dict[str, Any] = {"hunyuan_client_tokens_file": tokens, "proxyauth": "team:s3cret"}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy, proxy.client() as client:
        with_token = await client.post("/chat/completions", json=CHAT, headers=bearer(ALICE))
        with_password = await client.post("/chat/completions", json=CHAT, headers={"authorization": PASSWORD})
        unknown = await client.post("/chat/completions", json=CHAT, headers=bearer(UNKNOWN))
        nothing = await client.post("/chat/completions", json=CHAT)
    assert (with_token.status_code, with_password.status_code) == (200, 200)
    assert [request.headers["authorization"] for request in endpoint.arrived] == [f"Bearer {KEY}"] * 2
    assert code(unknown) == (401, "invalid_api_key")
    assert (nothing.status_code, nothing.headers["www-authenticate"]) == (401, 'Basic realm="mitmproxy"')


async def test_a_wrong_password_beside_a_token_goes_no_further(trust: Trust, endpoint: Endpoint, tokens: str):
    options: dict[str, Any] = {"hunyuan_client_tokens_file": tokens, "proxyauth": "team:another"}
    headers = {"authorization": PASSWORD, "x-api-key": ALICE}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", **options) as proxy, proxy.client() as client:
        await client.post("/chat/completions", json=CHAT, headers=headers)
    assert endpoint.arrived[0].headers["authorization"] == f"Bearer {KEY}"


# Shutdown


@both_versions
async def test_while_the_proxy_ends_nothing_new_begins(proxy: Proxy, endpoint: Endpoint, http2: bool):
    async with proxy.client(http2=http2) as client:
        proxy.addon.process.draining.begin()
        answer = await client.post("/chat/completions", json=CHAT, headers=bearer(ALICE))
    assert code(answer) == (503, "proxy_shutting_down")
    assert int(answer.headers["retry-after"]) > 0
    assert not limits(answer)
    assert not endpoint.arrived


@pytest.mark.parametrize("path", ["/chat/completions", "/files"])
async def test_a_fault_of_its_own_lets_nothing_through(
    proxy: Proxy, endpoint: Endpoint, path: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """A request of which nobody knows whether it may go on doesn't; and nothing of it is in the log."""

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError(f"what {ALICE} said")

    monkeypatch.setattr("hunyuan_fix.access.callers.refused", fails)
    async with proxy.client(headers=bearer(ALICE)) as client:
        assert code(await client.post(path, json=CHAT)) == (502, "proxy_failed")
    assert not endpoint.arrived
    assert "could not be taken in" in caplog.text
    assert ALICE not in caplog.text


# The key


async def test_a_request_that_another_proxy_has_sent_on_gets_no_key(
    proxy: Proxy, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
):
    async with proxy.client() as client:
        await client.post("/chat/completions", json=CHAT, headers={"x-forwarded-for": "198.51.100.7"})
        await client.post("/chat/completions", json=CHAT, headers={"x-forwarded-for": "198.51.100.7", **bearer(ALICE)})
    assert [request.headers.get("authorization") for request in endpoint.arrived] == [None, f"Bearer {KEY}"]
    assert caplog.text.count("POST /v1/chat/completions gets no key: another proxy has forwarded it") == 1


@pytest.mark.parametrize("path", ["/chat/completions", "/models"])
async def test_a_placeholder_makes_room_for_the_lent_key(proxy: Proxy, endpoint: Endpoint, path: str):
    async with proxy.client() as client:
        for headers in (bearer("hunyuan-fix"), {"x-api-key": "hunyuan-fix"}):
            await client.request("POST" if path != "/models" else "GET", path, json=CHAT, headers=headers)
    assert [request.headers.get("authorization") for request in endpoint.arrived] == [f"Bearer {KEY}"] * 2
    assert not any("x-api-key" in request.headers for request in endpoint.arrived)


async def test_for_models_the_key_is_lent_to_get_alone(proxy: Proxy, endpoint: Endpoint):
    async with proxy.client() as client:
        for method in ("GET", "HEAD", "POST", "DELETE", "PUT", "PATCH"):
            await client.request(method, "/models")
        await client.get("/v1/models/")
        await client.get("/models/hunyuan-lite")
    lent = [request.method for request in endpoint.arrived if "authorization" in request.headers]
    assert lent == ["GET", "GET", "GET"], "for one model the list is asked for"


async def test_a_page_of_another_site_gets_no_key_for_an_image(proxy: Proxy, endpoint: Endpoint):
    async with proxy.client() as client:
        for site in ("cross-site", "none"):
            await client.get("/models", headers={"sec-fetch-site": site})
    assert [request.headers.get("authorization") for request in endpoint.arrived] == [None, f"Bearer {KEY}"]


# Paths


@both_versions
@pytest.mark.parametrize(
    "path", ["chat/completions/", "/chat//completions", "v1/chat/completions", "Chat/COMPLETIONS", "%63hat/completions"]
)
async def test_a_path_is_put_right_and_the_answer_says_so(proxy: Proxy, endpoint: Endpoint, path: str, http2: bool):
    twice = {**CHAT, "messages": CHAT["messages"] * 2}  # type: ignore[operator]
    async with proxy.client(http2=http2) as client:
        url = f"{client.base_url}{path}?api-version=1".replace("%63", "%63")
        answer = await client.post(url, json=twice)
        await client.post(url, json=twice, headers={"x-hunyuan-mode": "off"})
        observed = await client.post(url, json=twice, headers={"x-hunyuan-mode": "observe"})
    assert answer.headers["x-hunyuan-fix"] == "path,merge"
    assert observed.headers["x-hunyuan-fix-observed"] == "path,merge"
    assert endpoint.arrived[0].target == "/v1/chat/completions?api-version=1"
    assert [request.target for request in endpoint.arrived[1:]] == [f"/v1/{path}?api-version=1"] * 2
    assert len(endpoint.arrived[0].json["messages"]) == 1


async def test_a_path_that_nobody_can_make_out_is_worth_a_line(
    proxy: Proxy, endpoint: Endpoint, caplog: pytest.LogCaptureFixture
):
    async with proxy.client() as client:
        await client.post("/chat/completion", json=CHAT)
    assert endpoint.arrived[0].target == "/v1/chat/completion"
    assert "POST /v1/chat/completion is not repaired" in caplog.text
    assert "…/chat/completions, …/embeddings, …/messages, …/responses, …/conversations)" in caplog.text


# What commands of this package ask


async def test_where_calls_go_is_told_to_this_machine_alone(trust: Trust, endpoint: Endpoint):
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target) as running, running.client() as client:
        here = await client.get("/models", headers={LOOP_GUARD: "1"})
    async with open_proxy(trust, endpoint, hunyuan_allow_open=True) as running, running.client() as client:
        elsewhere = await client.get("/models", headers={LOOP_GUARD: "1"})
    options: dict[str, Any] = {"hunyuan_trust_loopback": False, "hunyuan_allow_open": True}
    async with run_proxy(trust, target, **options) as running, running.client() as client:
        untrusted = await client.get("/models", headers={LOOP_GUARD: "1"})
    assert code(here) == code(elsewhere) == code(untrusted) == (400, "proxy_loop")
    assert here.headers[UPSTREAM] == f"{target}/v1"
    assert here.headers[PROFILE] == elsewhere.headers[PROFILE]
    assert UPSTREAM not in elsewhere.headers
    assert UPSTREAM not in untrusted.headers
    assert not endpoint.arrived


@dataclass
class Told:
    """The paths of exchanges that have ended, as every sink hears of them."""

    name = "told"
    kinds = frozenset({events.DONE})
    paths: list[str] = field(default_factory=list)

    def hear(self, event: Event) -> None:
        self.paths.append(str(event.data["path"]))


@pytest.mark.parametrize("draining", [False, True])
async def test_whether_the_proxy_is_there_is_no_exchange(trust: Trust, endpoint: Endpoint, draining: bool):
    """Supervisors and our own commands ask it again and again: it would be most of the log, and of an alert's share."""
    endpoint.answer = json_answer({"data": []})
    upstream = f"https://{LOCAL}:{endpoint.port}/v1"
    async with (
        run_proxy(trust, "https://tokenhub.tencentmaas.com", hunyuan_upstream=upstream) as running,
        running.client() as client,
    ):
        told = Told()
        running.addon.runtime.sinks.add(told)
        if draining:
            running.addon.process.draining.begin()
        health = await client.get(f"http://{LOCAL}:{running.reverse_port}/health")
        asked = await client.get("/asked", headers={LOOP_GUARD: ASKED})
        loop = await client.get("/loop", headers={LOOP_GUARD: "1"})
        await client.get("/models")
    assert health.status_code == (503 if draining else 200)
    assert code(asked) == code(loop) == ((503, "proxy_shutting_down") if draining else (400, "proxy_loop"))
    assert told.paths == ["/v1/loop", "/v1/models"]
