"""The mode, switched by POST: whom the server hears, what it takes, and what is said of it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from mitmproxy.test import taddons

from hunyuan_fix import options
from hunyuan_fix.config.hot_change import HostOptions
from hunyuan_fix.config.option import OptionError, Value
from hunyuan_fix.exchange import Response
from hunyuan_fix.observe.last_exchanges import LastExchanges
from hunyuan_fix.page.page import Page
from hunyuan_fix.page.sources import Sources
from hunyuan_fix.runtime import Runtime
from hunyuan_fix.supervisor.asked_workers import PageOfWorkers
from hunyuan_fix.upstream.client import Transport
from hunyuan_fix.wire.openai_error import ProxyError
from tests.observe.admin.serving import BEARER, TOKEN, asking, raw

FORM = "application/x-www-form-urlencoded"


@dataclass
class Options:
    """mitmproxy's options, as far as they are needed."""

    values: dict[str, object] = field(default_factory=lambda: {one.name: one.default for one in options.OPTIONS})
    refuses: bool = False

    def update(self, values: Mapping[str, Value]) -> None:
        if self.refuses:
            raise OptionError("hunyuan_mode: another add-on refuses this")
        self.values |= values


@dataclass
class Running:
    runtime: Runtime
    options: Options

    def mode(self) -> object:
        return self.options.values["hunyuan_mode"]


@asynccontextmanager
async def running(monkeypatch: pytest.MonkeyPatch, *, token: str = "", given: str = "repair") -> AsyncIterator[Running]:
    if token:
        monkeypatch.setenv("HUNYUAN_ADMIN_TOKEN", token)
    settings = options.parse({"hunyuan_admin": "127.0.0.1:0", "hunyuan_store": "memory"})
    with taddons.context():
        runtime = Runtime(settings)
        runtime.configure(settings, Transport())
    made = Options()
    runtime.config.begin(HostOptions({}, made.values.get, made.update), {}, {"HUNYUAN_MODE": given}, {})
    made.values["hunyuan_mode"] = given
    runtime.admin.start()
    runtime.admin.rooms.is_started = lambda: True
    try:
        yield Running(runtime, made)
    finally:
        await runtime.aclose()


async def test_it_is_switched_and_the_log_says_who_has(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "hunyuan_fix")
    async with running(monkeypatch) as proxy, asking(proxy.runtime.admin) as client:
        answer = await client.post("/api/mode", data={"mode": "observe"})
        assert answer.json() == {
            "mode": "observe",
            "source_now": "running",
            "given": "repair",
            "source": "environment",
            "where": "HUNYUAN_MODE",
        }
        assert proxy.mode() == "observe"
        (line,) = [record for record in caplog.records if "has switched" in record.getMessage()]
        assert line.levelno == logging.WARNING
        assert line.getMessage().endswith("from repair to observe, asked from 127.0.0.1.")
        caplog.clear()
        assert (await client.post("/api/mode", data={"mode": "observe"})).status_code == 200
        assert "has switched" not in caplog.text, "nothing has changed"
        back = (await client.post("/api/mode", data={"mode": "repair"})).json()
        assert (back["mode"], back["source_now"]) == ("repair", "environment")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:1"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "none"}, 403),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, 403),
        ({"host": "evil.example"}, 403),  # a name that was rebound to this machine
        ({"host": "evil.example", "origin": "http://evil.example"}, 403),
        ({"content-type": "text/plain"}, 400),
        ({"content-type": "application/json"}, 400),
        ({"content-type": "multipart/form-data; boundary=x"}, 400),
        ({"content-type": ""}, 400),
    ],
)
async def test_what_another_page_or_program_may_not(
    monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], status: int
) -> None:
    async with running(monkeypatch) as proxy, asking(proxy.runtime.admin) as client:
        sent = {"content-type": FORM, **headers}
        for path in ("/api/mode", f"/api/images/{'0' * 64}/delete", f"/api/images/{'0' * 64}/describe"):
            field = b"mode=off" if path == "/api/mode" else b"any=" + b"0" * 64
            answer = await client.post(path, content=field, headers=sent)
            assert answer.status_code == status, path
        assert proxy.mode() == "repair"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"mode=",
        b"mode=bogus",
        b"mode=off&mode=repair",
        b"mode=off&more=1",
        b"MODE=off",
        b"mode=off\0",
        b"\xff\xfe",
    ],
)
async def test_a_form_that_says_anything_else_changes_nothing(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    async with running(monkeypatch) as proxy, asking(proxy.runtime.admin) as client:
        answer = await client.post("/api/mode", content=content, headers={"content-type": FORM})
        assert answer.status_code == 400
        assert (await client.post("/api/mode?mode=off", headers={"content-type": FORM})).status_code == 400
        assert proxy.mode() == "repair"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("query", ["", "?mode=off"])
async def test_no_other_method_changes_anything(monkeypatch: pytest.MonkeyPatch, method: str, query: str) -> None:
    async with running(monkeypatch) as proxy, asking(proxy.runtime.admin) as client:
        answer = await client.request(method, f"/api/mode{query}", headers={"content-type": FORM})
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"
        assert (await client.request(method, f"/api/images/{'0' * 64}/delete{query}")).status_code == 405
        assert proxy.mode() == "repair"


async def test_with_a_token_nobody_switches_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch, token=TOKEN) as proxy, asking(proxy.runtime.admin) as client:
        for path in ("/api/mode", "/api/settings", "/api/images"):
            method = "POST" if path == "/api/mode" else "GET"
            assert (await client.request(method, path, data={"mode": "off"})).status_code == 401
            wrong = {"authorization": "Bearer wrong"}
            assert (await client.request(method, path, data={"mode": "off"}, headers=wrong)).status_code == 401
        assert proxy.mode() == "repair"
        assert (await client.post("/api/mode", data={"mode": "off"}, headers=BEARER)).status_code == 200
        assert proxy.mode() == "off"


