"""A web page in a real browser that calls the proxy from another origin: what it may send, and what it may read."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts.lib.browser import Page, chromium
from scripts.lib.processes import free_port
from tests.end_to_end.processes import LEGACY, Certificates, Proxy, Simulator, run_proxy

LENT = "sk-lent-to-pages"
CHAT = {"model": "hunyuan-lite", "messages": [{"role": "user", "content": "hi"}]}

# What one fetch comes to, as a page sees it: the status, the chunks of the body, or that the browser kept it back.
SCRIPT = """
const ask = async (path, body, headers) => {
  try {
    const answer = await fetch(BASE + path, {
      method: body ? 'POST' : 'GET', body: body && JSON.stringify(body),
      headers: {...(body ? {'content-type': 'application/json'} : {}), ...headers},
    });
    const reader = answer.body.getReader(), chunks = [], decoder = new TextDecoder();
    for (let part; !(part = await reader.read()).done;) chunks.push(decoder.decode(part.value, {stream: true}));
    return {status: answer.status, text: chunks.join(''), fix: answer.headers.get('x-hunyuan-fix')};
  } catch (error) { return {kept_back: String(error)}; }
};
(async () => {
  const answers = {};
  for (const [name, [path, body, headers]] of Object.entries(ASKED)) answers[name] = await ask(path, body, headers);
  document.body.innerText = 'done ' + JSON.stringify(answers);
})();
"""
ASKED: dict[str, Any] = {
    "chat": ["/v1/chat/completions", CHAT, {"x-hunyuan-mode": "repair"}],
    "stream": ["/v1/chat/completions", CHAT | {"stream": True}, {}],
    "messages": [
        "/v1/messages",
        CHAT | {"max_tokens": 9},
        {"anthropic-version": "2023-06-01", "x-api-key": "hunyuan-fix"},
    ],
    "responses": [
        "/v1/responses",
        {"model": "hunyuan-lite", "input": "hi", "stream": True},
        {"authorization": "Bearer hunyuan-fix"},
    ],
    "refused": ["/v1/chat/completions", CHAT | {"model": "no-such-model"}, {}],
    "models": ["/v1/models", None, {}],
    "own_error": ["/v1/embeddings", {"model": "hunyuan-embedding", "input": [1]}, {}],
}


class Pages(ThreadingHTTPServer):
    """The page that asks, on two ports: two origins."""

    daemon_threads = True

    def __init__(self, port: int, base: str) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        filled = SCRIPT.replace("BASE", json.dumps(base)).replace("ASKED", json.dumps(ASKED))
        self.page = f"<!doctype html><meta charset=utf-8><body><script>{filled}</script>".encode()


class Handler(BaseHTTPRequestHandler):
    server: Pages

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(self.server.page)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Page]:
    with chromium(tmp_path) as page:
        yield page


def asked_from(port: int, proxy: Proxy, browser: Page) -> dict[str, Any]:
    """What a page of the origin 127.0.0.1:`port` gets."""
    with Pages(port, f"http://127.0.0.1:{proxy.reverse_port}") as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            browser.open(f"http://127.0.0.1:{port}/")
            return dict(json.loads(browser.wait_for_text("body", "done ").partition(" ")[2]))
        finally:
            server.shutdown()
            thread.join()


def test_a_page_of_an_allowed_origin_works_and_another_reads_no_content(
    certificates: Certificates, simulator: Simulator, browser: Page
):
    allowed, other = free_port(), free_port()
    options = ("--set", f"hunyuan_allowed_origins=http://127.0.0.1:{allowed}")
    redirects = {f"{LEGACY}:443": simulator.port}
    with run_proxy(certificates, redirects, *options, environment={"HUNYUAN_API_KEY": LENT}) as proxy:
        got = asked_from(allowed, proxy, browser)
        keys = [dict(request["headers"]).get("authorization") for request in simulator.requests()]
        simulator.reset()
        kept_back = asked_from(other, proxy, browser)
        others_keys = [dict(request["headers"]).get("authorization") for request in simulator.requests()]
    assert got["chat"]["status"] == 200
    assert json.loads(got["chat"]["text"])["choices"]
    assert "answer-cors" in got["chat"]["fix"]
    assert got["stream"]["status"] == 200
    assert got["stream"]["text"].endswith("data: [DONE]\n\n")
    assert json.loads(got["messages"]["text"])["type"] == "message"
    assert "event: response.completed" in got["responses"]["text"]
    assert (got["refused"]["status"], "error" in json.loads(got["refused"]["text"])) == (got["refused"]["status"], True)
    assert got["refused"]["status"] >= 400
    assert got["models"]["status"] == 200
    assert (got["own_error"]["status"], "error" in json.loads(got["own_error"]["text"])) == (400, True)
    assert keys
    assert set(keys) <= {f"Bearer {LENT}", None}, "a preflight has none"
    assert f"Bearer {LENT}" in keys
    for name, answer in kept_back.items():
        if name != "own_error":
            assert "kept_back" in answer, (name, answer)
    assert not any(key and LENT in key for key in others_keys)


def test_a_page_reads_that_the_endpoint_cannot_be_reached(certificates: Certificates, browser: Page):
    allowed = free_port()
    options = ("--set", f"hunyuan_allowed_origins=http://127.0.0.1:{allowed}")
    redirects = {f"{LEGACY}:443": free_port()}
    with run_proxy(certificates, redirects, *options, environment={"HUNYUAN_API_KEY": LENT}) as proxy:
        got = asked_from(allowed, proxy, browser)
    for name in ("chat", "stream", "messages"):
        assert got[name]["status"] in (502, 503, 400), got[name]
        assert "error" in got[name]["text"]
