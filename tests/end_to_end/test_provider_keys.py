"""Keys by provider with real processes: each key at its provider's hosts, in no other place and in no text.

One server is every host, under its own certificate; it keeps what reached which host, and answers as a test says.
"""

from __future__ import annotations

import base64
import gzip
import json
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from scripts.lib.processes import free_port
from tests.end_to_end.processes import LEGACY, TOKENHUB, Certificates, Proxy, run_proxy
from tests.vision_server import image_part, png

MOONSHOT, DEEPSEEK, SILICON, ZENMUX, PLAN, DASHSCOPE = (
    "api.moonshot.cn",
    "api.deepseek.com",
    "api.siliconflow.cn",
    "zenmux.ai",
    "api.lkeap.cloud.tencent.com",
    "dashscope.aliyuncs.com",
)
EVIL = "evil.example"
PROVIDERS = {
    MOONSHOT: "moonshot",
    DEEPSEEK: "deepseek",
    SILICON: "siliconflow",
    ZENMUX: "zenmux",
    TOKENHUB: "tencent",
    LEGACY: "tencent",
    PLAN: "tencent",
    DASHSCOPE: "dashscope",
}
TRACE = "QZKEYQZ"
"""In every key of the proxy's."""
CHAT_PATHS = {ZENMUX: "/api/v1", PLAN: "/plan/v3", DASHSCOPE: "/compatible-mode/v1"}


def key_of(host: str) -> str:
    return f"sk-{PROVIDERS[host]}-{TRACE}"


@dataclass(frozen=True, slots=True)
class Came:
    """A request: the name of the TLS handshake, which is the host that was connected to, and what it had."""

    host: str
    path: str
    headers: dict[str, str]
    body: Any

    @property
    def key(self) -> str:
        return (self.headers.get("authorization") or self.headers.get("x-api-key", "")).removeprefix("Bearer ")


type Reply = tuple[int, dict[str, str], bytes]


def chat(text: str, model: str = "m") -> Reply:
    message = {"role": "assistant", "content": text}
    body = {"id": "1", "model": model, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return 200, {"content-type": "application/json"}, json.dumps(body).encode()


def streamed(text: str) -> Reply:
    pieces: Sequence[tuple[dict[str, str], str | None]] = (({"role": "assistant", "content": text}, None), ({}, "stop"))
    events = [
        {"id": "1", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta, "finish_reason": why}]}
        for delta, why in pieces
    ]
    said = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    return 200, {"content-type": "text/event-stream"}, said.encode()


def usual(came: Came) -> Reply:
    """What a provider says."""
    if came.path.endswith("/embeddings"):
        given = came.body["input"]
        texts = given if isinstance(given, list) else [given]
        data = [
            {"object": "embedding", "index": n, "embedding": [float(len(text)), 0.5]} for n, text in enumerate(texts)
        ]
        used = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        body = {"object": "list", "model": came.body["model"], "data": data, "usage": used}
        return 200, {"content-type": "application/json"}, json.dumps(body).encode()
    if came.path.endswith("/models"):
        return 200, {"content-type": "application/json"}, b'{"object": "list", "data": [{"id": "m"}]}'
    if "image_url" in json.dumps(came.body):
        return chat("a green lantern")
    if came.path.endswith("/messages"):
        said = {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "text", "text": "hi"}],
            "stop_reason": "end_turn",
        }
        return 200, {"content-type": "application/json"}, json.dumps({"id": "1", "model": "m", **said}).encode()
    return streamed("hello") if came.body and came.body.get("stream") else chat("hello")


@dataclass(slots=True)
class World:
    """Every host there is."""

    port: int = 0
    came: list[Came] = field(default_factory=list)
    answer: Callable[[Came], Reply] = usual

    @property
    def redirects(self) -> dict[str, int]:
        return {f"{host}:443": self.port for host in (*PROVIDERS, EVIL)}

    def keys_at(self) -> set[tuple[str, str]]:
        return {(came.host, came.key) for came in self.came}


