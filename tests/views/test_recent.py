"""The exchanges that have ended last: bounded, numbers and names alone."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from mitmproxy.http import HTTPFlow
from mitmproxy.test import tflow

from hunyuan_fix.exchange import Exchange
from hunyuan_fix.views import lists
from hunyuan_fix.views.recent import MOST, STEPS, Recent, client_of

START = 1_700_000_000.0


def ended(recent: Recent, first: float, last: float, **values: Any) -> HTTPFlow:
    flow = tflow.tflow(resp=True)
    flow.request.timestamp_start, flow.request.timestamp_end = START, START + 0.1
    assert flow.response
    flow.response.timestamp_start, flow.response.timestamp_end = START + first, START + last
    exchange = Exchange(**values)
    exchange.notes["vision"] = {"ms": 1000.0}
    recent.add(flow, exchange, START + 99)
    return flow


def test_each_step_has_its_part_of_the_time() -> None:
    recent = Recent()
    ended(recent, first=4.0, last=9.0, milliseconds=1200.0, queued=500.0)
    (one,) = recent
    assert one.ms == pytest.approx(9000)
    assert [one.step(kind) for kind in STEPS] == pytest.approx([100, 1000, 200, 500, 2200, 5000], abs=1)
    assert sum(map(one.step, STEPS)) == pytest.approx(one.ms, abs=1)


def test_the_slowest_are_by_all_of_it_or_by_one_step() -> None:
    recent = Recent()
    ended(recent, first=2.0, last=3.0, model="quick", queued=1800.0)
    ended(recent, first=2.0, last=9.0, model="long", queued=20.0)
    assert [one.model for one in recent.slowest(2)] == ["long", "quick"]
    assert [one.model for one in recent.slowest(1, "queued")] == ["quick"]
    assert lists.slowest(recent, "queued").splitlines()[2].split()[-2] == "quick"


def test_it_is_bounded_and_keeps_no_flow() -> None:
    recent = Recent()
    for number in range(MOST + 5):
        flow = ended(recent, 1.0, 2.0, model="m" * 500, client=f"c{number}")
    assert len(recent) == MOST
    assert next(iter(recent)).client == "c5"
    assert max(len(one.model) for one in recent) < 100
    assert recent.last() is flow
    del flow
    gc.collect()
    assert recent.last() is None


@pytest.mark.parametrize(
    ("exchange", "client"),
    [
        (Exchange(client="alice", headers={"user-agent": "codex_cli_rs/0.5 (x)"}), "alice"),
        (Exchange(headers={"user-agent": "codex_cli_rs/0.5 (x)"}), "codex"),
        (Exchange(headers={"user-agent": "own-program/2 (Linux)"}), "own-program"),
        (Exchange(), ""),
    ],
)
def test_who_sent_it(exchange: Exchange, client: str) -> None:
    assert client_of(exchange) == client
