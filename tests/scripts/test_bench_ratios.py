"""`scripts/bench --plain` and `--peers`: arithmetic and tiny runs. How fast anything is, is not a test's business."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.lib import bench, bench_cpu, bench_peers
from scripts.lib.bench_cpu import QUICK, Report
from scripts.lib.bench_loads import cpu_loads
from scripts.lib.bench_process import Cores, cpu_note, cpu_seconds, ps_seconds
from scripts.lib.bench_proxies import ADDON, BARE, LITELLM
from scripts.lib.bench_ratios import Row, Slice, Start, Starts, line, noise, start_lines
from scripts.lib.bench_traffic import TrafficError, Way, traffic

ROOT = Path(__file__).resolve().parents[2]
ANYWHERE = Cores((), ())


def row(*rounds: tuple[float, float], target: float | None = None) -> Row:
    """Rounds by CPU seconds of base and ours, 10 requests each."""
    base, ours = zip(*rounds, strict=True)
    return Row("load", target, base=[Slice(10, cpu, 1) for cpu in base], ours=[Slice(10, cpu, 2) for cpu in ours])


def test_the_ratio_is_the_median_of_the_rounds() -> None:
    """A machine that is slow for one round, here the second, slows both; one that disturbs one of both counts once."""
    measured = row((1, 2), (8, 16), (1, 2), (1, 100), (1, 2))
    assert measured.ratio == pytest.approx(0.5)
    assert measured.spread == pytest.approx(0)
    assert min(measured.ratios) == pytest.approx(0.01)


def test_a_slice_counts_by_request() -> None:
    assert row((1, 4)).ratios == [0.25]
    few = Row("load", base=[Slice(10, 1, 1)], ours=[Slice(40, 1, 1)])
    assert few.ratio == pytest.approx(4)
    assert Slice(1000, 0.5, 2).microseconds == pytest.approx(500)
    assert Slice(1000, 0.5, 2).rate == pytest.approx(500)


def test_noise_is_the_middle_distance_from_the_median() -> None:
    quiet, loud = row((1, 1), (1, 1), (1, 1)), row((0.9, 1), (1, 1), (1.1, 1))
    assert noise([quiet, loud, loud]) == pytest.approx(0.1)
    assert noise([quiet, quiet, loud]) == 0


@pytest.mark.parametrize(("target", "missed"), [(0.5, False), (0.51, True), (None, False)])
def test_a_target_is_reached_or_missed(target: float | None, missed: bool) -> None:
    measured = row((1, 2), target=target)
    assert measured.missed is missed
    assert measured.as_json()["ok"] is (None if target is None else not missed)
    assert Report(BARE, [measured], None, {}).missed is missed
    assert ("below" in line(measured), "ok" in line(measured)) == (missed, target is not None and not missed)


@pytest.mark.parametrize(
    ("cpu", "rss", "missed"), [(0.65, 85, False), (0.66, 85, True), (0.65, 86.5, True), (0.4, 70, False)]
)
def test_a_start_may_cost_so_much_more(cpu: float, rss: float, missed: bool) -> None:
    starts = Starts(0.151, 10.1, base=[Start(0.5, 75, 1)] * 3, ours=[Start(cpu, rss, 1)] * 3)
    assert starts.missed is missed
    assert any("below" in text for text in start_lines(starts)) is missed
    assert Report(BARE, [], starts, {}).missed is missed


def test_starts_without_a_target_miss_none() -> None:
    assert not Starts(None, None, base=[Start(1, 1, 1)], ours=[Start(9, 900, 1)]).missed


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0:01.23", 1.23), ("12:34", 754), ("01:02:03", 3723), ("2-00:00:01", 172_801), ("", None), ("TIME", None)],
)
def test_times_of_ps(text: str, seconds: float | None) -> None:
    assert ps_seconds(text) == (None if seconds is None else pytest.approx(seconds))


def test_processor_time_of_a_process() -> None:
    before = cpu_seconds(os.getpid())
    assert before
    while sum(range(10_000)) and (now := cpu_seconds(os.getpid())) == before:
        pass
    assert now is not None
    assert now > before
    assert cpu_seconds(2**22 + 1) is None  # above the largest process id


@pytest.mark.skipif(sys.platform != "linux", reason="schedstat is Linux's")
def test_on_linux_it_needs_no_note() -> None:
    assert cpu_note() is None


# Measuring, without a proxy: straight at the endpoint


async def _straight(name: str, load_name: str, enough: float = 0.01) -> Slice:
    load = next(load for load in cpu_loads(chunks=60) if load_name in load.name)
    async with traffic(None) as road:
        way = Way(name, reverse_port=road.port, pid=os.getpid())
        return await bench_cpu.measured(road, way, load, enough=enough, warm_up=0.001)


@pytest.mark.parametrize("load", ["1 KB untouched", "growing", "1 MB Chinese", "60 chunks", "60 tool calls"])
def test_a_slice_has_requests_and_their_time(load: str) -> None:
    measured = asyncio.run(_straight(BARE, load))
    assert measured.requests >= 2 * bench_cpu.CONNECTIONS
    assert measured.cpu >= 0.01
    assert measured.seconds > 0


def test_a_slice_of_dear_requests_has_some() -> None:
    assert asyncio.run(_straight(BARE, "1 KB repaired", enough=0.0)).requests == 2 * bench_cpu.CONNECTIONS


def test_a_load_that_is_not_rewritten_as_it_says_is_no_figure() -> None:
    with pytest.raises(TrafficError, match="1 KB repaired"):
        asyncio.run(_straight(ADDON, "1 KB repaired"))


# Whole runs


def run(output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scripts.lib.bench", "--output", str(output), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, encoding="utf-8", timeout=280, check=False)


@pytest.mark.timeout(300)
def test_a_plain_run_has_each_row(tmp_path: Path) -> None:
    done = run(tmp_path / "bench.json", "--plain", "--quick")
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert [each["load"] for each in report["rows"]] == [pair.row.name for pair in bench_cpu.pairs(QUICK.chunks)]
    assert all(each["ratio"] > 0 and each["ratios"] and each["base_us"] > 0 for each in report["rows"])
    assert all(each["load"] in done.stdout for each in report["rows"])
    assert {"start, s CPU", "start, MB"} <= {text[:28].strip() for text in done.stdout.splitlines()}
    assert report["start"]["ours_rss_mb"] > 10
    targets = {each["load"]: each["target"] for each in report["rows"]}
    assert targets["1 KB untouched"] == targets["1 KB repaired"] == targets["1 KB, hunyuan_mode=off"] == 1.25
    assert targets["1 KB, TLS"] is None


def test_a_word_in_no_name_is_told(tmp_path: Path) -> None:
    done = run(tmp_path / "bench.json", "--plain", "--only", "2 KB")
    assert done.returncode == 1
    assert "'2 KB'" in done.stderr


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that misses a target, whatever machine this is."""

    async def measure(*_: object, **__: object) -> Report:
        return Report(BARE, [row((1, 2), target=0.6)], None, {})

    monkeypatch.setattr(bench_cpu, "measure", measure)