@pytest.fixture(scope="module")
def running_world(certificates: Certificates) -> Iterator[World]:
    world = World()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            data = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            came = Came(self.connection.asked_for, self.path, headers, json.loads(data) if data else None)
            world.came.append(came)
            status, named, body = world.answer(came)
            self.send_response(status)
            for name, value in {**named, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificates.issue(*PROVIDERS, EVIL))
    context.sni_callback = lambda connection, name, _: setattr(connection, "asked_for", name or "")

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        world.port = server.server_port
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield world
        server.shutdown()


@pytest.fixture
def world(running_world: World) -> World:
    running_world.came.clear()
    running_world.answer = usual
    return running_world


def keys_file(folder: Path, *hosts: str, more: str = "") -> tuple[Path, dict[str, str]]:
    """The file with the keys of the providers of `hosts`, one of them in a file, and the variables that it names."""
    path = folder / "keys.toml"
    path.touch(0o600)
    variables, tables = {}, []
    for place, provider in enumerate(sorted({PROVIDERS[host] for host in hosts})):
        key = f"sk-{provider}-{TRACE}"
        if place:
            variables[f"KEY_OF_{provider.upper()}"] = key
            tables.append(f'[providers.{provider}]\nenv = "KEY_OF_{provider.upper()}"\n')
        else:
            file = folder / f"{provider}.key"
            file.touch(0o600)
            file.write_text(f"{key}\n")
            tables.append(f'[providers.{provider}]\nfile = "{file}"\n')
    path.write_text("".join(tables) + more)
    return path, variables


@contextmanager
def proxied(
    certificates: Certificates, world: World, folder: Path, hosts: Sequence[str], *options: str, **variables: str
) -> Iterator[Proxy]:
    path, named = keys_file(folder, *hosts)
    given = [word for option in (f"hunyuan_keys_file={path}", *options) for word in ("--set", option)]
    with run_proxy(certificates, world.redirects, *given, environment={**named, **variables}) as proxy:
        yield proxy
    assert TRACE not in proxy.process.output


@contextmanager
def client_of(proxy: Proxy) -> Iterator[httpx.Client]:
    verify = proxy.certificates.proxy_trusted()
    with httpx.Client(proxy=proxy.url, verify=verify, trust_env=False, timeout=60) as client:
        yield client


TEXT = [{"role": "user", "content": "hi"}]
BODIES: Mapping[str, Callable[[str, bool], dict[str, Any]]] = {
    "/chat/completions": lambda model, stream: {"model": model, "messages": TEXT, "stream": stream},
    "/messages": lambda model, stream: {"model": model, "messages": TEXT, "max_tokens": 50, "stream": stream},
    "/responses": lambda model, stream: {"model": model, "input": "hi", "stream": stream},
}


# Clients without a key


@pytest.mark.parametrize("retry", ["off", "all"])
def test_a_client_without_a_key_has_its_providers_and_one_with_a_key_its_own(
    certificates: Certificates, world: World, tmp_path: Path, retry: str
) -> None:
    hosts = (MOONSHOT, DEEPSEEK, SILICON, ZENMUX, TOKENHUB)
    with (
        proxied(certificates, world, tmp_path, hosts, f"hunyuan_retry={retry}", "hunyuan_translate=always") as proxy,
        client_of(proxy) as client,
    ):
        for host in hosts:
            base = f"https://{host}{CHAT_PATHS.get(host, '/v1')}"
            for path, body in BODIES.items():
                for stream in (False, True):
                    answer = client.post(f"{base}{path}", json=body("m", stream))
                    assert answer.status_code == 200 and "hello" in answer.text, (host, path, answer.text)
            assert client.get(f"{base}/models").status_code == 200
        assert {came.host for came in world.came} == set(hosts)
        assert world.keys_at() == {(host, key_of(host)) for host in hosts}

        world.came.clear()
        for host in hosts:
            base = f"https://{host}{CHAT_PATHS.get(host, '/v1')}"
            for name, value in (("authorization", "Bearer sk-own-key"), ("x-api-key", "sk-own-key")):
                client.post(
                    f"{base}/chat/completions", json=BODIES["/chat/completions"]("m", False), headers={name: value}
                )
        assert {key for _, key in world.keys_at()} == {"sk-own-key"}

        # A provider without a table gets nobody's.
        world.came.clear()
        client.post(
            f"https://{DASHSCOPE}/compatible-mode/v1/chat/completions", json=BODIES["/chat/completions"]("m", False)
        )
        assert world.keys_at() == {(DASHSCOPE, "")}


