"""No secret stays in a flow once its exchange is over, none in a file, and what is sent is never touched."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mitmproxy import http
from mitmproxy.test import tflow

from hunyuan_fix.hooks import redaction
from hunyuan_fix.hooks.redaction import REDACTED, Redaction
from scripts.lib.processes import free_port
from tests.kept_flows import Kept, read, saved_and_read
from tests.proxying import LOCAL, Answer, Endpoint, Proxy, Trust, run_endpoint, run_proxy
from tests.waiting import until

SECRET = "s3cret"
BODY = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}], "user": "me"}
SENT = {
    "authorization": f"Bearer {SECRET}",
    "x-api-key": SECRET,
    "cookie": f"session={SECRET}",
    "referer": f"https://h/?key={SECRET}",
}
ANSWERED = {"content-type": "application/json", "set-cookie": f"session={SECRET}", "location": f"/x?token={SECRET}"}
TARGET = f"/chat/completions?api_key={SECRET}&version=1"
EVENT = b'data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n'


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def state(flow: http.HTTPFlow) -> str:
    """All that is known of a flow, backup and metadata included."""
    return repr(flow.get_state()) + repr(flow.request.headers) + repr(flow.response and flow.response.headers)


async def over(flow: http.HTTPFlow) -> None:
    await until(lambda: not flow.live and SECRET not in state(flow))


# Which are secrets


@pytest.mark.parametrize(
    ("name", "value", "left"),
    [
        ("Authorization", "Bearer x", REDACTED),
        ("proxy-authorization", "Basic x", REDACTED),
        ("X-Api-Key", "x", REDACTED),
        ("api-key", "x", REDACTED),
        ("x-goog-api-key", "x", REDACTED),
        ("Ocp-Apim-Subscription-Key", "x", REDACTED),
        ("X-TC-Token", "x", REDACTED),
        ("Cookie", "a=b", REDACTED),
        ("set-cookie", "a=b; path=/", REDACTED),
        ("Referer", "https://h/?key=x&a=b", f"https://h/?key={REDACTED}&a=b"),
        ("Location", "/next?token=x", f"/next?token={REDACTED}"),
        ("Location", "/next&token=x", "/next&token=[redacted]"),
        ("content-type", "application/json", "application/json"),
        ("x-ratelimit-remaining-tokens", "5", "5"),
        ("idempotency-key", "x", "x"),
        ("user-agent", "cookie/1.0", "cookie/1.0"),
        ("x-request-id", "sk-abcdef123", REDACTED),
        ("user-agent", f"tool/1 hf-{'a' * 43} (x)", f"tool/1 {REDACTED} (x)"),
        ("user-agent", "task-runner/1.0", "task-runner/1.0"),
        ("x-id", "sk-1", "sk-1"),
    ],
)
def test_which_headers(name: str, value: str, left: str):
    assert redaction.redacted(((name.encode(), value.encode()),)) == ((name.encode(), left.encode()),)


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("/v1/models", "/v1/models"),
        ("/v1/models?limit=5", "/v1/models?limit=5"),
        ("/v1?key=x", f"/v1?key={REDACTED}"),
        ("/v1?a=1&API_KEY=x&b=2", f"/v1?a=1&API_KEY={REDACTED}&b=2"),
        ("/v1?access_token=x#part", f"/v1?access_token={REDACTED}#part"),
        ("/v1?X-Amz-Signature=x&sig=y", f"/v1?X-Amz-Signature={REDACTED}&sig={REDACTED}"),
        ("/v1?author=x&design=y", "/v1?author=x&design=y"),
        ("/v1?auth=x&passwd=y&client_secret=z", f"/v1?auth={REDACTED}&passwd={REDACTED}&client_secret={REDACTED}"),
        ("/key=x", "/key=x"),
    ],
)
def test_which_parts_of_a_target(target: str, left: str):
    assert redaction.path(target) == left
    assert redaction.path(left) == left


words = st.text(st.characters(exclude_characters="&#=?", max_codepoint=255), max_size=5)


@given(st.lists(st.tuples(words, words)), st.integers(0, 5))
def test_a_key_is_found_wherever_it_stands_and_the_rest_stays(pairs: list[tuple[str, str]], place: int):
    others = [f"{name}={value}" for name, value in pairs]
    others = [pair for pair in others if redaction.path(f"/?{pair}") == f"/?{pair}"]
    query = "&".join([*others[:place], f"key={SECRET}", *others[place:]])
    expected = "&".join([*others[:place], f"key={REDACTED}", *others[place:]])
    assert redaction.path(f"/?{query}") == f"/?{expected}"


async def test_the_backup_goes_too_and_revert_brings_no_secret_back():
    """A person who edits a flow makes one: a whole second state of the flow, metadata included."""
    flow = tflow.tflow(resp=True)
    flow.request.headers["authorization"] = SECRET
    flow.request.path = f"/?key={SECRET}"
    assert flow.response
    flow.response.headers["set-cookie"] = SECRET
    flow.metadata["proxyauth"] = ("user", SECRET)
    flow.backup()
    flow.request.path = f"/edited?key={SECRET}"
    for each in (flow, saved_and_read(flow)):
        assert isinstance(each, http.HTTPFlow)
        assert repr(each.get_state()).count(SECRET) == 8
        each.live = False
        Redaction().redact(each)
        assert SECRET not in state(each)
        saved_and_read(each)
        each.revert()
        assert SECRET not in state(each)
        assert each.request.path == f"/?key={REDACTED}"


# On the way


@pytest.fixture
async def kept() -> Kept:
    return Kept()


@pytest.fixture
async def saving(trust: Trust, endpoint: Endpoint, kept: Kept, tmp_path: Path) -> AsyncIterator[Proxy]:
    """A proxy that saves its flows, as `-w` does, in front of an endpoint that sets cookies."""
    endpoint.answer = Answer(headers=ANSWERED, chunks=[b'{"choices": []}'])
    target = f"https://{LOCAL}:{endpoint.port}"
    async with run_proxy(trust, target, kept, save_stream_file=str(tmp_path / "flows")) as running:
        yield running


@pytest.mark.parametrize("http2", [False, True])
@pytest.mark.parametrize("path", [TARGET, TARGET.replace("chat/completions", "models")])
async def test_what_is_sent_both_ways_is_whole_and_what_is_kept_is_not(
    saving: Proxy, endpoint: Endpoint, kept: Kept, tmp_path: Path, path: str, http2: bool
):
    async with saving.client(http2=http2) as client:
        answer = await client.post(path, json=BODY, headers=SENT)
    (arrived,) = endpoint.arrived
    assert {name: arrived.headers[name] for name in SENT} == SENT
    assert arrived.target == f"/v1{path}"
    assert answer.headers["set-cookie"] == ANSWERED["set-cookie"]
    assert answer.headers["location"] == ANSWERED["location"]
    await over(kept.last)
    assert kept.last.request.headers["authorization"] == REDACTED
    assert kept.last.request.path.endswith(f"?api_key={REDACTED}&version=1")
    assert SECRET.encode() not in (tmp_path / "flows").read_bytes()
    assert len(read(tmp_path / "flows")) == 1


async def test_a_streamed_answer(saving: Proxy, endpoint: Endpoint, kept: Kept, tmp_path: Path):
    endpoint.answer = Answer(headers={**ANSWERED, "content-type": "text/event-stream"}, chunks=[EVENT])
    async with saving.client() as client:
        answer = await client.post(TARGET, json={**BODY, "stream": True}, headers=SENT)
    assert answer.headers["set-cookie"] == ANSWERED["set-cookie"]
    await over(kept.last)
    (saved,) = read(tmp_path / "flows")
    assert saved.response
    assert b'"hi"' in (saved.response.content or b"")
    assert SECRET.encode() not in (tmp_path / "flows").read_bytes()


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("http2", [False, True])
async def test_an_answer_that_quotes_the_key(
    saving: Proxy, endpoint: Endpoint, kept: Kept, tmp_path: Path, http2: bool, streamed: bool
):
    """Its client gets what the endpoint says."""
    key = "sk-quoted-key"
    error = b'{"error": {"message": "Incorrect API key provided: %b"}}' % key.encode()
    endpoint.answer = Answer(401, {"content-type": "application/json"}, [error])
    if streamed:
        endpoint.answer = Answer(200, {"content-type": "text/event-stream"}, [EVENT, b"data: %b\n\n" % error])
    async with saving.client(http2=http2) as client:
        answer = await client.post("/chat/completions", json={**BODY, "stream": streamed}, headers={"x-api-key": key})
    assert key.encode() in answer.content
    await until(lambda: not kept.last.live and key not in state(kept.last) + repr(kept.last.response.content))  # type: ignore[union-attr]
    assert kept.last.response is not None
    (saved,) = read(tmp_path / "flows")
    assert saved.response is not None
    for content in (kept.last.response.content, saved.response.content):
        assert content == answer.content.replace(key.encode(), b"*" * len(key))
    assert type(kept.last.response.data) is http.ResponseData


@pytest.mark.parametrize("redact", [True, False])
async def test_other_hosts_under_intercept_all(
    trust: Trust, endpoint: Endpoint, kept: Kept, tmp_path: Path, redact: bool
):
    endpoint.answer = Answer(headers=ANSWERED)
    options: dict[str, Any] = {
        "hunyuan_intercept_all": True,
        "hunyuan_redact": redact,
        "save_stream_file": str(tmp_path / "flows"),
    }
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", kept, **options) as proxy,
        proxy.proxied(trust.of_proxy()) as client,
    ):
        answer = await client.post(f"https://127.0.0.1:{endpoint.port}{TARGET}", headers=SENT, content=b"x")
        assert endpoint.arrived[0].headers["cookie"] == SENT["cookie"]
        assert answer.headers["set-cookie"] == ANSWERED["set-cookie"]
        if redact:
            await over(kept.last)
    saved = (tmp_path / "flows").read_bytes()
    assert saved.count(SECRET.encode()) == (0 if redact else len(SENT) + 3)


async def test_plain_http_to_other_hosts(trust: Trust, kept: Kept, tmp_path: Path):
    async with (
        run_endpoint(trust, tls=False) as endpoint,
        run_proxy(trust, "http://localhost:1", kept, save_stream_file=str(tmp_path / "flows")) as proxy,
        proxy.proxied(trust.of_proxy()) as client,
    ):
        endpoint.answer = Answer(headers=ANSWERED)
        answer = await client.get(f"http://127.0.0.1:{endpoint.port}/?key={SECRET}", headers=SENT)
        assert answer.headers["set-cookie"] == ANSWERED["set-cookie"]
        assert endpoint.arrived[0].target == f"/?key={SECRET}"
        await over(kept.last)
    assert SECRET.encode() not in (tmp_path / "flows").read_bytes()


async def test_it_can_be_switched_off(saving: Proxy, kept: Kept, tmp_path: Path):
    saving.master.options.update(hunyuan_redact=False)
    async with saving.client() as client:
        await client.post(TARGET, json=BODY, headers=SENT)
    assert kept.last.request.headers["authorization"] == SENT["authorization"]
    (saved,) = read(tmp_path / "flows")
    assert saved.request.path == f"/v1{TARGET}"
    assert saved.request.headers["cookie"] == SENT["cookie"]
    assert saved.response
    assert saved.response.headers["set-cookie"] == ANSWERED["set-cookie"]


# The other ways out


async def test_an_endpoint_that_can_not_be_reached(trust: Trust, kept: Kept, tmp_path: Path):
    target = f"http://{LOCAL}:{free_port()}"
    async with (
        run_proxy(trust, target, kept, save_stream_file=str(tmp_path / "flows")) as proxy,
        proxy.client(tls=False) as client,
    ):
        answer = await client.post(TARGET, json=BODY, headers=SENT)
        assert answer.status_code == 502
        await over(kept.last)
    assert len(read(tmp_path / "flows")) == 1
    assert SECRET.encode() not in (tmp_path / "flows").read_bytes()


async def test_a_client_that_leaves_a_stream(saving: Proxy, endpoint: Endpoint, kept: Kept, tmp_path: Path):
    """Some close at [DONE]: then mitmproxy calls `error`, and what came until then is kept all the same."""
    left = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield EVENT + b"data: [DONE]\n\n"
        await left.wait()

    endpoint.answer = Answer(headers={**ANSWERED, "content-type": "text/event-stream"}, chunks=chunks())
    async with (
        saving.client() as client,
        client.stream("POST", TARGET, json={**BODY, "stream": True}, headers=SENT) as answer,
    ):
        async for chunk in answer.aiter_bytes():
            if b"[DONE]" in chunk:
                break
    await until(lambda: kept.last.error)
    await over(kept.last)
    left.set()
    (saved,) = read(tmp_path / "flows")
    assert saved.response
    assert saved.response.raw_content == EVENT + b"data: [DONE]\n\n"
    assert SECRET.encode() not in (tmp_path / "flows").read_bytes()


async def test_a_flow_that_a_person_kills(saving: Proxy, kept: Kept, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    class Kills:
        name = "kills"

        def request(self, flow: http.HTTPFlow) -> None:
            flow.kill()

    saving.master.addons.add(Kills())
    async with saving.client() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post(TARGET, json=BODY, headers=SENT)
    await over(kept.last)
    assert SECRET.encode() not in (tmp_path / "flows").read_bytes()
    lines = [entry.getMessage() for entry in caplog.records if "rules=" in entry.getMessage()]
    assert len(lines) == 1
    assert lines[0].endswith("-> Connection killed.")


async def test_what_is_under_way_when_mitmproxy_ends(
    trust: Trust, endpoint: Endpoint, kept: Kept, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    """mitmproxy saves that too, at its very end."""
    never = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        yield EVENT
        await never.wait()

    endpoint.answer = Answer(headers={**ANSWERED, "content-type": "text/event-stream"}, chunks=chunks())
    async with run_proxy(
        trust, f"https://{LOCAL}:{endpoint.port}", kept, save_stream_file=str(tmp_path / "flows")
    ) as proxy:
        client = proxy.client()
        request = client.build_request("POST", TARGET, json={**BODY, "stream": True}, headers=SENT)
        answer = await client.send(request, stream=True)
        async for _ in answer.aiter_bytes():
            break
    never.set()
    await client.aclose()
    (saved,) = read(tmp_path / "flows")
    assert saved.response
    assert saved.response.raw_content == EVENT
    assert SECRET.encode() not in (tmp_path / "flows").read_bytes()
    assert caplog.text.count("rules=parameters") == 1


async def test_a_har_that_is_written_at_the_very_end(trust: Trust, endpoint: Endpoint, tmp_path: Path):
    endpoint.answer = Answer(headers=ANSWERED)
    async with (
        run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", hardump=str(tmp_path / "flows.har")) as proxy,
        proxy.client() as client,
    ):
        await client.post(TARGET, json=BODY, headers=SENT)
    har = (tmp_path / "flows.har").read_text()
    assert SECRET not in har
    assert har.count(REDACTED) >= len(SENT)


async def test_an_answer_that_a_person_holds_back_and_edits(saving: Proxy, kept: Kept):
    class Holds:
        name = "holds"

        def response(self, flow: http.HTTPFlow) -> None:
            flow.intercept()

    saving.master.addons.add(Holds())
    async with saving.client() as client:
        asked = asyncio.create_task(client.post(TARGET, json=BODY, headers=SENT))
        await until(lambda: kept.flows and kept.last.intercepted)
        flow = kept.last
        flow.backup()
        assert flow.response
        flow.response.text = '{"edited": true}'
        await asyncio.sleep(2 * redaction._PAUSE)  # it is looked at meanwhile
        assert not asked.done()
        flow.resume()
        answer = await asked
    assert answer.json() == {"edited": True}
    assert answer.headers["set-cookie"] == ANSWERED["set-cookie"]
    await over(flow)
    flow.revert()
    assert SECRET not in state(flow)


async def test_sticky_cookies_stay_what_they_are(saving: Proxy, endpoint: Endpoint):
    """mitmproxy reads the answer's cookies after this addon has ended the exchange."""
    saving.master.options.update(stickycookie=".")
    async with saving.client() as client:
        await client.get("/models")
        client.cookies.clear()
        await client.get("/models")
    assert endpoint.arrived[1].headers["cookie"] == f"session={SECRET}"


