"""Several workers behind one port: throughput, and whether what is promised of them holds (`scripts/scale`)."""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

from hunyuan_fix.cli.colours import BOLD, GREEN, RED, paint
from scripts.lib import processes
from scripts.lib.arguments import count
from scripts.lib.bench_process import cpu_seconds
from scripts.lib.processes import RunningProcess, free_port
from scripts.lib.scale_clients import HOST, Outcomes, body, crowd

DESCRIPTION = """\
Runs `hunyuan-fix run --workers N` before the simulator and sends requests: how many N workers answer in a second; what
a killed worker costs; whether each image is described once and an account's limit holds over all workers; whether a
rolling restart costs a request. Then the same with two of them behind HAProxy in TCP mode, which share one Redis.
Loopback only. Clients, simulator and workers share this machine's processors: the figures of throughput say how the
numbers of workers compare, not what a machine can do.
"""
_PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_ACCOUNT = 5
"""Calls at once that the endpoint lets an account have."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if a promise does not hold."""
    parser = argparse.ArgumentParser(
        "scripts/scale", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", default="1,2,4", help="numbers of workers whose throughput is measured (1,2,4)")
    parser.add_argument("--seconds", type=count, default=8, help="for each measurement (8)")
    parser.add_argument("--clients", type=count, default=16, help="clients at once (16)")
    parser.add_argument("--only", default="", help="the parts whose names begin so")
    given = parser.parse_args(arguments)
    processes.end_with_sigterm()
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "")
    report = Report()
    try:
        for name, part in PARTS.items():
            if name.startswith(given.only):
                print(paint(f"\n{name}", BOLD), flush=True)
                with tempfile.TemporaryDirectory(prefix="hunyuan-fix-scale-") as folder:
                    part(Path(folder), given, report)
    except (processes.StartError, OSError, httpx.HTTPError) as error:
        print(f"scripts/scale: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"\n{report.held} promises held, {report.broken} did not.")
    return 1 if report.broken else 0


@dataclass(slots=True)
class Report:
    """What has held so far."""

    held: int = 0
    broken: int = 0

    def promise(self, text: str, *, holds: bool) -> None:
        """Print whether it holds."""
        self.held, self.broken = self.held + holds, self.broken + (not holds)
        print(f"  {paint('holds ', GREEN) if holds else paint('BROKEN', RED)} {text}", flush=True)

    @staticmethod
    def figure(text: str) -> None:
        """Print a figure."""
        print(f"         {text}", flush=True)


@dataclass(frozen=True, slots=True)
class Proxy:
    """Workers that run."""

    process: RunningProcess
    port: int
    admin: str

    def status(self) -> dict[str, Any]:
        """As the admin server has it."""
        found: dict[str, Any] = httpx.get(f"{self.admin}/status", trust_env=False, timeout=30).json()
        return found

    def workers(self) -> list[dict[str, Any]]:
        """Its workers now."""
        found: list[dict[str, Any]] = self.status()["workers"]
        return found

    def exchanges(self) -> float:
        """How many exchanges all its workers have counted."""
        text = httpx.get(f"{self.admin}/metrics", trust_env=False, timeout=30).text
        return sum(float(value) for value in re.findall(r"^hunyuan_exchanges_total\{.*\} (\S+)$", text, re.MULTILINE))

    def until_new(self) -> None:
        """Replace all workers, and wait until that is done."""
        self.process.popen.send_signal(signal.SIGHUP)
        self.process.wait_for("All workers are new")

    def connections(self) -> dict[int, int]:
        """By worker, how many connections of clients it has."""
        return {worker["number"]: _connections(worker["pid"], self.port) for worker in self.workers()}


@contextmanager
def _proxy(folder: Path, name: str, upstream: str, workers: int, *arguments: str) -> Iterator[Proxy]:
    home = folder / name
    home.mkdir()
    port = free_port()
    command = [sys.executable, "-P", "-m", "hunyuan_fix.cli.main", "run", "--json", "--workers", str(workers)]
    command += ["--port", str(free_port()), "--reverse-port", str(port), "--upstream", f"{upstream}/v1"]
    command += ["--set", f"confdir={home / 'mitmproxy'}", "--set", "hunyuan_profile=hunyuan", *arguments]
    with processes.run(name, ["env", f"HOME={home}", f"XDG_DATA_HOME={home}", *command], folder) as running:
        told = json.loads(running.wait_for(r'(?m)^\{"base_url".*\}$')[0])
        yield Proxy(running, port, told["admin_url"])


@contextmanager
def _before_simulator(folder: Path, name: str, *simulated: str) -> Iterator[Proxy]:
    """Two workers before a simulator, without a limit of calls at once."""
    with (
        processes.simulator(folder, "--concurrency", "0", *simulated) as upstream,
        _proxy(folder, name, upstream, 2, "--set", "hunyuan_concurrency=0") as proxy,
    ):
        yield proxy


@contextmanager
def _redis(folder: Path) -> Iterator[str]:
    port = free_port()
    program = os.environ.get("HUNYUAN_FIX_REDIS") or "redis-server"
    command = [program, "--port", str(port), "--bind", HOST, "--save", "", "--appendonly", "no"]
    with processes.run("redis", command, folder) as running:
        running.wait_for("Ready to accept connections")
        yield f"redis://{HOST}:{port}/0"


@contextmanager
def _haproxy(folder: Path, ports: Sequence[int]) -> Iterator[int]:
    program = os.environ.get("HUNYUAN_FIX_HAPROXY") or shutil.which("haproxy") or "/usr/sbin/haproxy"
    port = free_port()
    servers = "\n".join(f"    server machine{number} {HOST}:{one} check" for number, one in enumerate(ports, 1))
    file = folder / "haproxy.cfg"
    file.write_text(
        "defaults\n    mode tcp\n    timeout connect 5s\n    timeout client 10m\n    timeout server 10m\n"
        f"listen proxies\n    bind {HOST}:{port}\n    balance leastconn\n    option redispatch\n    retries 3\n"
        f"{servers}\n"
    )
    with processes.run("haproxy", [program, "-db", "-f", str(file)], folder):
        _until(lambda: _accepts(port))
        yield port


def _accepts(port: int) -> bool:
    try:
        return httpx.get(f"http://{HOST}:{port}/health", trust_env=False, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _until(holds: Callable[[], bool], seconds: float = 60) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _simulated(upstream: str, reset: bool = False) -> dict[str, Any]:
    if reset:
        httpx.post(f"{upstream}/_sim/reset", trust_env=False, timeout=30).raise_for_status()
    found: dict[str, Any] = httpx.get(f"{upstream}/_sim/stats", trust_env=False, timeout=30).json()
    return found


def _connections(pid: int, port: int) -> int:
    """How many open connections at `port` the process has (Linux)."""
    wanted = f":{port:04X}"
    inodes = set()
    for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(wanted) and words[3] == "01":
            inodes.add(f"socket:[{words[9]}]")
    held = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held += os.readlink(descriptor) in inodes
        except OSError:
            continue
    return held


def _for_seconds(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


def _small(number: int) -> bytes:
    return body(f"Question {number}: what is it? [[sim:say It is that.]]")


def _throughput(folder: Path, given: argparse.Namespace, report: Report) -> None:
    numbers = [int(one) for one in given.workers.split(",")]
    with processes.simulator(folder, "--concurrency", "0") as upstream:
        for workers in numbers:
            settings = ["--set", "hunyuan_concurrency=0", "--set", "hunyuan_store=memory"]
            with _proxy(folder, f"workers-{workers}", upstream, workers, *settings) as proxy:
                asyncio.run(crowd([proxy.port], given.clients, _for_seconds(2), _small))
                pids = [worker["pid"] for worker in proxy.workers()]
                before = sum(cpu_seconds(pid) or 0 for pid in pids)
                own = cpu_seconds(proxy.process.popen.pid) or 0
                spread: dict[int, int] = {}

                async def measured(proxy: Proxy = proxy, spread: dict[int, int] = spread) -> Outcomes:
                    async def look() -> None:
                        await asyncio.sleep(given.seconds / 2)
                        spread.update(await asyncio.to_thread(proxy.connections))

                    sent, _ = await asyncio.gather(
                        crowd([proxy.port], given.clients, _for_seconds(given.seconds), _small), look()
                    )
                    return sent

                outcomes = asyncio.run(measured())
                used = sum(cpu_seconds(pid) or 0 for pid in pids) - before
                own = (cpu_seconds(proxy.process.popen.pid) or 0) - own
                counts = [worker["exchanges"] for worker in proxy.workers()]
                report.figure(
                    f"{workers} worker(s): {outcomes.per_second:.0f} requests a second, "
                    f"p50 {1000 * outcomes.quantile(0.5):.0f} ms, p99 {1000 * outcomes.quantile(0.99):.0f} ms; "
                    f"CPU a request {1e6 * used / max(1, outcomes.ok):.0f} us in workers, "
                    f"{1e6 * own / max(1, outcomes.ok):.0f} us in their supervisor; "
                    f"connections {list(spread.values())}, exchanges of each {counts}"
                )
                report.promise(f"{workers} worker(s) answer all: {outcomes}", holds=not outcomes.failed)


def _spread(folder: Path, given: argparse.Namespace, report: Report) -> None:
    with _before_simulator(folder, "spread") as proxy:

        async def idle() -> list[int]:
            opened = []
            for _ in range(100):  # one after the other, while nothing else happens: as agents begin to work
                opened.append(await asyncio.open_connection(HOST, proxy.port))
                await asyncio.sleep(0.02)
            counts = await asyncio.to_thread(proxy.connections)
            for _, writer in opened:
                writer.close()
            return list(counts.values())

        async def at_once() -> list[int]:
            opened = await asyncio.gather(*(asyncio.open_connection(HOST, proxy.port) for _ in range(100)))
            await asyncio.sleep(1)
            counts = await asyncio.to_thread(proxy.connections)
            for _, writer in opened:
                writer.close()
            return list(counts.values())

        report.figure(f"100 connections, one after the other: {asyncio.run(idle())}")
        report.figure(f"100 connections at once: {asyncio.run(at_once())}")


def _killed(folder: Path, given: argparse.Namespace, report: Report) -> None:
    with _before_simulator(folder, "killed", "--first-byte-delay", "0.05") as proxy:
        open_at_kill = 0

        async def kill() -> None:
            nonlocal open_at_kill
            await asyncio.sleep(given.seconds / 2)
            victim = (await asyncio.to_thread(proxy.workers))[0]
            open_at_kill = _connections(victim["pid"], proxy.port)
            os.kill(victim["pid"], signal.SIGKILL)

        async def both() -> Outcomes:
            sent, _ = await asyncio.gather(
                crowd([proxy.port], given.clients, _for_seconds(given.seconds), _small), kill()
            )
            return sent

        outcomes = asyncio.run(both())
        failed = sum(outcomes.failed.values())
        report.figure(f"one of 2 workers killed in the middle: {outcomes}")
        report.promise(
            f"it costs its open requests alone: {failed} failed, its clients were {open_at_kill}",
            holds=failed <= open_at_kill,
        )
        back = _until(lambda: len([one for one in proxy.workers() if one["ready"]]) == 2)
        report.promise("it was started again", holds=back)


def _described_once(folder: Path, given: argparse.Namespace, report: Report) -> None:
    # What stands behind a PNG's end is no part of the picture, but makes it another file.
    images = [base64.b64encode(_PNG + bytes([number])).decode() for number in range(20)]
    with ExitStack() as stack:
        upstream = stack.enter_context(processes.simulator(folder, "--concurrency", "0"))
        redis = stack.enter_context(_redis(folder))
        for name, store in (("SQLite", "sqlite"), ("Redis", redis)):
            _simulated(upstream, reset=True)
            arguments = ["--set", "hunyuan_concurrency=0", "--set", f"hunyuan_store={store}"]
            with _proxy(folder, f"images-{name}", upstream, 2, *arguments) as proxy:

                def made(number: int) -> bytes:
                    return body(
                        "What is it? [[sim:say Yes.]]", image=f"data:image/png;base64,{images[number % len(images)]}"
                    )

                def up_to(most: int) -> Callable[[], bool]:
                    left = iter(range(most))
                    return lambda: next(left, None) is not None

                first = asyncio.run(crowd([proxy.port], 1, up_to(20), made, keeps=False))
                again = asyncio.run(crowd([proxy.port], given.clients, up_to(400), made, keeps=False))
                spread = [worker["exchanges"] for worker in proxy.workers()]
                calls = _simulated(upstream)["vision_calls"]
                report.figure(f"{name}: {first.ok + again.ok} requests with 20 images, exchanges of each {spread}")
                report.promise(
                    f"over {name} each image is described once over all workers: {calls} calls for 20 images",
                    holds=calls == 20 and not first.failed and not again.failed,
                )


def _account(folder: Path, given: argparse.Namespace, report: Report) -> None:
    with ExitStack() as stack:
        delay = ("--first-byte-delay", "0.05")
        upstream = stack.enter_context(processes.simulator(folder, *delay))
        redis = stack.enter_context(_redis(folder))
        for name, store in (("Redis", redis), ("SQLite alone, by parts", "sqlite")):
            _simulated(upstream, reset=True)
            with _proxy(folder, f"account-{store[:5]}", upstream, 2, "--set", f"hunyuan_store={store}") as proxy:
                sent = asyncio.run(crowd([proxy.port], given.clients, _for_seconds(given.seconds), _small))
                most = _simulated(upstream)["max_concurrency"]
                report.figure(f"{name}: {sent.per_second:.0f} requests a second; {sent}")
                report.promise(
                    f"over {name} the account's limit holds for all workers: {most} calls at once, {_ACCOUNT} allowed",
                    holds=most <= _ACCOUNT and not sent.failed,
                )


def _rolling(folder: Path, given: argparse.Namespace, report: Report) -> None:
    with _before_simulator(folder, "rolling", "--first-byte-delay", "0.02") as proxy:
        _roll_under_load(proxy, [proxy], [proxy.port], given, report)


def _roll_under_load(
    rolled: Proxy, every: Sequence[Proxy], ports: list[int], given: argparse.Namespace, report: Report
) -> None:
    done = False
    before = {worker["pid"] for worker in rolled.workers()}
    counted: list[float] = []

    async def roll() -> None:
        nonlocal done
        await asyncio.sleep(1)
        rolling = asyncio.ensure_future(asyncio.to_thread(rolled.until_new))
        while not rolling.done():
            counted.append(sum([await asyncio.to_thread(one.exchanges) for one in every]))
            await asyncio.sleep(0.2)
        await rolling
        await asyncio.sleep(1)
        done = True

    async def all_at_once() -> tuple[Outcomes, Outcomes]:
        busy, slow, _ = await asyncio.gather(
            crowd(ports, given.clients, lambda: not done, _small),
            crowd(ports, 8, lambda: not done, _small, pause=1.0),
            roll(),
        )
        return busy, slow

    busy, slow = asyncio.run(all_at_once())
    new = {worker["pid"] for worker in rolled.workers()}
    report.figure(f"clients that never rest: {busy}")
    report.figure(f"clients that rest a second: {slow}")
    report.promise("a rolling restart costs no request", holds=not busy.failed and not slow.failed)
    report.promise("all workers are other processes", holds=not before & new)
    counted.append(sum(one.exchanges() for one in every))
    report.promise(
        f"counters never fell, and are complete: {counted[-1]:.0f} of {busy.ok + slow.ok}",
        holds=all(one <= two for one, two in pairwise(counted)) and counted[-1] >= busy.ok + slow.ok,
    )


def _machines(folder: Path, given: argparse.Namespace, report: Report) -> None:
    with ExitStack() as stack:
        upstream = stack.enter_context(processes.simulator(folder, "--first-byte-delay", "0.02"))
        redis = stack.enter_context(_redis(folder))
        arguments = ("--set", f"hunyuan_store={redis}")
        proxies = [
            stack.enter_context(_proxy(folder, f"machine-{number}", upstream, workers, *arguments))
            for number, workers in ((1, 2), (2, 1))
        ]
        port = stack.enter_context(_haproxy(folder, [proxy.port for proxy in proxies]))
        _simulated(upstream, reset=True)
        _roll_under_load(proxies[0], proxies, [port], given, report)
        most = _simulated(upstream)["max_concurrency"]
        report.promise(
            f"the account's limit holds over both machines: {most} calls at once, {_ACCOUNT} allowed",
            holds=most <= _ACCOUNT,
        )
        shares = [sum(worker["exchanges"] for worker in proxy.workers()) for proxy in proxies]
        report.figure(f"exchanges of the workers of each machine that run now: {shares}")


PARTS: dict[str, Callable[[Path, argparse.Namespace, Report], None]] = {
    "throughput": _throughput,
    "spread of connections": _spread,
    "one worker is killed": _killed,
    "images described once": _described_once,
    "account's limit": _account,
    "rolling restart": _rolling,
    "two machines behind HAProxy": _machines,
}


if __name__ == "__main__":
    sys.exit(main())
