"""The webhook, against a real server on loopback: what is sent, what is tried again, what is never shown."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest, ResponseStartLine
from tornado.netutil import bind_sockets

from hunyuan_fix.config.option import OptionError
from hunyuan_fix.observe.alerts import alert as alerts
from hunyuan_fix.observe.alerts import notice as notices
from hunyuan_fix.observe.alerts.notice import Notice
from hunyuan_fix.observe.alerts.webhook import MOST_WAITING, WAITS, Address, Webhook, receiver
from hunyuan_fix.upstream.client import Transport

SECRET = "s3cr3t-of-the-url"
ERRORS = alerts.shipped()["error_rate"]
BEGAN = Notice(ERRORS, 0.1, 0.34, 1_700_000_000)
ENDED = Notice(ERRORS, 0.1, 0.01, 1_700_000_000, 1_700_000_600)


class Receiver:
    """A server that keeps what it is sent, and answers as it is told."""

    def __init__(self, statuses: Sequence[int] = ()) -> None:
        self.bodies: list[Any] = []
        self.paths: list[str] = []
        self.statuses = list(statuses)
        self.answer = b"ok"
        self.went_on = asyncio.Event()
        self.went_on.set()
        sockets = bind_sockets(0, "127.0.0.1")
        self.url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}/hook?key={SECRET}"
        self.server = HTTPServer(self._handle)
        self.server.add_sockets(sockets)

    def _handle(self, request: HTTPServerRequest) -> None:
        self.bodies.append(json.loads(request.body))
        self.paths.append(request.uri or "")
        status = self.statuses.pop(0) if self.statuses else 200
        asyncio.get_running_loop().create_task(self._answer(request, status))

    async def _answer(self, request: HTTPServerRequest, status: int) -> None:
        await self.went_on.wait()
        assert request.connection is not None
        await request.connection.write_headers(
            ResponseStartLine("", status, ""), _headers(len(self.answer)), self.answer
        )
        request.connection.finish()


def _headers(length: int) -> Any:
    from tornado.httputil import HTTPHeaders

    return HTTPHeaders({"content-length": str(length)})


@pytest.fixture
async def server() -> AsyncIterator[Receiver]:
    made = Receiver()
    yield made
    made.server.stop()
    await made.server.close_all_connections()


class Made:
    """A webhook whose waits take no time, and what it waited."""

    def __init__(self, url: str) -> None:
        self.waited: list[float] = []
        self.webhook = Webhook(Address({}), self._sleep)
        self.webhook.configure(Address({"HUNYUAN_ALERT_WEBHOOK": url}), Transport(proxy="http://127.0.0.1:1"))

    async def _sleep(self, seconds: float) -> None:
        self.waited.append(seconds)

    async def tell(self, *told: Notice) -> None:
        """Tell, and wait for the end of it."""
        self.webhook.tell(told)
        assert self.webhook._task is not None
        await self.webhook._task


async def test_a_receiver_gets_what_alertmanager_would_send(server: Receiver) -> None:
    made = Made(server.url)
    await made.tell(BEGAN, ENDED)
    await made.webhook.aclose()
    (body,) = server.bodies
    assert server.paths == [f"/hook?key={SECRET}"]
    assert (body["version"], body["status"], body["receiver"]) == ("4", "firing", "hunyuan-fix")
    began, ended = body["alerts"]
    assert (began["status"], began["startsAt"], began["endsAt"]) == (
        "firing",
        "2023-11-14T22:13:20Z",
        "0001-01-01T00:00:00Z",
    )
    assert (ended["status"], ended["endsAt"]) == ("resolved", "2023-11-14T22:23:20Z")
    assert began["fingerprint"] == ended["fingerprint"]
    assert began["labels"] | {"instance": ""} == {
        "alertname": "HunyuanErrorRate",
        "alert": "error_rate",
        "severity": "critical",
        "job": "hunyuan-fix",
        "instance": "",
    }
    assert began["annotations"]["summary"].startswith("34% of the requests of the last 10 minutes")
    assert began["annotations"]["summary_zh"].startswith("最近 10 分钟有 34% 的请求")
    assert ended["annotations"]["summary"] == "Alert error_rate has ended after 10 min."
    assert ended["annotations"]["summary_zh"] == "告警 error_rate 已结束，持续了 10 分钟。"
    assert made.webhook.counts == {"sent": 2}


async def test_an_end_alone_is_resolved(server: Receiver) -> None:
    made = Made(server.url)
    await made.tell(ENDED)
    await made.webhook.aclose()
    assert server.bodies[0]["status"] == "resolved"


@pytest.mark.parametrize(
    ("statuses", "tries", "counted"),
    [
        ([500, 429, 503, 200], 4, "sent"),
        ([500] * 9, 1 + len(WAITS), "failed"),
        ([404, 200], 1, "failed"),  # another try would be told the same
        ([301, 200], 2, "sent"),
    ],
)
async def test_what_may_pass_is_tried_again(server: Receiver, statuses: list[int], tries: int, counted: str) -> None:
    server.statuses = statuses
    made = Made(server.url)
    await made.tell(BEGAN)
    await made.webhook.aclose()
    assert len(server.bodies) == tries
    assert made.waited == list(WAITS[: tries - 1])
    assert made.webhook.counts == {counted: 1}


async def test_a_robot_that_refuses_with_200_is_not_believed(server: Receiver) -> None:
    server.answer = b'{"errcode": 93000, "errmsg": "invalid webhook url"}'
    made = Made(server.url)
    await made.tell(BEGAN)
    await made.webhook.aclose()
    assert made.webhook.counts == {"failed": 1}


async def test_no_failure_shows_the_url(server: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.statuses = [404]
    refused, gone = Made(server.url), Made(f"http://127.0.0.1:1/{SECRET}")
    for made in (refused, gone):
        await made.tell(BEGAN)
        await made.webhook.aclose()
        assert SECRET not in repr(made.webhook.address.value)
    assert "The webhook was not told of alerts (1): HTTP 404" in caplog.text
    assert "The webhook was not told of alerts (1): connection refused" in caplog.text
    assert SECRET not in caplog.text


async def test_a_receiver_that_hangs_holds_nobody_up(server: Receiver) -> None:
    server.went_on.clear()
    made = Made(server.url)
    made.webhook.tell([BEGAN])
    while not server.bodies:
        await asyncio.sleep(0)
    for _ in range(MOST_WAITING + 5):
        made.webhook.tell([ENDED])
    assert made.webhook.counts == {"dropped": 5}
    server.went_on.set()
    assert made.webhook._task is not None
    await made.webhook._task
    assert [len(body["alerts"]) for body in server.bodies] == [1, MOST_WAITING]
    await made.webhook.aclose()


async def test_the_end_waits_for_no_receiver(server: Receiver) -> None:
    server.went_on.clear()
    made = Made(server.url)
    made.webhook.tell([BEGAN])
    while not server.bodies:
        await asyncio.sleep(0)
    await asyncio.wait_for(made.webhook.aclose(), 10)


async def test_without_an_address_nothing_is_kept() -> None:
    webhook = Webhook(Address({}))
    webhook.tell([BEGAN])
    assert webhook._task is None
    assert not webhook.counts
    await webhook.aclose()


# The address


@pytest.mark.parametrize(
    "url", ["https://hooks.example/x?key=1", "http://127.0.0.1:9/x", "http://localhost/", "http://[::1]:9/"]
)
def test_an_address_is_taken(url: str) -> None:
    assert receiver(f" {url}\n").url == url


@pytest.mark.parametrize(
    "url",
    [
        f"http://hooks.example/{SECRET}",
        f"https://user:{SECRET}@hooks.example/",
        f"ftp://127.0.0.1/{SECRET}",
        f"https:///{SECRET}",
        f"https://hooks.example:99999/{SECRET}",
        f"https://[{SECRET}/",
        f"https://hooks.example/ {SECRET}",
        SECRET,
    ],
)
def test_another_address_is_refused_without_showing_it(url: str, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"^HUNYUAN_ALERT_WEBHOOK: needed is one URL") as told:
        Address({"HUNYUAN_ALERT_WEBHOOK": url}).configured(None)
    assert SECRET not in str(told.value)
    file = tmp_path / "hook"
    file.write_text(url)
    file.chmod(0o600)
    with pytest.raises(OptionError, match=r"^hunyuan_alert_webhook_file: .*needed is one URL") as told:
        Address({}).configured(file)
    assert SECRET not in str(told.value)


async def test_the_file_counts_and_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "hook"
    file.write_text("https://one.example/")
    file.chmod(0o600)
    address = Address({"HUNYUAN_ALERT_WEBHOOK": "https://zero.example/"}).configured(file)
    assert address.value is not None
    assert address.value.host == "one.example"
    assert address.configured(file) is address
    new = tmp_path / "new"
    new.write_text("https://two.example/")
    new.chmod(0o600)
    new.replace(file)
    for _ in range(2):
        await address.refresh()
    assert address.value.host == "two.example"
    without = address.configured(None).value
    assert without is not None
    assert without.host == "zero.example"


# Bodies


@pytest.mark.parametrize(
    ("host", "where"),
    [
        ("qyapi.weixin.qq.com", ("text", "content")),
        ("OAPI.dingtalk.com", ("text", "content")),
        ("open.feishu.cn", ("content", "text")),
        ("open.larksuite.com", ("content", "text")),
        ("hooks.slack.com", ("text",)),
    ],
)
def test_robots_get_a_text_in_their_form(host: str, where: tuple[str, ...]) -> None:
    text: Any = json.loads(notices.body([BEGAN, ENDED], host, "here", "zh"))
    for key in where:
        text = text[key]
    assert text.splitlines()[0].startswith("hunyuan-fix (here) 告警 error_rate：最近 10 分钟有 34% 的请求")
    assert text.splitlines()[1] == "hunyuan-fix (here) 告警 error_rate 已结束，持续了 10 分钟。"


def test_a_text_is_short_enough_for_every_robot() -> None:
    body = json.loads(notices.body([BEGAN] * 50, "qyapi.weixin.qq.com", "here", "zh"))
    assert len(body["text"]["content"].encode()) <= 2048


@pytest.mark.parametrize(
    ("status", "answer", "says"),
    [
        (200, b"ok", ""),
        (204, b"", ""),
        (200, b'{"errcode": 0, "errmsg": "ok"}', ""),
        (200, b'{"code": 0, "msg": "success"}', ""),
        (200, b'{"code": 19001, "msg": "param invalid"}', "code 19001"),
        (200, b'{"code": "x"}', ""),
        (200, b"[1]", ""),
        (200, b'{"code": ' + b"9" * 4000 + b"}", ""),
        (200, b'{"code": 1, "text": "' + b"x" * 100_000 + b'"}', ""),
        (302, b"", "HTTP 302"),
        (500, b'{"errcode": 0}', "HTTP 500"),
    ],
)
def test_an_answer_says_whether_it_was_taken(status: int, answer: bytes, says: str) -> None:
    assert notices.refusal(status, answer) == says