async def test_the_proxys_own_password(trust: Trust, endpoint: Endpoint, kept: Kept, tmp_path: Path):
    options: dict[str, Any] = {"proxyauth": f"somebody:{SECRET}", "save_stream_file": str(tmp_path / "flows")}
    async with run_proxy(trust, f"https://{LOCAL}:{endpoint.port}", kept, **options) as proxy:
        for password, status in ((SECRET, 200), ("wr0ng", 401)):
            async with proxy.client(auth=("somebody", password)) as client:
                answer = await client.get("/models")
            assert answer.status_code == status
            await until(lambda: not kept.last.live)
        url = f"http://somebody:{SECRET}@127.0.0.1:{proxy.port}"
        async with httpx.AsyncClient(proxy=url, verify=trust.of_proxy(), trust_env=False) as client:
            await client.post(f"https://{LOCAL}:{endpoint.port}/v1/chat/completions", json=BODY)
    saved = (tmp_path / "flows").read_bytes()
    assert len(read(tmp_path / "flows")) == 3
    for password in (SECRET, "wr0ng"):
        assert password.encode() not in saved
        assert base64.b64encode(f"somebody:{password}".encode()) not in saved


async def test_a_replay_has_no_key(saving: Proxy, endpoint: Endpoint, kept: Kept):
    async with saving.client() as client:
        await client.post(TARGET, json=BODY, headers=SENT)
    await over(kept.last)
    saving.master.commands.call("replay.client", [kept.last])
    await until(lambda: len(endpoint.arrived) == 2)
    assert SECRET not in repr(endpoint.arrived[1])
    assert endpoint.arrived[1].body == endpoint.arrived[0].body


