"""What mitmproxy's lists show of an exchange."""

from __future__ import annotations

from typing import Any

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow
from mitmproxy.utils import emoji

from hunyuan_fix.exchange import Exchange
from hunyuan_fix.texts import terminal
from hunyuan_fix.views import marks


def marked(flow: HTTPFlow | None = None, **values: Any) -> tuple[str, str]:
    flow = flow or tflow.tflow()
    marks.mark(flow, Exchange(**values))
    return flow.marked, flow.comment


ALL: dict[str, Any] = {
    "model": "hunyuan-t1-latest",
    "sent_model": "hy3",
    "program": "codex",
    "dialect": "responses",
    "spoken": "responses",
    "rules": ["merge", "bridge"],
    "vision_calls": 1,
    "cached": 1,
    "queued": 4812.0,
    "notes": {"vision": {"ms": 1204.0}},
    "first_byte": 412.0,
    "tries": 2,
    "usage": {"input": 1234, "cached": 800, "output": 340},
}


@pytest.mark.parametrize(
    ("values", "mark", "comment"),
    [
        ({}, "", ""),
        (
            ALL,
            ":wrench:",
            "hunyuan-t1-latest → hy3 · codex · responses · merge bridge · 2 img · queued 4.8 s · vision 1.2 s"
            " · first byte 0.41 s · 2 tries · 1.2k→340 tok",
        ),
        ({"model": "hy3", "dialect": "chat", "client": "alice", "program": "codex"}, "", "hy3 · alice"),
        ({"dialect": "responses-native", "spoken": "responses"}, "", "responses"),
        ({"queued": 49.0, "first_byte": 49.0, "notes": {"vision": {"ms": 49.0}}}, "", ""),
        ({"usage": {"output": 999}}, "", "999 tok"),
        ({"usage": {"input": 123_456, "output": 99_940}}, "", "123k→99.9k tok"),
        ({"rules": ["merge"], "mode": "observe"}, ":eyes:", "would apply merge"),
        ({"vision_calls": 2, "mode": "observe"}, "", "would describe 2 img"),
        ({"method": "GET", "path": "/v1/models", "program": "curl"}, "", "GET /v1/models · curl"),
        ({"method": "GET", "path": "/" + "x" * 5000}, "", "GET /" + "x" * 79),
        ({"answered": True}, "", "answered by the proxy"),
        ({"answered": True, "failure": "queue_full: too many"}, "", "queue_full: too many"),
        ({"warning": "too long"}, "", "too long"),
    ],
)
def test_the_comment_says_in_one_line_what_differs(values: dict[str, Any], mark: str, comment: str):
    assert marked(**values) == (mark, comment)
    assert mark in (*emoji.emoji, "")


def test_in_chinese_what_is_a_word_is_chinese(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(terminal, "_chosen", "zh")
    assert marked(**ALL)[1] == (
        "hunyuan-t1-latest → hy3 · codex · responses · merge bridge · 2 张图 · 排队 4.8 秒 · 图片描述 1.2 秒"
        " · 首字节 0.41 秒 · 共尝试 2 次 · 1.2k→340 tok"
    )
    assert marked(rules=["merge"], mode="observe")[1] == "将应用 merge"


def test_what_it_waits_for_stands_at_the_end_until_it_is_over():
    flow, exchange = tflow.tflow(), Exchange(model="hy3")
    marks.mark(flow, exchange, "streaming")
    assert flow.comment == "hy3 · streaming"
    marks.mark(flow, exchange)
    assert flow.comment == "hy3"


def test_what_comes_with_the_answer_is_added():
    flow, exchange = tflow.tflow(), Exchange(rules=["merge"])
    marks.mark(flow, exchange)
    exchange.rules.append("stop")
    marks.mark(flow, exchange)
    assert (flow.marked, flow.comment) == (":wrench:", "merge stop")


def test_a_comment_that_a_person_writes_meanwhile_stays():
    flow, exchange = tflow.tflow(), Exchange(rules=["merge"])
    marks.mark(flow, exchange)
    flow.comment = "look here"
    marks.mark(flow, exchange)
    assert flow.comment == "look here"


def test_a_persons_own_comment_and_mark_stay():
    flow = tflow.tflow()
    flow.marked, flow.comment = ":bug:", "look here"
    assert marked(flow, rules=["merge"]) == (":bug:", "look here")
