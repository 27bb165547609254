"""What a person sees in mitmweb while an exchange is under way, by a real browser: the stream so far, the bars."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from scripts.lib.browser import Page, chromium
from scripts.lib.mitmweb import Mitmweb, mitmweb

LIST, PANE = ".flow-table", ".flow-detail"
ASKED = {
    "model": "hunyuan-lite",
    "stream": True,
    "messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}],
}


class Endpoint(ThreadingHTTPServer):
    """Sends the beginning of a stream, and the rest when it may."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.may_end = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.end_headers()
        self.event({"content": "第一段，"})
        assert self.server.may_end.wait(60)
        self.event({"content": "第二段。"}, "stop")
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, delta: dict[str, str], finish_reason: str | None = None) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        self.wfile.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.may_end.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mitmweb]:
    folder = tmp_path_factory.mktemp("mitmweb")
    with mitmweb(folder, "--set", "hunyuan_hosts=127.0.0.1=hunyuan", "--set", "hunyuan_language=zh") as running:
        yield running


@pytest.fixture
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("chromium")) as running:
        running.resize(1400, 900)
        yield running


def show(page: Page, tab: str) -> None:
    page.wait_for(
        f"(row => row && (row.click(), true))(document.querySelector('{LIST} tbody tr:not([style*=height])'))"
    )
    page.click(f"{PANE} nav a", tab)


def test_a_stream_is_read_while_it_runs_and_put_together_afterwards(
    web: Mitmweb, page: Page, endpoint: Endpoint
) -> None:
    """In Chinese, as the option asks for. The page is open before the request, as a person has it."""
    page.open(web.page)

    def ask() -> None:
        url = f"http://127.0.0.1:{endpoint.server_port}/v1/chat/completions"
        with httpx.Client(proxy=web.url, trust_env=False, timeout=60) as client:
            answers.append(client.post(url, json=ASKED).text)

    answers: list[str] = []
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        page.wait_for(f"document.querySelectorAll('{LIST} .has-response').length === 1")
        show(page, "Response")
        shown = page.wait_for_text(PANE, "流式响应进行中：1 个事件", "第一段，")
        assert "第二段" not in shown
        page.click(f"{PANE} nav a", "Request")
        shown = page.wait_for_text(PANE, "耗时：", "进行中", "收到请求", "首字节", "─── 差异 ───")
        assert "2 处改动" in shown.splitlines()
    finally:
        endpoint.may_end.set()
        asking.join()
    assert "[DONE]" in answers[0]
    page.click(f"{PANE} nav a", "Response")
    shown = page.wait_for_text(PANE, "结束原因：stop")
    assert "第一段，第二段。" in shown.splitlines()
    page.click(f"{PANE} .controls a", "View:")
    page.click(".dropdown-menu a", "hunyuan proxy")
    shown = page.wait_for_text(PANE, "没有进行中的调用，也没有排队。")
    assert "最近 1 个请求中最慢的（毫秒）" in shown
