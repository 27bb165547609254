"""Starts that must fail, many times: each is to end with status 1, none by a signal.

    PYTHONPATH=. .venv/bin/python -m scripts.lib.starts --count 200

Its figures are those of races at the end of a process, so it is best run on a busy machine. Exits with 1 if any start
ended otherwise. Loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType

from hunyuan_fix.hooks import authority
from scripts.lib.arguments import count

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT = 120.0
"""Seconds for one start."""

PORTS = 6
"""Reverse ports of each start. Each has one for HTTP/3, too, opened by a thread of mitmproxy_rs's: that is the race."""

_TAKEN = "failed to listen"
_FAILS = "import logging\n\ndef {hook}(*_):\n    logging.error('This script fails.')\n"

KINDS: Mapping[str, tuple[str, Sequence[str]]] = MappingProxyType(
    {
        "value": ("hunyuan_cascade=yes: accepted are", ("--set", "hunyuan_cascade=yes")),
        "name": ("hunyuan_upstraem: there is no such", ("--set", "hunyuan_upstraem=http://127.0.0.1:1/v1")),
        "mitmproxy's option": ("stream_large_bodies=1m: must not", ("--set", "stream_large_bodies=1m")),
        "file": ("hunyuan_config: ", ("--set", "hunyuan_config={folder}/missing/options.yaml")),
        "script, loading": ("This script fails.", ("-s", "{folder}/load.py")),
        "script, running": ("This script fails.", ("-s", "{folder}/running.py")),
        "port": (_TAKEN, ("--mode", "reverse:https://127.0.0.1@{taken}")),
    }
)
"""What is wrong with a start -> what is said of it, and the arguments that make it so. The addon refuses all but the
last three; those are for mitmproxy to find."""


async def outcomes(number: int, parallel: int, kinds: Sequence[str] = tuple(KINDS)) -> Counter[tuple[str, int | str]]:
    """Make `number` starts, `parallel` at a time, of `kinds` in turn. Returns how many ended how: (kind, exit status).

    A negative status is a signal; one that doesn't say why it ends, or doesn't end, has `"silent"` or `"timeout"`.
    """
    ended: Counter[tuple[str, int | str]] = Counter()
    waiting = itertools.islice(itertools.cycle(kinds), number)
    with tempfile.TemporaryDirectory(prefix="hunyuan-fix-starts-") as name:
        folder = Path(name)
        for hook in ("load", "running"):
            (folder / f"{hook}.py").write_text(_FAILS.format(hook=hook), encoding="utf-8")
        authority.ensure(folder / "mitmproxy")
        taken = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        port = taken.sockets[0].getsockname()[1]

        async def some() -> None:
            for kind in waiting:
                said, words = KINDS[kind]
                words = [word.format(folder=folder, taken=f"127.0.0.1:{port}") for word in words]
                ended[kind, await _start(folder, words, said)] += 1

        async with taken:
            await asyncio.gather(*(some() for _ in range(parallel)))
    return ended


async def _start(folder: Path, wrong: Sequence[str], said: str) -> int | str:
    command = [str(Path(sys.executable).with_name("mitmdump")), "-s", str(ROOT / "addon/hunyuan_fix.py")]
    for port in _free_ports():
        command += ["--mode", f"reverse:https://127.0.0.1:1@127.0.0.1:{port}"]
    command += ["--set", f"confdir={folder / 'mitmproxy'}", "--set", "hunyuan_store=memory", *wrong]
    process = await asyncio.create_subprocess_exec(
        *command,
        env={name: value for name, value in os.environ.items() if not name.startswith("HUNYUAN_")},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT)
    except TimeoutError:
        process.kill()
        await process.wait()
        return "timeout"
    status = process.returncode
    # Another start may have taken one of its ports meanwhile: it fails all the same.
    if status is not None and (status < 0 or any(text in output.decode() for text in (said, _TAKEN))):
        return status
    print(output.decode(), file=sys.stderr)
    return "silent"


def _free_ports() -> list[int]:
    """Ports that are free now, each another."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(PORTS)]
        return [each.getsockname()[1] for each in sockets]


def main() -> int:
    """Make the starts and print how they ended."""
    parser = argparse.ArgumentParser("scripts.lib.starts", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=count, default=200, help="(200)")
    parser.add_argument("--parallel", type=count, default=8, help="at a time (8)")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only these; may be given again")
    given = parser.parse_args()
    ended = asyncio.run(outcomes(given.count, given.parallel, given.kind or tuple(KINDS)))
    for (kind, status), number in sorted(ended.items(), key=str):
        print(f"{number:5}  {kind}: exit status {status}")
    wrong = sum(number for (_, status), number in ended.items() if status != 1)
    print(f"{wrong} of {given.count} starts ended otherwise than with exit status 1")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
