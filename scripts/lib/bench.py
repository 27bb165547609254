"""The bench: what the addon costs beside a bare mitmdump, in one run on one machine."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import ssl
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import trustme

from scripts.lib import bench_cpu, bench_peers, processes
from scripts.lib.arguments import count
from scripts.lib.bench_figures import ADDON, BARE, DIRECT, IDLE, Measured, Round, load_json, table
from scripts.lib.bench_loads import CHUNKS, Load, loads
from scripts.lib.bench_process import Cores, cores, cpu_seconds, pin, rss_megabytes
from scripts.lib.bench_traffic import HOST, RULES_HEADER, Traffic, TrafficError, Way, traffic

IDLE_ADDON = Path(__file__).with_name("idle_addon.py")
CONNECTIONS = 4
SOAK_STEPS = 10

DESCRIPTION = """\
Measures, in turns in one run: clients straight at an endpoint, through a bare mitmdump, through mitmdump with an
addon that does nothing, and through mitmdump with hunyuan-fix, which rewrites every request. As in use there is TLS on
both sides of the proxy, over connections that are kept; it is a reverse proxy where the load doesn't say otherwise.
Each proxy has one processor, clients and endpoint have the others. Loopback only. Prints a table for each load and
writes the figures.

With --plain it measures what the addon costs the processor: CPU time of a request through bare mitmdump and through
mitmdump with hunyuan-fix, by load, over plain HTTP, quiet, all that is on by default being on; the median of the rounds
beside what the project wants to reach. A busy machine makes it slower and hardly changes its figures.

With --peers it measures the same loads through LiteLLM's proxy, which is installed into .peers for it.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 1 if anything was not answered as it should. Being slow is no failure."""
    given = parse(arguments)
    processes.end_with_sigterm()
    where = cores()
    pin(os.getpid(), where.others)
    try:
        if given.plain or given.peers:
            return ratios(given, where)
        report = asyncio.run(_bench(given, where))
    except (processes.StartError, bench_peers.InstallError, TrafficError, TimeoutError, OSError) as error:
        print(f"scripts/bench: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    given.output.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", "utf-8")
    print(f"\nwritten: {given.output}")
    return 0


def ratios(given: argparse.Namespace, where: Cores) -> int:
    """`--plain` and `--peers`: measure and print; the exit status."""
    if given.peers:
        bench_peers.install()
    effort = bench_cpu.QUICK if given.quick else bench_cpu.Effort(rounds=given.rounds, chunks=given.chunks)
    words = [word for word in given.only.split(",") if word.strip()]
    report = asyncio.run(bench_cpu.measure(effort, words, where, peers=given.peers))
    figures = json.dumps(_surroundings(where) | report.as_json(), ensure_ascii=False, indent=1)
    given.output.write_text(figures + "\n", "utf-8")
    if given.json:
        print(figures)
    else:
        print(f"{_machine(where)}\n")
        print("\n".join(report.lines()))
        print(f"\nwritten: {given.output}")
    return int(given.check and report.missed)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        "scripts/bench", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--plain", action="store_true", help="CPU time of a request against bare mitmdump")
    parser.add_argument("--peers", action="store_true", help="CPU time of a request against LiteLLM")
    parser.add_argument("--only", metavar="WORD,…", default="", help="only the loads whose name has one of these in it")
    parser.add_argument("--rounds", type=count, default=5, help="each way is measured so many times, in turns (5)")
    parser.add_argument("--chunks", type=count, default=CHUNKS, help=f"in a stream ({CHUNKS})")
    parser.add_argument("--quick", action="store_true", help="few requests: it shows that all works, no more")
    parser.add_argument("--check", action="store_true", help="with --plain: exit status 1 if a target is missed")
    parser.add_argument("--json", action="store_true", help="with --plain or --peers: print JSON in place of the table")
    parser.add_argument("--requests", type=count, default=400, help="of 1 KB, a round; fewer of larger ones (400)")
    parser.add_argument("--soak", type=count, metavar="N", help="instead, send N requests of 1 KB and watch the memory")
    parser.add_argument("--output", type=Path, default=processes.ROOT / "bench.json", help="(bench.json)")
    given = parser.parse_args(arguments)
    if given.quick:
        given.requests, given.rounds = 100, 2
    return given


async def _bench(given: argparse.Namespace, where: Cores) -> dict[str, Any]:
    print(f"{_machine(where)}\n")
    report = _surroundings(where)
    wanted = [load for load in loads(given.chunks) if any(word in load.name for word in given.only.split(","))]
    if not wanted:
        raise TrafficError(f"no load has {given.only!r} in its name")
    with tempfile.TemporaryDirectory(prefix="hunyuan-fix-bench-") as name:
        async with _running(Path(name), where, tls=True) as (road, ways):
            if given.soak:
                two = [way for way in ways if way.name in (BARE, ADDON) and way.takes(wanted[0])]
                return report | {"soak": await _soak(road, two, wanted[0], given.soak)}
            report["loads"] = []
            for load in wanted:
                count = max(CONNECTIONS, round(given.requests * load.share))
                measured = await _measure(road, [way for way in ways if way.takes(load)], load, count, given.rounds)
                report["loads"].append(load_json(load, measured))
                print("\n".join(table(load, measured)), end="\n\n", flush=True)
    return report


def _surroundings(where: Cores) -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "mitmproxy": version("mitmproxy"),
        "processors": os.cpu_count(),
        "proxy_pinned": bool(where.proxy),
        "connections": CONNECTIONS,
        "load_average": os.getloadavg(),
    }


