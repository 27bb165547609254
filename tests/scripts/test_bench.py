"""`scripts/bench`: a tiny run says what it should. How fast anything is, is not a test's business."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.lib.bench_figures import ADDON, BARE, DIRECT, IDLE, Measured, Round, cpu_ratio, percentile, ratio
from scripts.lib.bench_loads import loads

ROOT = Path(__file__).resolve().parents[2]


def bench(output: Path, *arguments: str) -> tuple[Any, str]:
    """Its figures and what it printed."""
    command = [sys.executable, "-m", "scripts.lib.bench", "--output", str(output), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(output.read_text("utf-8")), done.stdout


def test_a_run_has_every_figure_of_every_way(tmp_path: Path) -> None:
    report, printed = bench(tmp_path / "bench.json", "--requests", "8", "--rounds", "1", "--chunks", "20")
    assert [each["load"] for each in report["loads"]] == [load.name for load in loads(chunks=20)]
    for each in report["loads"]:
        assert list(each["ways"]) == [DIRECT, BARE, IDLE, ADDON]
        assert each["ratio"] > 0
        for way in each["ways"].values():
            assert way["requests"] >= 4
            assert 0 < way["median_ms"] <= way["p99_ms"]
            assert way["requests_per_second"] > 0
        if sys.platform == "linux":
            assert all(each["ways"][name]["rss_mb"] > 10 for name in (BARE, IDLE, ADDON))
        assert f"\n{each['load']}  (" in printed
    assert len(report["load_average"]) == 3
    targets = {each["load"]: each["target"] for each in report["loads"] if each["target"]}
    assert targets["1 KB"] == targets["100 KB"] == 0.8
    assert targets["1 MB"] == 0.6
    assert targets["stream of 20 chunks"] == 0.9


def test_a_soak_watches_the_memory(tmp_path: Path) -> None:
    report, printed = bench(tmp_path / "bench.json", "--soak", "40")
    assert {name: len(sizes) for name, sizes in report["soak"]["rss_mb"].items()} == {BARE: 10, ADDON: 10}
    assert report["soak"]["growth_percent"].keys() == {BARE, ADDON}
    assert " 100 %" in printed


def measured(*rounds: tuple[float, float]) -> Measured:
    """Rounds of 10 requests, by seconds and processor seconds."""
    return Measured([Round(seconds, [seconds / 10] * 10, cpu) for seconds, cpu in rounds])


def test_ratios_are_taken_round_by_round() -> None:
    """A machine that is busy for one round, here the second, must not count."""
    bare, addon = measured((1, 1), (8, 1), (1, 1)), measured((2, 2), (16, 2), (2, 2))
    assert ratio(addon, bare) == pytest.approx(0.5)
    assert cpu_ratio(addon, bare) == pytest.approx(0.5)


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile(range(1, 101), 99) == 99
    assert percentile([1, 2, 3], 99) == 3
    assert percentile([7], 50) == 7


def test_ended_by_a_signal_it_leaves_no_proxy_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.lib.bench", "--output", str(tmp_path / "bench.json"), "--soak", "1000000"]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert any("RSS in MB" in line for line in running.stdout)
        running.terminate()
        assert running.wait(60) != 0
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if str(tmp_path).encode() in _read(path)]
    assert left == []


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
