"""`scripts/soak`: a small run finds nothing left over, and what is left over is found."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from hunyuan_fix.simulator.faults import Fault
from scripts.lib.soak_clients import Outcomes
from scripts.lib.soak_figures import Figures, leaks
from scripts.lib.soak_orders import CANCELLED_SHARE, Order, orders

ROOT = Path(__file__).resolve().parents[2]
TASKS = Counter({"client connection handler": 9, "hunyuan-fix watches files": 1})
FIGURES = Figures(
    rss=100.0, descriptors=20, idle_upstream=3, tasks=TASKS, under_way=0, relayed=0, upstream=0, failures=0
)


def soak(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.lib.soak", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=300, check=False)


@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc")
@pytest.mark.parametrize("retry", ["vision", "all"])
def test_a_small_run_leaves_nothing(retry: str) -> None:
    done = soak("--requests", "100", "--concurrency", "8", "--retry", retry)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"hunyuan_retry={retry}" in done.stdout
    assert "Nothing is left of 100 requests" in done.stdout
    rows = re.findall(r"^(\S.*?) +([\d.]+) +([\d.]+)$", done.stdout, re.MULTILINE)
    figures = {label: (float(before), float(after)) for label, before, after in rows}
    assert figures["memory, MB"][0] > 10
    assert figures["tasks"][1] <= figures["tasks"][0]
    assert figures["descriptors"][1] <= figures["descriptors"][0]
    assert figures["slots and relay jobs"] == figures["exceptions in the addon"] == (0, 0)
    assert re.search(r"^chat +good +\d+$", done.stdout, re.MULTILINE)
    assert re.search(r"^\S.* cancelled +\d+$", done.stdout, re.MULTILINE)


def test_what_is_left_is_found() -> None:
    assert leaks(FIGURES, FIGURES) == []
    fewer = TASKS - Counter(["hunyuan-fix watches files"])
    assert leaks(FIGURES, replace(FIGURES, descriptors=18, tasks=fewer, idle_upstream=20)) == []
    assert leaks(FIGURES, replace(FIGURES, descriptors=23)) == ["descriptors: 3 more"]
    assert leaks(FIGURES, replace(FIGURES, tasks=TASKS + Counter(["a", "b"]))) == ["tasks: 2 more (a, b)"]
    assert leaks(FIGURES, replace(FIGURES, under_way=1, relayed=2)) == ["under_way: 1", "relayed: 2"]
    assert leaks(FIGURES, replace(FIGURES, upstream=1)) == ["upstream: 1"]


def test_the_mix() -> None:
    sent = list(orders(4000, seed=1))
    assert sent == list(orders(4000, seed=1))
    assert sent != list(orders(4000, seed=2))
    kinds = Counter(order.kind for order in sent)
    assert kinds.keys() >= {"chat", "stream", "tools", "image", "embeddings", "models", "broken body", "fails"}
    assert min(kinds.values()) > 100
    cancelled = [order.cancel for order in sent if order.cancel]
    assert len(cancelled) == pytest.approx(4000 * CANCELLED_SHARE, rel=0.2)
    assert any(cancel.pieces for cancel in cancelled)
    assert any(cancel.seconds for cancel in cancelled)


def test_every_order_is_what_it_is_called() -> None:
    for order in orders(500, seed=3):
        if order.fault:
            Fault.parse(order.fault)
        if order.kind == "broken body":
            with pytest.raises(ValueError, match=r"."):
                json.loads(order.body)
        elif order.body:
            assert json.loads(order.body).get("stream", False) is order.streamed


@pytest.mark.parametrize(
    ("kind", "outcome", "retries", "surprising"),
    [
        ("chat", "good", True, False),
        ("chat", "cancelled", True, False),
        ("chat", "502", False, True),
        ("stream", "error event", True, True),
        ("fails once", "good", True, False),
        ("fails once", "429", True, True),
        ("fails once", "429", False, False),
        ("fails", "429", True, False),
        ("broken body", "400", True, False),
    ],
)
def test_a_good_request_that_is_not_answered_well_is_a_surprise(
    kind: str, outcome: str, retries: bool, surprising: bool
) -> None:
    outcomes = Outcomes()
    outcomes.note(Order(kind, b""), outcome, retries)
    assert outcomes.total == 1
    assert bool(outcomes.surprises) is surprising


def test_nonsense_is_refused() -> None:
    done = soak("--requests", "0")
    assert done.returncode == 2
    assert "no number from 1 on" in done.stderr