def test_the_lent_key_and_the_file_stand_side_by_side(certificates: Certificates, world: World, tmp_path: Path) -> None:
    with (
        proxied(certificates, world, tmp_path, (MOONSHOT,), HUNYUAN_API_KEY=f"sk-lent-{TRACE}") as proxy,
        client_of(proxy) as client,
    ):
        for host in (TOKENHUB, MOONSHOT, DEEPSEEK):
            client.post(f"https://{host}/v1/chat/completions", json=BODIES["/chat/completions"]("m", False))
    assert world.keys_at() == {(TOKENHUB, f"sk-lent-{TRACE}"), (MOONSHOT, key_of(MOONSHOT)), (DEEPSEEK, "")}


def test_who_may_not_be_lent_a_key_gets_none_of_these(certificates: Certificates, world: World, tmp_path: Path) -> None:
    """A forwarded request, a web page's, and one that was addressed to another name (DNS rebinding)."""
    options = (f"hunyuan_embeddings_upstream=https://{SILICON}/v1", f"hunyuan_vision_upstream=https://{MOONSHOT}/v1")
    image = {"model": "hy3", "messages": [{"role": "user", "content": [image_part(png("lantern"))]}]}
    refused = []
    with (
        proxied(certificates, world, tmp_path, (MOONSHOT, SILICON, TOKENHUB), *options) as proxy,
        client_of(proxy) as client,
    ):
        for headers in (
            {"x-forwarded-for": "10.0.0.1"},
            {"origin": "https://page.example"},
            {"sec-fetch-site": "cross-site"},
        ):
            own = {**headers, "authorization": "Bearer sk-own-key"}
            client.post(
                f"https://{MOONSHOT}/v1/chat/completions", json=BODIES["/chat/completions"]("m", False), headers=headers
            )
            refused.append(
                client.post(f"https://{MOONSHOT}/v1/embeddings", json={"model": "e", "input": "x"}, headers=own)
            )
            client.post(f"https://{TOKENHUB}/v1/chat/completions", json=image, headers=own)
        named = {"host": "rebound.example", "authorization": "Bearer sk-own-key"}
        answer = httpx.post(
            f"{proxy.reverse_url}/embeddings",
            json={"model": "e", "input": "x"},
            headers=named,
            trust_env=False,
            timeout=60,
        )
        refused.append(answer)
    assert [(answer.status_code, "may not be lent a key" in answer.text) for answer in refused] == [(401, True)] * 4
    assert not [came for came in world.came if TRACE in str(came.headers)]
    assert {came.host for came in world.came if came.path.endswith("embeddings")} == set()
    assert {came.host for came in world.came if "image_url" in str(came.body)} == {TOKENHUB}, "as without the option"


# Images


