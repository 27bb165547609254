"""Processes that run as long as a `with` block, free ports for them, and their output."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ...texts.terminal import say
from .. import mitmproxy_api
from ..addresses import free_port
from ..path import ADDON

START_TIMEOUT = 60.0
"""Seconds until a process must be ready."""

_PRIVATE = frozenset(
    [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "LANGUAGE",
    ]
)
_PRIVATE_PREFIX = "HUNYUAN_"
"""Variables that no process here inherits, so that none uses the user's own proxy, key or options."""


class StartError(Exception):
    """A process ended, or wasn't ready in time; the text holds its output."""


def end_with_sigterm() -> None:
    """Let SIGTERM end this process through its `with` blocks, as Ctrl-C does, so that no process is left running."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


@dataclass(frozen=True, slots=True)
class RunningProcess:
    """A running process. Its output goes to the file `log`, so that it never blocks on a full pipe."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """Its output so far."""
        return self.log.read_text("utf-8", "replace")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait for `pattern` in its output; returns the match. Raises `StartError` after 60 s, or at its end."""
        deadline = time.monotonic() + START_TIMEOUT
        while True:
            ended = self.popen.poll() is not None
            said = self.said()
            if match := re.search(pattern, said):
                return match
            if ended or time.monotonic() > deadline:
                raise StartError(say("{name} did not start:\n{log}", name=self.name, log=said))
            time.sleep(0.02)


@contextmanager
def run(name: str, command: Sequence[str], folder: Path) -> Iterator[RunningProcess]:
    """Run `command`; its output goes to `folder/name.log`."""
    log = folder / f"{name.replace(' ', '-')}.log"
    kept = {
        key: value
        for key, value in os.environ.items()
        if key.upper() not in _PRIVATE and not key.upper().startswith(_PRIVATE_PREFIX)
    }
    # English, whatever the user's language: `wait_for` reads what the process says.
    environment = {**kept, "PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8", "LC_ALL": "C.UTF-8"}
    with log.open("wb") as file:
        popen = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    try:
        yield RunningProcess(name, popen, log)
    finally:
        popen.terminate()
        try:
            popen.wait(10)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


@dataclass(frozen=True, slots=True)
class Mitmdump:
    """A running mitmdump: `port` as a proxy, `reverse_port` as a reverse proxy (0: there is none)."""

    process: RunningProcess
    port: int
    reverse_port: int
    ca: Path
    """Its own CA, which a client must trust."""

    @property
    def url(self) -> str:
        """For `HTTPS_PROXY`."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def mitmdump(
    name: str, folder: Path, *arguments: str, reverse: str | None = None, ports: tuple[int, int] | None = None
) -> Iterator[Mitmdump]:
    """Run mitmdump on loopback, on `ports` or free ones, its confdir in `folder`; also in front of `reverse`."""
    front, back = ports or (0, free_port() if reverse else 0)  # mitmproxy takes port 0 for one mode only
    modes = [f"regular@127.0.0.1:{front}", *([f"reverse:{reverse}@127.0.0.1:{back}"] if reverse else [])]
    command = [*mitmproxy_api.command("mitmdump"), "--set", f"confdir={folder / 'mitmproxy'}"]
    for mode in modes:
        command += ["--mode", mode]
    with run(name, [*command, *arguments], folder) as running:
        port = int(running.wait_for(r"HTTP\(S\) proxy listening at 127\.0\.0\.1:(\d+)")[1])
        if reverse:
            running.wait_for(rf"reverse proxy to \S+ listening at 127\.0\.0\.1:{back}")
        if str(ADDON) in arguments:
            running.wait_for("hunyuan-fix is ready")  # it answers no request before that
        yield Mitmdump(running, port, back, folder / "mitmproxy" / "mitmproxy-ca-cert.pem")
