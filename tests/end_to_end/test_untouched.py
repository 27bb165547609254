"""What the addon must leave alone, byte for byte."""

from __future__ import annotations

import json
import socket
import ssl
from collections.abc import Callable, Iterator

import httpx
import pytest
from wsproto import ConnectionType, WSConnection, events

from tests.end_to_end.local_servers import Arrived, Recorder, recorder
from tests.end_to_end.processes import KEY, LEGACY, Certificates, Proxy, run_proxy
from tests.end_to_end.requests import agent_request

type Send = Callable[..., tuple[Arrived, httpx.Response]]

OTHER = "other.example"
ANSWER = b'{"object":  "anything", "choices": [{}], "spaces": [1,  2]}\n'
GOOD_BODY = (
    b'{\n  "model": "hunyuan-lite",\n  "messages": [ {"role": "user", "content": "\\u4f60 caf\xc3\xa9"} ],\n'
    b'  "top_p":0.50\n}\n'
)


@pytest.fixture(scope="module")
def endpoint(certificates: Certificates) -> Iterator[Recorder]:
    """A server under the real endpoint's name that keeps the bytes it was sent."""
    with recorder(*certificates.issue(LEGACY), answer=ANSWER) as running:
        yield running


@pytest.fixture(scope="module")
def other_host(certificates: Certificates) -> Iterator[Recorder]:
    with recorder(*certificates.issue(OTHER), answer=ANSWER) as running:
        yield running


@pytest.fixture(scope="module")
def recording_proxy(certificates: Certificates, endpoint: Recorder, other_host: Recorder) -> Iterator[Proxy]:
    redirects = {f"{LEGACY}:443": endpoint.port, f"{OTHER}:443": other_host.port}
    with run_proxy(certificates, redirects) as running:
        yield running


@pytest.fixture
def send(recording_proxy: Proxy, certificates: Certificates, endpoint: Recorder) -> Send:
    """Send a request to the endpoint through the proxy; what arrived there, and the answer."""

    def sent(method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[Arrived, httpx.Response]:
        before = len(endpoint.requests)
        with httpx.Client(
            proxy=recording_proxy.url, verify=certificates.proxy_trusted(), trust_env=False, timeout=60
        ) as client:
            answer = client.request(
                method,
                f"https://{LEGACY}{path}",
                content=body,
                headers={"authorization": f"Bearer {KEY}", "content-type": "application/json"}
                | {name.replace("_", "-"): value for name, value in headers.items()},
            )
        (arrived,) = endpoint.requests[before:]
        return arrived, answer

    return sent


def test_a_good_request_arrives_byte_for_byte_and_so_does_its_answer(send: Send) -> None:
    (method, path, headers, body), answer = send("POST", "/v1/chat/completions", GOOD_BODY, x_own="kept")
    assert (method, path, body) == ("POST", "/v1/chat/completions", GOOD_BODY)
    assert headers["host"] == LEGACY
    assert headers["x-own"] == "kept"
    assert answer.content == ANSWER
    assert "x-hunyuan-fix" not in answer.headers


def test_a_repaired_request_has_the_right_length_and_host(send: Send) -> None:
    (_, _, headers, body), answer = send("POST", "/v1/chat/completions", json.dumps(agent_request("hi")).encode())
    assert json.loads(body)["messages"][0]["role"] == "system"
    assert (headers["content-length"], headers["host"]) == (str(len(body)), LEGACY)
    assert "x-hunyuan-fix" in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/models", None),
        ("PUT", "/v1/chat/completions", json.dumps(agent_request("hi")).encode()),
        ("POST", "/v1/files", json.dumps(agent_request("hi")).encode()),
        ("POST", "/v1/images/generations", b'{"model": "m", "prompt": "p", "parallel_tool_calls": true}'),
        ("POST", "/v1/chat/completions", b'{"messages": [,]}'),
        ("POST", "/v1/chat/completions", b'["not", "an object"]'),
        ("POST", "/v1/chat/completions", b'{"model": "m", "messages": "no list"}'),
        ("POST", "/v1/chat/completions", b""),
        ("POST", "/v1/chat/completions", b"\xff\xfe\x00binary"),
    ],
)
def test_what_is_not_the_addons_business_passes(send: Send, method: str, path: str, body: bytes | None) -> None:
    arrived, answer = send(method, path, body)
    assert (arrived[0], arrived[1], arrived[3]) == (method, path, body or b"")
    assert answer.content == ANSWER
    assert "x-hunyuan-fix" not in answer.headers


def test_other_hosts_are_not_decrypted(
    recording_proxy: Proxy, certificates: Certificates, other_host: Recorder
) -> None:
    """The client trusts the host's own CA and not the proxy's: it only gets through if nobody looks inside."""
    with httpx.Client(proxy=recording_proxy.url, verify=certificates.trusted(), trust_env=False) as client:
        answer = client.post(f"https://{OTHER}/v1/chat/completions", json=agent_request("private"))
    assert answer.content == ANSWER
    assert json.loads(other_host.requests[-1][3]) == agent_request("private")
    assert OTHER not in recording_proxy.process.output


def test_the_endpoint_itself_is_decrypted(recording_proxy: Proxy, certificates: Certificates) -> None:
    """The counterpart: a client that trusts only the real certificate doesn't get through."""
    with (
        httpx.Client(proxy=recording_proxy.url, verify=certificates.trusted(), trust_env=False) as client,
        pytest.raises(httpx.ConnectError, match="certificate"),
    ):
        client.get(f"https://{LEGACY}/v1/models")


def test_a_websocket_passes(recording_proxy: Proxy, certificates: Certificates, endpoint: Recorder) -> None:
    with tunnel(recording_proxy, certificates) as connection:
        websocket = WSConnection(ConnectionType.CLIENT)
        connection.sendall(websocket.send(events.Request(host=LEGACY, target="/v1/chat/completions")))
        received = read_events(connection, websocket)
        assert isinstance(next(received), events.AcceptConnection)
        connection.sendall(websocket.send(events.TextMessage('{"messages": []}')))
        message = next(received)
        assert isinstance(message, events.TextMessage)
        assert message.data == 'echo {"messages": []}'


def tunnel(proxy: Proxy, certificates: Certificates) -> ssl.SSLSocket:
    """A TLS connection to the endpoint through the proxy."""
    raw = socket.create_connection(("127.0.0.1", proxy.port), timeout=30)
    raw.sendall(f"CONNECT {LEGACY}:443 HTTP/1.1\r\nHost: {LEGACY}:443\r\n\r\n".encode())
    assert b" 200 " in raw.recv(65536).splitlines()[0]
    return certificates.proxy_trusted().wrap_socket(raw, server_hostname=LEGACY)


def read_events(connection: ssl.SSLSocket, websocket: WSConnection) -> Iterator[events.Event]:
    while data := connection.recv(65536):
        websocket.receive_data(data)
        yield from websocket.events()
