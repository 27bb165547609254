"""Shows requests side by side, sent to a strict endpoint directly and through the addon: `hunyuan-fix demo`."""

from __future__ import annotations

import argparse
import io
import shutil
import ssl
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from ...columns import beside, half, width, wrap
from ...simulator.rows import ProfileName
from ...simulator.server import serve_in_thread
from ...simulator.settings import Settings
from ..addresses import HOST
from ..colours import BOLD, DIM, GREEN, RED, paint
from ..path import ADDON
from . import processes
from .client import Client
from .scenes import SCENES
from .stage import RULES_HEADER, Endpoint, Scene, Side, Vendor, perform

REAL_URLS: Mapping[Vendor, str] = {
    "tencent": "https://api.hunyuan.cloud.tencent.com/v1",
    "moonshot": "https://api.moonshot.cn/v1",
}
PROFILES: Mapping[Vendor, ProfileName] = {"tencent": "hunyuan", "moonshot": "moonshot"}
WIDEST, NARROWEST = 120, 80
LOG_TAIL = 2000
"""Characters of the proxy's log that are shown where a scene failed."""

_DESCRIPTION = """\
Shows what the addon does, without network and without a key: typical requests of LLM clients go to the simulator,
a strict stand-in for the endpoint, once directly and once through mitmdump with the addon.
The exit status is 0 if every scene worked with the addon."""


def main(arguments: Sequence[str], prefix: str) -> int:
    """Play all scenes and print them; 1 if one failed with the addon."""
    parser = argparse.ArgumentParser(
        f"{prefix}demo", description=_DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that can't show Chinese shows question marks
    processes.end_with_sigterm()
    columns = max(NARROWEST, min(WIDEST, shutil.get_terminal_size((112, 24)).columns))
    try:
        with ExitStack() as stack:
            sides = {vendor: stack.enter_context(_sides(vendor, half(columns))) for vendor in REAL_URLS}
            counts = _play(sides, columns)
            if counts[1] < len(SCENES):
                for vendor in sides.values():
                    print(f"mitmdump said:\n{vendor.proxy.process.said()[-LOG_TAIL:]}", file=sys.stderr)
    except processes.StartError as error:
        print(f"{prefix}demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0 if counts[1] == len(SCENES) else 1


@dataclass(frozen=True, slots=True)
class Sides:
    """The client that calls the simulator directly, and the one that calls the real URL through the proxy."""

    without: Side
    through: Side
    proxy: processes.Mitmdump


@contextmanager
def _sides(vendor: Vendor, columns: int) -> Iterator[Sides]:
    simulator = serve_in_thread(Settings(profile=PROFILES[vendor]))
    with tempfile.TemporaryDirectory(prefix="hunyuan-fix-demo-") as name, simulator as served:
        endpoint = Endpoint(served.url)
        options = [
            f"hunyuan_upstream={endpoint.base_url}",
            f"hunyuan_hosts={HOST}={PROFILES[vendor]}",
            "hunyuan_store=memory",
        ]
        addon = ["-s", str(ADDON), *(word for option in options for word in ("--set", option))]
        with (
            processes.mitmdump("mitmdump", Path(name), *addon) as proxy,
            _side(endpoint, columns, endpoint.base_url, None) as without,
            _side(endpoint, columns, REAL_URLS[vendor], proxy) as through,
        ):
            yield Sides(without, through, proxy)


@contextmanager
def _side(endpoint: Endpoint, columns: int, base_url: str, proxy: processes.Mitmdump | None) -> Iterator[Side]:
    rules: list[str] = []
    # As with HTTPS_PROXY and SSL_CERT_FILE, but the user's own variables don't count.
    with httpx.Client(
        base_url=base_url,
        headers={"authorization": "Bearer sk-demo"},
        trust_env=False,
        proxy=proxy.url if proxy else None,
        verify=ssl.create_default_context(cafile=str(proxy.ca)) if proxy else False,
        timeout=60,
        event_hooks={"response": [lambda answer: rules.extend(answer.headers.get_list(RULES_HEADER))]},
    ) as http:
        yield Side(Client(http), endpoint, columns, rules)


def _play(sides: Mapping[Vendor, Sides], columns: int) -> tuple[int, int]:
    """Play and print all scenes. Returns how many worked without the addon, and with it."""
    print(paint("hunyuan-fix", BOLD) + " · a client sends each request twice:")
    print("  left    directly to the endpoint (a strict simulator of it: no network, no key)")
    print(f"  right   to {REAL_URLS['tencent']}, through mitmdump with the addon")
    for line in wrap(
        "The simulator is no model: some requests carry hidden words that tell it what to answer.", columns
    ):
        print(paint(line, DIM))
    won = [0, 0]
    for number, scene in enumerate(SCENES, 1):
        _print_heading(number, scene, columns)
        bare, repaired = (perform(scene, side) for side in (sides[scene.vendor].without, sides[scene.vendor].through))
        won = [won[0] + bare.worked, won[1] + repaired.worked]
        left = [paint("WITHOUT", BOLD), *bare.lines]
        right = [paint("WITH THE ADDON", BOLD), *repaired.lines]
        for line in beside(left, right, columns, paint("│", DIM)):
            print(line)
    total = len(SCENES)
    print()
    summary = paint(f"without: {won[0]} of {total}", RED if won[0] < total else GREEN)
    summary += " · " + paint(f"with: {won[1]} of {total}", BOLD, GREEN if won[1] == total else RED)
    print(summary, flush=True)
    return won[0], won[1]


def _print_heading(number: int, scene: Scene, columns: int) -> None:
    title = f"{number}  {scene.title} "
    print()
    print(paint(title, BOLD) + paint("─" * (columns - width(title)), DIM))
    for line in wrap(paint(f"   {scene.about}", DIM), columns):
        print(line)