async def test_a_form_hidden_in_a_request_of_http_10_or_without_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as proxy:
        sent = b"content-type: " + FORM.encode() + b"\r\ncontent-length: 8\r\nconnection: close\r\n\r\nmode=off"
        for line in (
            b"POST /api/mode HTTP/1.1\r\n",
            b"POST http://evil.example/api/mode HTTP/1.1\r\nhost: evil.example\r\n",
        ):
            answer = await raw(proxy.runtime.admin, line + sent)
            assert answer.split()[1] in (b"400", b"403", b"404")
        assert proxy.mode() == "repair"


async def test_what_mitmproxy_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as proxy, asking(proxy.runtime.admin) as client:
        proxy.options.refuses = True
        answer = await client.post("/api/mode", data={"mode": "off"})
        assert answer.status_code == 400
        assert "another add-on refuses this" in answer.json()["error"]["message"]


async def test_a_worker_that_begins_to_serve_takes_the_mode_over(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(monkeypatch) as first, running(monkeypatch) as second, running(monkeypatch) as third:
        workers = [_Asked(first), _Asked(second)]
        page = PageOfWorkers(Page(Sources(LastExchanges())), _Asking(workers))
        await page.ask("mode", {"mode": "observe", "peer": "127.0.0.1"}, "en")
        assert (first.mode(), second.mode(), third.mode()) == ("observe", "observe", "repair")
        workers.append(_Asked(third))
        await page.joined(workers[-1])
        assert third.mode() == "observe"
        # One that was switched back to what its options say makes nobody follow: the options do.
        for one in workers[:2]:
            await one.ask("mode", {"mode": "repair", "peer": ""}, "en")
        await page.joined(workers[-1])
        assert third.mode() == "observe"


class _Asking:
    def __init__(self, workers: list[_Asked]) -> None:
        self.workers = workers

    def told_by(self, id: str) -> Any:
        return None

    def to_ask(self) -> Any:
        return self.workers


class _Asked:
    def __init__(self, running: Running) -> None:
        self.questions: Any = self
        self.page = running.runtime.page

    async def ask(self, what: str, values: Any, language: str, patience: float | None = None) -> Response:
        answer = await self.page.ask(what, values, language or "en")
        return answer.response() if isinstance(answer, ProxyError) else answer
