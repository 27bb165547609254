"""The proxy that an agent uses: one that runs already, or one of its own that ends with it."""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ... import profiles
from ...config import operating_system
from ...hooks import authority
from ...texts.terminal import say
from ..addresses import HOST, PORT_TAKEN, free_port

START_TIMEOUT = 60.0
"""Seconds until a proxy must be ready."""
END_TIMEOUT = 10.0
"""Seconds that a proxy may take to end."""
_PAUSE = 0.05
"""Seconds between two looks whether it is ready."""
_ANSWER = 2.0
"""Seconds that it may take to answer. While it starts, clients wait for longer, and are asked again."""
_TRIES = 5
"""Starts of a proxy, each on other ports: another program may take a free port before it does."""
_KEPT_LINES = 200
_PORT_TAKEN = re.compile("address already in use|failed to listen")
"""What mitmproxy says of a port that another program has taken meanwhile."""


class StartError(Exception):
    """The proxy ended, or wasn't ready in time. The text is for users."""


class Interrupted(Exception):
    """The start was given up."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy listens, and where it sends calls."""

    port: int
    reverse_port: int
    confdir: Path
    profile: str
    """The name of the endpoint's profile; `""` if the proxy doesn't tell."""
    shut_down: bool = False
    """Whether the endpoint answers no more."""


def running(port: int, reverse_port: int, confdir: Path) -> Proxy | None:
    """The hunyuan-fix that listens on both ports with the CA in `confdir`; `None` without one.

    Nothing leaves this machine for it: both answer a request that has the addon's loop guard.
    """
    if not (_listens(port) and _listens(reverse_port)):
        return None
    from ..doctor import listeners  # noqa: PLC0415 - httpx takes a while, and mostly nothing listens

    behind = listeners.profile_behind(reverse_port, _ANSWER)
    if behind is None:
        return None
    host = profiles.load("tokenhub").hosts[0]  # one whose every path is ours: what isn't would be sent
    try:
        trusted = ssl.create_default_context(cafile=str(authority.ca_file(confdir)))
    except OSError:
        return None
    if not listeners.decrypts(f"http://{HOST}:{port}", f"https://{host}/v1/models", trusted):
        return None
    return Proxy(port, reverse_port, confdir, *behind)


def _listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


class OwnProxy:
    """A proxy that runs in a process of its own. Its last lines are kept, and all go to `log` if there is one."""

    def __init__(self, popen: subprocess.Popen[bytes], log: IO[bytes] | None) -> None:
        self._popen = popen
        self._log = log
        self._lines: deque[bytes] = deque(maxlen=_KEPT_LINES)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self._popen.stdout or ():
            self._lines.append(line)
            if self._log is not None:
                with suppress(OSError):  # a full disk is no reason to stop the proxy
                    self._log.write(line)

    @property
    def ended(self) -> bool:
        """Whether its process has ended."""
        return self._popen.poll() is not None

    @property
    def found_port_taken(self) -> bool:
        """Whether it has ended because another program listens on one of its ports."""
        return self._popen.poll() == PORT_TAKEN or (self.ended and _PORT_TAKEN.search(self.said()) is not None)

    def said(self) -> str:
        """Its last lines."""
        if self.ended:
            self._reader.join(1)
        return b"".join(self._lines.copy()).decode("utf-8", "replace")

    def end(self) -> None:
        """End the process: it ends by itself when its standard input is closed."""
        if self._popen.stdin:
            self._popen.stdin.close()
        try:
            self._popen.wait(END_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reader.join(1)

    def kill(self) -> None:
        """End the process at once, whatever it does."""
        self._popen.kill()
        self._popen.wait()


@contextmanager
def own(
    arguments: Sequence[str],
    *,
    confdir: Path | None,
    log: Path | None,
    given_up: Callable[[], bool],
    environment: Mapping[str, str] | None = None,
) -> Iterator[tuple[Proxy, OwnProxy]]:
    """Run `hunyuan-fix run` with `arguments` on free ports; ends it with the block, or when this process dies.

    `confdir`: mitmproxy's folder; `None`: a temporary one. `given_up` is asked again and again whether the start is
    no longer wanted. `environment`: what it gets beside
    this process's. Raises `StartError`, `Interrupted`, and `OSError` for a log that can't be written.
    """
    with ExitStack() as stack:
        removed = ""
        if confdir is None:
            # The proxy removes it too: this process may be killed.
            folder = tempfile.TemporaryDirectory(prefix="hunyuan-fix-", ignore_cleanup_errors=True)
            confdir = Path(removed := stack.enter_context(folder))
        arguments = [f"--until-eof={removed}", "--set", f"confdir={confdir}", *arguments]
        file = stack.enter_context(log.open("ab", buffering=0)) if log else None
        for _ in range(_TRIES):
            port, reverse_port = free_port(), free_port()
            process = OwnProxy(_started(port, reverse_port, arguments, environment or {}), file)
            stack.callback(process.end)
            if behind := _ready(process, reverse_port, given_up):
                yield Proxy(port, reverse_port, confdir, *behind), process
                return
        raise StartError(say("no port was free for long enough"))


def _started(
    port: int, reverse_port: int, arguments: Sequence[str], environment: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    ports = ["--port", str(port), "--reverse-port", str(reverse_port)]
    return subprocess.Popen(
        [sys.executable, "-P", "-u", "-m", "hunyuan_fix.cli.main", "run", *ports, *arguments],
        env={**os.environ, **environment, "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **operating_system.out_of_the_terminals_reach(),
    )


def _ready(process: OwnProxy, reverse_port: int, given_up: Callable[[], bool]) -> tuple[str, bool] | None:
    """Wait until the proxy answers; returns what is behind it, or `None` if it found a port taken."""
    from ..doctor import listeners  # noqa: PLC0415 - see above

    deadline = time.monotonic() + START_TIMEOUT
    while not process.ended and time.monotonic() < deadline:
        if given_up():
            process.kill()
            raise Interrupted
        if _listens(reverse_port) and (behind := listeners.profile_behind(reverse_port, _ANSWER)):
            return behind
        time.sleep(_PAUSE)
    if process.found_port_taken:
        return None
    said = process.said()
    raise StartError(said.strip() or say("it said nothing"))
