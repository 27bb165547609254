"""What mitmproxy's lists show of an exchange."""

from __future__ import annotations

from typing import Any

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow
from mitmproxy.utils import emoji

from hunyuan_fix.exchange import Exchange
from hunyuan_fix.views import marks


def marked(flow: HTTPFlow | None = None, **values: Any) -> tuple[str, str]:
    flow = flow or tflow.tflow()
    marks.mark(flow, Exchange(**values))
    return flow.marked, flow.comment


@pytest.mark.parametrize(
    ("values", "mark", "comment"),
    [
        ({}, "", ""),
        ({"rules": ["merge", "tools"]}, ":wrench:", "hunyuan-fix: merge, tools"),
        ({"rules": ["merge"], "mode": "observe"}, ":eyes:", "hunyuan-fix: would apply merge"),
        (
            {"rules": ["cascade"], "vision_calls": 1, "cached": 2},
            ":wrench:",
            "hunyuan-fix: cascade · 1 vision call, 2 cached",
        ),
        (
            {"rules": ["cascade"], "vision_calls": 2, "mode": "observe"},
            ":eyes:",
            "hunyuan-fix: would apply cascade · would make 2 vision calls, 0 cached",
        ),
        ({"answered": True}, "", "hunyuan-fix: answered by the proxy"),
        ({"warning": "too long"}, "", "hunyuan-fix: too long"),
    ],
)
def test_the_comment_names_the_rules_in_one_line(values: dict[str, Any], mark: str, comment: str):
    assert marked(**values) == (mark, comment)
    assert mark in (*emoji.emoji, "")


def test_what_comes_with_the_answer_is_added():
    flow = tflow.tflow()
    marked(flow, rules=["merge"])
    assert marked(flow, rules=["merge", "stop"]) == (":wrench:", "hunyuan-fix: merge, stop")


def test_a_persons_own_comment_and_mark_stay():
    flow = tflow.tflow()
    flow.marked, flow.comment = ":bug:", "look here"
    assert marked(flow, rules=["merge"]) == (":bug:", "look here")
