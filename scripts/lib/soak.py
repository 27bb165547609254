"""The soak: thousands of mixed requests, and whether the proxy holds more after them than before."""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import trustme

from hunyuan_fix.cli.colours import BOLD, DIM, GREEN, RED, paint
from scripts.lib import processes, soak_probe
from scripts.lib.arguments import count
from scripts.lib.soak_clients import Crowd, Outcomes
from scripts.lib.soak_figures import Figures, Place, leaks
from scripts.lib.soak_orders import orders

HOST = "localhost"
STEPS = 10
WARM_UP_AT_MOST = 1000

DESCRIPTION = """\
Sends thousands of requests through mitmdump with hunyuan-fix to the simulator: chats, streams, tools, images,
embeddings, lists of models, broken bodies, failures of the endpoint; of ten clients one leaves before it has its
answer. TLS on both sides, HTTP/1.1 and HTTP/2. Prints what the proxy's process holds before and after. Loopback only,
Linux only.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Send and compare; 1 if anything is left, the memory grew too much, or a good request was not answered well."""
    given = _parse(arguments)
    processes.end_with_sigterm()
    try:
        with (
            tempfile.TemporaryDirectory(prefix="hunyuan-fix-soak-") as name,
            _running(Path(name), given.retry) as setting,
        ):
            return asyncio.run(_soak(setting, given))
    except (processes.StartError, OSError) as error:
        print(f"scripts/soak: {type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "scripts/soak", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=count, default=20_000, help="(20000)")
    parser.add_argument("--concurrency", type=count, default=16, help="clients at a time (16)")
    parser.add_argument("--retry", choices=("vision", "all"), default="all", help="the proxy's hunyuan_retry (all)")
    parser.add_argument("--seconds", type=count, default=3600, help="none is begun after so many (3600)")
    parser.add_argument("--growth", type=count, default=20, help="percent that the memory may grow (20)")
    parser.add_argument("--seed", type=count, default=1, help="the same seed sends the same requests (1)")
    return parser.parse_args(arguments)


# What runs


@dataclass(frozen=True, slots=True)
class _Setting:
    place: Place
    url: str
    ca: Path
    endpoint: str
    endpoint_ca: Path


@contextmanager
def _running(folder: Path, retry: str) -> Iterator[_Setting]:
    """The endpoint, and the proxy before it."""
    authority = trustme.CA()
    authority_file, chain, key = (folder / name for name in ("authority.pem", "endpoint.pem", "endpoint.key"))
    authority.cert_pem.write_to_path(str(authority_file))
    issued = authority.issue_cert(HOST, "127.0.0.1")
    chain.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    issued.private_key_pem.write_to_path(str(key))
    # Streams take a while, so that clients can leave in the middle; the limit on calls at once is the addon's business.
    pace = ["--concurrency", "0", "--chunk-delay", "0.002"]
    with processes.simulator(folder, "--cert", str(chain), "--key", str(key), *pace) as endpoint:
        port = urlsplit(endpoint).port or 0
        options = [f"hunyuan_hosts={HOST}=hunyuan", f"hunyuan_retry={retry}", f"hunyuan_store=sqlite:{folder}/store"]
        # What fails on purpose must fail soon, and must not keep the rest from the endpoint for long.
        options += ["hunyuan_retry_tries=3", "hunyuan_breaker_failures=0", "hunyuan_queue_timeout=50"]
        options.append(f"ssl_verify_upstream_trusted_ca={authority_file}")
        scripts = [word for path in (Path(soak_probe.__file__), processes.ADDON) for word in ("-s", str(path))]
        settings = [word for option in options for word in ("--set", option)]
        with processes.mitmdump("mitmdump", folder, *scripts, *settings, reverse=f"https://{HOST}:{port}") as proxy:
            place = Place(proxy.port, proxy.process.popen.pid, port)
            yield _Setting(place, f"https://{HOST}:{proxy.reverse_port}/v1", proxy.ca, endpoint, authority_file)


# The soak


async def _soak(setting: _Setting, given: argparse.Namespace) -> int:
    warming_up, crowd = (
        Crowd(setting.url, setting.ca, setting.endpoint, setting.endpoint_ca, given.retry == "all") for _ in range(2)
    )
    until = time.monotonic() + given.seconds
    warm_up = min(WARM_UP_AT_MOST, given.requests)
    print(f"hunyuan_retry={given.retry}: {warm_up:,} requests to warm up, then {given.requests:,}", flush=True)
    # Another seed, so that the same requests don't come twice.
    await warming_up.send(orders(warm_up, given.seed + 1), given.concurrency, until=until, progress=lambda _: None)
    before = await setting.place.settled()
    started = time.monotonic()

    def progress(done: int) -> None:
        if done % max(1, given.requests // STEPS) == 0:
            rate = done / (time.monotonic() - started)
            print(f"{done * 100 // given.requests:5} %  {rate:6.0f} requests/s", flush=True)

    await crowd.send(orders(given.requests, given.seed), given.concurrency, until=until, progress=progress)
    after = await setting.place.settled(before)
    _show(crowd.outcomes, before, after)
    return _verdict(given, crowd.outcomes, before, after)


_ROWS = (
    ("rss", "memory, MB"),
    ("descriptors", "descriptors"),
    ("tasks", "tasks"),
    ("upstream", "upstream connections in use"),
    ("idle_upstream", "upstream connections kept"),
    ("under_way", "slots and relay jobs"),
    ("relayed", "calls in the relay"),
    ("failures", "exceptions in the addon"),
)


def _show(outcomes: Outcomes, before: Figures, after: Figures) -> None:
    print(paint(f"\n{'':30}{'before':>10}{'after':>10}", BOLD))
    for name, label in _ROWS:
        values = "".join(f"{value:10.1f}" if name == "rss" else f"{value:10}" for value in _pair(name, before, after))
        print(f"{label:30}{values}")
    print(paint("\nwhat became of the requests", BOLD))
    for (kind, outcome), times in sorted(outcomes.counts.items()):
        print(f"{kind:20}{outcome:40}{times:8}")


def _pair(name: str, before: Figures, after: Figures) -> tuple[float, float]:
    if name == "tasks":
        return before.tasks.total(), after.tasks.total()
    return getattr(before, name), getattr(after, name)


def _verdict(given: argparse.Namespace, outcomes: Outcomes, before: Figures, after: Figures) -> int:
    growth = (after.rss / before.rss - 1) * 100
    found = leaks(before, after)
    if growth > given.growth:
        found.append(f"the memory grew by {growth:.0f} %")
    if after.failures:
        found.append(f"{after.failures} exceptions in the addon")
    if outcomes.surprises:
        some = "; ".join(outcomes.surprises[:5])
        found.append(f"{len(outcomes.surprises)} good requests were not answered well: {some}")
    if outcomes.total < given.requests:
        print(paint(f"\nTime was up after {outcomes.total:,} requests.", DIM))
    if found:
        print(paint(f"\nLeft over: {'; '.join(found)}.", RED))
        return 1
    print(paint(f"\nNothing is left of {outcomes.total:,} requests; the memory grew by {growth:+.1f} %.", GREEN))
    return 0


if __name__ == "__main__":
    sys.exit(main())
