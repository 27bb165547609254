"""Stand-ins for vendors of thinking models, the proxies before them, and what came back of what the model thought."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.clients.translating import run_bare_proxy
from tests.end_to_end.processes import KEY, Certificates, Proxy, Simulator, run_proxy, run_simulator

MOONSHOT = "https://api.moonshot.cn/v1"
ZENMUX = "https://zenmux.ai/api/anthropic/v1"
HERE = Path(__file__).parent
TIMEOUT = 80.0
"""Seconds that a loop gets; it needs two on an idle machine."""


@dataclass(frozen=True, slots=True)
class Ways:
    """To a vendor's stand-in: with the addon, and through a mitmdump without it."""

    endpoint: Simulator
    proxy: Proxy
    bare: Proxy


@contextmanager
def run_ways(certificates: Certificates, profile: str, base_url: str, *options: str) -> Iterator[Ways]:
    """The stand-in of `profile` under the host of `base_url`, and both proxies."""
    host = base_url.split("/")[2]
    with (
        run_simulator(certificates, "--no-mentions", hosts=[host], profile=profile) as endpoint,
        run_before(certificates, base_url, endpoint, *options) as proxy,
        run_bare_proxy(certificates, host, endpoint.port) as bare,
    ):
        yield Ways(endpoint, proxy, bare)


@contextmanager
def run_before(
    certificates: Certificates, base_url: str, endpoint: Simulator, *options: str, store: str = "memory"
) -> Iterator[Proxy]:
    """A proxy before the stand-in `endpoint`, which stands for the host of `base_url`."""
    host = base_url.split("/")[2]
    words = [word for option in (f"hunyuan_upstream={base_url}", *options) for word in ("--set", option)]
    with run_proxy(certificates, {f"{host}:443": endpoint.port}, *words, store=store) as proxy:
        yield proxy


@dataclass(frozen=True, slots=True)
class Loop:
    """A loop that ended: its exit code and what it printed."""

    code: int
    output: str


def run_loop(name: str, folder: Path, proxy: Proxy, model: str, *more: str) -> Loop:
    """Carry out a loop of `thinking_loops.py`, or of `thinking_loops.mjs` if its name begins with `node:`."""
    clients = Path(os.environ["HUNYUAN_FIX_CLIENTS"])
    name, node = name.removeprefix("node:"), name.startswith("node:")
    here = shutil.copy(HERE / f"thinking_loops.{'mjs' if node else 'py'}", folder)
    if node:
        (folder / "node_modules").symlink_to(clients / "node_modules")
    program = clients / ("node_modules/.bin/node" if node else "python/bin/python")
    environment = {
        **proxy.environment,
        "NODE_EXTRA_CA_CERTS": str(proxy.certificates.proxy_ca),
        "NODE_USE_ENV_PROXY": "1",
        "MOONSHOT_API_KEY": KEY,
        "HOME": str(folder),
        "PATH": os.environ["PATH"],
    }
    command = [str(program), str(here), name, MOONSHOT, model, *more]
    done = subprocess.run(
        command,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    return Loop(done.returncode, done.stdout)


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment in a proxy's log."""

    proxy: Proxy
    at: int

    def changes(self, endpoint: Simulator) -> list[set[str]]:
        """The rules by which the requests since then were changed, in order: those that are in the endpoint's journal.

        Waits for their lines, which may be written after a program has its answer.
        """
        count = len([request for request in endpoint.requests() if request["method"] == "POST"])
        lines = self.proxy.process.wait_for(rf"(?s)\A.{{{self.at}}}(?:.*?POST \S+ model=\S+ rules=[^\n]*\n){{{count}}}")
        named = re.findall(r"POST \S+ model=\S+ rules=(\S+)", lines[0][self.at :])
        return [set(rules.split(",")) - {"-"} for rules in named]


def now(proxy: Proxy) -> Mark:
    """The log's end."""
    return Mark(proxy, len(proxy.process.output))


def came_back(endpoint: Simulator, *, calls: bool = True) -> list[list[str]]:
    """What came back of the thoughts of the assistant's turns, for each request with any. `calls`: only with calls."""
    judged = [[turn["what"] for turn in request if turn["calls"] or not calls] for request in endpoint.reasoning()]
    return [request for request in judged if request]


def rows(endpoint: Simulator) -> list[str]:
    """What requests were refused for, in order."""
    return [request["row"] for request in endpoint.requests() if request["row"]]