def _machine(where: Cores) -> str:
    text = f"Python {platform.python_version()}, mitmproxy {version('mitmproxy')}, {os.cpu_count()} processors; "
    if where.proxy:
        return text + f"the proxies on number {min(where.proxy)}, clients and endpoint on {len(where.others)} other(s)"
    return text + "nothing could be pinned: the figures depend on who got which processor"


# What runs


@asynccontextmanager
async def _running(folder: Path, where: Cores, *, tls: bool) -> AsyncIterator[tuple[Traffic, list[Way]]]:
    """The endpoint, and the ways to it."""
    authority = trustme.CA()
    authority_file = folder / "authority.pem"
    authority.cert_pem.write_to_path(str(authority_file))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(HOST).configure_cert(server)
    async with traffic(server if tls else None) as road:
        with _proxies(folder, authority_file, road, where, tls=tls) as ways:
            yield road, [Way(DIRECT, trusted=_trusting(authority_file) if tls else None), *ways]


def _trusting(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority))


_BARE_STREAMING = ["--set", "stream_large_bodies=1"]
"""Bare mitmdump holds an answer back until it is whole; so it passes each chunk on, and request bodies too."""


@contextmanager
def _proxies(folder: Path, authority: Path, road: Traffic, where: Cores, *, tls: bool) -> Iterator[list[Way]]:
    # What a load of many clients with one key measures is the addon, not the queue that the endpoint's limit needs.
    set_aside = ["hunyuan_store=memory", "hunyuan_concurrency=0", f"hunyuan_hosts={HOST}=hunyuan"]
    ours = ["-s", str(processes.ADDON), *(word for value in set_aside for word in ("--set", value))]
    wanted: tuple[tuple[Way, list[str]], ...] = (
        (Way(BARE, streams=False), []),
        (Way(BARE, whole=False), _BARE_STREAMING),
        (Way(IDLE), ["-s", str(IDLE_ADDON)]),
        (Way(ADDON), ours),
    )
    with ExitStack() as stack:
        ways = []
        for number, (way, script) in enumerate(wanted):
            own = folder / f"proxy-{number}"
            own.mkdir()
            command = [*script, "--set", f"ssl_verify_upstream_trusted_ca={authority}"]
            target = f"{'https' if tls else 'http'}://{HOST}:{road.port}"
            proxy = stack.enter_context(processes.mitmdump(way.name, own, *command, reverse=target))
            pid = proxy.process.popen.pid
            pin(pid, where.proxy)
            trusted = _trusting(proxy.ca) if tls else None
            ways.append(replace(way, reverse_port=proxy.reverse_port, proxy_port=proxy.port, pid=pid, trusted=trusted))
        yield ways


# Measuring


async def _measure(road: Traffic, ways: Sequence[Way], load: Load, count: int, rounds: int) -> dict[str, Measured]:
    """All rounds of one load. Who comes first changes from round to round."""
    measured = {way.name: Measured() for way in ways}
    for number in range(rounds):
        first = number % len(ways)
        for way in [*ways[first:], *ways[:first]]:
            measured[way.name].rounds.append(await _round(road, way, load, count))
            measured[way.name].rss = rss_megabytes(way.pid) if way.pid else None
    return measured


async def _round(road: Traffic, way: Way, load: Load, count: int) -> Round:
    clients = await road.clients(way, load, CONNECTIONS)
    try:
        # Connections, certificates and the description of an image are there before the clock starts.
        _, head = await road.run(clients, load, CONNECTIONS)
        if (RULES_HEADER in head.lower()) is not (way.name == ADDON):
            raise TrafficError(f"{way.name}, {load.name}: this answer should {_should(way)}:\n{head.decode('latin-1')}")
        before, started = _cpu(way), time.perf_counter()
        latencies, _ = await road.run(clients, load, count)
        seconds, after = time.perf_counter() - started, _cpu(way)
    finally:
        for client in clients:
            client.close()
    return Round(seconds, latencies, None if before is None or after is None else after - before)


def _should(way: Way) -> str:
    return "come from a rewritten request" if way.name == ADDON else "not have been touched"


def _cpu(way: Way) -> float | None:
    return cpu_seconds(way.pid) if way.pid else None


async def _soak(road: Traffic, ways: Sequence[Way], load: Load, count: int) -> dict[str, Any]:
    """Send `count` requests each way, in turns, and watch the memory; growth counts after the first tenth."""
    print(f"{count:,} requests of {load.name}; RSS in MB\n\n       " + "".join(f"{way.name:>15}" for way in ways))
    sizes: dict[str, list[float]] = {way.name: [] for way in ways}
    clients = {way.name: await road.clients(way, load, CONNECTIONS) for way in ways}
    for step in range(1, SOAK_STEPS + 1):
        for way in ways:
            await road.run(clients[way.name], load, max(1, count // SOAK_STEPS))
            sizes[way.name].append(rss_megabytes(way.pid) or 0.0)
        print(f"{step * 100 // SOAK_STEPS:5} %" + "".join(f"{sizes[way.name][-1]:15.1f}" for way in ways), flush=True)
    for client in chain.from_iterable(clients.values()):
        client.close()
    growth = {name: (each[-1] / each[0] - 1) * 100 if each[0] else 0.0 for name, each in sizes.items()}
    print(
        " grown " + "".join(f"{growth[way.name]:+13.1f} %" for way in ways) + "   since the first tenth (target: ±10 %)"
    )
    return {"requests": count, "rss_mb": sizes, "growth_percent": growth}


if __name__ == "__main__":
    sys.exit(main())