def test_images_are_described_elsewhere_with_that_providers_key(
    certificates: Certificates, world: World, tmp_path: Path
) -> None:
    """In three formats, streamed and whole; also for a plan, which isn't burdened by it."""
    asked = "What is this?"

    def bodies(name: str, stream: bool) -> Iterator[tuple[str, dict[str, Any]]]:
        url = png(name)
        parts = [{"type": "text", "text": asked}, image_part(url)]
        yield "/chat/completions", {"model": "hy3", "stream": stream, "messages": [{"role": "user", "content": parts}]}
        source = {"type": "base64", "media_type": "image/png", "data": url.partition(",")[2]}
        parts = [{"type": "text", "text": asked}, {"type": "image", "source": source}]
        messages = [{"role": "user", "content": parts}]
        yield "/messages", {"model": "hy3", "stream": stream, "max_tokens": 99, "messages": messages}
        parts = [{"type": "input_text", "text": asked}, {"type": "input_image", "image_url": url}]
        yield "/responses", {"model": "hy3", "stream": stream, "input": [{"role": "user", "content": parts}]}

    options = [f"hunyuan_vision_upstream=https://{MOONSHOT}/v1", "hunyuan_translate=always"]
    with proxied(certificates, world, tmp_path, (MOONSHOT,), *options) as proxy, client_of(proxy) as client:
        for host in (TOKENHUB, PLAN):
            for stream in (False, True):
                world.came.clear()
                for path, body in bodies(f"{host}{stream}", stream):
                    base = f"https://{host}{CHAT_PATHS.get(host, '/v1')}"
                    answer = client.post(f"{base}{path}", json=body, headers={"authorization": "Bearer sk-own-key"})
                    assert answer.status_code == 200 and "hello" in answer.text, (path, answer.text)
                    (left,) = [came for came in world.came if came.host == host]
                    assert left.key == "sk-own-key"
                    assert "a green lantern" in str(left.body) and "image_url" not in str(left.body)
                    world.came.remove(left)
                (call,) = world.came  # one image in three formats
                assert (call.host, call.path, call.key) == (MOONSHOT, "/v1/chat/completions", key_of(MOONSHOT))
                assert call.body["model"] == "kimi-k2.6"
                assert "temperature" not in call.body, "the model fixes it"
                assert "own" not in str(call.headers)


def test_without_a_key_images_are_described_as_without_the_option(
    certificates: Certificates, world: World, tmp_path: Path
) -> None:
    options = [f"hunyuan_vision_upstream=https://{MOONSHOT}/v1", "hunyuan_vision_model=kimi-k2.5"]
    body = {"model": "hy3", "messages": [{"role": "user", "content": [image_part(png("no key"))]}]}
    with proxied(certificates, world, tmp_path, (SILICON,), *options) as proxy, client_of(proxy) as client:
        for _ in range(2):
            answer = client.post(
                f"https://{TOKENHUB}/v1/chat/completions", json=body, headers={"authorization": "Bearer sk-own-key"}
            )
            assert answer.status_code == 200, answer.text
    assert world.keys_at() == {(TOKENHUB, "sk-own-key")}
    assert {came.body["model"] for came in world.came} == {"hy-vision-2.0-instruct", "hy3"}
    said = f"https://{MOONSHOT}/v1 isn't called: it gets no key"
    assert proxy.process.output.count(said) == 1


