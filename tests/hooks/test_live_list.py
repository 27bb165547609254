"""What mitmproxy's own list is told of a flow that is under way."""

from __future__ import annotations

import asyncio

import pytest
from mitmproxy.addons.view import View
from mitmproxy.test import taddons, tflow

from hunyuan_fix.exchange import QUEUED, Exchange
from hunyuan_fix.hooks import exchanges, live_list


async def test_a_wait_is_shown_with_what_it_is_for_and_ends(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(live_list, "_FIRST", 0.0)
    monkeypatch.setattr(live_list, "_AGAIN", 0.0)
    view, flow, exchange = View(), tflow.tflow(), Exchange(model="hy3", doing=QUEUED)
    shown: list[str] = []
    with taddons.context(view):
        view.add([flow])
        view.sig_view_update.connect(tell := lambda flow: shown.append(flow.comment))
        with live_list.waiting(flow, exchange):
            while not shown:
                await asyncio.sleep(0)
        live_list.show(flow, exchange, lambda: "streaming")
        for _ in range(5):
            await asyncio.sleep(0.001)
    assert set(shown[:-1]) == {"hy3 · in the queue, 0 s by now"}
    assert shown[-1] == "hy3 · streaming", "the wait is told of no more"
    assert tell is not None  # mitmproxy's signals hold no function


async def test_without_a_list_there_is_nothing_to_do():
    flow, exchange = tflow.tflow(), Exchange(model="hy3")
    with taddons.context():
        with live_list.waiting(flow, exchange):
            await asyncio.sleep(0)
        live_list.show(flow, exchange, lambda: "streaming")
    assert flow.comment == ""


def test_the_comment_of_a_replayed_flow_is_known_as_the_addons_own():
    flow = tflow.tflow()
    first = exchanges.begin(flow, None)
    first.comment = flow.comment = "hy3 · 200 tok"
    exchanges.save(flow, first)
    again = flow.copy()
    assert exchanges.begin(again, None).comment == again.comment