@pytest.mark.usefixtures("slow")
@pytest.mark.parametrize(("arguments", "status"), [([], 0), (["--check"], 1)])
def test_only_a_check_fails_for_being_slow(arguments: list[str], status: int, tmp_path: Path) -> None:
    given = bench.parse(["--plain", "--output", str(tmp_path / "bench.json"), *arguments])
    assert bench.ratios(given, ANYWHERE) == status


@pytest.mark.usefixtures("slow")
def test_json_is_all_that_is_printed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = bench.parse(["--plain", "--json", "--output", str(tmp_path / "bench.json")])
    bench.ratios(given, ANYWHERE)
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert printed["rows"][0]["ok"] is False


@pytest.mark.parametrize(
    ("words", "fits"), [([], True), (["1 kb"], True), (["stream", " Untouched"], True), (["2 KB", "stream"], False)]
)
def test_rows_are_chosen_by_words_in_their_names(words: list[str], fits: bool) -> None:
    assert bench_cpu.wanted("1 KB untouched", words) is fits


# Peers


def test_every_package_beside_litellm_is_pinned() -> None:
    lines = [text for text in bench_peers.REQUIREMENTS.read_text("utf-8").splitlines() if not text.startswith("#")]
    assert all(text.count("==") == 1 for text in lines)
    assert bench_peers.version() in next(text for text in lines if text.startswith("litellm=="))


def test_a_peer_is_measured_beside_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything but LiteLLM itself, which no test installs: a mitmdump takes its command line and its place."""
    program = tmp_path / "litellm" / "bin" / "litellm"
    program.parent.mkdir(parents=True)
    program.write_text(_STAND_IN.format(python=sys.executable), "utf-8")
    program.chmod(0o755)
    monkeypatch.setattr(bench_peers, "FOLDER", tmp_path / "litellm")
    report = asyncio.run(bench_cpu.measure(QUICK, ["1 KB repaired", "chunks", "start"], ANYWHERE, peers=True))
    assert report.base == LITELLM
    assert [each.name for each in report.rows] == ["1 KB repaired", "stream of 40 chunks"]
    assert report.rows[0].target is None
    assert not report.missed
    assert report.memory.keys() == {LITELLM, ADDON}
    assert report.starts is not None
    assert report.starts.base[0].cpu > 0


_STAND_IN = """\
#!{python}
import json, os, pathlib, sys
given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
assert json.load(open(given["--log_config"]))["loggers"]["uvicorn.access"] == {{"level": "WARNING"}}
config = json.load(open(given["--config"]))
assert config["general_settings"]["master_key"]
target = config["model_list"][0]["litellm_params"]["api_base"].removesuffix("/v1")
mitmdump = str(pathlib.Path(sys.executable).with_name("mitmdump"))
mode = f"reverse:{{target}}@{{given['--host']}}:{{given['--port']}}"
confdir = pathlib.Path(given["--config"]).with_name("mitmproxy")
os.execv(mitmdump, [mitmdump, "-q", "--set", f"confdir={{confdir}}", "--mode", mode, "--set", "stream_large_bodies=1"])
"""


def test_what_is_installed_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_peers, "FOLDER", tmp_path)
    (tmp_path / "stamp").write_text(bench_peers.REQUIREMENTS.read_text("utf-8"), "utf-8")
    bench_peers.install()
    assert [path.name for path in tmp_path.iterdir()] == ["stamp"]


def test_what_pip_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = tmp_path / "peers.txt"
    requirements.write_text("litellm==1.0\n./nowhere-at-all\n", "utf-8")
    monkeypatch.setattr(bench_peers, "REQUIREMENTS", requirements)
    monkeypatch.setattr(bench_peers, "FOLDER", tmp_path / "litellm")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(bench_peers.InstallError, match="nowhere-at-all"):
        bench_peers.install()
    assert not (tmp_path / "litellm" / "stamp").exists()