def test_images_may_be_described_by_a_server_on_this_machine_that_has_no_key(
    certificates: Certificates, world: World, tmp_path: Path
) -> None:
    served: list[tuple[str, dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            served.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            status, headers, said = chat("a local lantern")
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(said))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(said)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/v1"
        options = [f"hunyuan_vision_upstream={url}", "hunyuan_vision_model=qwen3-vl:8b"]
        body = {"model": "hy3", "messages": [{"role": "user", "content": [image_part(png("local"))]}]}
        with (
            proxied(certificates, world, tmp_path, (TOKENHUB,), *options, HUNYUAN_API_KEY=f"sk-lent-{TRACE}") as proxy,
            client_of(proxy) as client,
        ):
            answer = client.post(f"https://{TOKENHUB}/v1/chat/completions", json=body)
            assert answer.status_code == 200, answer.text
        server.shutdown()
    ((path, headers, said),) = served
    assert path == "/v1/chat/completions" and json.loads(said)["model"] == "qwen3-vl:8b"
    assert "authorization" not in headers and TRACE not in str(headers), "the key of TokenHub's stays at TokenHub"
    (left,) = world.came
    assert "a local lantern" in str(left.body) and left.key == key_of(TOKENHUB)


# Embeddings


@pytest.mark.parametrize("retry", ["off", "all"])
def test_embeddings_go_elsewhere_with_that_providers_key(
    certificates: Certificates, world: World, tmp_path: Path, retry: str
) -> None:
    options = [
        f"hunyuan_embeddings_upstream=https://{DASHSCOPE}/compatible-mode/v1",
        "hunyuan_embeddings_model=text-embedding-v4",
        f"hunyuan_retry={retry}",
    ]
    texts = ["x" * (number + 1) for number in range(25)]
    with proxied(certificates, world, tmp_path, (DASHSCOPE,), *options) as proxy, client_of(proxy) as client:
        for host, base in ((MOONSHOT, "/v1"), (TOKENHUB, "/v1"), (PLAN, "/plan/v3"), (ZENMUX, "/api/v1")):
            for headers in (
                {"authorization": "Bearer sk-own-key"},
                {"x-api-key": "sk-own-key", "cookie": "a=sk-own-key"},
                {},
            ):
                world.came.clear()
                body = {"model": "text-embedding-3-small", "input": texts, "encoding_format": "base64", "user": "me"}
                url = f"https://{host}{base}/embeddings?api_key=sk-own-key"
                answer = client.post(url, json=body, headers=headers)
                assert answer.status_code == 200, answer.text
                data = answer.json()["data"]
                assert [item["index"] for item in data] == list(range(25))
                unpacked = [struct.unpack("<2f", base64.b64decode(item["embedding"])) for item in data]
                assert unpacked == [(float(len(text)), 0.5) for text in texts]
                assert answer.json()["usage"]["total_tokens"] == 25
                assert sorted(len(came.body["input"]) for came in world.came) == [5, 10, 10], "its own limit"
                for came in world.came:
                    assert (came.host, came.key) == (DASHSCOPE, key_of(DASHSCOPE))
                    assert came.path == "/compatible-mode/v1/embeddings"
                    assert came.body.keys() == {"model", "input"} and came.body["model"] == "text-embedding-v4"
                    assert "own" not in str(came)
        # One that fits into a call, and chat, which stays where it is.
        world.came.clear()
        client.post(f"https://{MOONSHOT}/v1/embeddings", json={"model": "e", "input": "x"})
        client.post(
            f"https://{MOONSHOT}/v1/chat/completions",
            json=BODIES["/chat/completions"]("m", False),
            headers={"authorization": "Bearer sk-own-key"},
        )
    assert [(came.host, came.key) for came in world.came] == [(DASHSCOPE, key_of(DASHSCOPE)), (MOONSHOT, "sk-own-key")]


def test_embeddings_without_a_key_are_refused_before_anything_is_sent(
    certificates: Certificates, world: World, tmp_path: Path
) -> None:
    options = [f"hunyuan_embeddings_upstream=https://{SILICON}/v1"]
    with proxied(certificates, world, tmp_path, (MOONSHOT,), *options) as proxy, client_of(proxy) as client:
        for headers in ({"authorization": "Bearer sk-own-key"}, {}):
            answer = client.post(
                f"https://{MOONSHOT}/v1/embeddings", json={"model": "e", "input": "x"}, headers=headers
            )
            assert answer.status_code == 401, answer.text
            assert f"https://{SILICON}/v1" in answer.text and "hunyuan_keys_file names none for it" in answer.text
            assert answer.headers["x-should-retry"] == "false"
    assert world.came == []


# Attacks


def test_a_redirect_takes_no_key_along(certificates: Certificates, world: World, tmp_path: Path) -> None:
    """An endpoint that answers with the way to another host: nothing goes there, by whatever call."""

    def away(came: Came) -> Reply:
        if came.host == EVIL:
            return usual(came)
        return 307, {"location": f"https://{EVIL}{came.path}?key={came.key}", "content-type": "text/plain"}, b""

    world.answer = away
    options = (
        f"hunyuan_embeddings_upstream=https://{DASHSCOPE}/compatible-mode/v1",
        f"hunyuan_vision_upstream=https://{MOONSHOT}/v1",
    )
    image = {"model": "hy3", "messages": [{"role": "user", "content": [image_part(png("away"))]}]}
    hosts = (MOONSHOT, DASHSCOPE, DEEPSEEK)
    with proxied(certificates, world, tmp_path, hosts, *options) as proxy, client_of(proxy) as client:
        answers = [
            client.post(
                f"https://{TOKENHUB}/v1/chat/completions", json=image, headers={"authorization": "Bearer sk-own"}
            ),
            client.post(f"https://{DEEPSEEK}/v1/chat/completions", json=BODIES["/chat/completions"]("m", False)),
            client.post(f"https://{DEEPSEEK}/v1/embeddings", json={"model": "e", "input": ["x"] * 11}),
            client.post(f"https://{DEEPSEEK}/v1/embeddings", json={"model": "e", "input": "x"}),
        ]
    assert {came.host for came in world.came} >= set(hosts) and EVIL not in {came.host for came in world.came}
    for answer in answers:
        assert TRACE not in answer.text + str(answer.headers)


def test_two_names_for_one_connection_get_no_key(certificates: Certificates, world: World, tmp_path: Path) -> None:
    """A tunnel to one host and a request for another; a request to an unknown host that calls itself a known one."""
    with proxied(certificates, world, tmp_path, (MOONSHOT, DEEPSEEK)) as proxy, client_of(proxy) as client:
        for connected in (EVIL, DEEPSEEK, TOKENHUB, f"{MOONSHOT}.{EVIL}"):
            for host in (MOONSHOT, f"{MOONSHOT}:443", f"{MOONSHOT}.", f"{MOONSHOT}.{EVIL}"):
                try:
                    client.post(
                        f"https://{connected}/v1/chat/completions",
                        json=BODIES["/chat/completions"]("m", False),
                        headers={"host": host, "x-forwarded-host": MOONSHOT},
                    )
                except httpx.HTTPError:
                    continue
    assert not [came for came in world.came if TRACE in str(came.headers)]


def quoting(came: Came) -> Reply:
    """An error that quotes the key it got, in every place that an answer has."""
    said = {"error": {"message": f"Incorrect API key provided: {came.key}.", "type": came.key, "code": came.key}}
    headers = {"content-type": "application/json", "www-authenticate": f'Bearer error="{came.key}"', "x-key": came.key}
    body = json.dumps(said).encode()
    if came.body and came.body.get("model") == "packed":
        return 403, {**headers, "content-encoding": "gzip"}, gzip.compress(body)
    if came.body and came.body.get("model") == "page":
        return 502, {"content-type": "text/html"}, b"<p>%b</p>" % came.key.encode()
    if came.body and came.body.get("stream"):
        status, named, first = streamed("hel")
        return status, named, first.partition(b"\n\n")[0] + b"\n\ndata: %b\n\n" % body
    return 401, headers, body


@pytest.mark.parametrize("options", [("hunyuan_retry=off",), ("hunyuan_retry=all", "hunyuan_log=json")])
def test_an_error_that_quotes_the_key_shows_it_to_nobody(
    certificates: Certificates, world: World, tmp_path: Path, options: Sequence[str]
) -> None:
    """Not to the client, in no format; not in the log at debug, in saved flows, in what the admin server has."""
    world.answer = quoting
    flows, log, admin = tmp_path / "flows", tmp_path / "log", free_port()
    given = (
        *options,
        f"hunyuan_embeddings_upstream=https://{DASHSCOPE}/compatible-mode/v1",
        f"hunyuan_vision_upstream=https://{MOONSHOT}/v1",
        f"save_stream_file={flows}",
        f"hunyuan_log_file={log}",
        f"hunyuan_admin=127.0.0.1:{admin}",
        "hunyuan_breaker_failures=0",
        "hunyuan_retry_tries=2",
        "hunyuan_vision_tries=1",
        "termlog_verbosity=debug",
        "flow_detail=4",
    )
    hosts = (MOONSHOT, DEEPSEEK, DASHSCOPE, ZENMUX, TOKENHUB)
    seen: list[str] = []
    with proxied(certificates, world, tmp_path, hosts, *given) as proxy, client_of(proxy) as client:

        def post(url: str, body: Any, **headers: str) -> None:
            answer = client.post(
                url, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()}
            )
            seen.append(f"{url} {answer.status_code} {answer.headers} {answer.text}")

        for host in (MOONSHOT, DEEPSEEK, ZENMUX, TOKENHUB):
            base = f"https://{host}{CHAT_PATHS.get(host, '/v1')}"
            for path, body in BODIES.items():
                for stream in (False, True):
                    post(f"{base}{path}", body("m", stream))
            for model in ("packed", "page"):
                post(f"{base}/chat/completions", BODIES["/chat/completions"](model, False))
            for mode in ("observe", "off"):
                for path, body in BODIES.items():
                    post(f"{base}{path}", body("m", False), x_hunyuan_mode=mode)
                    post(f"{base}{path}", body("packed", False), x_hunyuan_mode=mode)
            answer = client.get(f"{base}/models")
            seen.append(f"{answer.status_code} {answer.headers} {answer.text}")
        for texts in (["x"], ["x"] * 25):
            post(f"https://{DEEPSEEK}/v1/embeddings", {"model": "e", "input": texts}, authorization="Bearer sk-own")
        image = {"model": "hy3", "messages": [{"role": "user", "content": [image_part(png("quoted"))]}]}
        post(f"https://{TOKENHUB}/v1/chat/completions", image, authorization="Bearer sk-own")
        pages = {
            path: httpx.get(f"http://127.0.0.1:{admin}{path}", trust_env=False, timeout=30).text
            for path in (
                "/status",
                "/metrics",
                "/api/exchanges?limit=1000",
                "/api/events?seconds=0",
                "/readyz",
                "/healthz",
            )
        }
        for exchange in json.loads(pages["/api/exchanges?limit=1000"])["exchanges"]:
            path = f"/api/exchanges/{exchange['id']}"
            pages[path] = httpx.get(f"http://127.0.0.1:{admin}{path}", trust_env=False, timeout=30).text

    # 1. Every host has quoted its key.
    assert world.keys_at() >= {(host, key_of(host)) for host in hosts}
    # 2. Nobody has seen one.
    assert [said for said in seen if TRACE in said] == []
    assert [path for path, text in pages.items() if TRACE in text] == []
    assert TRACE.encode() not in log.read_bytes()
    kept = flows.read_bytes()
    assert kept.count(b"Incorrect API key") > 5 and TRACE.encode() not in kept