async def websocket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that takes a WebSocket, says nothing and closes with its client."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert SECRET in head
    (key,) = re.findall(r"sec-websocket-key: (\S+)", head, re.IGNORECASE)
    accept = base64.b64encode(hashlib.sha1(f"{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode()).digest()).decode()
    lines = ["HTTP/1.1 101 Switching Protocols", "upgrade: websocket", "connection: upgrade"]
    lines += [f"sec-websocket-accept: {accept}", f"set-cookie: {SECRET}", "", ""]
    writer.write("\r\n".join(lines).encode())
    await reader.read()
    writer.close()


async def test_a_websocket(trust: Trust, kept: Kept, tmp_path: Path):
    server = await asyncio.start_server(websocket, "127.0.0.1", 0)
    target = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with run_proxy(trust, target, kept, save_stream_file=str(tmp_path / "flows")) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.reverse_port)
        lines = [f"GET /v1/realtime?key={SECRET} HTTP/1.1", f"host: {LOCAL}", "upgrade: websocket"]
        lines += ["connection: upgrade", "sec-websocket-version: 13", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="]
        lines += [f"authorization: {SECRET}", "", ""]
        writer.write("\r\n".join(lines).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert f"set-cookie: {SECRET}".encode() in head
        writer.close()
        await over(kept.last)
        assert kept.last.websocket
    server.close()
    assert SECRET.encode() not in (tmp_path / "flows").read_bytes()
    assert len(read(tmp_path / "flows")) == 1
