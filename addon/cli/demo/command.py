"""Shows requests side by side, sent to a strict endpoint directly and through the addon: `hunyuan-fix demo`."""

from __future__ import annotations

import io
import shutil
import ssl
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from ...columns import beside, half, width, wrap
from ...simulator.__main__ import parse as simulator_settings
from ...simulator.server import serve_in_thread
from ...texts.terminal import say
from ..addresses import HOST
from ..arguments import Parser
from ..colours import BOLD, DIM, GREEN, RED, paint
from ..path import ADDON
from . import processes
from .client import Client
from .platforms import NATIVE, PLATFORMS, Platform, PlatformName
from .programme import PROGRAMMES
from .serving import KEY, serve
from .stage import RULES_HEADER, Endpoint, Scene, Side, perform

WIDEST, NARROWEST = 120, 80
LOG_TAIL = 2000
"""Characters of the proxy's log that are shown where a scene failed."""


def main(arguments: Sequence[str], prefix: str) -> int:
    """Play all scenes and print them; 1 if one failed with the addon."""
    parser = Parser(
        f"{prefix}demo",
        description=say(
            "Shows what the addon does, without network and without a key: typical requests of LLM clients go to the "
            "simulator,\na strict stand-in for the endpoint, once directly and once through mitmdump with the addon.\n"
            "The exit status is 0 if every scene worked with the addon."
        ),
    )
    parser.add_argument(
        "--profile",
        choices=tuple(PROGRAMMES),
        default="tokenhub",
        help=say("the platform: tokenhub (the default), or hunyuan, which was shut down on 2026-09-30"),
    )
    parser.add_argument(
        "--legacy", dest="profile", action="store_const", const="hunyuan", help=say("--profile hunyuan")
    )
    parser.add_argument(
        "--serve",
        action="store_true",
        help=say("keep the simulator and a proxy running, to try a client without a key"),
    )
    given = parser.parse_args(arguments)
    chosen: PlatformName = given.profile
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that can't show Chinese shows question marks
    processes.end_with_sigterm()
    columns = max(NARROWEST, min(WIDEST, shutil.get_terminal_size((112, 24)).columns))
    try:
        if given.serve:
            with suppress(KeyboardInterrupt):
                serve(PLATFORMS[chosen])
            return 0
        with ExitStack() as stack:
            scenes = PROGRAMMES[chosen]
            names = dict.fromkeys(scene.platform for scene in scenes)
            sides = {name: stack.enter_context(_sides(PLATFORMS[name], half(columns))) for name in names}
            everything_worked = _play(scenes, sides, PLATFORMS[chosen], columns)
            if not everything_worked:
                for both in sides.values():
                    log = both.proxy.process.said()[-LOG_TAIL:]
                    print(say("mitmdump said:\n{log}", log=log), file=sys.stderr)
    except processes.StartError as error:
        print(f"{prefix}demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0 if everything_worked else 1


@dataclass(frozen=True, slots=True)
class Sides:
    """The client that calls the simulator directly, and the one that calls the real URL through the proxy."""

    without: Side
    through: Side
    proxy: processes.Mitmdump


@contextmanager
def _sides(platform: Platform, columns: int) -> Iterator[Sides]:
    simulator = serve_in_thread(simulator_settings(["--profile", platform.profile]))
    with tempfile.TemporaryDirectory(prefix="hunyuan-fix-demo-") as name, simulator as served:
        endpoint = Endpoint(served.url)
        key_file = Path(name) / "key"
        key_file.touch(0o600)
        key_file.write_text(KEY)  # for a client that can have none: it signs its requests
        options = [
            f"hunyuan_api_key_file={key_file}",
            f"hunyuan_upstream={endpoint.base_url}",
            f"hunyuan_hosts={HOST}={platform.profile}",
            "hunyuan_store=memory",
        ]
        addon = ["-s", str(ADDON), *(word for option in options for word in ("--set", option))]
        with (
            processes.mitmdump("mitmdump", Path(name), *addon) as proxy,
            _side(platform, endpoint, columns) as without,
            _side(platform, endpoint, columns, proxy) as through,
        ):
            yield Sides(without, through, proxy)


@contextmanager
def _side(
    platform: Platform, endpoint: Endpoint, columns: int, proxy: processes.Mitmdump | None = None
) -> Iterator[Side]:
    """A way to `endpoint`: directly, or through `proxy` to the real URLs."""
    rules: list[str] = []

    # As with HTTPS_PROXY and SSL_CERT_FILE, but the user's own variables don't count.
    def to(url: str) -> httpx.Client:
        return httpx.Client(
            base_url=url if proxy else endpoint.base_url,
            headers={"authorization": f"Bearer {KEY}"},
            trust_env=False,
            proxy=proxy.url if proxy else None,
            verify=ssl.create_default_context(cafile=str(proxy.ca)) if proxy else False,
            timeout=60,
            event_hooks={"response": [lambda answer: rules.extend(answer.headers.get_list(RULES_HEADER))]},
        )

    with to(platform.base_url) as http, to(PLATFORMS["hunyuan"].base_url) as unmoved, to(NATIVE) as native:
        yield Side(Client(http), Client(unmoved), Client(native), endpoint, platform, columns, rules)


def _play(scenes: Sequence[Scene], sides: Mapping[PlatformName, Sides], platform: Platform, columns: int) -> bool:
    """Play and print all scenes. Returns whether all worked with the addon."""
    told = [
        say("a client sends each request twice:"),
        say("left    directly to {name} (a strict simulator of it: no network, no key)", name=platform.name),
        say("right   to {url}, through mitmdump with the addon", url=platform.base_url),
    ]
    print(paint("hunyuan-fix", BOLD) + f" · {told[0]}")
    print(f"  {told[1]}")
    print(f"  {told[2]}")
    note = say("The simulator is no model: some requests carry hidden words that tell it what to answer.")
    for line in wrap(note, columns):
        print(paint(line, DIM))
    without = through = 0
    for number, scene in enumerate(scenes, 1):
        _print_heading(number, scene, columns)
        bare, repaired = (
            perform(scene, side) for side in (sides[scene.platform].without, sides[scene.platform].through)
        )
        without, through = without + bare.worked, through + repaired.worked
        left = [paint(say("WITHOUT"), BOLD), *bare.lines]
        right = [paint(say("WITH THE ADDON"), BOLD), *repaired.lines]
        for line in beside(left, right, columns, paint("│", DIM)):
            print(line)
    total = len(scenes)
    print()
    count = paint(say("without: {count} of {total}", count=without, total=total), RED if without < total else GREEN)
    count += " · "
    repaired_colour = GREEN if through == total else RED
    count += paint(say("with: {count} of {total}", count=through, total=total), BOLD, repaired_colour)
    print(count, flush=True)
    return through == total


def _print_heading(number: int, scene: Scene, columns: int) -> None:
    title = f"{number}  {say(scene.title)} "
    print()
    print(paint(title, BOLD) + paint("─" * (columns - width(title)), DIM))
    for line in wrap(paint(f"   {say(scene.about)}", DIM), columns):
        print(line)