def test_a_change_of_the_file_counts_at_once_and_a_broken_one_not_at_all(
    certificates: Certificates, world: World, tmp_path: Path
) -> None:
    path, variables = keys_file(tmp_path, MOONSHOT)
    body = BODIES["/chat/completions"]("m", False)

    def written(text: str) -> None:
        new = path.with_name("new")
        new.touch(0o600)
        new.write_text(text)
        new.replace(path)

    given = ["--set", f"hunyuan_keys_file={path}"]
    environment = {**variables, "OTHER": f"sk-other-{TRACE}"}
    with (
        run_proxy(certificates, world.redirects, *given, environment=environment) as proxy,
        client_of(proxy) as client,
    ):
        client.post(f"https://{MOONSHOT}/v1/chat/completions", json=body)
        written('[hosts."api.moonshot.cn"]\nenv = "OTHER"\n')
        proxy.process.wait_for(f"{path.name} has changed and was read again")
        client.post(f"https://{MOONSHOT}/v1/chat/completions", json=body)
        written(f'[providers.moonshot]\nkey = "sk-raw-{TRACE}"\n')
        proxy.process.wait_for("The previous content stays in force")
        client.post(f"https://{MOONSHOT}/v1/chat/completions", json=body)
    assert [came.key for came in world.came] == [key_of(MOONSHOT), f"sk-other-{TRACE}", f"sk-other-{TRACE}"]
    assert TRACE not in proxy.process.output
